"""The queue of keys, the runner of controllers, claims on dependents, and revisions."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING

import pytest

from leeward.base.clock import VirtualClock
from leeward.cluster.controllers.framework.claims import claim
from leeward.cluster.controllers.framework.controller import own_or_owner_key
from leeward.cluster.controllers.framework.manager import ControllerManager
from leeward.cluster.controllers.framework.revisions import Revisions
from leeward.cluster.controllers.framework.slowstart import slow_start
from leeward.cluster.controllers.framework.workqueue import MAX_SECONDS, WorkQueue
from leeward.cluster.interface.client import Event
from leeward.kube.objects import Obj, ObjectKey, controller_of, key_of
from leeward.kube.status import ConflictError

if TYPE_CHECKING:
    from tests.unit.controllers_workload.conftest import Stage

_A, _B = ObjectKey("shop", "a"), ObjectKey("shop", "b")


def _queue() -> tuple[WorkQueue, VirtualClock, list[int]]:
    clock, woken = VirtualClock(), list[int]()
    return WorkQueue(clock, lambda: woken.append(1)), clock, woken


def test_a_key_waits_once_and_keys_keep_their_order() -> None:
    queue, _, woken = _queue()
    for key in (_A, _B, _A):
        queue.add(key)
    assert len(queue) == 2
    assert len(woken) == 1
    assert [queue.pop(), queue.pop()] == [_A, _B]
    with pytest.raises(KeyError):
        queue.pop()


def test_a_later_deadline_never_delays_an_earlier_one() -> None:
    queue, clock, _ = _queue()
    queue.add_after(_A, 5)
    queue.add_after(_A, 60)
    clock.advance(5)
    assert len(queue) == 1
    queue.pop()
    clock.advance(100)
    assert len(queue) == 0


def test_an_earlier_deadline_replaces_a_later_one() -> None:
    queue, clock, _ = _queue()
    queue.add_after(_A, 60)
    queue.add_after(_A, 5)
    clock.advance(5)
    assert queue.pop() == _A
    clock.advance(100)
    assert len(queue) == 0


def test_the_delay_doubles_with_every_failure_until_a_success() -> None:
    queue, _, _ = _queue()
    assert [queue.add_failed(_A) for _ in range(4)] == [0.005, 0.01, 0.02, 0.04]
    assert queue.add_failed(_B) == 0.005
    queue.forget(_A)
    assert queue.add_failed(_A) == 0.005
    for _ in range(60):
        queue.add_failed(_A)
    assert queue.add_failed(_A) == MAX_SECONDS


def test_a_cleared_queue_wakes_nobody() -> None:
    queue, clock, woken = _queue()
    queue.add_after(_A, 5)
    queue.clear()
    clock.advance(10)
    assert (len(queue), woken) == (0, [])


class _Recorder:
    """A controller of ConfigMaps that notes when it is asked to work."""

    resources: Collection[str] = ("configmaps",)

    def __init__(self, clock: VirtualClock) -> None:
        self.clock = clock
        self.seen: list[tuple[float, str]] = []
        self.errors: list[Exception] = []
        self.again: float | None = None

    def keys_for(self, event: Event) -> Iterable[ObjectKey]:
        return [key_of(event.object)] if event.object["metadata"].get("namespace") == "shop" else ()

    def sync(self, key: ObjectKey) -> float | None:
        self.seen.append((round(self.clock.monotonic(), 3), key.name))
        if self.errors:
            raise self.errors.pop(0)
        again, self.again = self.again, None
        return again


def _config_map(stage: Stage, name: str) -> None:
    stage.client.create("configmaps", {"metadata": {"name": name, "namespace": "shop"}})


def _followed(stage: Stage) -> tuple[_Recorder, ControllerManager]:
    recorder = _Recorder(stage.clock)
    manager = ControllerManager([("recorder", recorder)], stage.client, stage.clock)
    manager.start()
    return recorder, manager


def test_a_controller_starts_with_what_is_there_and_follows_events(stage: Stage) -> None:
    _config_map(stage, "early")
    recorder, _ = _followed(stage)
    _config_map(stage, "late")
    stage.clock.advance(0)
    assert [name for _, name in recorder.seen] == ["early", "late"]


def test_nothing_is_synced_before_all_that_was_there_has_been_seen(stage: Stage) -> None:
    for number in range(600):
        _config_map(stage, f"early-{number:03}")
    recorder, manager = _followed(stage)
    assert not manager.has_synced
    synced = recorder.sync

    def sync(key: ObjectKey) -> float | None:
        assert manager.has_synced
        return synced(key)

    recorder.sync = sync  # type: ignore[method-assign]
    stage.client.delete("configmaps", "shop", "early-599")
    _config_map(stage, "late")
    stage.clock.advance(0)
    assert sorted(name for _, name in recorder.seen) == sorted(
        [*(f"early-{number:03}" for number in range(600)), "late"]  # what is gone is synced for its end
    )


def test_a_stopped_controller_follows_no_more(stage: Stage) -> None:
    recorder, manager = _followed(stage)
    _config_map(stage, "one")
    manager.stop()
    _config_map(stage, "two")
    stage.clock.advance(10)
    assert recorder.seen == []


@pytest.mark.parametrize("error", [ConflictError("changed"), RuntimeError("a fault")])
def test_a_sync_that_failed_is_tried_again_with_delay(stage: Stage, error: Exception) -> None:
    recorder, _ = _followed(stage)
    recorder.errors = [error, error]
    _config_map(stage, "one")
    stage.clock.advance(10)
    assert [when for when, _ in recorder.seen] == [0, 0.005, 0.015]


def test_a_sync_may_ask_to_be_called_again(stage: Stage) -> None:
    recorder, _ = _followed(stage)
    recorder.again = 30
    _config_map(stage, "one")
    stage.clock.advance(100)
    assert [when for when, _ in recorder.seen] == [0, 30]


def test_many_keys_are_all_synced(stage: Stage) -> None:
    recorder, _ = _followed(stage)
    for number in range(100):
        _config_map(stage, f"cm-{number:02}")
    stage.clock.advance(0)
    assert [name for _, name in recorder.seen] == [f"cm-{number:02}" for number in range(100)]


def _owned(uid: str, kind: str = "ReplicaSet", name: str = "web") -> Obj:
    reference = {"kind": kind, "name": name, "uid": uid, "controller": True}
    return {"metadata": {"name": "p", "namespace": "shop", "ownerReferences": [reference]}}


def test_an_event_of_a_dependent_is_about_its_owner_now_and_before() -> None:
    event = Event("MODIFIED", "pods", _owned("1"), _owned("2", name="old"), 1)
    assert list(own_or_owner_key(event, "replicasets.apps", "ReplicaSet")) == [
        ("shop", "web"),
        ("shop", "old"),
    ]
    assert list(own_or_owner_key(event, "jobs.batch", "Job")) == []
    assert list(own_or_owner_key(event, "pods", "Pod")) == [("shop", "p")]


def _set(stage: Stage) -> Obj:
    """Return a ReplicaSet without Pods, selecting app=web."""
    stage.workload("replicasets.apps", replicas=0)
    return stage.get("replicasets.apps")


def _bare(stage: Stage, name: str, **labels: str) -> Obj:
    spec = {"containers": [{"name": "c", "image": "web:0"}]}
    meta = {"name": name, "namespace": "shop", "labels": labels}
    return stage.client.create("pods", {"metadata": meta, "spec": spec})


def test_matching_orphans_are_claimed_and_others_are_not(stage: Stage) -> None:
    owner = _set(stage)
    _bare(stage, "a", app="web")
    _bare(stage, "b", app="db")
    _bare(stage, "c", app="web")
    claimed = claim(stage.client, "pods", owner, lambda pod: key_of(pod).name != "c")
    assert [key_of(pod).name for pod in claimed] == ["a"]
    assert (controller_of(stage.get("pods", "a")) or {})["uid"] == owner["metadata"]["uid"]
    assert controller_of(stage.get("pods", "c")) is None


def test_other_owners_are_kept_when_a_pod_is_adopted_and_released(stage: Stage) -> None:
    owner = _set(stage)
    other = {"apiVersion": "v1", "kind": "ConfigMap", "name": "x", "uid": "u"}
    pod = _bare(stage, "a", app="web")
    stage.client.update("pods", {**pod, "metadata": {**pod["metadata"], "ownerReferences": [other]}})
    (adopted,) = claim(stage.client, "pods", owner)
    assert [each["kind"] for each in adopted["metadata"]["ownerReferences"]] == ["ConfigMap", "ReplicaSet"]
    moved = {**adopted, "metadata": {**adopted["metadata"], "labels": {"app": "debug"}}}
    stage.client.update("pods", moved)
    assert claim(stage.client, "pods", owner) == []
    assert stage.get("pods", "a")["metadata"]["ownerReferences"] == [other]


def test_an_owner_that_is_being_deleted_neither_adopts_nor_releases(stage: Stage) -> None:
    owner = _set(stage)
    _bare(stage, "mine", app="web")
    claim(stage.client, "pods", owner)
    mine = stage.get("pods", "mine")
    stage.client.update("pods", {**mine, "metadata": {**mine["metadata"], "labels": {"app": "x"}}})
    _bare(stage, "orphan", app="web")
    dying = {**owner, "metadata": {**owner["metadata"], "deletionTimestamp": "2030-01-01T00:00:00Z"}}
    assert claim(stage.client, "pods", dying) == []
    assert controller_of(stage.get("pods", "mine")) is not None
    assert controller_of(stage.get("pods", "orphan")) is None


def _owner_of_revisions(image: str) -> Obj:
    containers = [{"name": "c", "image": image}]
    return {
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": {"name": "db", "namespace": "shop", "uid": "u-1"},
        "spec": {
            "selector": {"matchLabels": {"app": "db"}},
            "template": {"metadata": {"labels": {"app": "db"}}, "spec": {"containers": containers}},
            "revisionHistoryLimit": 1,
        },
    }


def test_a_template_has_one_revision_that_moves_to_the_top(stage: Stage) -> None:
    revisions = Revisions(
        stage.client,
        lambda owner, data: (
            str(len(str(data)) % 7) + data["spec"]["template"]["spec"]["containers"][0]["image"][-1]
        ),
        "hash",
    )
    first = revisions.current(_owner_of_revisions("db:1"))
    assert revisions.current(_owner_of_revisions("db:1")) == first
    second = revisions.current(_owner_of_revisions("db:2"))
    assert (first["revision"], second["revision"]) == (1, 2)
    again = revisions.current(_owner_of_revisions("db:1"))
    assert (key_of(again), again["revision"]) == (key_of(first), 3)
    assert [key_of(each) for each in revisions.history(_owner_of_revisions("db:1"))] == [
        key_of(second),
        key_of(first),
    ]


def test_old_revisions_are_forgotten_but_not_those_in_use(stage: Stage) -> None:
    revisions = Revisions(
        stage.client,
        lambda owner, data: (
            str(len(str(data)) % 7) + data["spec"]["template"]["spec"]["containers"][0]["image"][-1]
        ),
        "hash",
    )
    names = [revisions.current(_owner_of_revisions(f"db:{n}"))["metadata"]["name"] for n in range(5)]
    revisions.clean_up(_owner_of_revisions("db:4"), keep={names[0], names[4]})
    left = [each["metadata"]["name"] for each in revisions.history(_owner_of_revisions("db:4"))]
    assert left == [names[0], names[3], names[4]]


class _Writer:
    """Writes once for every key, and notes when it was called."""

    resources: Collection[str] = ("configmaps",)

    def __init__(self, stage: Stage, log: list[str], name: str, *, writes: bool = False) -> None:
        self.stage, self.log, self.name, self.writes = stage, log, name, writes

    def keys_for(self, event: Event) -> Iterable[ObjectKey]:
        return [key_of(event.object)] if event.object["metadata"]["namespace"] == "shop" else ()

    def sync(self, key: ObjectKey) -> float | None:
        self.log.append(self.name)
        if self.writes:
            self.writes = False
            found = self.stage.client.get("configmaps", *key)
            self.stage.client.update("configmaps", {**found, "data": {"a": "b"}})
        return None


def test_who_was_told_of_a_write_has_its_turn_before_the_writer(stage: Stage) -> None:
    log: list[str] = []
    writer, reader = _Writer(stage, log, "writer", writes=True), _Writer(stage, log, "reader")
    ControllerManager([("writer", writer), ("reader", reader)], stage.client, stage.clock).start()
    stage.client.create("configmaps", {"metadata": {"name": "x", "namespace": "shop"}})
    stage.step()
    assert log == ["writer", "reader", "writer"]  # the reader sees both states at once


class _Collector(_Writer):
    """Looks at changes together."""

    def delay(self, key: ObjectKey, event: Event, rested: float) -> float:
        return 2.0 if event.type == "MODIFIED" else 0.0


def test_a_controller_may_collect_changes(stage: Stage) -> None:
    log: list[str] = []
    ControllerManager([("c", _Collector(stage, log, "c"))], stage.client, stage.clock).start()
    stage.client.create("configmaps", {"metadata": {"name": "x", "namespace": "shop"}})
    stage.step()
    for number in range(5):
        stage.patch("configmaps", "x", {"data": {"n": str(number)}})
    assert log == ["c"]
    stage.step(2)
    assert log == ["c", "c"]


@pytest.mark.parametrize(("good", "tried"), [(99, 20), (0, 1), (1, 3), (2, 3), (3, 7), (10, 15)])
def test_what_fails_is_tried_a_few_times_only(good: int, tried: int) -> None:
    done: list[int] = []

    def do(number: int) -> None:
        done.append(number)
        if number >= good:
            raise ConflictError("no")

    failure = slow_start(range(20), do)
    assert (len(done), failure is None) == (tried, good >= 20)
