"""Virtual time."""

from leeward.base.clock import VirtualClock


def test_timers_run_in_order_of_deadline_then_of_creation() -> None:
    clock, ran = VirtualClock(), list[str]()
    clock.call_later(2, lambda: ran.append("late"))
    clock.call_later(1, lambda: ran.append("first"))
    clock.call_later(1, lambda: ran.append("second"))
    assert clock.advance(2) == 3
    assert ran == ["first", "second", "late"]


def test_a_timer_sees_its_own_deadline_as_now_and_may_add_another() -> None:
    clock, seen = VirtualClock(), list[float]()

    def tick() -> None:
        seen.append(clock.monotonic())
        if len(seen) < 3:
            clock.call_later(1, tick)

    clock.call_later(1, tick)
    clock.advance(10)
    assert seen == [1, 2, 3]
    assert clock.monotonic() == 10


def test_a_cancelled_timer_does_not_run_and_is_no_deadline() -> None:
    clock, ran = VirtualClock(), list[str]()
    clock.call_later(1, lambda: ran.append("no")).cancel()
    assert clock.next_deadline() is None
    clock.advance(5)
    assert ran == []
