"""The ttl controller: the more nodes there are, the longer each may keep Secrets and ConfigMaps it has read.

Sizes overlap, so that a cluster that grows and shrinks a little does not change all its nodes each time.

Source: ``pkg/controller/ttl/ttl_controller.go`` (Kubernetes 1.36).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from leeward.cluster.controllers.framework.controller import ControllerContext, ControllerDescriptor
from leeward.cluster.interface.client import Event
from leeward.kube.objects import ObjectKey, annotations_of, key_of

TTL = "node.alpha.kubernetes.io/ttl"
_STEPS = ((0, 100, 0), (90, 500, 15), (450, 1000, 30), (900, 2000, 60), (1800, None, 300))


def step_for(nodes: int, step: int) -> int:
    """Return the step of a cluster of that many nodes that was at `step`."""
    while (most := _STEPS[step][1]) is not None and nodes > most:
        step += 1
    while nodes < _STEPS[step][0]:
        step -= 1
    return step


def seconds_of(step: int) -> int:
    """Return how long kubelets may keep what they have read."""
    return _STEPS[step][2]


class TtlController:
    """One key a node."""

    def __init__(self, context: ControllerContext) -> None:
        self._client = context.client
        self._step = 0

    @property
    def resources(self) -> Collection[str]:
        return ("nodes",)

    def keys_for(self, event: Event) -> Iterable[ObjectKey]:
        if event.type != "MODIFIED":
            self._step = step_for(len(self._client.list("nodes")), self._step)
        return () if event.type == "DELETED" else [key_of(event.object)]

    def sync(self, key: ObjectKey) -> float | None:
        """Annotate one node."""
        node = self._client.find("nodes", "", key.name)
        wanted = str(seconds_of(self._step))
        if node is not None and annotations_of(node).get(TTL) != wanted:
            patch = {"metadata": {"annotations": {TTL: wanted}}}
            self._client.patch("nodes", "", key.name, patch, patch_type="merge")
        return None


DESCRIPTOR = ControllerDescriptor(name="ttl-controller", build=TtlController)
