"""One promotion at a time: a Lease of the environment, renewed while it works, and a guard on its writes.

Who holds the lease and cannot renew it in time writes nothing more, before anybody else may take it. The
lease of a process that is known to be dead is taken at once.

Source: coordination.k8s.io/v1, client-go/tools/leaderelection (the idea).
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, Protocol

from leeward.base.clock import Clock, within
from leeward.base.errors import OperationError
from leeward.delivery.api import Creates, Finds, Updates
from leeward.kube.objects import Obj, format_micro_time
from leeward.kube.status import AlreadyExistsError, ConflictError, StatusError

LEASES = "leases.coordination.k8s.io"
SECONDS = 15  # that a lease is good for without being renewed
_RENEW, _MARGIN = 3.0, 5.0  # seconds
Show = Callable[[str], None]


class LeaseApi(Finds, Creates, Updates, Protocol):
    """What leases need of a Kubernetes API."""


class Lease:
    """The right to change an environment.

    Args:
        api: the hub's cluster.
        clock: when to renew.
        namespace: of the hub.
        name: of the Lease.
        holder: unlike any other, with the person first: ``jane/host/4711/x7b2``.
    """

    def __init__(self, api: LeaseApi, clock: Clock, namespace: str, name: str, holder: str) -> None:
        self._api = api
        self._clock = clock
        self._namespace = namespace
        self._name = name
        self._holder = holder
        self._renewed = float("-inf")  # monotonic; when the renewal began

    def require(self) -> None:
        """Refuse to go on without the lease.

        Raises:
            OperationError: it could not be renewed in time; somebody else may have it.
        """
        if self._clock.monotonic() - self._renewed > SECONDS - _MARGIN:
            raise OperationError(
                "the right to change the environment could not be renewed in time, so nothing more was done",
                remedy="Check the connection to the cluster and run the command again; it goes on from here.",
            )

    @asynccontextmanager
    async def held(self, is_dead: Callable[[str], bool], show: Show) -> AsyncIterator[None]:
        """Hold the lease; waits for one that nobody renews any more.

        Raises:
            OperationError: somebody else has it.
        """
        await self._acquire(is_dead, show)
        renewing = asyncio.ensure_future(self._renew_for_ever())
        try:
            yield
        except (Exception, asyncio.CancelledError):
            await self._release(renewing)
            raise
        except BaseException:  # stopped in the middle: whoever comes next sees that nobody renews it
            renewing.cancel()
            raise
        else:
            await self._release(renewing)

    async def _acquire(self, is_dead: Callable[[str], bool], show: Show) -> None:
        seen, since = "", self._clock.monotonic()
        while True:
            began = self._clock.monotonic()
            live = await self._api.find(LEASES, self._namespace, self._name)
            holder = str(((live or {}).get("spec") or {}).get("holderIdentity") or "")
            if holder == self._holder:  # an earlier try came through
                self._renewed = began
                return
            state = f"{holder} {((live or {}).get('metadata') or {}).get('resourceVersion')}"
            if state != seen:
                if seen and holder:
                    raise self._taken(holder)
                seen, since = state, began
            if not holder or is_dead(holder) or began - since > SECONDS:
                with contextlib.suppress(AlreadyExistsError, ConflictError):
                    await self._write(live)
                    self._renewed = began
                    return
                continue
            show(f"waiting whether {holder.split('/')[0]} still works on it")
            await self._clock.sleep(1.0)

    def _taken(self, holder: str) -> OperationError:
        environment = self._name.removeprefix("leeward-")
        return OperationError(
            f"{holder.split('/')[0]} is changing {environment} at this moment",
            remedy="Wait until that is done; `leeward history` shows it.",
        )

    async def _write(self, live: Obj | None) -> None:
        spec: dict[str, Any] = {
            "holderIdentity": self._holder,
            "leaseDurationSeconds": SECONDS,
            "renewTime": format_micro_time(self._clock.now()),
        }
        if live is None:
            meta = {"namespace": self._namespace, "name": self._name}
            head = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease"}
            await self._api.create(LEASES, {**head, "metadata": meta, "spec": spec})
        else:
            await self._api.update(LEASES, {**live, "spec": spec})

    async def _renew_for_ever(self) -> None:
        while True:
            await self._clock.sleep(_RENEW)
            began = self._clock.monotonic()
            with contextlib.suppress(
                StatusError, OperationError
            ):  # the guard tells, when it goes on too long
                live = await self._api.find(LEASES, self._namespace, self._name)
                if live is not None and live["spec"].get("holderIdentity") == self._holder:
                    await self._write(live)
                    self._renewed = began

    async def _release(self, renewing: asyncio.Future[None]) -> None:
        renewing.cancel()
        self._renewed = float("-inf")
        with contextlib.suppress(StatusError, OperationError, TimeoutError):  # then it runs out
            await within(self._clock, _MARGIN, self._let_go())

    async def _let_go(self) -> None:
        live = await self._api.find(LEASES, self._namespace, self._name)
        if live is not None and live["spec"].get("holderIdentity") == self._holder:
            kept = {key: value for key, value in live["spec"].items() if key != "holderIdentity"}
            await self._api.update(LEASES, {**live, "spec": kept})
