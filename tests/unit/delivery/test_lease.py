"""The right to change an environment, in virtual time: taken, kept, lost, and left by the dead."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from leeward.base.clock import VirtualClock
from leeward.base.errors import OperationError
from leeward.delivery.promotion.lease import LEASES, SECONDS, Lease
from leeward.delivery.promotion.patience import Patient
from leeward.kube.http import UnreachableError
from leeward.kube.objects import Obj
from leeward.kube.status import ServiceUnavailableError
from tests.unit.delivery.memory import Memory

HUB, NAME = "leeward-shop", "leeward-qa"


def in_virtual_time(clock: VirtualClock, work: Callable[[], Awaitable[None]]) -> None:
    """Do `work`; whenever everything waits, time goes on."""

    async def drive() -> None:
        task = asyncio.ensure_future(work())
        while not task.done():
            for _ in range(20):
                await asyncio.sleep(0)
            if not task.done() and (due := clock.next_deadline()) is not None:
                clock.advance(max(due - clock.monotonic(), 0.0))
        await task

    asyncio.run(drive())


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


@pytest.fixture
def api() -> Memory:
    return Memory()


def lease(api: Any, clock: VirtualClock, holder: str) -> Lease:
    return Lease(api, clock, HUB, NAME, f"{holder}/host/1/x")


def nobody(_: str) -> bool:
    return False


def everybody(_: str) -> bool:
    return True


def test_it_is_kept_as_long_as_one_works_and_free_afterwards(api: Memory, clock: VirtualClock) -> None:
    async def story() -> None:
        mine = lease(api, clock, "jane")
        async with mine.held(nobody, print):
            await clock.sleep(4 * SECONDS)
            mine.require()
            with pytest.raises(OperationError, match="jane is changing qa at this moment"):
                async with lease(api, clock, "joe").held(nobody, print):
                    raise AssertionError
        with pytest.raises(OperationError, match="could not be renewed in time"):
            mine.require()
        async with lease(api, clock, "joe").held(nobody, print):
            pass

    in_virtual_time(clock, story)


def test_who_cannot_renew_it_writes_nothing_before_anybody_else_may(api: Memory, clock: VirtualClock) -> None:
    async def story() -> None:
        mine = lease(api, clock, "jane")
        async with mine.held(nobody, print):
            mine._api = Unreachable()  # type: ignore[assignment]
            began = clock.monotonic()
            while True:
                try:
                    mine.require()
                except OperationError:
                    break
                await clock.sleep(0.5)
            assert clock.monotonic() - began < SECONDS

    in_virtual_time(clock, story)


class Unreachable:
    """A cluster that does not answer."""

    async def find(self, *_: str) -> Obj:
        raise UnreachableError("gone")

    update = create = find


@pytest.mark.parametrize(("is_dead", "least", "most"), [(nobody, SECONDS, SECONDS + 3), (everybody, 0, 1)])
def test_one_that_nobody_renews_is_taken(
    api: Memory, clock: VirtualClock, is_dead: Callable[[str], bool], least: float, most: float
) -> None:
    async def story() -> None:
        left = lease(api, clock, "jane")
        await left._acquire(nobody, print)
        began = clock.monotonic()
        async with lease(api, clock, "joe").held(is_dead, print):
            assert least <= clock.monotonic() - began <= most
            found = await api.find(LEASES, HUB, NAME)
            assert found is not None
            assert found["spec"]["holderIdentity"].startswith("joe/")

    in_virtual_time(clock, story)


class Shaky:
    """An API that fails some times first."""

    def __init__(self, api: Memory, errors: list[Exception]) -> None:
        self._api = api
        self._errors = errors
        self.find = api.find

    async def create(self, resource: str, obj: Obj) -> Obj:
        if self._errors:
            await self._api.create(resource, obj)
            raise self._errors.pop()
        return await self._api.create(resource, obj)


def test_what_was_created_by_a_try_whose_answer_was_lost_is_found(api: Memory, clock: VirtualClock) -> None:
    obj = {"metadata": {"namespace": HUB, "name": "x"}, "spec": {"a": 1}}

    async def story() -> None:
        shaky: Any = Shaky(api, [UnreachableError("lost")])
        made = await Patient(shaky, clock, lambda: None).create("promotions.leeward.dev", obj)
        assert made["spec"] == {"a": 1}

    in_virtual_time(clock, story)


def test_a_server_that_stays_busy_is_given_up_after_a_minute(clock: VirtualClock) -> None:
    class Busy:
        async def find(self, *_: str) -> Obj:
            raise ServiceUnavailableError("busy")

    async def story() -> None:
        busy: Any = Busy()
        with pytest.raises(ServiceUnavailableError):
            await Patient(busy, clock, lambda: None).find("pods", "a", "b")
        assert 55 < clock.monotonic() < 61

    in_virtual_time(clock, story)
