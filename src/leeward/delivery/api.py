"""What delivery needs of a Kubernetes API; ``leeward.kube.client`` fulfils it over HTTPS."""

from __future__ import annotations

import builtins
from collections.abc import Mapping
from typing import Any, Protocol

from leeward.compose.project import Project
from leeward.kube.objects import Obj


class Api(Protocol):
    """Reads and writes objects; errors are ``leeward.kube.status.StatusError`` subclasses."""

    async def find(self, resource: str, namespace: str, name: str) -> Obj | None:
        """Return one object, or None."""
        ...

    async def list(
        self, resource: str, namespace: str = "", *, label_selector: str = ""
    ) -> builtins.list[Obj]:
        """Return the objects of `resource` that match; all namespaces for ""."""
        ...

    async def create(self, resource: str, obj: Obj) -> Obj:
        """Create an object."""
        ...

    async def patch(
        self, resource: str, namespace: str, name: str, patch: Any, *, patch_type: str = "strategic"
    ) -> Obj:
        """Patch an object ("json", "merge" or "strategic")."""
        ...

    async def delete(
        self, resource: str, namespace: str, name: str, *, propagation: str | None = None
    ) -> None:
        """Delete an object; absent ones raise NotFoundError."""
        ...


class ImageResolver(Protocol):
    """Knows which image a service is, for good."""

    async def resolve(self, project: Project) -> Mapping[str, str]:
        """Return service → reference with a digest, such as ``registry/web@sha256:…``.

        Raises:
            DiagnosticsError: images that cannot be told, all of them, with file and line.
        """
        ...
