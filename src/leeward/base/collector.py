"""Spares what makes many objects at once the cost of looking for reference cycles among them."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

_YOUNG, _MIDDLE, _OLD = 50_000, 20, 100


def collect_seldom() -> None:
    """Look for cycles after 50,000 new objects instead of 700, and among all objects very seldom.

    What a cluster keeps grows by thousands of dictionaries at a time, all of which stay.
    """
    gc.set_threshold(_YOUNG, _MIDDLE, _OLD)


@contextmanager
def collection_paused() -> Iterator[None]:
    """Pause the cyclic garbage collector; what is alive at the end is never looked at again.

    Loading and rendering make hundreds of thousands of objects and almost no cycles, and the collector goes
    over all of them again and again: a quarter of the time of a project of 1,000 services, and more of the
    start of a cluster with 10,000 Pods.
    """
    if not gc.isenabled():  # inside another pause
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
