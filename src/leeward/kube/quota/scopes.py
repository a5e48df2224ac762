"""Scopes of quotas: which Pods and claims a quota is about.

Source: pkg/quota/v1/evaluator/core/{pods,persistent_volume_claims}.go (podMatchesScopeFunc,
pvcMatchesScopeFunc; Kubernetes 1.36).
"""

from __future__ import annotations

from collections.abc import Iterable

from leeward.kube.objects import Obj
from leeward.kube.quantity import parse_quantity
from leeward.kube.selectors import matches_requirement


def requirements(quota: Obj) -> list[Obj]:
    """Return the requirements of a quota's scopes."""
    spec = quota.get("spec") or {}
    plain = [{"scopeName": scope, "operator": "Exists"} for scope in spec.get("scopes") or ()]
    return [*plain, *((spec.get("scopeSelector") or {}).get("matchExpressions") or ())]


def _selects(requirement: Obj, values: Iterable[str]) -> bool:
    """Tell whether one of `values` fits a requirement; none at all fits NotIn and DoesNotExist."""
    name = requirement["scopeName"]
    wanted = {**requirement, "key": name}
    labels = [{name: value} for value in values] or [{}]
    return any(matches_requirement(wanted, each) for each in labels)


def pod_in_scope(requirement: Obj, pod: Obj) -> bool:
    """Tell whether a Pod is in a scope."""
    scope, spec = requirement["scopeName"], pod["spec"]
    terminating = spec.get("activeDeadlineSeconds") is not None
    simple = {
        "Terminating": lambda: terminating,
        "NotTerminating": lambda: not terminating,
        "BestEffort": lambda: is_best_effort(spec),
        "NotBestEffort": lambda: not is_best_effort(spec),
        "CrossNamespacePodAffinity": lambda: _looks_elsewhere(spec),
    }.get(scope)
    if simple is not None:
        return simple()
    name = spec.get("priorityClassName")
    return scope == "PriorityClass" and _selects(requirement, [name] if name else [])


def is_best_effort(spec: Obj) -> bool:
    """Tell whether a Pod asks for no CPU and no memory at all."""
    askers = [spec, *(spec.get("containers") or ()), *(spec.get("initContainers") or ())]
    return not any(
        name in ("cpu", "memory") and parse_quantity(amount) > 0
        for asker in askers
        for side in ("requests", "limits")
        for name, amount in ((asker.get("resources") or {}).get(side) or {}).items()
    )


def _looks_elsewhere(spec: Obj) -> bool:
    """Tell whether a Pod has affinity to Pods of other namespaces."""
    affinity = spec.get("affinity") or {}
    for kind in ("podAffinity", "podAntiAffinity"):
        group = affinity.get(kind) or {}
        terms = [
            *(group.get("requiredDuringSchedulingIgnoredDuringExecution") or ()),
            *(
                each.get("podAffinityTerm") or {}
                for each in group.get("preferredDuringSchedulingIgnoredDuringExecution") or ()
            ),
        ]
        if any(term.get("namespaces") or term.get("namespaceSelector") is not None for term in terms):
            return True
    return False


def claim_in_scope(requirement: Obj, claim: Obj) -> bool:
    """Tell whether a claim is in a scope: that of a class of attributes is the only one."""
    if requirement["scopeName"] != "VolumeAttributesClass":
        return False
    status = claim.get("status") or {}
    names = (
        (claim.get("spec") or {}).get("volumeAttributesClassName"),
        status.get("currentVolumeAttributesClassName"),
        (status.get("modifyVolumeStatus") or {}).get("targetVolumeAttributesClassName"),
    )
    return _selects(requirement, [name for name in names if name])
