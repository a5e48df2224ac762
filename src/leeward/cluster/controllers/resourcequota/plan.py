"""What a quota's status has to say. Pure.

Source: pkg/controller/resourcequota/resource_quota_controller.go syncResourceQuota,
k8s.io/apiserver/pkg/quota/v1/resources.go CalculateUsage (Kubernetes 1.36).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime

from leeward.kube.objects import Obj
from leeward.kube.quantity import ZERO
from leeward.kube.quota.evaluators import KINDS_WITH_OWN_NAMES, Evaluator, evaluator_of
from leeward.kube.quota.scopes import requirements
from leeward.kube.resourcelists import ResourceList, add, only, read, written

_COUNT = "count/"


def concerned(names: Iterable[str]) -> list[Evaluator]:
    """Return the evaluators that names in a quota are about."""
    names = list(names)
    counted = [name.removeprefix(_COUNT) for name in names if name.startswith(_COUNT)]
    resources = dict.fromkeys([*KINDS_WITH_OWN_NAMES, *counted])
    return [found for found in map(evaluator_of, resources) if found.matching(names)]


def usage(quota: Obj, objects: Callable[[str], Iterable[Obj]], now: datetime) -> ResourceList:
    """Return what is used of each resource that the quota limits.

    Args:
        quota: the quota.
        objects: returns the objects of a resource in its namespace.
        now: decides which Pods are over.
    """
    hard = (quota.get("spec") or {}).get("hard") or {}
    scopes = requirements(quota)
    total: ResourceList = {}
    for evaluator in concerned(hard):
        total = {**dict.fromkeys(evaluator.matching(hard), ZERO), **total}
        for obj in objects(evaluator.resource):
            if all(evaluator.in_scope(scope, obj) for scope in scopes):
                total = add(total, only(evaluator.usage(obj, now), hard))
    return total


def plan(quota: Obj, objects: Callable[[str], Iterable[Obj]], now: datetime) -> Obj | None:
    """Return the next status of a quota; None when it is up to date."""
    hard, status = (quota.get("spec") or {}).get("hard") or {}, quota.get("status") or {}
    before = read(status.get("used"))
    used = only({**before, **usage(quota, objects, now)}, hard)
    known = "used" in status and status.get("hard") == hard
    if known and {k: v.value for k, v in used.items()} == {k: v.value for k, v in before.items()}:
        return None
    return {**status, "hard": hard, "used": written(used)}
