"""When Pods that could not be placed have their turn again."""

from __future__ import annotations

from typing import Any

from leeward.base.clock import VirtualClock
from leeward.cluster.interface.store import Event
from leeward.cluster.scheduler.podinfo import PodInfo, describe
from leeward.cluster.scheduler.queue import Queue

_EVENT = Event("ADDED", "nodes", {"metadata": {"name": "n"}}, None, 1)


class Played:
    """A queue, and how often it called."""

    def __init__(self, *, helps: bool = True) -> None:
        self.clock = VirtualClock()
        self.asked = 0
        self.helps = helps
        self.queue = Queue(self.clock, self._hint, lambda: None)

    def _hint(self, pod: PodInfo, rejected_by: frozenset[str], event: Event) -> bool:
        self.asked += 1
        return self.helps

    def add(self, name: str, priority: int = 0) -> None:
        meta = {"namespace": "n", "name": name, "uid": name}
        self.queue.add(describe({"metadata": meta, "spec": {"priority": priority}}))

    def pop(self) -> str | None:
        """Take a Pod and park it."""
        queued = self.queue.pop()
        if queued is None:
            return None
        self.queue.park(queued, ("NodeAffinity",))
        return queued.info.key.name


def test_the_more_important_pod_comes_first_and_of_equals_the_older() -> None:
    played = Played()
    played.add("first")
    played.add("second")
    played.add("important", priority=5)
    assert [played.pop() for _ in range(4)] == ["important", "first", "second", None]


def test_who_failed_last_comes_last() -> None:
    played = Played()
    played.add("a")
    played.add("b")
    assert [played.pop(), played.pop()] == ["a", "b"]
    played.queue.moved(_EVENT)
    played.add("c")
    assert [played.pop() for _ in range(3)] == ["c", "a", "b"]


def test_an_event_that_cannot_help_leaves_pods_where_they_are() -> None:
    played = Played(helps=False)
    played.add("a")
    played.pop()
    played.queue.moved(_EVENT)
    assert played.pop() is None


def test_whether_an_event_helps_is_asked_once_for_pods_of_one_template() -> None:
    played = Played()
    for number in range(50):
        played.add(f"p{number}")
        played.pop()
    played.queue.moved(_EVENT)
    assert played.asked == 1
    assert len([name for _ in range(60) if (name := played.pop())]) == 50


def test_after_five_minutes_a_pod_is_tried_again_whatever_happened() -> None:
    played = Played(helps=False)
    played.add("a")
    played.pop()
    played.clock.advance(299)
    assert played.pop() is None
    played.clock.advance(1)
    assert played.pop() == "a"


def _fail(played: Played) -> Any:
    queued = played.queue.pop()
    assert queued is not None
    played.queue.retry(queued)
    return queued


def test_back_off_after_errors_doubles_up_to_ten_seconds_and_is_kept() -> None:
    played = Played()
    played.add("a")
    for seconds in (1, 2, 4, 8, 10, 10):
        _fail(played)
        played.clock.advance(seconds - 0.1)
        assert not played.queue.has_ready()
        played.clock.advance(0.1)
        assert played.queue.has_ready()


def test_a_pod_backs_off_only_while_others_have_their_turn() -> None:
    played = Played()
    played.add("a")
    played.pop()
    played.queue.moved(_EVENT)
    played.add("b")
    assert [played.pop(), played.pop()] == ["b", "a"]


def test_very_many_pods_keep_to_their_back_off() -> None:
    played = Played()
    for number in range(101):
        played.add(f"p{number}")
        played.pop()
    played.queue.moved(_EVENT)
    assert played.pop() is None
    played.clock.advance(1)
    assert len([name for _ in range(200) if (name := played.pop())]) == 101


def test_who_failed_often_keeps_to_its_back_off() -> None:
    played = Played()
    played.add("a")
    for _ in range(5):
        assert played.pop() == "a"
        played.queue.moved(_EVENT)
    assert played.pop() == "a"
    played.queue.moved(_EVENT)
    assert played.pop() is None
    played.clock.advance(10)
    assert played.pop() == "a"


def test_a_pod_that_goes_is_forgotten_wherever_it_waits() -> None:
    played = Played()
    for name in ("parked", "backing-off", "active"):
        played.add(name)
    played.pop()
    played.pop()
    played.queue.remove("parked")
    played.queue.moved(_EVENT)
    played.queue.remove("backing-off")
    played.queue.remove("active")
    assert (played.pop(), len(played.queue)) == (None, 0)
