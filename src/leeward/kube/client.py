"""A small client of any Kubernetes API, for the command line and the drills.

Decides nothing: it turns calls into requests and failed answers into
:class:`leeward.kube.status.StatusError`. A resource is ``"pods"`` or ``"deployments.apps"``; the server is
asked once about those that leeward does not know. Straight-line code uses ``asyncio.run``.
"""

from __future__ import annotations

import builtins
from collections.abc import AsyncIterator, Mapping
from datetime import timedelta
from types import TracebackType
from typing import Any, Self

import httpx
import orjson

from leeward.base.clock import SystemClock
from leeward.kube import http
from leeward.kube.clientpaths import Locator, query_of
from leeward.kube.fetching import Fetched, fetch
from leeward.kube.http import PATCH_TYPES, Location
from leeward.kube.kubeconfig import Access
from leeward.kube.objects import Obj
from leeward.kube.status import ExpiredError, NotFoundError

_PAGE = 500
_SMALL = timedelta(seconds=5)
_JSON = {"content-type": "application/json"}


class KubeClient:
    """Reads and writes objects over HTTPS; use it as an async context manager.

    Args:
        access: one context of a kubeconfig (:func:`leeward.kube.kubeconfig.load_access`).
        timeout_seconds: per request; watches and logs wait for ever between chunks.
    """

    def __init__(self, access: Access, *, timeout_seconds: float = 30.0) -> None:
        self.access = access
        self._http = httpx.AsyncClient(**http.connection_arguments(access, timeout_seconds))
        self._locator = Locator()
        self._clock = SystemClock()
        self.ahead = (
            timedelta()
        )  # of the server's clock, as its last answer had it; small differences are none

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
    ) -> Any:
        """Send one request and return the parsed answer (text when it is not JSON).

        Raises:
            StatusError: the server refused.
            OperationError: the server cannot be reached.
        """
        content = None if body is None else orjson.dumps(body)
        sent = {**(_JSON if body is not None else {}), **(headers or {})}
        try:
            answer = await self._http.request(method, path, params=params, content=content, headers=sent)
        except httpx.HTTPError as error:
            raise http.unreachable(self.access, error) from error
        if (date := http.date_of(answer.headers)) is not None:
            ahead = date - self._clock.now()
            self.ahead = ahead if abs(ahead) > _SMALL else timedelta()
        return _parsed(answer)

    async def fetch(self, path: str, *, headers: Mapping[str, str] | None = None) -> Fetched:
        """GET a path, such as one that a proxy of the API serves, and return the answer, whatever it is.

        Raises:
            OperationError: the server cannot be reached.
        """
        sent = {"accept": "*/*", **(headers or {})}
        try:
            return await fetch(self._http, path, headers=sent)
        except httpx.HTTPError as error:
            raise http.unreachable(self.access, error) from error

    async def locate(self, resource: str) -> Location:
        """Return where `resource` is served.

        Raises:
            NotFoundError: the server has no such resource.
        """
        found = self._locator.known(resource)
        if found is not None:
            return found
        group = self._locator.group_of(resource)
        document = await self.request("GET", f"/apis/{group}" if group else "/api/v1")
        if not isinstance(document, dict):
            raise http.unreadable(self.access)
        version = document["preferredVersion"]["version"] if group else "v1"
        listing = await self.request("GET", f"/apis/{group}/{version}") if group else document
        return self._locator.learn(resource, group, version, listing)

    async def get(self, resource: str, namespace: str, name: str, *, subresource: str = "") -> Obj:
        """Return one object.

        Raises:
            NotFoundError: it is not there.
        """
        place = await self.locate(resource)
        found: Obj = await self.request("GET", place.object_path(namespace, name, subresource))
        return found

    async def find(self, resource: str, namespace: str, name: str) -> Obj | None:
        """Return one object, or None."""
        try:
            return await self.get(resource, namespace, name)
        except NotFoundError:
            return None

    async def list(
        self, resource: str, namespace: str = "", *, label_selector: str = "", field_selector: str = ""
    ) -> builtins.list[Obj]:
        """Return all objects that match; all namespaces for ""."""
        return (await self.list_with_version(resource, namespace, label_selector, field_selector))[0]

    async def list_with_version(
        self, resource: str, namespace: str = "", label_selector: str = "", field_selector: str = ""
    ) -> tuple[builtins.list[Obj], str]:
        """Return the objects and the resourceVersion to watch from."""
        place = await self.locate(resource)
        params = query_of(labelSelector=label_selector, fieldSelector=field_selector, limit=str(_PAGE))
        items: builtins.list[Obj] = []
        while True:
            try:
                page = await self.request("GET", place.path(namespace), params=params)
            except ExpiredError:
                if "continue" not in params:
                    raise
                items = []  # all at once, as client-go's pager does then
                params = {key: params[key] for key in params if key not in ("continue", "limit")}
                continue
            kind = {"apiVersion": page["apiVersion"], "kind": page["kind"].removesuffix("List")}
            items.extend({**kind, **item} for item in page.get("items") or ())
            following = page["metadata"].get("continue")
            if not following:
                return items, page["metadata"].get("resourceVersion", "")
            params = {**params, "continue": following}

    async def watch(
        self,
        resource: str,
        namespace: str = "",
        *,
        resource_version: str = "",
        label_selector: str = "",
        field_selector: str = "",
        timeout_seconds: int | None = None,
    ) -> AsyncIterator[tuple[str, Obj]]:
        """Yield (type, object) until the server ends the watch.

        Raises:
            ExpiredError: `resource_version` is too old: list again.
        """
        place = await self.locate(resource)
        params = query_of(
            watch="true",
            allowWatchBookmarks="true",
            resourceVersion=resource_version,
            labelSelector=label_selector,
            fieldSelector=field_selector,
            timeoutSeconds="" if timeout_seconds is None else str(timeout_seconds),
        )
        async with self._stream(place.path(namespace), params) as answer:
            async for line in answer.aiter_lines():
                if line:
                    yield http.parse_stream_line(line)

    async def create(self, resource: str, obj: Obj, *, dry_run: bool = False) -> Obj:
        """Create an object, or with `dry_run` only ask what would come of it."""
        place = await self.locate(resource)
        path = place.path(obj["metadata"].get("namespace") or self.access.namespace)
        created: Obj = await self.request("POST", path, body=obj, params=_dry(dry_run))
        return created

    async def update(self, resource: str, obj: Obj, *, subresource: str = "") -> Obj:
        """Replace an object or a subresource of it."""
        place = await self.locate(resource)
        meta = obj["metadata"]
        path = place.object_path(meta.get("namespace") or self.access.namespace, meta["name"], subresource)
        updated: Obj = await self.request("PUT", path, body=obj)
        return updated

    async def patch(
        self,
        resource: str,
        namespace: str,
        name: str,
        patch: Any,
        *,
        patch_type: str = "strategic",
        subresource: str = "",
        dry_run: bool = False,
        manager: str = http.USER_AGENT,
    ) -> Obj:
        """Patch an object ("json", "merge", "strategic" or, where served, "apply"), or only ask.

        `manager` is who will own the fields.
        """
        place = await self.locate(resource)
        patched: Obj = await self.request(
            "PATCH",
            place.object_path(namespace, name, subresource),
            body=patch,
            headers={"content-type": PATCH_TYPES[patch_type]},
            params=query_of(fieldManager=manager) | _dry(dry_run),
        )
        return patched

    async def apply(self, resource: str, obj: Obj, *, force: bool = False) -> Obj:
        """Apply an object on the server's side, as the field manager of this client.

        Raises:
            ConflictError: others own a field that would change, and `force` is not given.
        """
        place = await self.locate(resource)
        meta = obj["metadata"]
        path = place.object_path(meta.get("namespace") or self.access.namespace, meta["name"])
        params = query_of(fieldManager=http.USER_AGENT, force="true" if force else "")
        headers = {"content-type": PATCH_TYPES["apply"]}
        applied: Obj = await self.request("PATCH", path, body=obj, params=params, headers=headers)
        return applied

    async def delete(
        self,
        resource: str,
        namespace: str,
        name: str,
        *,
        propagation: str | None = None,
        grace_period_seconds: int | None = None,
        preconditions: Mapping[str, str] | None = None,
    ) -> None:
        """Delete an object; absent ones raise NotFoundError.

        Args:
            resource: of the object.
            namespace: "" where it is in none.
            name: of the object.
            propagation: to what belongs to it.
            grace_period_seconds: of a Pod.
            preconditions: uid and resourceVersion that it must have; ConflictError when it has others.
        """
        place = await self.locate(resource)
        options: Obj = {"apiVersion": "v1", "kind": "DeleteOptions"}
        if propagation is not None:
            options["propagationPolicy"] = propagation
        if grace_period_seconds is not None:
            options["gracePeriodSeconds"] = grace_period_seconds
        if preconditions:
            options["preconditions"] = dict(preconditions)
        await self.request("DELETE", place.object_path(namespace, name), body=options)

    async def logs(
        self,
        namespace: str,
        pod: str,
        *,
        container: str = "",
        follow: bool = False,
        tail_lines: int | None = None,
        since_seconds: int | None = None,
        timestamps: bool = False,
        previous: bool = False,
    ) -> AsyncIterator[str]:
        """Yield the lines of a container's log, without their line ends."""
        params = query_of(
            container=container,
            follow="true" if follow else "",
            tailLines="" if tail_lines is None else str(tail_lines),
            sinceSeconds="" if since_seconds is None else str(since_seconds),
            timestamps="true" if timestamps else "",
            previous="true" if previous else "",
        )
        async with self._stream(f"/api/v1/namespaces/{namespace}/pods/{pod}/log", params) as answer:
            try:
                async for line in answer.aiter_lines():
                    yield line
            except httpx.HTTPError as error:
                raise http.unreachable(self.access, error) from error

    def _stream(self, path: str, params: Mapping[str, str]) -> _Stream:
        return _Stream(self._http, self.access, path, params)


class _Stream:
    """An open streaming answer; its errors are those of :meth:`KubeClient.request`."""

    def __init__(
        self, client: httpx.AsyncClient, access: Access, path: str, params: Mapping[str, str]
    ) -> None:
        self._context = client.stream("GET", path, params=params, timeout=httpx.Timeout(10.0, read=None))
        self._access = access

    async def __aenter__(self) -> httpx.Response:
        try:
            answer = await self._context.__aenter__()
        except httpx.HTTPError as error:
            raise http.unreachable(self._access, error) from error
        if answer.status_code >= 400:
            body = await answer.aread()
            await self._context.__aexit__(None, None, None)
            http.raise_for_status(answer, body)
        return answer

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._context.__aexit__(kind, error, trace)


def _dry(dry_run: bool) -> dict[str, str]:
    return {"dryRun": "All"} if dry_run else {}


def _parsed(answer: httpx.Response) -> Any:
    body = answer.content
    http.raise_for_status(answer, body)
    if "json" in answer.headers.get("content-type", ""):
        return orjson.loads(body)
    return body.decode("utf-8", "replace")
