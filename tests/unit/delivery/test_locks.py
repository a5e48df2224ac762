"""Locks: who keeps releases out, and two who meet."""

from __future__ import annotations

import asyncio

import pytest

from leeward.base.clock import VirtualClock
from leeward.base.errors import OperationError, UserInputError
from leeward.delivery.environments.environment import Overlay, environment_object, find_environment
from leeward.delivery.environments.locks import lock, unlock
from leeward.delivery.records import AUDIT_RECORDS, ENVIRONMENTS, hub_of
from leeward.settings.config import Config, Environment
from tests.unit.delivery.memory import Memory

CLOCK = VirtualClock()


@pytest.fixture
def api() -> Memory:
    """Return an API with the environment qa, where a release runs."""
    found = Memory()
    obj = environment_object("shop", Config(environments={"qa": Environment()}), "qa", Overlay())
    asyncio.run(found.create(ENVIRONMENTS, {**obj, "status": {"release": "shop-1"}}))
    return found


def put(api: Memory, who: str, reason: str) -> None:
    asyncio.run(lock(api, "shop", "qa", who, reason, CLOCK))


def take(api: Memory, who: str, reason: str = "") -> bool:
    return asyncio.run(unlock(api, "shop", "qa", who, reason, CLOCK)) is not None


def told(api: Memory) -> list[tuple[str, str, dict[str, str]]]:
    specs = [obj["spec"] for (kind, _, _), obj in sorted(api.objects.items()) if kind == AUDIT_RECORDS]
    return [(spec["action"], spec["by"], spec["details"]) for spec in specs]


def test_who_locks_may_say_another_reason_and_unlock(api: Memory) -> None:
    put(api, "jane", "audit")
    put(api, "jane", "inventory")
    found = asyncio.run(find_environment(api, "shop", "qa"))
    assert found.lock is not None
    assert (found.lock.by, found.lock.reason, found.release) == ("jane", "inventory", "shop-1")
    assert take(api, "jane")
    assert not take(api, "jane")
    assert [action for action, _, _ in told(api)] == ["lock", "lock", "unlock"]


def test_of_two_who_lock_at_the_same_time_one_is_told_of_the_other(api: Memory) -> None:
    async def both() -> list[object]:
        tasks = (lock(api, "shop", "qa", who, f"by {who}", CLOCK) for who in ("jane", "joe"))
        return await asyncio.gather(*tasks, return_exceptions=True)

    results = asyncio.run(both())
    errors = [each for each in results if isinstance(each, OperationError)]
    assert len(errors) == 1
    assert "qa is locked by j" in str(errors[0])
    assert len(told(api)) == 1


def test_a_promotion_that_writes_its_status_meanwhile_loses_nothing(api: Memory) -> None:
    once = iter([True])

    def meanwhile(verb: str, resource: str, name: str) -> None:
        if verb == "patch" and next(once, False):
            key = (ENVIRONMENTS, hub_of("shop"), "qa")
            live = api.objects[key]
            api.objects[key] = {
                **live,
                "metadata": {**live["metadata"], "resourceVersion": "99"},
                "status": {"release": "shop-2"},
            }

    api.before = meanwhile
    put(api, "jane", "audit")
    found = asyncio.run(find_environment(api, "shop", "qa"))
    assert (found.release, found.lock is not None) == ("shop-2", True)


def test_what_somebody_else_locked_needs_a_reason_which_is_recorded(api: Memory) -> None:
    put(api, "jane", "audit")
    with pytest.raises(UserInputError, match="qa was locked by jane: audit") as caught:
        take(api, "joe")
    assert 'leeward unlock qa --reason "…"' in caught.value.remedy
    assert take(api, "joe", "jane is on holiday")
    details = {"lockedBy": "jane", "lockedFor": "audit", "reason": "jane is on holiday"}
    assert told(api)[-1] == ("unlock", "joe", details)


def test_an_environment_that_was_not_applied_cannot_be_locked() -> None:
    with pytest.raises(OperationError, match="does not know the environment qa yet"):
        put(Memory(), "jane", "audit")
