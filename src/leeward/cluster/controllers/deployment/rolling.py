"""How far a rolling update may go in one step. Pure.

Source: pkg/controller/deployment/rolling.go, util/deployment_util.go (Kubernetes 1.36).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from leeward.kube.objects import Obj, annotations_of

DESIRED = "deployment.kubernetes.io/desired-replicas"  # of a ReplicaSet: what its size was made for
MAXIMUM = "deployment.kubernetes.io/max-replicas"


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
    """Return the bounds of a Deployment; Recreate has none, and no more can be missing than are wanted."""
    spec, strategy = deployment["spec"], deployment["spec"].get("strategy") or {}
    if strategy.get("type") == "Recreate":
        return Fenceposts(0, 0)
    rolling, wanted = strategy.get("rollingUpdate") or {}, wanted_of(spec)
    surge, unavailable = rolling.get("maxSurge", "25%"), rolling.get("maxUnavailable", "25%")
    posts = resolve_fenceposts(surge, unavailable, wanted)
    return Fenceposts(posts.surge, min(posts.unavailable, wanted))


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
    there = min(available_of(new), new_size)  # what it reports may be of before it became smaller
    budget = total - least - (new_size - there)
    if budget <= 0:
        return {}
    result: dict[str, int] = {}
    for each in old:
        name, size = each["metadata"]["name"], sizes[each["metadata"]["name"]]
        unhealthy = min(size - available_of(each), budget)
        if size and unhealthy > 0:
            result[name] = sizes[name] = size - unhealthy
            budget -= unhealthy
    available = sum(min(available_of(each), sizes[each["metadata"]["name"]]) for each in old)
    spare = there + available - least
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


def is_scaling(deployment: Obj, sets: Sequence[Obj]) -> bool:
    """Tell whether the wanted number changed since ReplicaSets with Pods were last sized."""
    active = [each for each in sets if wanted_of(each["spec"])]
    if len(active) > 1 and (deployment["spec"].get("strategy") or {}).get("type") == "Recreate":
        return False
    wanted = str(wanted_of(deployment["spec"]))
    return any(annotations_of(each).get(DESIRED, wanted) != wanted for each in active)


def plan_resize(deployment: Obj, new: Obj | None, old: Sequence[Obj]) -> dict[str, int]:
    """Return sizes for a new wanted number, without carrying a rollout on: for scaling and while paused.

    Args:
        deployment: the Deployment.
        new: the ReplicaSet of the current template, if there is one.
        old: the others, oldest first.
    """
    wanted = wanted_of(deployment["spec"])
    sets = sorted(
        [*old, *([new] if new else ())], key=lambda each: str(each["metadata"].get("creationTimestamp"))
    )
    active = [each for each in sets if wanted_of(each["spec"])]
    if len(active) <= 1:
        target = active[0] if active else new or (old[-1] if old else None)
        return {target["metadata"]["name"]: wanted} if target else {}
    if new is not None and _is_saturated(new, wanted):
        return {each["metadata"]["name"]: 0 for each in active if each is not new}
    if (deployment["spec"].get("strategy") or {}).get("type") == "Recreate":
        return {}
    return plan_scaling(deployment, active)


def _is_saturated(new: Obj, wanted: int) -> bool:
    sized_for = annotations_of(new).get(DESIRED)
    return sized_for == str(wanted) and wanted_of(new["spec"]) == wanted == available_of(new)


def plan_scaling(deployment: Obj, sets: Sequence[Obj]) -> dict[str, int]:
    """Spread a change of the wanted number over ReplicaSets in proportion to their sizes.

    Larger ones come first, among equals the newest when growing and the oldest when shrinking; what
    rounding leaves over goes to the first.

    Args:
        deployment: the Deployment.
        sets: the ReplicaSets with Pods, oldest first.

    Returns:
        The size of every one of `sets`, also when it stays the same.
    """
    wanted = wanted_of(deployment["spec"])
    allowed = wanted + fenceposts_of(deployment).surge if wanted else 0
    left = allowed - sum(wanted_of(each["spec"]) for each in sets)
    grows = left > 0
    by_age = list(reversed(sets)) if grows else list(sets)
    result: dict[str, int] = {}
    for each in sorted(by_age, key=lambda found: wanted_of(found["spec"]), reverse=True):
        size = wanted_of(each["spec"])
        share = _share(deployment, each, allowed)
        share = min(share, left) if grows else max(share, left)
        result[each["metadata"]["name"]] = size + share
        left -= share
    if result and left:
        first = next(iter(result))
        result[first] = max(0, result[first] + left)
    return result


def _share(deployment: Obj, replica_set: Obj, allowed: int) -> int:
    """Return by how much a ReplicaSet changes to keep its part of the whole; halves round up."""
    size = wanted_of(replica_set["spec"])
    if not allowed:
        return -size
    status = deployment.get("status") or {}
    before = int(annotations_of(replica_set).get(MAXIMUM, "0")) or int(status.get("replicas", 0))
    return (2 * size * allowed + before) // (2 * before) - size if before else 0
