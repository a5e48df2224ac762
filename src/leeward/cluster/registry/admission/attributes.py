"""What a plugin is told about one write.

Source: k8s.io/apiserver/pkg/admission/{attributes,errors}.go (Kubernetes 1.36).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from leeward.cluster.interface.user import User
from leeward.kube.objects import Obj
from leeward.kube.resources import Resource
from leeward.kube.status import ForbiddenError

Operation = Literal["CREATE", "UPDATE", "DELETE", "CONNECT"]


def _unheard(warning: str) -> None:
    """Nobody listens."""


def _same(obj: Obj) -> Obj:
    return obj


@dataclass(slots=True, kw_only=True)
class Attributes:
    """One write on its way through admission; only the chain changes `obj`, by what plugins return."""

    operation: Operation
    resource: Resource
    obj: Obj  # what is written; of a deletion: {}
    old: Obj | None = None  # what is there; None: nothing
    subresource: str = ""
    namespace: str = ""  # "" for cluster-scoped kinds
    name: str = ""  # "" where it is not known yet
    user: User = field(default_factory=lambda: User(""))
    dry_run: bool = False
    options: Obj = field(default_factory=dict)  # of the request, such as DeleteOptions
    kind: Obj | None = None  # {group, version, kind} of `obj` where it is not the resource's, as a Binding's
    version: str = ""  # of the API in which the request came
    complete: Callable[[Obj], Obj] = _same  # fills in what a changed object lacks
    warn: Callable[[str], None] = _unheard  # tells the client something

    def details(self) -> dict[str, Any]:
        """Return the ``details`` of a Status about this write."""
        meta = self.obj.get("metadata") or {}
        name = self.name or meta.get("name") or meta.get("generateName") or "Unknown"
        group = {"group": self.resource.group} if self.resource.group else {}
        return {"name": name, **group, "kind": self.resource.plural}

    def forbidden(self, why: str) -> ForbiddenError:
        """Return the refusal of this write."""
        details = self.details()
        return ForbiddenError(
            f'{self.resource.name} "{details["name"]}" is forbidden: {why}', details=details
        )
