"""Nobody grants what they have not: roles and bindings give no more than the writer may do.

Exceptions are who may do everything, who may ``escalate`` a role, and who may ``bind`` it. It is no plugin of
Kubernetes: there the storage of these kinds checks it, after what changes objects, before they are validated.

Source: pkg/registry/rbac/{role,clusterrole,rolebinding,clusterrolebinding}/policybased,
pkg/registry/rbac/validation/rule.go (Kubernetes 1.36).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from leeward.cluster.authorization.attributes import Attributes as Asked
from leeward.cluster.authorization.rbac import (
    BINDINGS,
    CLUSTER_BINDINGS,
    CLUSTER_ROLES,
    GROUP,
    ROLES,
    Rbac,
)
from leeward.cluster.authorization.rules import missing, shown
from leeward.cluster.interface.user import MASTERS
from leeward.cluster.registry.admission.attributes import Attributes
from leeward.cluster.registry.admission.plugin import Handler, PluginContext, PluginDescriptor
from leeward.kube.objects import Obj
from leeward.kube.status import NotFoundError

_EVERYTHING: list[dict[str, Any]] = [
    {"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]},
    {"nonResourceURLs": ["*"], "verbs": ["*"]},
]


class RoleEscalation:
    """Compares what is granted with what the writer may do.

    Args:
        rbac: knows that.
    """

    def __init__(self, rbac: Rbac) -> None:
        self._rbac = rbac

    def check_role(self, write: Attributes) -> Obj:
        """Refuse a role with more than the writer has."""
        role, old = write.obj, write.old or {}
        same = all(
            (role.get(field) or None) == (old.get(field) or None) for field in ("rules", "aggregationRule")
        )
        if (write.old is not None and same) or self._may(
            write, "escalate", write.resource.plural, _name(write)
        ):
            return role
        self._compare(write, role.get("rules") or [])
        if role.get("aggregationRule") and self._lacking(write, _EVERYTHING):
            raise write.forbidden("must have cluster-admin privileges to use an aggregationRule")
        return role

    def check_binding(self, write: Attributes) -> Obj:
        """Refuse to bind a role with more than the writer has."""
        binding, old = write.obj, write.old or {}
        reference = binding.get("roleRef") or {}
        if write.old is not None and all(binding.get(key) == old.get(key) for key in ("roleRef", "subjects")):
            return binding
        name = reference.get("name") or ""
        plural = "clusterroles" if reference.get("kind") == "ClusterRole" else "roles"
        if self._may(write, "bind", plural, name):
            return binding
        role = self._rbac.role(reference, write.namespace)
        if role is None:
            details = {"name": name, "group": GROUP, "kind": write.resource.plural}
            raise NotFoundError(f'{write.resource.name} "{name}" not found', details=details)
        self._compare(write, role.get("rules") or [])
        return binding

    def _may(self, write: Attributes, verb: str, plural: str, name: str) -> bool:
        user = write.user
        if user.is_component or MASTERS in user.groups:
            return True
        place = {"namespace": write.namespace, "name": name}
        return self._rbac.authorize(
            Asked(user=user, verb=verb, group=GROUP, resource=plural, **place)
        ).allowed

    def _lacking(self, write: Attributes, granted: list[Any]) -> list[Any]:
        return missing(self._rbac.rules_of(write.user, write.namespace)[0], granted)

    def _compare(self, write: Attributes, granted: list[Any]) -> None:
        lacking = self._lacking(write, granted)
        if lacking:
            groups = " ".join(json.dumps(group) for group in write.user.groups)
            lines = "\n".join(sorted({shown(rule) for rule in lacking}))
            raise write.forbidden(
                f'user "{write.user.name}" (groups=[{groups}]) is attempting to grant RBAC permissions not '
                f"currently held:\n{lines}"
            )


def _name(write: Attributes) -> str:
    name: str = write.name or write.obj["metadata"].get("name") or ""
    return name


def build(context: PluginContext) -> Sequence[Handler]:
    """Return its handlers."""
    plugin = RoleEscalation(context.rbac)
    return (
        Handler(operations=("CREATE", "UPDATE"), resources=(ROLES, CLUSTER_ROLES), admit=plugin.check_role),
        Handler(
            operations=("CREATE", "UPDATE"),
            resources=(BINDINGS, CLUSTER_BINDINGS),
            admit=plugin.check_binding,
        ),
    )


DESCRIPTOR = PluginDescriptor(name="RoleEscalation", build=build)
