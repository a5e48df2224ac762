"""An API that outlives a lost connection or a busy server, and writes only while it may.

A request that failed in a way that may pass is sent again, for a while, and not before the server wants it.
It may have been carried out all the same; so what is created twice is looked at, and what is deleted twice is
gone. A patch that the server could not place among the writes of others is sent again, too; fields that
others own are no such thing.

Source: client-go's retries (429 and 5xx), kubernetes.io/docs/reference/using-api.
"""

from __future__ import annotations

import builtins
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any, TypeVar

from leeward.base.clock import Clock
from leeward.delivery.promotion.rollout import PromotionApi
from leeward.kube.fetching import Fetched
from leeward.kube.http import may_pass
from leeward.kube.objects import Obj, key_of
from leeward.kube.status import AlreadyExistsError, ConflictError, NotFoundError

SECONDS = 60.0  # that a request is repeated
_FIRST, _LONGEST = 0.2, 3.0  # seconds between two tries
_OWNED = "FieldManagerConflict"  # the reason of a cause
T = TypeVar("T")


class Patient:
    """Fulfils PromotionApi.

    Args:
        api: the one that is asked.
        clock: when to try again.
        require: called before every write; raises when there must be none.
    """

    def __init__(self, api: PromotionApi, clock: Clock, require: Callable[[], None]) -> None:
        self._api = api
        self._clock = clock
        self._require = require

    async def find(self, resource: str, namespace: str, name: str) -> Obj | None:
        """Return one object, or None."""
        return await self._try(lambda: self._api.find(resource, namespace, name))

    async def list(
        self, resource: str, namespace: str = "", *, label_selector: str = ""
    ) -> builtins.list[Obj]:
        """Return the objects that match."""
        return await self._try(lambda: self._api.list(resource, namespace, label_selector=label_selector))

    async def create(self, resource: str, obj: Obj) -> Obj:
        """Create an object; one that is there with the same spec was created by an earlier try."""
        tries = 0

        async def create() -> Obj:
            nonlocal tries
            tries += 1
            self._require()
            try:
                return await self._api.create(resource, obj)
            except AlreadyExistsError:
                found = await self._api.find(resource, *key_of(obj)) if tries > 1 else None
                if found is None or found.get("spec") != obj.get("spec"):
                    raise
                return found

        return await self._try(create)

    async def update(self, resource: str, obj: Obj) -> Obj:
        """Replace an object that is as it was read."""
        return await self._write(lambda: self._api.update(resource, obj))

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
    ) -> Obj:
        """Patch an object or a subresource of it."""
        return await self._write(
            lambda: self._api.patch(
                resource,
                namespace,
                name,
                patch,
                patch_type=patch_type,
                subresource=subresource,
                dry_run=dry_run,
            ),
            crowded="resourceVersion" not in (patch.get("metadata") or {} if isinstance(patch, dict) else {}),
        )

    async def apply(self, resource: str, obj: Obj, *, force: bool = False) -> Obj:
        """Apply an object on the server's side."""
        return await self._write(lambda: self._api.apply(resource, obj, force=force), crowded=True)

    async def delete(
        self, resource: str, namespace: str, name: str, *, propagation: str | None = None
    ) -> None:
        """Delete an object."""
        tries = 0

        async def delete() -> None:
            nonlocal tries
            tries += 1
            self._require()
            try:
                await self._api.delete(resource, namespace, name, propagation=propagation)
            except NotFoundError:
                if tries == 1:
                    raise

        await self._try(delete)

    def logs(
        self,
        namespace: str,
        pod: str,
        *,
        container: str = "",
        tail_lines: int | None = None,
        previous: bool = False,
    ) -> AsyncIterator[str]:
        """Yield the lines of a container's log; asked once."""
        return self._api.logs(namespace, pod, container=container, tail_lines=tail_lines, previous=previous)

    async def fetch(self, path: str, *, headers: Mapping[str, str] | None = None) -> Fetched:
        """GET a path; asked once, because whoever asks does so again and again."""
        return await self._api.fetch(path, headers=headers)

    async def _write(self, work: Callable[[], Awaitable[T]], *, crowded: bool = False) -> T:
        """Write; `crowded` tells that a conflict may be of the moment."""

        async def write() -> T:
            self._require()
            return await work()

        return await self._try(write, crowded=crowded)

    async def _try(self, work: Callable[[], Awaitable[T]], *, crowded: bool = False) -> T:
        deadline, pause = self._clock.monotonic() + SECONDS, _FIRST
        while True:
            try:
                return await work()
            except Exception as error:
                wanted = max(pause, getattr(error, "retry_after", None) or 0)
                passes = may_pass(error) or (crowded and _is_of_the_moment(error))
                if not passes or self._clock.monotonic() + wanted > deadline:
                    raise
            await self._clock.sleep(wanted)
            pause = min(pause * 2, _LONGEST)


def _is_of_the_moment(error: Exception) -> bool:
    """Tell whether a conflict is one of writes at the same time, and none about who owns a field."""
    causes = (getattr(error, "details", None) or {}).get("causes") or ()
    owned = any(each.get("reason") == _OWNED for each in causes)
    return isinstance(error, ConflictError) and not owned
