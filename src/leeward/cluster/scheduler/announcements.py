"""Tells of bindings in Events, behind the work: many placed Pods do not wait for what is said of them.

The first few are told at once, more of them a few at a time.

Source: client-go/tools/events/event_broadcaster.go, which writes them in the background at its client's pace.
"""

from __future__ import annotations

from collections import deque

from leeward.base.clock import Clock, Timer
from leeward.cluster.interface.client import Client
from leeward.cluster.scheduler.podinfo import PodInfo

AT_ONCE = 20  # Events
PAUSE = 0.1  # seconds


class Announcements:
    """Bindings that no Event tells of yet.

    Args:
        client: writes the Events.
        clock: paces.
    """

    def __init__(self, client: Client, clock: Clock) -> None:
        self._client = client
        self._clock = clock
        self._waiting: deque[tuple[PodInfo, str]] = deque()
        self._timer: Timer | None = None

    def add(self, pod: PodInfo, node: str) -> None:
        """A Pod was assigned to a node."""
        self._waiting.append((pod, node))
        if self._timer is None:
            self._timer = self._clock.call_later(0.0, self._tell_some)

    def close(self) -> None:
        """Tell what is left, and nothing later."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._tell(len(self._waiting))

    def _tell_some(self) -> None:
        self._tell(AT_ONCE)
        self._timer = self._clock.call_later(PAUSE, self._tell_some) if self._waiting else None

    def _tell(self, most: int) -> None:
        with self._client.batch():
            for _ in range(min(most, len(self._waiting))):
                pod, node = self._waiting.popleft()
                message = f"Successfully assigned {pod.key} to {node}"
                self._client.record(
                    pod.pod, event_type="Normal", reason="Scheduled", message=message, action="Binding"
                )
