"""What subscribers are told, and what the history still knows; of both stores."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leeward.cluster.interface.store import Event
from leeward.cluster.store import memory
from leeward.cluster.store.memory import MemoryStore
from leeward.cluster.store.sqlite import SQLiteStore
from leeward.kube.objects import Obj, key_of
from leeward.kube.status import ConflictError, ExpiredError, NotFoundError


def thing(name: str, **fields: Any) -> Obj:
    return {"metadata": {"name": name, "namespace": "shop"}, **fields}


def told(events: list[Event]) -> list[tuple[str, str, str]]:
    return [(event.type, event.resource, event.object["metadata"]["name"]) for event in events]


def live(store: MemoryStore, *resources: str) -> list[Event]:
    """Return a list that fills with what a subscriber is told."""
    events: list[Event] = []
    store.subscribe(resources or None, events.append)
    return events


def test_a_subscriber_is_told_of_each_write_with_the_state_before_and_after(store: MemoryStore) -> None:
    events = live(store, "configmaps")
    made = store.create("configmaps", thing("a", data={"k": "1"}))
    changed = store.update("configmaps", thing("a", data={"k": "2"}))
    gone = store.delete("configmaps", "shop", "a")
    assert events == [
        Event("ADDED", "configmaps", made, None, int(made["metadata"]["resourceVersion"])),
        Event("MODIFIED", "configmaps", changed, made, int(changed["metadata"]["resourceVersion"])),
        Event("DELETED", "configmaps", gone, changed, int(gone["metadata"]["resourceVersion"])),
    ]


def test_a_subscriber_hears_only_the_resources_it_asked_for(store: MemoryStore) -> None:
    some, all_of_them = live(store, "configmaps", "secrets"), live(store)
    for resource in ("pods", "configmaps", "secrets"):
        store.create(resource, thing("a"))
    assert told(some) == [("ADDED", "configmaps", "a"), ("ADDED", "secrets", "a")]
    assert told(all_of_them) == [("ADDED", "pods", "a"), *told(some)]


def test_a_subscriber_hears_nothing_of_the_past_nor_after_it_left(store: MemoryStore) -> None:
    store.create("configmaps", thing("a"))
    events: list[Event] = []
    leave = store.subscribe(["configmaps", "secrets"], events.append)
    others = live(store, "configmaps")
    store.create("configmaps", thing("b"))
    leave()
    leave()
    store.create("configmaps", thing("c"))
    store.create("secrets", thing("d"))
    assert told(events) == [("ADDED", "configmaps", "b")]
    assert told(others) == [("ADDED", "configmaps", "b"), ("ADDED", "configmaps", "c")]


def test_a_subscriber_that_leaves_while_told_does_not_cost_others_the_event(store: MemoryStore) -> None:
    first: list[Event] = []

    def once(event: Event) -> None:
        first.append(event)
        leave()

    leave = store.subscribe(["configmaps"], once)
    others = live(store, "configmaps")
    store.create("configmaps", thing("a"))
    store.create("configmaps", thing("b"))
    assert told(first) == [("ADDED", "configmaps", "a")]
    assert told(others) == [("ADDED", "configmaps", "a"), ("ADDED", "configmaps", "b")]


def test_a_subscriber_that_reads_sees_the_write_it_is_told_of(store: MemoryStore) -> None:
    seen: list[Any] = []

    def look(event: Event) -> None:
        found = store.get("configmaps", "shop", "a")
        seen.append((found, store.list("configmaps"), store.revision - event.revision))

    store.subscribe(["configmaps"], look)
    made = store.create("configmaps", thing("a"))
    changed = store.update("configmaps", thing("a", data={"k": "v"}))
    store.delete("configmaps", "shop", "a")
    assert seen == [(made, [made], 0), (changed, [changed], 0), (None, [], 0)]


def test_a_refused_write_is_told_to_nobody(store: MemoryStore) -> None:
    store.create("configmaps", thing("a"))
    before, events = store.revision, live(store)
    with pytest.raises(ConflictError):
        store.update("configmaps", thing("a", data={}), expected="0")
    with pytest.raises(ConflictError):
        store.delete("configmaps", "shop", "a", expected="0")
    with pytest.raises(NotFoundError):
        store.delete("configmaps", "shop", "b")
    assert events == []
    assert list(store.events_since("configmaps", before)) == []


def test_the_history_after_a_revision_has_what_came_after_it(store: MemoryStore) -> None:
    events = live(store, "configmaps")
    start = store.revision
    store.create("configmaps", thing("a"))
    store.create("secrets", thing("x"))
    store.create("configmaps", thing("b"))
    middle = store.revision
    store.update("configmaps", thing("a", data={"k": "v"}))
    store.delete("configmaps", "shop", "b")
    assert list(store.events_since("configmaps", start)) == events
    assert list(store.events_since("configmaps", middle)) == events[2:]
    assert list(store.events_since("configmaps", store.revision)) == []
    assert told(list(store.events_since("secrets", start))) == [("ADDED", "secrets", "x")]
    assert list(store.events_since("secrets", middle)) == []


def test_the_history_of_a_resource_nobody_wrote_is_empty_not_expired(store: MemoryStore) -> None:
    store.create("configmaps", thing("a"))
    assert list(store.events_since("pods", store.revision)) == []


def test_a_revision_from_before_the_store_is_too_old(store: MemoryStore) -> None:
    with pytest.raises(ExpiredError, match="too old resource version: 0"):
        store.events_since("configmaps", 0)


def test_history_is_bounded_and_what_was_cut_is_too_old(
    store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "HISTORY", 3)
    start = store.revision
    for name in "abcde":
        store.create("configmaps", thing(name))
    with pytest.raises(ExpiredError, match=rf"too old resource version: {start + 1} \({start + 2}\)"):
        store.events_since("configmaps", start + 1)
    kept = list(store.events_since("configmaps", start + 2))
    assert [event.object["metadata"]["name"] for event in kept] == ["c", "d", "e"]


def test_a_busy_resource_does_not_cost_a_quiet_one_its_history(
    store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "HISTORY", 3)
    start = store.revision
    store.create("secrets", thing("quiet"))
    for name in "abcdefgh":
        store.create("configmaps", thing(name))
    assert told(list(store.events_since("secrets", start))) == [("ADDED", "secrets", "quiet")]


def test_what_is_long_ago_is_forgotten_but_for_some_of_each_resource(
    store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "WINDOW", 6)
    monkeypatch.setattr(memory, "SPARED", 2)
    start = store.revision
    for name in "abcd":
        store.create("secrets", thing(name))
    for name in "abcdef":
        store.create("configmaps", thing(name))
    assert len(list(store.events_since("secrets", start))) == 4
    store.create("secrets", thing("e"))
    with pytest.raises(ExpiredError, match=rf"too old resource version: {start} \({start + 3}\)"):
        store.events_since("secrets", start)
    kept = list(store.events_since("secrets", start + 3))
    assert [event.object["metadata"]["name"] for event in kept] == ["d", "e"]


def test_a_resource_that_is_silent_after_a_burst_gives_its_memory_back(
    store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "WINDOW", 6)
    monkeypatch.setattr(memory, "SPARED", 2)
    start = store.revision
    for name in "abcdefgh":
        store.create("secrets", thing(name))
    for number in range(300):
        store.create("configmaps", thing(str(number)))
    with pytest.raises(ExpiredError):
        store.events_since("secrets", start)
    assert len(list(store.events_since("secrets", start + 6))) == 2


def test_the_history_is_whole_until_it_is_full(store: MemoryStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "HISTORY", 3)
    start = store.revision
    for name in "abc":
        store.create("configmaps", thing(name))
    assert len(list(store.events_since("configmaps", start))) == 3
    store.create("configmaps", thing("d"))
    with pytest.raises(ExpiredError):
        store.events_since("configmaps", start)


@pytest.mark.parametrize("make", [MemoryStore, lambda: SQLiteStore(Path(":memory:"))])
@given(
    steps=st.lists(
        st.tuples(
            st.sampled_from(["put", "put", "delete"]),
            st.sampled_from(["pods", "configmaps"]),
            st.sampled_from("abc"),
            st.integers(0, 2),
        ),
        max_size=40,
    ),
    history=st.integers(1, 50),
    window=st.integers(0, 50),
    spared=st.integers(0, 20),
)
@settings(max_examples=60, deadline=None)
def test_a_list_and_the_events_after_it_give_every_later_list(
    make: Callable[[], MemoryStore],
    steps: list[tuple[str, str, str, int]],
    history: int,
    window: int,
    spared: int,
) -> None:
    """From any revision on nothing is lost, doubled or out of order, or the revision is too old."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(memory, "HISTORY", history)
        patch.setattr(memory, "WINDOW", window)
        patch.setattr(memory, "SPARED", spared)
        store = make()
        every = live(store)
        snapshots = [(store.revision, {name: store.list(name) for name in ("pods", "configmaps")})]
        for verb, resource, name, value in steps:
            _apply(store, verb, resource, name, value)
            snapshots.append((store.revision, {name: store.list(name) for name in ("pods", "configmaps")}))
        first = snapshots[0][0]
        assert [event.revision for event in every] == list(range(first + 1, store.revision + 1))
        for revision, listed in snapshots:
            for resource in ("pods", "configmaps"):
                later = [event for event in every if event.resource == resource and event.revision > revision]
                newest = max((event.revision for event in every if event.resource == resource), default=0)
                is_old = bool(later) and later[0].revision <= newest - window
                if len(later) > history or (len(later) > spared and is_old):
                    with pytest.raises(ExpiredError):
                        store.events_since(resource, revision)
                    continue
                events = list(store.events_since(resource, revision))
                assert events == later
                assert _replay(listed[resource], events) == store.list(resource)
        store.close()


def _apply(store: MemoryStore, verb: str, resource: str, name: str, value: int) -> None:
    exists = store.get(resource, "shop", name) is not None
    if verb == "put":
        (store.update if exists else store.create)(resource, thing(name, data=value))
    elif exists:
        store.delete(resource, "shop", name)


def _replay(listed: list[Obj], events: list[Event]) -> list[Obj]:
    """Follow a list with events, checking that each fits the state it meets."""
    state = {key_of(obj): obj for obj in listed}
    for event in events:
        key = key_of(event.object)
        assert event.previous == state.get(key)
        assert (event.type == "ADDED") == (key not in state)
        if event.type == "DELETED":
            del state[key]
        else:
            state[key] = event.object
    return [state[key] for key in sorted(state)]
