"""What fails a drill, what is only told, and in which words."""

from __future__ import annotations

from typing import Any

import pytest

from leeward.drill.load import Sample
from leeward.drill.observation import Cluster, Observation
from leeward.drill.services import Service
from leeward.drill.verdict import Drill, Verdict, judge

CLUSTER = Cluster({"a1": "a", "b1": "b", "c1": "c"}, frozenset({"b1"}))
ZONES = frozenset("abc")
CUT, BACK = 2.0, 6.0
Ready = dict[str, int]


def after(*looks: tuple[float, Ready], name: str = "s") -> list[Observation]:
    return [Observation(at, {name: ready} if ready else {}, frozenset(), frozenset()) for at, ready in looks]


def drill(service: Service, *, mode: str = "power", **options: Any) -> Drill:
    return Drill(zone="b", mode=mode, cut=CUT, back=BACK, services={"s": service}, **options)


def verdict(
    replicas: int, *looks: tuple[float, Ready], zones: frozenset[str] = ZONES, **options: Any
) -> Verdict:
    samples = [Sample(1.0, 0.01, "GET", 200, ""), Sample(3.0, 0.01, "GET", 200, "")]
    service = Service(replicas, zones, bound=options.pop("bound", False))
    return judge(drill(service, **options), samples, after(*looks), CLUSTER)


def held(before: Ready, during: Ready, after_it: Ready | None = None) -> list[tuple[float, Ready]]:
    return [(1.0, before), (2.5, during), (5.0, during), (8.0, during if after_it is None else after_it)]


def test_three_replicas_have_to_stay_in_two_other_zones() -> None:
    spread = {"a": 1, "b": 1, "c": 1}

    assert verdict(3, *held(spread, {"a": 2, "c": 1})) == Verdict()
    assert verdict(3, *held(spread, {"a": 3})).problems == [
        "s had ready Pods in 1 other zone at worst while b was gone; with 3 replicas it has to stay in 2; "
        "Pods outside zone b were not ready: `leeward ps` and `leeward logs s` tell why"
    ]


def test_two_replicas_have_to_stay_in_one_other_zone() -> None:
    assert not verdict(2, *held({"a": 1, "b": 1}, {"a": 2})).problems
    assert "has to stay in 1" in verdict(2, *held({"a": 1, "b": 1}, {})).problems[0]


def test_a_service_of_which_nothing_is_left_to_see_is_in_no_zone() -> None:
    found = verdict(3, (1.0, {"a": 1, "b": 1, "c": 1}), (2.5, {"a": 1, "c": 1}), (4.0, {}), (8.0, {"a": 3}))

    assert "s had ready Pods in 0 other zones at worst" in found.problems[0]


def test_who_may_be_in_one_other_zone_only_has_to_stay_there() -> None:
    found = verdict(4, *held({"a": 2, "b": 2}, {"a": 2}, {"a": 2, "b": 2}), zones=frozenset("ab"))

    assert found == Verdict()


def test_a_service_is_held_to_the_zones_it_had_and_the_lack_is_told() -> None:
    found = verdict(3, *held({"a": 2, "b": 1}, {"a": 2, "c": 1}))

    assert found.problems == []
    assert found.findings == [
        "before the cut s was in zones a and b only: `leeward restart s` spreads it again"
    ]


def test_a_service_that_was_in_the_lost_zone_only_fails() -> None:
    found = verdict(3, *held({"b": 3}, {}, {"a": 3}))

    assert "it was nowhere else before the cut: `leeward restart s` spreads it again" in found.problems[0]
    assert "before the cut s was in zone b only" in found.findings[0]


def test_volumes_are_not_spread_by_a_restart() -> None:
    found = verdict(3, *held({"b": 3}, {}, {"b": 3}), bound=True, pinned={"s": ["s-0", "s-1", "s-2"]})

    assert "new ones need volumes in other zones" in found.problems[0]


def test_a_zone_without_a_pod_of_anything_rehearses_little_and_passes() -> None:
    found = verdict(3, *held({"a": 2, "c": 1}, {"a": 2, "c": 1}))

    assert found.problems == []
    assert found.findings[0].startswith("nothing ran in zone b before the cut, so little was rehearsed")


