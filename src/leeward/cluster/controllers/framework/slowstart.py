"""Does the same thing many times, and stops early when it fails.

Batches begin with one and double, so that what cannot work is tried a few times, not thousands.

Source: slowStartBatch of pkg/controller/replicaset/replica_set.go (Kubernetes 1.36).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import islice
from typing import TypeVar

from leeward.kube.status import StatusError

T = TypeVar("T")


def slow_start(things: Iterable[T], do: Callable[[T], object]) -> StatusError | None:
    """Do something with each of `things`; nothing more after a batch in which one failed.

    Returns:
        The first failure, or None.
    """
    left, size = iter(things), 1
    while batch := list(islice(left, size)):
        failures = [error for each in batch if (error := _attempt(do, each)) is not None]
        if failures:
            return failures[0]
        size *= 2
    return None


def _attempt(do: Callable[[T], object], thing: T) -> StatusError | None:
    try:
        do(thing)
    except StatusError as error:
        return error
    return None


def is_namespace_ending(error: StatusError) -> bool:
    """Tell whether nothing can be made any more because the namespace is being deleted."""
    causes = (error.details or {}).get("causes") or ()
    return any(cause.get("reason") == "NamespaceTerminating" for cause in causes)
