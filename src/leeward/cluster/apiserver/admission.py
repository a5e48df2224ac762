"""Requests that wait for admission webhooks, and the way to these.

Most clusters have none: what speaks HTTPS to them is loaded for the first.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from leeward.cluster.interface.client import WaitingError
from leeward.cluster.registry.admission.webhooks.calls import HookCall, Outcome

T = TypeVar("T")


async def attended(write: Callable[[], T]) -> T:
    """Return what a write returns, in time."""
    try:
        return write()
    except WaitingError as waiting:
        result: T = await waiting.outcome
        return result


async def ask(call: HookCall) -> Outcome:
    """Ask a webhook; implements HookCaller."""
    from leeward.cluster.apiserver.webhookclient import ask_over_https

    return await ask_over_https(call)
