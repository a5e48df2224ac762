"""GET: one object, lists and watches, in the representation asked for.

Source: ``k8s.io/apiserver/pkg/endpoints/handlers/get.go`` (1.36).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from leeward.base.clock import Clock
from leeward.cluster.apiserver import watches
from leeward.cluster.apiserver.admission import attended
from leeward.cluster.apiserver.goorder import in_go_order
from leeward.cluster.apiserver.http import Answer, Request, Response, StreamResponse
from leeward.cluster.apiserver.negotiation import Representation, negotiate, respond
from leeward.cluster.apiserver.options import (
    ListOptions,
    check_version,
    read_list_options,
    revision_of,
    take_page,
)
from leeward.cluster.apiserver.paths import ResourcePath
from leeward.cluster.apiserver.printers.workloads import SCALE
from leeward.cluster.apiserver.representations import TableMaker, partial, partial_list
from leeward.cluster.apiserver.selection import Matcher, exact_name, matcher_for
from leeward.cluster.apiserver.served import Served
from leeward.cluster.interface.client import TrackingClient
from leeward.cluster.interface.store import Store
from leeward.cluster.registry.conversion.catalog import version_of
from leeward.cluster.registry.custom.structure import prune
from leeward.kube.objects import Obj, key_of
from leeward.kube.scale import scale_of
from leeward.kube.status import ExpiredError, NotAcceptableError


def untyped(obj: Obj) -> Obj:
    """Return an item of a list: without the type, which the list names."""
    return {key: value for key, value in obj.items() if key not in ("kind", "apiVersion")}


_TOO_OLD = (
    "The provided continue parameter is too old to display a consistent list result. You can start a new "
    "list without the continue parameter."
)


def is_converted(served: Served) -> bool:
    """Tell whether a resource may be served in another version than the stored one."""
    return served.custom or version_of(_stored(served), served.api_version) is not None


def in_version(served: Served, obj: Obj) -> Obj:
    """Return a stored object in the version in which a resource is served."""
    if served.custom:
        return _custom_in_version(served, obj)
    version = version_of(_stored(served), served.api_version)
    return obj if version is None else version.from_stored(obj)


def _custom_in_version(served: Served, obj: Obj) -> Obj:
    if obj.get("apiVersion") == served.api_version:
        return obj
    shown = {**obj, "apiVersion": served.api_version}
    return shown if served.schema is None else prune(shown, served.schema)[0]


def _stored(served: Served) -> str:
    return "events" if served.name == "events.events.k8s.io" else served.name


class Reads:
    """Serves GET on resources.

    Args:
        client: reads objects.
        store: revisions and history.
        clock: ages, bookmarks, time limits.
        tables: makes Tables.
    """

    def __init__(self, client: TrackingClient, store: Store, clock: Clock, tables: TableMaker) -> None:
        self._client = client
        self._store = store
        self._clock = clock
        self._tables = tables
        self._open: set[watches.Watch] = set()
        self._shared = watches.SharedLines()

    @property
    def revision(self) -> str:
        """The present resourceVersion of lists."""
        return str(self._store.revision)

    def close(self) -> None:
        """End every open watch."""
        for watch in list(self._open):
            watch.end()

    async def as_asked(self, served: Served, items: Sequence[Obj]) -> Sequence[Obj]:
        """Return stored objects in the version asked for, if a webhook has to convert them; else as they are.

        Raises:
            StatusError: it cannot.
        """
        if not served.converts or all(item.get("apiVersion") == served.api_version for item in items):
            return items
        return await attended(lambda: self._client.shown(served.name, items, served.api_version))

    def shown(self, served: Served, obj: Obj, representation: Representation, include: str) -> Obj:
        """Return one object as asked for."""
        obj = in_version(served, obj)
        if representation.transform == "Table":
            metadata = {"resourceVersion": obj["metadata"].get("resourceVersion", "")}
            return self._table(served, [obj], metadata, include)
        return partial(obj, representation.version) if representation.transform else obj

    def _table(self, served: Served, items: Sequence[Obj], metadata: dict[str, Any], include: str) -> Obj:
        now = self._clock.now()
        return self._tables.make(served.name, items, metadata, now, include=include, printer=served.printer)

    def shown_alone(self, served: Served, obj: Obj, representation: Representation, include: str) -> Obj:
        """Return one object as asked for, when nothing else is asked for."""
        shown = self.shown(served, obj, representation, include)
        return shown if representation.transform else in_go_order(shown, custom=served.custom)

    def _scale(self, served: Served, scale: Obj, representation: Representation, include: str) -> Obj:
        """Return a Scale as asked for; it is in no version of the kind that it is of."""
        if representation.transform == "Table":
            metadata = {"resourceVersion": scale["metadata"].get("resourceVersion", "")}
            now = self._clock.now()
            return self._tables.make(served.name, [scale], metadata, now, include=include, printer=SCALE)
        return partial(scale, representation.version) if representation.transform else in_go_order(scale)

    async def get(self, request: Request, path: ResourcePath, served: Served) -> Answer:
        """Answer GET on an object or its status or scale."""
        representation = negotiate(request.headers.get("accept", ""))
        if representation.transform == "PartialObjectMetadataList":
            raise NotAcceptableError(
                "you requested PartialObjectMetadataList, "
                f"but the requested object is not a list (*core.{served.kind})"
            )
        check_version(request.query.text("resourceVersion"), self._store.revision)
        (obj,) = await self.as_asked(served, [self._client.get(served.name, path.namespace, path.name)])
        include = request.query.text("includeObject", "Metadata")
        if path.subresource == "scale":
            shown = self._scale(served, scale_of(obj, served.scale), representation, include)
        else:
            shown = self.shown_alone(served, obj, representation, include)
        return respond(shown, representation, pretty=request.query.flag("pretty"))

    async def list(self, request: Request, path: ResourcePath, served: Served) -> Answer:
        """Answer GET on a collection: a list or a watch."""
        watch = request.query.flag("watch") or path.legacy_watch
        representation = negotiate(request.headers.get("accept", ""))
        options = read_list_options(request.query, watch=watch)
        matcher = matcher_for(options.label_selector, options.field_selector, served)
        if watch:
            return self._watch(request, path, served, options, matcher, representation)
        return await self._page(request, path, served, options, matcher, representation)

    async def select(
        self, path: ResourcePath, served: Served, options: ListOptions, matcher: Matcher | None
    ) -> Sequence[Obj]:
        """Return the objects of a collection that match, ordered by key."""
        return await self._matching(served, self._candidates(path, served, options), matcher)

    async def _matching(self, served: Served, items: Sequence[Obj], matcher: Matcher | None) -> Sequence[Obj]:
        items = await self.as_asked(served, items)
        return items if matcher is None else [item for item in items if matcher(item)]

    def _candidates(self, path: ResourcePath, served: Served, options: ListOptions) -> Sequence[Obj]:
        """Return what is stored of a collection and may match."""
        revision, name = revision_of(options), exact_name(options.field_selector)
        if revision:
            return self._as_of(path, served, options, revision)
        if name is not None and (path.namespace or not served.namespaced):
            found = self._client.find(served.name, path.namespace, name)
            return [] if found is None else [found]
        return self._client.list(served.name, path.namespace)

    def _as_of(
        self, path: ResourcePath, served: Served, options: ListOptions, revision: int
    ) -> Sequence[Obj]:
        """Return the objects of a collection as they were at a revision, ordered by key.

        Raises:
            ExpiredError: it is older than what is remembered.
        """
        items = self._client.list(served.name, path.namespace)
        if revision >= self._store.revision:
            return items
        try:
            events = list(self._store.events_since(_stored(served), revision))
        except ExpiredError:
            text = "The resourceVersion for the provided list is too old."
            raise ExpiredError(_TOO_OLD if options.continue_token else text) from None
        found = {key_of(item): item for item in items}
        for event in reversed(events):
            key = key_of(event.object)
            if path.namespace and key.namespace != path.namespace:
                continue
            if event.previous is None:
                found.pop(key, None)
            else:
                found[key] = event.previous
        return [found[key] for key in sorted(found)]

    async def _page(
        self,
        request: Request,
        path: ResourcePath,
        served: Served,
        options: ListOptions,
        matcher: Matcher | None,
        representation: Representation,
    ) -> Response:
        check_version(options.resource_version, self._store.revision)
        items = self._candidates(path, served, options)
        if matcher is not None:
            items = await self._matching(served, items, matcher)
        shown = revision_of(options) or self._store.revision
        goes_on = self._goes_on(path, served, options) if matcher is not None else lambda last: False
        items, metadata = take_page(items, options, shown, goes_on)
        if matcher is None:  # only what is shown is converted
            items = await self.as_asked(served, items)
        pretty = request.query.flag("pretty")
        if representation.transform == "Table":
            include = request.query.text("includeObject", "Metadata")
            items = [in_version(served, item) for item in items] if served.custom else items
            return respond(self._table(served, items, metadata, include), representation, pretty=pretty)
        if representation.transform:
            listed = partial_list(items, metadata, representation.version)
            return respond(listed, representation, pretty=pretty)
        return respond(make_list(served, items, metadata), representation, pretty=pretty)

    def _goes_on(self, path: ResourcePath, served: Served, options: ListOptions) -> Callable[[Obj], bool]:
        """Return what tells whether a page that is exactly full ends before the collection does."""

        def goes_on(last: Obj) -> bool:
            if exact_name(options.field_selector) is not None:
                return False
            everything = self._as_of(path, served, options, revision_of(options) or self._store.revision)
            return bool(everything) and key_of(everything[-1]) > key_of(last)

        return goes_on

    def _watch(
        self,
        request: Request,
        path: ResourcePath,
        served: Served,
        options: ListOptions,
        matcher: Matcher | None,
        representation: Representation,
    ) -> StreamResponse:
        since = check_version(options.resource_version, self._store.revision, watch=True)
        include = request.query.text("includeObject", "Metadata")

        def matches(obj: Obj) -> bool:
            if path.namespace and obj["metadata"].get("namespace") != path.namespace:
                return False
            if path.name and obj["metadata"]["name"] != path.name:
                return False
            return matcher is None or matcher(obj)

        def bookmark(revision: int, annotations: dict[str, str]) -> Any:
            metadata: dict[str, Any] = {"resourceVersion": str(revision)}
            if annotations:
                metadata["annotations"] = annotations
            if representation.transform == "Table":
                return self._table(served, [], metadata, include)
            typed = {"kind": served.kind, "apiVersion": served.api_version, "metadata": metadata}
            return partial(typed, representation.version) if representation.transform else typed

        def shown(obj: Obj) -> Any:
            return self.shown(served, obj, representation, include)

        def line(kind: str, obj: Obj) -> bytes:
            return watches.event_line(kind, shown(obj))

        alone = representation.transform or served.converts
        watch = watches.Watch(
            lambda handler: self._store.subscribe([served.name], handler),
            self._clock,
            matches=matches,
            line=line if alone else self._shared.maker(served, shown),
            bookmark=bookmark,
            revision=lambda: self._store.revision,
            bookmarks=options.bookmarks,
            timeout_seconds=options.timeout_seconds,
            prepare=(lambda items: self.as_asked(served, items)) if served.converts else None,
        )
        self._open.add(watch)
        media_type = "application/json"
        try:
            self._begin(watch, path, served, options, matches, since)
        except ExpiredError as error:
            watch.close()
            self._open.discard(watch)
            return StreamResponse(watches.error_line(error), request, content_type=media_type)
        return StreamResponse(self._lines(watch), request, content_type=media_type)

    async def _lines(self, watch: watches.Watch) -> Any:
        try:
            async for line in watch.lines():
                yield line
        finally:
            watch.close()
            self._open.discard(watch)

    def _begin(
        self,
        watch: watches.Watch,
        path: ResourcePath,
        served: Served,
        options: ListOptions,
        matches: Matcher,
        since: int,
    ) -> None:
        initial = options.send_initial_events
        if initial or (initial is None and since == 0):
            items = [item for item in self._client.list(served.name, path.namespace) if matches(item)]
            watch.initial(items, mark_end=bool(initial) and options.bookmarks)
        elif since:
            watch.replay(list(self._store.events_since(served.name, since)))


def make_list(served: Served, items: Sequence[Obj], metadata: dict[str, Any]) -> Obj:
    """Return the list object of a collection."""
    items = [in_version(served, item) for item in items] if is_converted(served) else items
    shown = list(items) if served.custom else [untyped(item) for item in items]
    if served.custom:
        metadata = {"continue": "", **metadata}
    return {
        "kind": served.list_kind,
        "apiVersion": served.api_version,
        "metadata": metadata,
        "items": shown,
    }
