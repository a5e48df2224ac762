"""When each node has to be looked at because it may have fallen silent.

A healthy node costs one look a grace period, however often its lease is renewed.

Source: nodeHealthMap of ``node_lifecycle_controller.go`` (Kubernetes 1.36), turned round: upstream looks at
all nodes in each pass.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator


class Deadlines:
    """A time for each node, the earliest first."""

    def __init__(self) -> None:
        self._due: dict[str, float] = {}
        self._heap: list[tuple[float, str]] = []

    def set(self, node: str, due: float) -> None:
        """Look at a node at monotonic time `due`."""
        if self._due.get(node) != due:
            self._due[node] = due
            heapq.heappush(self._heap, (due, node))

    def forget(self, node: str) -> None:
        """Look at a node no more."""
        self._due.pop(node, None)

    def first(self) -> float | None:
        """Return the earliest time."""
        while self._heap and self._due.get(self._heap[0][1]) != self._heap[0][0]:
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def take(self, now: float) -> Iterator[str]:
        """Yield the nodes that are due; each has to be set again to be looked at again."""
        while (first := self.first()) is not None and first <= now:
            _, node = heapq.heappop(self._heap)
            del self._due[node]
            yield node
