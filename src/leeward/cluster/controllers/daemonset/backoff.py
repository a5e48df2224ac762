"""How often a Pod that fails on a node again and again is replaced there.

Source: failedPodsBackoff of pkg/controller/daemon/daemon_controller.go (Kubernetes 1.36).
"""

from __future__ import annotations

from dataclasses import dataclass

FIRST_SECONDS, LONGEST_SECONDS = 1.0, 900.0
Place = tuple[str, str]  # uid of a DaemonSet, name of a node


@dataclass(slots=True)
class _Failure:
    seconds: float  # to wait after it
    at: float


class FailureBackoff:
    """Remembers failures; the wait doubles with each one, and is forgotten after a long time without."""

    def __init__(self) -> None:
        self._failures: dict[Place, _Failure] = {}

    def wait(self, place: Place, now: float) -> float:
        """Return seconds until a failed Pod may be replaced; 0: now, and it counts as replaced.

        Args:
            place: where it failed.
            now: monotonic seconds.
        """
        oldest = now - 2 * LONGEST_SECONDS
        self._failures = {each: known for each, known in self._failures.items() if known.at >= oldest}
        known = self._failures.get(place)
        if known is not None and now - known.at < known.seconds:
            return known.seconds - (now - known.at)
        seconds = FIRST_SECONDS if known is None else min(2 * known.seconds, LONGEST_SECONDS)
        self._failures[place] = _Failure(seconds, now)
        return 0.0