def test_a_service_without_a_pod_in_the_lost_zone_is_told() -> None:
    looks = [
        Observation(at, {"s": {"a": 2, "c": 1}, "t": {"b": 1, "a": 1, "c": 1}}, frozenset(), frozenset())
        for at in (1.0, 3.0, 7.0)
    ]
    services = {name: Service(3, ZONES) for name in "st"}
    found = judge(
        Drill(zone="b", mode="power", cut=CUT, back=BACK, services=services),
        [Sample(3.0, 0.01, "GET", 200, "")],
        looks,
        CLUSTER,
    )

    assert found.findings == [
        "nothing of s was in zone b before the cut, so losing it was not rehearsed there; "
        "`leeward restart s` spreads again"
    ]


def test_one_replica_is_at_risk_and_no_problem_when_it_comes_back_elsewhere() -> None:
    found = verdict(1, (1.9, {"b": 1}), (3.0, {"b": 1}), (4.0, {}), (5.5, {"a": 1}), (8.0, {"a": 1}))

    assert found.problems == []
    assert found.at_risk == {"s": "s has 1 replica: losing its zone took it down for 3.5 s; run at least 3"}


def test_one_replica_elsewhere_is_at_risk_all_the_same() -> None:
    found = verdict(1, *held({"a": 1}, {"a": 1}))

    assert found.at_risk == {
        "s": "s has 1 replica, in zone a: losing that zone takes it down; run at least 3"
    }
    assert found.problems == []


def test_one_replica_that_comes_back_with_its_zone_only_is_a_problem() -> None:
    found = verdict(1, *held({"b": 1}, {}, {"b": 1}))

    assert "s was not ready in another zone when b came back, 4.0 s after the cut" in found.problems[0]


@pytest.mark.parametrize(("end", "problems"), [({"b": 1}, 0), ({}, 1)])
def test_one_replica_that_its_volume_keeps_has_to_come_back_with_its_zone(end: Ready, problems: int) -> None:
    found = verdict(1, *held({"b": 1}, {}, end), bound=True, pinned={"s": ["s-0"]})

    assert len(found.problems) == problems
    assert found.at_risk["s"].startswith("s has 1 replica: losing its zone took it down for")


def test_replicas_that_may_be_in_the_lost_zone_only_are_at_risk() -> None:
    found = verdict(3, *held({"b": 3}, {}, {"b": 3}), zones=frozenset("b"))

    assert found.problems == []
    assert "s may be in zone b only: losing its zone took it down" in found.at_risk["s"]


def test_a_drain_leaves_a_pod_in_service_until_it_is_evicted() -> None:
    looks = [(1.9, {"b": 1}), (3.0, {"b": 1}), (4.0, {}), (4.5, {"a": 1}), (8.0, {"a": 1})]

    assert "took it down for 0.5 s" in verdict(1, *looks, mode="drain").at_risk["s"]


def test_what_was_not_ready_before_is_not_judged() -> None:
    found = verdict(3, *held({}, {}))

    assert found.problems == []
    assert "no Pod of s was ready before the cut" in " ".join(found.findings)


def test_what_is_not_whole_at_the_end_is_told() -> None:
    found = verdict(3, *held({"a": 1, "b": 1, "c": 1}, {"a": 1, "c": 1}))

    assert found.findings == [
        "s had 2 of 3 Pods ready at the end, 2.0 s after b came back: `leeward ps` tells why"
    ]


def test_nobody_knows_what_was_not_observed() -> None:
    long = Drill(zone="b", mode="power", cut=2.0, back=20.0, services={"s": Service(3, ZONES)})
    samples = [Sample(3.0, 0.01, "GET", 200, "")]

    found = judge(long, samples, after((1.0, {"a": 1, "c": 1}), (3.0, {"a": 1, "c": 1})), CLUSTER)

    assert "was not observed for 17.0 s" in found.problems[0]


def test_what_this_machine_did_wrong_is_not_put_on_the_service() -> None:
    samples = [Sample(3.0, 1.0, "GET", 0, "not sent (Too many open files)", lag=0.5)] * 2
    looks = after(*held({"a": 1, "b": 1, "c": 1}, {"a": 2, "c": 1}))

    found = judge(drill(Service(3, ZONES)), samples, looks, CLUSTER)

    assert found.problems[1] == "this machine ran out of sockets: use a lower --rate"
    assert "left 500 ms late or more" in found.findings[0]
