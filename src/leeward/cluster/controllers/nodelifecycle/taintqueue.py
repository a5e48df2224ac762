"""Which node of a zone is evicted next, and when: a queue with a limiter, as fast as the zone's state allows.

Source: pkg/controller/nodelifecycle/scheduler/rate_limited_queue.go, client-go/util/flowcontrol (1.36).
"""

from __future__ import annotations

from collections.abc import Iterator

BURST_SECONDS = 1.0  # a limiter holds one token


class Limiter:
    """Hands out one token, and then `rate` a second.

    Args:
        rate: tokens a second; 0 for none.
        free_at: monotonic seconds from which the first can be had.
    """

    def __init__(self, rate: float, free_at: float) -> None:
        self.rate = rate
        self.free_at = free_at

    def accepts(self, now: float) -> bool:
        """Take a token if there is one."""
        if self.rate <= 0 or now < self.free_at:
            return False
        self.free_at = now + BURST_SECONDS / self.rate
        return True


class TaintQueue:
    """The nodes of one zone that wait for their NoExecute taint, first come, first served."""

    def __init__(self, rate: float, now: float) -> None:
        self._waiting: dict[str, None] = {}
        self._limiter = Limiter(rate, now)

    def add(self, node: str) -> None:
        """Let a node wait; one that waits already keeps its place."""
        self._waiting.setdefault(node)

    def remove(self, node: str) -> None:
        """A node is well again, or gone."""
        self._waiting.pop(node, None)

    def set_rate(self, rate: float, now: float) -> None:
        """Change the rate; who could have nothing before has to wait for a token of the new one."""
        if rate == self._limiter.rate:
            return
        could = self._limiter.accepts(now)
        self._limiter = Limiter(rate, now if could or rate <= 0 else now + BURST_SECONDS / rate)

    def take(self, now: float) -> Iterator[str]:
        """Yield the nodes whose turn it is."""
        while self._waiting and self._limiter.accepts(now):
            node = next(iter(self._waiting))
            del self._waiting[node]
            yield node

    def wait(self, now: float) -> float | None:
        """Return the seconds until the next node's turn; None when none waits or none may go."""
        if not self._waiting or self._limiter.rate <= 0:
            return None
        return max(self._limiter.free_at - now, 0.0)
