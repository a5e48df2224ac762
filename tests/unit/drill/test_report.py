"""What a drill concludes from what it saw."""

from __future__ import annotations

from typing import Any

import pytest

from leeward.drill.load import Sample
from leeward.drill.observation import Cluster, Observation, observe, zones_of
from leeward.drill.report import Report, make_report, to_lines
from leeward.drill.verdict import Drill
from leeward.kube.objects import Obj

CLUSTER = Cluster({"a1": "a", "b1": "b", "c1": "c"}, frozenset({"b1"}))
DRILL = Drill(zone="b", mode="power", cut=2.0, back=6.0)
WHOLE = {"web": {"a": 1, "b": 1, "c": 1}}


def look(at: float, ready: dict[str, dict[str, int]], *nodes: str) -> Observation:
    return Observation(at, ready, frozenset(nodes), frozenset())


SEEN = [
    look(1.0, WHOLE, "a1", "b1", "c1"),
    look(2.5, WHOLE, "a1", "b1", "c1"),
    look(3.5, {"web": {"a": 1, "c": 1}}, "a1", "c1"),
    look(5.0, {"web": {"a": 2, "c": 1}}, "a1", "c1"),
    look(7.0, {"web": {"a": 2, "c": 1}}, "a1", "c1"),
]


def sample(due: float, method: str = "GET", latency: float = 0.01, failure: str = "") -> Sample:
    return Sample(due, latency, method, 0 if failure else 200, failure)


def report(*samples: Sample, seen: list[Observation] | None = None, drill: Drill = DRILL) -> Report:
    return make_report(drill, samples or (sample(1.0), sample(3.0)), SEEN if seen is None else seen, CLUSTER)


def test_times_count_from_the_cut() -> None:
    found = report()

    assert (found.left_rotation, found.replaced) == (1.5, 3.0)


def test_what_never_happened_has_no_time() -> None:
    found = report(seen=SEEN[:2])

    assert (found.left_rotation, found.replaced) == (None, None)
    assert "out of rotation     not after the cut" in to_lines(found)


def test_what_was_not_replaced_in_time_is_a_finding() -> None:
    seen = [*SEEN[:3], look(7.0, {"web": {"a": 1, "c": 1}}, "a1", "c1")]

    assert report().findings == ()
    assert "not all that zone b had of web was replaced in the 4.0 s" in report(seen=seen).findings[-1]


def test_pods_are_counted_by_zone_before_during_and_after() -> None:
    assert report().pods == {
        "before": {"a": 1, "b": 1, "c": 1},
        "during": {"a": 2, "c": 1},
        "after": {"a": 2, "c": 1},
    }


def test_a_lost_get_fails_the_drill_and_a_lost_post_does_not() -> None:
    lost_post = report(sample(3.0, "POST", failure="status 502"), sample(3.0))
    lost_get = report(sample(3.0, "GET", failure="timeout"))

    assert (lost_post.passed, lost_post.failures) == (True, {"POST status 502": 1})
    assert any("cannot be repeated" in line for line in to_lines(lost_post))
    assert (lost_get.passed, lost_get.problems) == (False, ("1 GET request failed; none may",))


def test_a_drill_without_requests_proves_nothing() -> None:
    assert make_report(DRILL, [], SEEN, CLUSTER).problems == ("no request was sent",)
    assert "no GET fell due while the zone was gone" in report(sample(1.0), sample(6.5)).problems[0]


def test_latencies_belong_to_the_phase_in_which_the_request_fell_due() -> None:
    found = report(
        sample(1.0, latency=0.001),
        sample(1.9, latency=5.0),  # due before the cut, answered after it
        sample(2.0, latency=0.002),
        sample(6.0, latency=0.003),
        sample(6.5, failure="timeout", latency=10, method="POST"),  # a failure has no latency
    )

    assert {name: (p.requests, p.p50_ms, p.p99_ms) for name, p in found.phases.items()} == {
        "before": (2, 5000.0, 5000.0),
        "during": (1, 2.0, 2.0),
        "after": (2, 3.0, 3.0),
    }


def test_a_pinned_service_is_not_waited_for() -> None:
    seen = [
        look(1.0, {**WHOLE, "store": {"a": 1, "b": 1, "c": 1}}),
        look(4.0, {"web": {"a": 2, "c": 1}, "store": {"a": 1, "c": 1}}),
    ]
    pinned = Drill(zone="b", mode="power", cut=2.0, back=6.0, pinned={"store": ["store-1"]})

    assert report(seen=seen).replaced is None
    assert report(seen=seen, drill=pinned).replaced == 2.0


def test_the_verdict_tells_risks_and_findings_though_it_passed() -> None:
    seen = [look(1.0, {"kv": {"b": 1}}), look(3.0, {}), look(5.0, {"kv": {"a": 1}})]
    found = report(sample(3.0), seen=seen)

    assert to_lines(found)[-2:] == [
        "at risk             kv has 1 replica: losing its zone took it down for 3.0 s; run at least 3",
        "verdict             PASSED, with 1 service at risk",
    ]
    assert found.to_json()["at_risk"].keys() == {"kv"}


def pod(name: str, node: str, *, owner: str = "ReplicaSet", ready: bool = True, **metadata: Any) -> Obj:
    return {
        "metadata": {
            "name": name,
            "labels": {"app.kubernetes.io/name": "web"},
            "ownerReferences": [{"kind": owner, "name": "x", "uid": "u", "controller": True}],
            **metadata,
        },
        "spec": {"nodeName": node} if node else {},
        "status": {"conditions": [{"type": "Ready", "status": str(ready)}]},
    }


def test_only_ready_pods_of_services_that_stay_are_counted() -> None:
    pods = [
        pod("ready", "a1"),
        pod("unready", "b1", ready=False),
        pod("leaving", "b1", deletionTimestamp="2026-01-01T00:00:00Z"),
        pod("job", "c1", owner="Job"),
        pod("waiting", ""),
    ]
    slices = [{"endpoints": [{"nodeName": "a1"}, {"nodeName": "b1", "conditions": {"ready": False}}]}]

    seen = observe(3.0, pods, slices, CLUSTER)

    assert seen.ready == {"web": {"a": 1}}
    assert seen.pending == {"waiting"}
    assert seen.endpoints_on == {"a1"}


@pytest.mark.parametrize(("labels", "zone"), [({"topology.kubernetes.io/zone": "z"}, "z"), ({}, "")])
def test_zones_come_from_node_labels(labels: dict[str, str], zone: str) -> None:
    assert zones_of([{"metadata": {"name": "n", "labels": labels}}]) == {"n": zone}
