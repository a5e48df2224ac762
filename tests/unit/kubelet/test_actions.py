"""Which containers of a Pod are started next."""

from __future__ import annotations

from typing import Any

import pytest

from leeward.cluster.kubelet.actions import Actions, backoff, is_over, plan
from leeward.cluster.kubelet.records import Record
from leeward.kube.objects import Obj


def _pod(*mains: str, init: list[Obj] | None = None, policy: str = "Always") -> Obj:
    spec: Obj = {"containers": [{"name": name} for name in mains], "restartPolicy": policy}
    return {"spec": {**spec, **({"initContainers": init} if init else {})}}


def _records(**records: Any) -> dict[str, Record]:
    """Return records; a value is a state: waiting, running, started, or an exit code."""
    found = {}
    for name, state in records.items():
        record = Record(name, "image")
        if isinstance(state, int):
            record.phase, record.exit_code = "terminated", state
        elif state != "waiting":
            record.phase, record.started = "running", state == "started"
        found[name] = record
    return found


_INIT: list[Obj] = [{"name": "one"}, {"name": "two"}]
_SIDECAR: list[Obj] = [{"name": "proxy", "restartPolicy": "Always"}, {"name": "migrate"}]


def test_all_containers_of_a_pod_start_together() -> None:
    assert plan(_pod("a", "b"), _records(a="waiting", b="waiting"), 0) == Actions(("a", "b"))


def test_what_runs_is_not_started_again() -> None:
    assert plan(_pod("a", "b"), _records(a="running", b="waiting"), 0) == Actions(("b",))


def test_an_ephemeral_container_starts_at_any_time_and_never_again() -> None:
    pod = _pod("a", init=_INIT)
    pod["spec"]["ephemeralContainers"] = [{"name": "look"}]
    first = {"one": "running", "two": "waiting", "a": "waiting"}
    assert plan(pod, _records(**first), 0) == Actions()
    assert plan(pod, _records(**first, look="waiting"), 0) == Actions(("look",))
    assert plan(pod, _records(**first, look="running"), 0) == Actions()
    assert plan(pod, _records(**first, look=1), 0) == Actions()


@pytest.mark.parametrize(
    ("one", "two", "expected"),
    [
        ("waiting", "waiting", ("one",)),
        ("running", "waiting", ()),
        (0, "waiting", ("two",)),
        (0, "running", ()),
        (0, 0, ("a",)),
        (3, "waiting", ("one",)),
    ],
)
def test_init_containers_run_one_after_the_other(one: Any, two: Any, expected: tuple[str, ...]) -> None:
    records = _records(one=one, two=two, a="waiting")
    assert plan(_pod("a", init=_INIT), records, 0).start == expected


def test_a_failed_init_container_is_the_end_when_nothing_restarts() -> None:
    pod, records = _pod("a", init=_INIT, policy="Never"), _records(one=1, two="waiting", a="waiting")
    assert plan(pod, records, 0) == Actions()
    assert is_over(pod, records)
    assert not is_over(_pod("a", init=_INIT, policy="OnFailure"), records)


@pytest.mark.parametrize(
    ("proxy", "migrate", "expected"),
    [
        ("waiting", "waiting", ("proxy",)),
        ("running", "waiting", ()),  # it has not passed its startup probe
        ("started", "waiting", ("migrate",)),
        ("started", 0, ("a",)),
        (1, "waiting", ("proxy",)),
        (0, "waiting", ("proxy",)),  # a sidecar is to run on
    ],
)
def test_a_sidecar_has_started_before_what_comes_after_it(
    proxy: Any, migrate: Any, expected: tuple[str, ...]
) -> None:
    records = _records(proxy=proxy, migrate=migrate, a="waiting")
    assert plan(_pod("a", init=_SIDECAR), records, 0).start == expected


@pytest.mark.parametrize("policy", ["Never", "OnFailure"])
def test_a_sidecar_is_started_again_whatever_the_policy(policy: str) -> None:
    records = _records(proxy=0, migrate=0, a="running")
    assert plan(_pod("a", init=_SIDECAR, policy=policy), records, 0).start == ("proxy",)


@pytest.mark.parametrize(
    ("policy", "code", "again"),
    [
        ("Always", 0, True),
        ("Always", 1, True),
        ("OnFailure", 0, False),
        ("OnFailure", 1, True),
        ("Never", 0, False),
        ("Never", 1, False),
    ],
)
def test_the_policy_says_whether_an_ended_container_starts_again(policy: str, code: int, again: bool) -> None:
    found = plan(_pod("a", policy=policy), _records(a=code), 0)
    assert found == (Actions(("a",)) if again else Actions())


def test_a_container_in_its_back_off_waits_and_the_earliest_is_looked_at_first() -> None:
    records = _records(a=1, b=1, c=1)
    records["a"].retry_at, records["b"].retry_at, records["c"].retry_at = 30.0, 20.0, 10.0
    assert plan(_pod("a", "b", "c"), records, 10.0) == Actions(("c",), 20.0)


def test_an_init_container_in_its_back_off_holds_everything_up() -> None:
    records = _records(one=1, two="waiting", a="waiting")
    records["one"].retry_at = 30.0
    assert plan(_pod("a", init=_INIT), records, 10.0) == Actions((), 30.0)


def test_the_first_restart_is_immediate_and_then_the_delay_doubles() -> None:
    assert [backoff(failures) for failures in range(9)] == [0, 0, 10, 20, 40, 80, 160, 300, 300]
    assert backoff(5000 // 10) == 300


@pytest.mark.parametrize(
    ("policy", "a", "b", "over"),
    [
        ("Always", 0, 0, False),
        ("OnFailure", 0, 0, True),
        ("OnFailure", 0, 1, False),
        ("OnFailure", 0, "running", False),
        ("Never", 0, 1, True),
        ("Never", 1, "running", False),
        ("Never", 1, "waiting", False),
    ],
)
def test_a_pod_is_over_when_nothing_will_run_again(policy: str, a: Any, b: Any, over: bool) -> None:
    assert is_over(_pod("a", "b", policy=policy), _records(a=a, b=b)) is over


def test_sidecars_do_not_keep_a_finished_pod_alive() -> None:
    records = _records(proxy="started", migrate=0, a=0)
    assert is_over(_pod("a", init=_SIDECAR, policy="Never"), records)
    assert is_over(_pod("a", init=_SIDECAR, policy="OnFailure"), records)


def test_a_sidecar_that_failed_does_not_end_the_pod() -> None:
    records = _records(proxy=1, migrate=0, a="running")
    assert not is_over(_pod("a", init=_SIDECAR, policy="Never"), records)
