"""Why a Pod could not be placed, in upstream's words.

Source: ``pkg/scheduler/framework/types.go`` (FitError).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from leeward.cluster.scheduler.profile import Feasibility

_NOTE_LIMIT = 1024
NO_NODES = "no nodes available to schedule pods"


def summarize(reasons: Iterable[str]) -> str:
    """Return "1 A, 2 B": each reason with how many nodes gave it, sorted as text."""
    return ", ".join(sorted(f"{count} {reason}" for reason, count in Counter(reasons).items()))


def truncate(message: str) -> str:
    """Return a message that fits an Event."""
    return message if len(message) <= _NOTE_LIMIT else f"{message[: _NOTE_LIMIT - 4]} ..."


def fit_error(total: int, found: Feasibility, preemption: str, *, made_room: bool = False) -> str:
    """Return the message of the PodScheduled condition and of the FailedScheduling event.

    Args:
        total: how many nodes there are.
        found: why each was rejected.
        preemption: what preemption found.
        made_room: somebody makes way for the Pod.
    """
    if total == 0:
        return NO_NODES
    head = f"0/{total} nodes are available"
    if found.rejection:
        return f"{head}: {', '.join(found.rejection.reasons)}. not found"
    reasons = (reason for rejection in found.rejections.values() for reason in rejection.reasons)
    if made_room:
        return f"{head}: {summarize(reasons)}."
    tail = ", ".join(part for part in ("no new claims to deallocate", preemption) if part)
    return f"{head}: {summarize(reasons)}. {tail}"
