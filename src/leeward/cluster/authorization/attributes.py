"""What a request asks for, as authorization sees it.

Source: k8s.io/apiserver/pkg/authorization/authorizer/interfaces.go,
endpoints/handlers/responsewriters/errors.go (Kubernetes 1.36).
"""

from __future__ import annotations

import html
from dataclasses import dataclass

from leeward.cluster.interface.user import User
from leeward.kube.status import ForbiddenError


@dataclass(frozen=True, slots=True, kw_only=True)
class Attributes:
    """One question: may `user` do this? Either to a resource, or to a path that is none."""

    user: User
    verb: str
    group: str = ""
    version: str = ""
    resource: str = ""
    subresource: str = ""
    namespace: str = ""  # "" for the whole cluster
    name: str = ""
    path: str = ""  # of what is no resource; then the fields above are empty

    @property
    def combined(self) -> str:
        """The resource as rules name it, such as ``pods/log``."""
        return f"{self.resource}/{self.subresource}" if self.subresource else self.resource

    def forbidden(self, reason: str = "") -> ForbiddenError:
        """Return the refusal."""
        text = html.escape(self._text(), quote=False) + (f": {reason}" if reason else "")
        if self.path:
            return ForbiddenError(f"forbidden: {text}", details={})
        kind = f"{self.resource}.{self.group}" if self.group else self.resource
        shown = f'{kind} "{self.name}"' if self.name else kind
        details = {"name": self.name, "group": self.group, "kind": self.resource}
        return ForbiddenError(
            f"{shown} is forbidden: {text}", details={key: value for key, value in details.items() if value}
        )

    def _text(self) -> str:
        who = f'User "{self.user.name}" cannot {self.verb}'
        if self.path:
            return f'{who} path "{self.path}"'
        where = f'in the namespace "{self.namespace}"' if self.namespace else "at the cluster scope"
        return f'{who} resource "{self.combined}" in API group "{self.group}" {where}'
