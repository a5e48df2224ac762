"""Role-based access control: roles, bound to subjects, allow; nothing denies.

The group ``system:masters`` may do everything, whatever roles say. Bindings are indexed by subject, and read
again when one of the four kinds changes.

Source: plugin/pkg/auth/authorizer/rbac/rbac.go, pkg/registry/rbac/validation/rule.go (Kubernetes 1.36).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from leeward.cluster.authorization.attributes import Attributes
from leeward.cluster.authorization.rules import Rule, allows
from leeward.cluster.interface.client import Event, Reader
from leeward.cluster.interface.user import MASTERS, User, split_service_account
from leeward.kube.objects import Obj

GROUP = "rbac.authorization.k8s.io"
ROLES, CLUSTER_ROLES = f"roles.{GROUP}", f"clusterroles.{GROUP}"
BINDINGS, CLUSTER_BINDINGS = f"rolebindings.{GROUP}", f"clusterrolebindings.{GROUP}"
_KINDS = (ROLES, CLUSTER_ROLES, BINDINGS, CLUSTER_BINDINGS)
_Subject = tuple[str, str, str]  # kind, namespace of a service account, name


class Decision(NamedTuple):
    """An answer; `reason` is why it is allowed, `error` what could not be found out."""

    allowed: bool
    reason: str = ""
    error: str = ""


class Bound(NamedTuple):
    """What a binding gives a user: rules, or why there are none; `how` it does."""

    rules: list[Rule]
    how: str
    error: str = ""


class Rbac:
    """Decides by the roles and bindings of the cluster.

    Args:
        reader: where they are.
    """

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._index: dict[tuple[str, _Subject], list[Obj]] | None = None  # (namespace, subject) → bindings
        reader.watch(_KINDS, self._changed)

    def _changed(self, _event: Event) -> None:
        self._index = None

    def authorize(self, asked: Attributes) -> Decision:
        """Return whether a user may do what is asked."""
        if MASTERS in asked.user.groups:
            return Decision(allowed=True)
        errors = []
        for bound in self.bound(asked.user, asked.namespace):
            if bound.error:
                errors.append(bound.error)
            elif any(allows(rule, asked) for rule in bound.rules):
                return Decision(True, f"RBAC: allowed by {bound.how}")
        return Decision(False, error=_aggregate(errors))

    def bound(self, user: User, namespace: str) -> Iterator[Bound]:
        """Yield what each binding gives a user in the whole cluster, and in a namespace unless it is ""."""
        index = self._bindings()
        for place in ("", namespace) if namespace else ("",):
            seen: set[str] = set()
            for subject in _subjects_of(user):
                for binding in index.get((place, subject), ()):
                    name = binding["metadata"]["name"]
                    if name not in seen:
                        seen.add(name)
                        yield self._bound(binding, place, subject)

    def rules_of(self, user: User, namespace: str) -> tuple[list[Rule], list[str]]:
        """Return all that is allowed to a user in a namespace, and what could not be found out."""
        rules, errors = list[Rule](), list[str]()
        if MASTERS in user.groups:
            rules += [
                {"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]},
                {"nonResourceURLs": ["*"], "verbs": ["*"]},
            ]
        for bound in self.bound(user, namespace):
            rules += bound.rules
            errors += [bound.error] if bound.error else []
        return rules, errors

    def role(self, reference: Obj, namespace: str) -> Obj | None:
        """Return the role that a binding names."""
        if reference.get("kind") == "ClusterRole":
            return self._reader.find(CLUSTER_ROLES, "", reference.get("name") or "")
        return self._reader.find(ROLES, namespace, reference.get("name") or "")

    def _bound(self, binding: Obj, namespace: str, subject: _Subject) -> Bound:
        reference = binding.get("roleRef") or {}
        kind, name = reference.get("kind") or "", reference.get("name") or ""
        role = self.role(reference, namespace)
        if role is None:
            return Bound([], "", f'{kind.lower()}.{GROUP} "{name}" not found')
        own = binding["metadata"]["name"]
        place = f'RoleBinding "{own}/{namespace}"' if namespace else f'ClusterRoleBinding "{own}"'
        who = f"{subject[2]}/{subject[1]}" if subject[0] == "ServiceAccount" else subject[2]
        return Bound(role.get("rules") or [], f'{place} of {kind} "{name}" to {subject[0]} "{who}"')

    def _bindings(self) -> dict[tuple[str, _Subject], list[Obj]]:
        if self._index is None:
            index: dict[tuple[str, _Subject], list[Obj]] = {}
            for resource in (CLUSTER_BINDINGS, BINDINGS):
                for binding in self._reader.list(resource):
                    place = binding["metadata"].get("namespace") or ""
                    for subject in binding.get("subjects") or ():
                        account = subject.get("kind") == "ServiceAccount"
                        home = (subject.get("namespace") or place) if account else ""
                        key = (subject.get("kind") or "", home, subject.get("name") or "")
                        index.setdefault((place, key), []).append(binding)
            self._index = index
        return self._index


def _subjects_of(user: User) -> Iterator[_Subject]:
    yield "User", "", user.name
    account = split_service_account(user.name)
    if account is not None:
        yield "ServiceAccount", *account
    for group in user.groups:
        yield "Group", "", group


def _aggregate(errors: list[str]) -> str:
    """Return several errors as one."""
    unique = list(dict.fromkeys(errors))
    if not unique:
        return ""
    return f"RBAC: {unique[0]}" if len(unique) == 1 else f"RBAC: [{', '.join(unique)}]"
