"""Roles with an aggregation rule hold the rules of all roles that it selects, in the order of their names.

Source: ``pkg/controller/clusterroleaggregation/clusterroleaggregation_controller.go`` (1.36).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any

from leeward.cluster.controllers.framework.controller import ControllerContext, ControllerDescriptor
from leeward.cluster.interface.client import Event
from leeward.kube.objects import Obj, ObjectKey, key_of
from leeward.kube.selectors import matches_selector

ROLES = "clusterroles.rbac.authorization.k8s.io"


def aggregated(role: Obj, roles: Sequence[Obj]) -> list[Any]:
    """Return the rules that a role with an aggregation rule is to have."""
    selectors = role["aggregationRule"].get("clusterRoleSelectors") or ()
    rules: list[Any] = []
    for other in sorted(roles, key=lambda each: str(each["metadata"]["name"])):
        labels = other["metadata"].get("labels") or {}
        if other["metadata"]["name"] == role["metadata"]["name"]:
            continue
        if any(matches_selector(selector, labels) for selector in selectors):
            rules += [rule for rule in other.get("rules") or () if rule not in rules]
    return rules


class ClusterRoleAggregation:
    """One key a role that is put together."""

    def __init__(self, context: ControllerContext) -> None:
        self._client = context.client

    @property
    def resources(self) -> Collection[str]:
        return (ROLES,)

    def keys_for(self, event: Event) -> Iterable[ObjectKey]:
        return [key_of(role) for role in self._client.list(ROLES) if role.get("aggregationRule")]

    def sync(self, key: ObjectKey) -> float | None:
        """Put one role together."""
        role = self._client.find(ROLES, "", key.name)
        if role is not None and role.get("aggregationRule"):
            rules = aggregated(role, self._client.list(ROLES))
            if rules != (role.get("rules") or []):
                self._client.update(ROLES, {**role, "rules": rules})
        return None


DESCRIPTOR = ControllerDescriptor(name="clusterrole-aggregation-controller", build=ClusterRoleAggregation)
