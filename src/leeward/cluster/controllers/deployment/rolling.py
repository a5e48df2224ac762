"""How far a rolling update may go in one step. Pure.

Source: pkg/controller/deployment/rolling.go, util/deployment_util.go (Kubernetes 1.36).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from leeward.kube.objects import Obj


class Fenceposts(NamedTuple):
    """The bounds of a rolling update, in Pods."""

    surge: int  # Pods allowed above the wanted number
    unavailable: int  # Pods that may be missing below it


def resolve_fenceposts(surge: int | str, unavailable: int | str, wanted: int) -> Fenceposts:
    """Turn maxSurge and maxUnavailable into Pods: surge rounds up, unavailable down; never both zero."""
    up, down = math.ceil(_of(surge, wanted)), math.floor(_of(unavailable, wanted))
    return Fenceposts(up, 1 if up == 0 and down == 0 else down)


def _of(value: int | str, total: int) -> float:
    if isinstance(value, int):
        return value
    return int(value.rstrip("%")) * total / 100


def fenceposts_of(deployment: Obj) -> Fenceposts:
    """Return the bounds of a Deployment."""
    spec = deployment["spec"]
    rolling = (spec.get("strategy") or {}).get("rollingUpdate") or {}
    return resolve_fenceposts(
        rolling.get("maxSurge", "25%"), rolling.get("maxUnavailable", "25%"), wanted_of(spec)
    )


def wanted_of(spec: Mapping[str, Any]) -> int:
    """Return the wanted number of Pods."""
    return int(spec.get("replicas", 1))


def available_of(replica_set: Obj) -> int:
    """Return the available Pods of a ReplicaSet."""
    return int((replica_set.get("status") or {}).get("availableReplicas", 0))


def plan_rolling(deployment: Obj, new: Obj, old: Sequence[Obj]) -> dict[str, int]:
    """Return the next sizes: ReplicaSet name → replicas, only what changes.

    Args:
        deployment: the Deployment.
        new: the ReplicaSet of the current template.
        old: the others, oldest first.
    """
    wanted, posts = wanted_of(deployment["spec"]), fenceposts_of(deployment)
    new_size = wanted_of(new["spec"])
    total = new_size + sum(wanted_of(each["spec"]) for each in old)
    if new_size > wanted:
        return {new["metadata"]["name"]: wanted}
    if new_size < wanted and total < wanted + posts.surge:
        grown = min(wanted, new_size + wanted + posts.surge - total)
        if grown != new_size:
            return {new["metadata"]["name"]: grown}
    return _shrink_old(new, new_size, old, total, wanted - posts.unavailable)


def _shrink_old(new: Obj, new_size: int, old: Sequence[Obj], total: int, least: int) -> dict[str, int]:
    """Scale old ReplicaSets down, first by Pods that are not available anyway, then by available ones."""
    sizes = {each["metadata"]["name"]: wanted_of(each["spec"]) for each in old}
    if not any(sizes.values()):
        return {}
    budget = total - least - (new_size - available_of(new))
    if budget <= 0:
        return {}
    result: dict[str, int] = {}
    for each in old:
        name, size = each["metadata"]["name"], sizes[each["metadata"]["name"]]
        unhealthy = min(size - available_of(each), budget)
        if size and unhealthy > 0:
            result[name] = sizes[name] = size - unhealthy
            budget -= unhealthy
    available = available_of(new) + sum(
        min(available_of(each), sizes[each["metadata"]["name"]]) for each in old
    )
    spare = available - least
    for each in old:
        name = each["metadata"]["name"]
        step = min(sizes[name], spare)
        if step > 0:
            result[name] = sizes[name] = sizes[name] - step
            spare -= step
    return result


def plan_recreate(deployment: Obj, new: Obj | None, old: Sequence[Obj], old_pods: int) -> dict[str, int]:
    """Return the next sizes for strategy Recreate: all old Pods go before a new one comes."""
    shrink = {each["metadata"]["name"]: 0 for each in old if wanted_of(each["spec"])}
    if shrink or old_pods or new is None:
        return shrink
    wanted = wanted_of(deployment["spec"])
    return {} if wanted_of(new["spec"]) == wanted else {new["metadata"]["name"]: wanted}


def plan_scaling(deployment: Obj, sets: Sequence[Obj]) -> dict[str, int]:
    """Spread a change of the wanted number over ReplicaSets in proportion to their sizes.

    Args:
        deployment: the Deployment.
        sets: the ReplicaSets with Pods, newest first.
    """
    wanted = wanted_of(deployment["spec"])
    sizes = {each["metadata"]["name"]: wanted_of(each["spec"]) for each in sets}
    total = sum(sizes.values())
    allowed = wanted + fenceposts_of(deployment).surge if wanted else 0
    left = allowed - total
    if not sizes or left == 0:
        return {}
    ordered = sorted(sizes, key=lambda name: sizes[name], reverse=left > 0)
    result = dict(sizes)
    for name in ordered:
        share = round(sizes[name] * allowed / total) - sizes[name] if total else left
        share = min(share, left) if left > 0 else max(share, left)
        result[name] = max(0, sizes[name] + share)
        left -= share
    if ordered and left:
        result[ordered[0]] = max(0, result[ordered[0]] + left)
    return {name: size for name, size in result.items() if size != sizes[name]}
