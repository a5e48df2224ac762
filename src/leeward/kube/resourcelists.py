"""Lists of resources ({"cpu": …}) that are added and compared, and what a Pod asks for in total.

Source: k8s.io/apiserver/pkg/quota/v1/resources.go, k8s.io/component-helpers/resource/helpers.go
(PodRequests, PodLimits; Kubernetes 1.36).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Literal

from leeward.kube.objects import Obj
from leeward.kube.quantity import ZERO, Amount, parse_amount

ResourceList = dict[str, Amount]
Side = Literal["requests", "limits"]

_OF_PODS = frozenset(("cpu", "memory"))  # what can be asked for by a Pod as a whole, besides huge pages


def read(amounts: Mapping[str, Any] | None) -> ResourceList:
    """Return the amounts of an object's field.

    Raises:
        ValueError: one is no quantity.
    """
    return {name: parse_amount(text) for name, text in (amounts or {}).items()}


def written(amounts: Mapping[str, Amount]) -> dict[str, str]:
    """Return amounts as an object's field, in canonical form."""
    return {name: str(amount) for name, amount in amounts.items()}


def add(one: Mapping[str, Amount], other: Mapping[str, Amount]) -> ResourceList:
    """Return one + other for each name."""
    total = dict(one)
    for name, amount in other.items():
        total[name] = total[name].plus(amount) if name in total else amount
    return total


def largest(one: Mapping[str, Amount], other: Mapping[str, Amount]) -> ResourceList:
    """Return the larger of both for each name."""
    total = dict(one)
    for name, amount in other.items():
        if name not in total or amount.value > total[name].value:
            total[name] = amount
    return total


def rest(one: Mapping[str, Amount], other: Mapping[str, Amount]) -> ResourceList:
    """Return one - other for each name, nothing below 0."""
    left = {name: amount.minus(other[name]) if name in other else amount for name, amount in one.items()}
    found = {name: amount if amount.value > 0 else ZERO for name, amount in left.items()}
    return {**dict.fromkeys(other, ZERO), **found}


def only(amounts: Mapping[str, Amount], names: Collection[str]) -> ResourceList:
    """Return the amounts with one of `names`."""
    return {name: amount for name, amount in amounts.items() if name in names}


def pod_resources(spec: Obj, side: Side, *, overhead: bool = True) -> ResourceList:
    """Return what a Pod needs: containers and sidecars together, or its greediest start, plus overhead.

    Args:
        spec: the Pod's spec.
        side: requests or limits.
        overhead: whether that of its runtime class counts.
    """
    total: ResourceList = {}
    for container in spec.get("containers") or ():
        total = add(total, _asked(container, side))
    sidecars: ResourceList = {}
    start: ResourceList = {}
    for container in spec.get("initContainers") or ():
        need = _asked(container, side)
        if container.get("restartPolicy") == "Always":
            total, sidecars = add(total, need), add(sidecars, need)
            need = sidecars
        else:
            need = add(need, sidecars)
        start = largest(start, need)
    total = largest(total, start)
    whole = (spec.get("resources") or {}).get(side)
    if whole:
        of_pod = {k: v for k, v in whole.items() if k in _OF_PODS or k.startswith("hugepages-")}
        total = {**total, **read(of_pod)}
    if overhead and spec.get("overhead"):
        extra = read(spec["overhead"])
        total = add(total, extra if side == "requests" else only(extra, total))
    return total


def _asked(container: Obj, side: Side) -> ResourceList:
    return read((container.get("resources") or {}).get(side))
