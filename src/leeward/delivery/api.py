"""What delivery needs of a Kubernetes API, verb by verb; ``leeward.kube.client`` fulfils it over HTTPS.

Errors are ``leeward.kube.status.StatusError`` subclasses.
"""

from __future__ import annotations

import builtins
from collections.abc import Mapping
from typing import Any, Protocol

from leeward.compose.project import Project
from leeward.kube.objects import Obj


class Finds(Protocol):
    """Reads single objects."""

    async def find(self, resource: str, namespace: str, name: str) -> Obj | None:
        """Return one object, or None."""
        ...


class Lists(Protocol):
    """Reads many objects."""

    async def list(
        self, resource: str, namespace: str = "", *, label_selector: str = ""
    ) -> builtins.list[Obj]:
        """Return the objects of `resource` that match; all namespaces for ""."""
        ...


class Creates(Protocol):
    """Makes objects."""

    async def create(self, resource: str, obj: Obj) -> Obj:
        """Create an object; AlreadyExistsError where there is one of that name."""
        ...


class Updates(Protocol):
    """Replaces objects."""

    async def update(self, resource: str, obj: Obj) -> Obj:
        """Replace an object that is as it was read; ConflictError where it is not."""
        ...


class Patches(Protocol):
    """Changes parts of objects."""

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
        """Patch an object or a subresource of it ("json", "merge", "strategic" or "apply").

        With `dry_run` nothing is written; what would come of it is returned.
        """
        ...


class Applies(Protocol):
    """Changes objects on the server's side."""

    async def apply(self, resource: str, obj: Obj, *, force: bool = False) -> Obj:
        """Apply an object as the field manager ``leeward``; ConflictError where others own fields."""
        ...


class Deletes(Protocol):
    """Removes objects."""

    async def delete(
        self, resource: str, namespace: str, name: str, *, propagation: str | None = None
    ) -> None:
        """Delete an object; absent ones raise NotFoundError."""
        ...


class Api(Finds, Lists, Creates, Patches, Deletes, Protocol):
    """What bringing a project to a cluster needs."""


class ImageResolver(Protocol):
    """Knows which image a service is, for good."""

    async def resolve(self, project: Project) -> Mapping[str, str]:
        """Return service → reference with a digest, such as ``registry/web@sha256:…``.

        Raises:
            DiagnosticsError: images that cannot be told, all of them, with file and line.
        """
        ...
