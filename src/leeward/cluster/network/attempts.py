"""Asks one endpoint after another until one answers; which one is next, and when.

* What was not sent yet (refused, no connection in time) may go to any other endpoint.
* A safe request is *hedged*: when it stays silent for HEDGE_SECONDS another endpoint is asked too, and the
  first good answer wins. An answer that breaks off, or says 502, 503 or 504, is replaced if possible.
* Hedges have a budget: when everything is slow because there is too much to do, asking twice would be more
  of it, and no end. An endpoint that failed is replaced whatever the budget says.
* A request that changes something but is idempotent goes elsewhere only when its endpoint failed before
  the first byte of an answer. Silence is no failure: it ends when the node is declared lost.

Invariants: an endpoint is never asked again while it is still being asked, and a second time only while
there is no answer at all; a request is sent MAX_SENT times at most. Endpoints are looked up anew for every
attempt, so one that was replaced meanwhile is found.

Source: RFC 9110 section 9.2 (safe and idempotent methods).
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence

from leeward.cluster.network.balancer import SUSPICION_SECONDS, Balancer
from leeward.cluster.network.connections import Connections
from leeward.cluster.network.endpoints import Endpoint
from leeward.cluster.network.exchange import (
    Answer,
    BrokenAnswerError,
    Exchange,
    NotSentError,
    Request,
    UpstreamError,
)

HEDGE_SECONDS = 1.0
HEDGES_PER_REQUEST = 0.2
HEDGES_AT_ONCE = 50.0  # a zone can go in the middle of that many requests
MAX_SENT = 4
TRIES = 2  # of one endpoint
RETRIED_STATUSES = frozenset((502, 503, 504))
SAFE = frozenset((b"GET", b"HEAD", b"OPTIONS"))
IDEMPOTENT = SAFE | {b"PUT", b"DELETE", b"TRACE"}


class HedgeBudget:
    """How many requests may still be asked twice: a share of all requests, and a reserve."""

    def __init__(self) -> None:
        self._left = HEDGES_AT_ONCE

    def deposit(self) -> None:
        """Count a request."""
        self._left = min(HEDGES_AT_ONCE, self._left + HEDGES_PER_REQUEST)

    def withdraw(self) -> bool:
        """Take a hedge; False when there is none left."""
        if self._left < 1:
            return False
        self._left -= 1
        return True


class Attempts:
    """Everything that is done for one idempotent request whose body is read.

    Args:
        request: what to ask.
        candidates: returns the Service's endpoints of this moment, the best first.
        balancer: connects; learns who is silent and who answers.
        connections: resets what depends on a lost node.
        budget: of hedges, shared by all requests.
    """

    def __init__(
        self,
        request: Request,
        candidates: Callable[[], Sequence[Endpoint]],
        balancer: Balancer,
        connections: Connections,
        budget: HedgeBudget,
    ) -> None:
        self._request = request
        self._candidates = candidates
        self._balancer = balancer
        self._connections = connections
        self._budget = budget
        self._safe = request.method in SAFE
        self._running: dict[asyncio.Task[Answer], Endpoint] = {}
        self._tries: Counter[Endpoint] = Counter()
        self._sent = 0
        self._best: Answer | None = None
        self._failure = UpstreamError("no endpoint answered")

    async def first_answer(self) -> Answer:
        """Return the first good answer, or else the last one there was.

        Raises:
            UpstreamError: there was none.
        """
        try:
            self._budget.deposit()
            self._ask_next()
            while self._running:
                done, _ = await asyncio.wait(
                    self._running,
                    timeout=HEDGE_SECONDS if self._safe else None,
                    return_when=asyncio.FIRST_COMPLETED,
                )
                for task in done:
                    if self._take(task):
                        return self._answer()
                if not done:
                    self._suspect_silent()
                asked = (done or self._budget.withdraw()) and self._ask_next()
                if not asked and not done and self._best is not None:
                    break  # nobody is left to ask: an unwelcome answer beats silence
            return self._answer()
        finally:
            self._abandon()

    def _ask_next(self) -> bool:
        """Ask the endpoint tried least that is not being asked; False when there is none."""
        busy = set(self._running.values())
        limit = TRIES if self._best is None else 1
        free = [each for each in self._candidates() if each not in busy and self._tries[each] < limit]
        if not free or self._sent >= MAX_SENT:
            return False
        endpoint = min(free, key=self._tries.__getitem__)  # the first one among equals
        self._tries[endpoint] += 1
        self._sent += 1
        self._running[asyncio.ensure_future(self._ask(endpoint))] = endpoint
        return True

    async def _ask(self, endpoint: Endpoint) -> Answer:
        """Ask one endpoint; a small answer that can still be replaced is read whole."""
        exchange = await Exchange.connect(self._balancer, self._connections, [endpoint])
        try:
            answer = await exchange.send(self._request, None)
            self._balancer.trust(endpoint)
            if self._safe:
                await answer.buffer()
        except BaseException:
            exchange.abandon()
            raise
        return answer

    def _take(self, task: asyncio.Task[Answer]) -> bool:
        """Take note of a finished attempt; True when no other one may or need follow."""
        endpoint = self._running.pop(task)
        error = task.exception()
        if error is None:
            if self._best is not None:
                self._best.exchange.abandon()
            self._best = task.result()
            return not self._safe or self._best.status not in RETRIED_STATUSES
        if not isinstance(error, UpstreamError):
            raise error
        self._balancer.suspect(endpoint)
        self._failure = error
        self._sent -= isinstance(error, NotSentError)
        return isinstance(error, BrokenAnswerError) and not self._safe

    def _suspect_silent(self) -> None:
        """Try last, for a while, whoever has been silent for HEDGE_SECONDS."""
        for endpoint in self._running.values():
            self._balancer.suspect(endpoint)

    def _answer(self) -> Answer:
        if self._best is None:
            raise self._failure
        return self._best

    def _abandon(self) -> None:
        """Listen to the others a little longer, only to learn who was slow and who is silent."""
        for task in self._running:
            task.add_done_callback(_close_unused)
            asyncio.get_running_loop().call_later(SUSPICION_SECONDS, task.cancel)


def _close_unused(task: asyncio.Task[Answer]) -> None:
    """End the exchange of an answer that nobody wants any more."""
    if not task.cancelled() and task.exception() is None:
        task.result().exchange.abandon()
