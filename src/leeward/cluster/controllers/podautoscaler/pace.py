"""How fast an autoscaler may go where it wants to: bounds, policies, and what it wanted before. Pure.

Source: pkg/controller/podautoscaler/horizontal.go (normalizeDesiredReplicas…, Kubernetes 1.36).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from leeward.kube.objects import Obj

_STABLE_SECONDS = 300  # in which a target does not shrink below what was wanted
_LONGEST_SECONDS = 3600  # that a behavior can ask to remember
_FACTOR, _LEAST = 2, 4  # without a behavior: so many times the replicas, but at least so many
_MOST = 2**31 - 1

Rules = Mapping[str, Any]


class Change(NamedTuple):
    """So many replicas at a time: wanted, added or taken away."""

    at: datetime
    replicas: int


@dataclass(frozen=True, slots=True)
class History:
    """What an autoscaler remembers; it is lost with the process, as upstream's."""

    wanted: tuple[Change, ...] = ()
    added: tuple[Change, ...] = ()
    removed: tuple[Change, ...] = ()

    def begun(self, current: int, now: datetime) -> History:
        """Return it with the present replicas as what was wanted first."""
        return self if self.wanted else replace(self, wanted=(Change(now, current),))

    def scaled(self, before: int, after: int, now: datetime) -> History:
        """Return it with a change that was made."""
        if after > before:
            return replace(self, added=(*_recent(self.added, now), Change(now, after - before)))
        return replace(self, removed=(*_recent(self.removed, now), Change(now, before - after)))


class Told(NamedTuple):
    """Reason and message of a condition."""

    reason: str
    message: str


class Step(NamedTuple):
    """Where a target goes now."""

    replicas: int
    able: Told
    limited: Told
    is_limited: bool
    history: History


_READY = Told("ReadyForNewScale", "recommended size matches current size")
_FEWER = Told(
    "ScaleUpStabilized",
    "recent recommendations were lower than current one, applying the lowest recent recommendation",
)
_MORE = Told(
    "ScaleDownStabilized",
    "recent recommendations were higher than current one, applying the highest recent recommendation",
)
_WITHIN = Told("DesiredWithinRange", "the desired count is within the acceptable range")
_TOO_FEW = Told("TooFewReplicas", "the desired replica count is less than the minimum replica count")
_TOO_MANY = Told("TooManyReplicas", "the desired replica count is more than the maximum replica count")
_TOO_FAST_UP = Told(
    "ScaleUpLimit", "the desired replica count is increasing faster than the maximum scale rate"
)
_TOO_FAST_DOWN = Told(
    "ScaleDownLimit", "the desired replica count is decreasing faster than the maximum scale rate"
)


def _recent(changes: Iterable[Change], now: datetime, seconds: float = _LONGEST_SECONDS) -> list[Change]:
    start = now - timedelta(seconds=seconds)
    return [each for each in changes if each.at > start]


def step(spec: Obj, current: int, desired: int, history: History, now: datetime) -> Step:
    """Return where a target goes that has `current` replicas and should have `desired`.

    Args:
        spec: of the autoscaler, with its defaults.
        current: replicas now.
        desired: replicas by its metrics.
        history: so far.
        now: the present.
    """
    behavior = spec.get("behavior")
    if behavior is None:
        stable, able = _without_behavior(desired, history, now)
        replicas, limited = _bounded(spec, current, stable)
    else:
        stable, able = _with_behavior(behavior, current, desired, history, now)
        replicas, limited = _paced(spec, current, stable, history, now)
    wanted = (*_recent(history.wanted, now), Change(now, desired))
    able = able if stable != desired else _READY
    return Step(replicas, able, limited, replicas != stable, replace(history, wanted=wanted))


def _without_behavior(desired: int, history: History, now: datetime) -> tuple[int, Told]:
    start = now - timedelta(seconds=_STABLE_SECONDS)
    recent = [each.replicas for each in history.wanted if each.at >= start]
    return max(desired, *recent, 0), _MORE


def _bounded(spec: Obj, current: int, desired: int) -> tuple[int, Told]:
    least, most = spec.get("minReplicas", 1), spec["maxReplicas"]
    fastest = max(_FACTOR * current, _LEAST)
    if desired < least:
        return least, _TOO_FEW
    if desired > min(most, fastest):
        return (fastest, _TOO_FAST_UP) if most > fastest else (most, _TOO_MANY)
    return desired, _WITHIN


def _with_behavior(
    behavior: Rules, current: int, desired: int, history: History, now: datetime
) -> tuple[int, Told]:
    """Return what was wanted for as long as each direction has to be."""
    up, down = (_window(behavior[direction]) for direction in ("scaleUp", "scaleDown"))
    lowest = min([desired, *(each.replicas for each in _recent(history.wanted, now, up))])
    highest = max([desired, *(each.replicas for each in _recent(history.wanted, now, down))])
    return min(max(current, lowest), highest), _FEWER if desired >= current else _MORE


def _window(rules: Rules) -> int:
    seconds = rules.get("stabilizationWindowSeconds")
    return _STABLE_SECONDS if seconds is None else int(seconds)


def _paced(spec: Obj, current: int, desired: int, history: History, now: datetime) -> tuple[int, Told]:
    """Return what policies and bounds leave of a change."""
    behavior = spec["behavior"]
    if desired > current:
        limit = max(_upper(behavior["scaleUp"], current, history, now), current)
        most, told = spec["maxReplicas"], _TOO_MANY
        if most > limit:
            most, told = limit, _TOO_FAST_UP
        if desired > most:
            return most, told
    elif desired < current:
        limit = min(_lower(behavior["scaleDown"], current, history, now), current)
        least, told = spec.get("minReplicas", 1), _TOO_FEW
        if least < limit:
            least, told = limit, _TOO_FAST_DOWN
        if desired < least:
            return least, told
    return desired, _WITHIN


def _upper(rules: Rules, current: int, history: History, now: datetime) -> int:
    if rules.get("selectPolicy") == "Disabled":
        return current
    found = []
    for policy in rules.get("policies") or ():
        start, value = _start(policy, current, history, now), int(policy["value"])
        found.append(start + value if policy["type"] == "Pods" else math.ceil(start * (1 + value / 100)))
    choose, none = (min, _MOST) if rules.get("selectPolicy") == "Min" else (max, -_MOST)
    return choose([none, *found])


def _lower(rules: Rules, current: int, history: History, now: datetime) -> int:
    if rules.get("selectPolicy") == "Disabled":
        return current
    found = []
    for policy in rules.get("policies") or ():
        start, value = _start(policy, current, history, now), int(policy["value"])
        found.append(start - value if policy["type"] == "Pods" else int(start * (1 - value / 100)))
    choose, none = (max, -_MOST) if rules.get("selectPolicy") == "Min" else (min, _MOST)
    return choose([none, *found])


def _start(policy: Rules, current: int, history: History, now: datetime) -> int:
    """Return the replicas at the beginning of a policy's period."""
    seconds = policy["periodSeconds"]
    added = sum(each.replicas for each in _recent(history.added, now, seconds))
    removed = sum(each.replicas for each in _recent(history.removed, now, seconds))
    return current - added + removed
