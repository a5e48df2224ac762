"""How far a rolling update of a DaemonSet may go in one step. Pure.

Source: pkg/controller/daemon/update.go (Kubernetes 1.36).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from leeward.kube.objects import Obj, is_terminating, labels_of
from leeward.kube.pods import available_in, is_ready
from leeward.kube.wellknown import CONTROLLER_REVISION_HASH


class Bounds(NamedTuple):
    """What a rolling update may do, in Pods."""

    surge: int  # nodes that may have a second Pod
    unavailable: int  # nodes that may have none


def bounds_of(daemon_set: Obj, wanted: int) -> Bounds:
    """Return the bounds for `wanted` nodes: both round up, and never are both zero."""
    rolling = (daemon_set["spec"].get("updateStrategy") or {}).get("rollingUpdate") or {}
    surge, unavailable = (
        _of(rolling.get("maxSurge", 0), wanted),
        _of(rolling.get("maxUnavailable", 1), wanted),
    )
    return Bounds(surge, unavailable if surge or unavailable else 1)


def _of(value: int | str, total: int) -> int:
    return value if isinstance(value, int) else math.ceil(int(value.rstrip("%")) * total / 100)


def allows_surge(daemon_set: Obj) -> bool:
    """Tell whether a node may have a Pod of the old and one of the new template for a while."""
    strategy = daemon_set["spec"].get("updateStrategy") or {}
    return strategy.get("type") != "OnDelete" and bounds_of(daemon_set, 100).surge > 0


@dataclass(frozen=True, slots=True)
class _Here:
    """The living Pods of a node."""

    node: str
    new: Sequence[Obj]
    old: Sequence[Obj]


class Rolling:
    """One step of an update.

    Args:
        daemon_set: the DaemonSet.
        update: hash of the current template's revision.
        now: for minReadySeconds.
    """

    def __init__(self, daemon_set: Obj, update: str, now: datetime) -> None:
        self._daemon_set = daemon_set
        self._update = update
        self._now = now

    def step(self, by_node: Mapping[str, Sequence[Obj]], wanted: int) -> tuple[list[str], list[Obj]]:
        """Return nodes to make a Pod on and Pods to delete.

        Args:
            by_node: the Pods of every node that has some.
            wanted: how many nodes should have a Pod.
        """
        if (self._daemon_set["spec"].get("updateStrategy") or {}).get("type") == "OnDelete":
            return [], []
        bounds = bounds_of(self._daemon_set, wanted)
        found = [self._look(node, by_node[node]) for node in sorted(by_node, reverse=True)]
        if bounds.surge:
            return self._surge(found, bounds.surge)
        return [], self._replace(found, bounds.unavailable)

    def _look(self, node: str, pods: Sequence[Obj]) -> _Here:
        living = [pod for pod in pods if not is_terminating(pod)]
        new = [pod for pod in living if self.is_new(pod)]
        return _Here(node, new, [pod for pod in living if not self.is_new(pod)])

    def is_new(self, pod: Obj) -> bool:
        """Tell whether a Pod is of the current template."""
        return labels_of(pod).get(CONTROLLER_REVISION_HASH) == self._update

    def is_available(self, pod: Obj) -> bool:
        """Tell whether a Pod was ready long enough."""
        seconds = self._daemon_set["spec"].get("minReadySeconds", 0)
        return available_in(pod, seconds, self._now) == 0

    def _replace(self, found: Sequence[_Here], limit: int) -> list[Obj]:
        """Old Pods that are not available go at once, others as far as the limit allows."""
        unavailable, broken, fine = 0, list[Obj](), list[Obj]()
        for here in found:
            if len(here.new) + len(here.old) != 1:
                unavailable += 1
            elif here.new:
                unavailable += not self.is_available(here.new[0])
            elif self.is_available(here.old[0]):
                fine.append(here.old[0])
            else:
                unavailable += 1
                broken.append(here.old[0])
        return broken + fine[: max(0, limit - unavailable)]

    def _surge(self, found: Sequence[_Here], limit: int) -> tuple[list[str], list[Obj]]:
        """A new Pod comes first; the old one goes when the new one is available."""
        surging, delete, broken, fine = 0, list[Obj](), list[str](), list[str]()
        for here in found:
            if len(here.new) > 1 or len(here.old) > 1:
                surging += 1
            elif here.old and here.new:
                if self.is_available(here.new[0]):
                    delete.append(here.old[0])
                else:
                    surging += 1
            elif here.old:
                (fine if self.is_available(here.old[0]) else broken).append(here.node)
        return broken + fine[: max(0, limit - surging)], delete

    def surplus(self, living: Sequence[Obj]) -> list[Obj]:
        """Return the Pods of a node that are too many: the oldest stays, with surge one of each template."""
        ordered = sorted(living, key=_age)
        if not allows_surge(self._daemon_set):
            return ordered[1:]
        new = [pod for pod in ordered if self.is_new(pod)]
        old = [pod for pod in ordered if not self.is_new(pod)]
        superseded = new and old and (not is_ready(old[0]) or self.is_available(new[0]))
        return new[1:] + old[0 if superseded else 1 :]


def _age(pod: Obj) -> tuple[bool, str, str]:
    meta = pod["metadata"]
    return not pod["spec"].get("nodeName"), str(meta["creationTimestamp"]), meta["name"]
