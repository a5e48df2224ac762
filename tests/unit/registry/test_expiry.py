"""Events are forgotten an hour after they were last written."""

from __future__ import annotations

import pytest

from leeward.base.clock import VirtualClock
from leeward.cluster.registry.expiry import EVENTS, EventExpiry
from leeward.cluster.store.memory import MemoryStore
from leeward.kube.objects import Obj, format_time


def event(name: str, clock: VirtualClock, **more: object) -> Obj:
    meta = {"name": name, "namespace": "shop", "creationTimestamp": format_time(clock.now())}
    return {"metadata": meta, "lastTimestamp": format_time(clock.now()), **more}


def names(store: MemoryStore) -> list[str]:
    return [each["metadata"]["name"] for each in store.list(EVENTS)]


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


def test_an_event_goes_an_hour_after_it_was_made(store: MemoryStore, clock: VirtualClock) -> None:
    EventExpiry(store, clock, 3600.0).start()
    store.create(EVENTS, event("a", clock))
    clock.advance(60.0)
    store.create(EVENTS, event("b", clock))
    clock.advance(3539.0)
    assert names(store) == ["a", "b"]
    clock.advance(2.0)
    assert names(store) == ["b"]
    clock.advance(60.0)
    assert names(store) == []
    assert clock.next_deadline() is None


def test_an_event_that_happens_again_lives_on(store: MemoryStore, clock: VirtualClock) -> None:
    EventExpiry(store, clock, 3600.0).start()
    made = store.create(EVENTS, event("a", clock))
    clock.advance(3000.0)
    store.update(EVENTS, {**made, "count": 2})
    clock.advance(3000.0)
    assert names(store) == ["a"]
    clock.advance(601.0)
    assert names(store) == []


def test_events_of_an_earlier_process_are_as_old_as_they_say(store: MemoryStore, clock: VirtualClock) -> None:
    store.create(EVENTS, event("old", clock))
    clock.advance(1800.0)
    now = format_time(clock.now())
    store.create(EVENTS, event("again", clock, series={"lastObservedTime": now}, lastTimestamp=None))
    store.create(EVENTS, {"metadata": {"name": "bare", "namespace": "shop", "creationTimestamp": now}})
    clock.advance(1000.0)
    EventExpiry(store, clock, 3600.0).start()
    clock.advance(801.0)
    assert names(store) == ["again", "bare"]
    clock.advance(1800.0)
    assert names(store) == []


def test_many_go_in_turns_and_those_that_somebody_deleted_are_no_matter(
    store: MemoryStore, clock: VirtualClock
) -> None:
    expiry = EventExpiry(store, clock, 10.0)
    expiry.start()
    for number in range(200):
        store.create(EVENTS, event(f"e{number:03}", clock))
    store.delete(EVENTS, "shop", "e007")
    clock.advance(10.0)
    assert names(store) == []
    store.create(EVENTS, event("late", clock))
    expiry.stop()
    clock.advance(20.0)
    assert names(store) == ["late"]
