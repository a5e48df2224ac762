"""A Kubernetes API in memory, for what reads and writes objects: names, versions, conflicts, label selectors.

Every call gives way to others once, so that tasks interleave as requests do.
"""

from __future__ import annotations

import asyncio
import builtins
import copy
from collections.abc import Callable
from typing import Any

from leeward.kube.objects import Obj, labels_of
from leeward.kube.patch.merge import apply_merge_patch
from leeward.kube.status import AlreadyExistsError, ConflictError, NotFoundError

Key = tuple[str, str, str]


class Memory:
    """Objects by resource, namespace and name; `calls` has what was asked, `before` runs ahead of each."""

    def __init__(self) -> None:
        self.objects: dict[Key, Obj] = {}
        self.calls: list[tuple[str, str, str]] = []
        self.before: Callable[[str, str, str], None] = lambda verb, resource, name: None
        self._version = 0

    async def find(self, resource: str, namespace: str, name: str) -> Obj | None:
        await self._turn("get", resource, name)
        found = self.objects.get((resource, namespace, name))
        return copy.deepcopy(found)

    async def list(
        self, resource: str, namespace: str = "", *, label_selector: str = ""
    ) -> builtins.list[Obj]:
        await self._turn("list", resource, "")
        parts = [part for part in label_selector.split(",") if part]
        wanted = dict(part.split("=") for part in parts if "=" in part)
        absent = {part.removeprefix("!") for part in parts if part.startswith("!")}
        return [
            copy.deepcopy(obj)
            for (kind, space, _), obj in sorted(self.objects.items())
            if kind == resource
            and namespace in ("", space)
            and wanted.items() <= labels_of(obj).items()
            and absent.isdisjoint(labels_of(obj))
        ]

    async def create(self, resource: str, obj: Obj) -> Obj:
        key = self._key(resource, obj)
        await self._turn("create", resource, key[2])
        if key in self.objects:
            raise AlreadyExistsError(f"{key[2]} already exists")
        return self._put(key, obj)

    async def update(self, resource: str, obj: Obj, *, subresource: str = "") -> Obj:
        key = self._key(resource, obj)
        await self._turn("update", resource, key[2])
        live = self._live(key)
        version = obj["metadata"].get("resourceVersion")
        if version and version != live["metadata"]["resourceVersion"]:
            raise ConflictError(f"{key[2]} has been modified")
        wanted = {**live, "status": obj.get("status")} if subresource == "status" else obj
        return self._put(key, wanted)

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
        await self._turn("patch", resource, name)
        key = (resource, namespace, name)
        live = self._live(key)
        version = patch.get("metadata", {}).get("resourceVersion")
        if version and version != live["metadata"]["resourceVersion"]:
            raise ConflictError(f"{name} has been modified")
        after: Obj = apply_merge_patch(live, patch)
        return after if dry_run else self._put(key, after)

    async def apply(self, resource: str, obj: Obj, *, force: bool = False) -> Obj:
        key = self._key(resource, obj)
        await self._turn("apply", resource, key[2])
        return self._put(key, {**self.objects.get(key, {}), **obj})

    async def delete(
        self, resource: str, namespace: str, name: str, *, propagation: str | None = None
    ) -> None:
        await self._turn("delete", resource, name)
        self._live((resource, namespace, name))
        del self.objects[resource, namespace, name]

    async def _turn(self, verb: str, resource: str, name: str) -> None:
        self.calls.append((verb, resource, name))
        await asyncio.sleep(0)
        self.before(verb, resource, name)

    def _live(self, key: Key) -> Obj:
        if key not in self.objects:
            raise NotFoundError(f"{key[2]} not found")
        return self.objects[key]

    def _put(self, key: Key, obj: Obj) -> Obj:
        self._version += 1
        meta = {**obj["metadata"], "resourceVersion": str(self._version)}
        self.objects[key] = copy.deepcopy({**obj, "metadata": meta})
        return copy.deepcopy(self.objects[key])

    @staticmethod
    def _key(resource: str, obj: Obj) -> Key:
        return resource, obj["metadata"].get("namespace") or "", obj["metadata"]["name"]
