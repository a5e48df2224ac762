"""How many replicas bring what Pods use to a target."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from leeward.cluster.controllers.podautoscaler.metrics import propose
from leeward.cluster.controllers.podautoscaler.proposals import Failure, Proposal, Target
from leeward.cluster.controllers.podautoscaler.replicas import (
    ByAverage,
    ByUtilization,
    Gauge,
    Reading,
    Tolerances,
    UnmeasuredError,
    calculate,
    readings,
    requests_of,
)
from leeward.cluster.interface.metrics import PodUsage, Usage
from leeward.kube.objects import Obj, format_time

NOW = datetime(2030, 1, 1, tzinfo=UTC)
DAY = 86400


def pod(
    name: str,
    *,
    phase: str = "Running",
    ready: bool = True,
    started: float = DAY,
    changed: float = DAY,
    **spec: Any,
) -> Obj:
    """Return a Pod that started and became ready, or not, so many seconds ago."""
    condition = {
        "type": "Ready",
        "status": str(ready),
        "lastTransitionTime": format_time(NOW - timedelta(seconds=changed)),
    }
    status = {
        "phase": phase,
        "startTime": format_time(NOW - timedelta(seconds=started)),
        "conditions": [condition],
    }
    container = {"name": "c", "resources": {"requests": {"cpu": "100m", "memory": "1Ki"}}}
    return {"metadata": {"name": name}, "spec": {"containers": [container], **spec}, "status": status}


def count(pods: list[Obj], used: dict[str, int], target: int = 50, **more: Any) -> int:
    """Return the replicas for a utilization of `target` percent."""
    found = {name: Reading(value, NOW, 10.0) for name, value in used.items()}
    given: Gauge | None = more.pop("gauge", None)
    return calculate(
        pods,
        found,
        lambda: given or ByUtilization(target, requests_of(pods, "cpu", "")),
        resource=more.pop("resource", "cpu"),
        current=len(pods),
        tolerances=more.pop("tolerances", Tolerances()),
        now=NOW,
    )[0]


@pytest.mark.parametrize(("used", "expected"), [(100, 4), (56, 3), (55, 2), (45, 2), (44, 2), (20, 1)])
def test_replicas_follow_the_ratio_outside_of_the_tolerance(used: int, expected: int) -> None:
    assert count([pod("a"), pod("b")], {"a": used, "b": used}) == expected


def test_tolerances_are_told_apart_by_direction() -> None:
    pods, wide = [pod("a"), pod("b")], Tolerances(up=0.5, down=0.0)
    assert count(pods, {"a": 74, "b": 74}, tolerances=wide) == 2
    assert count([*pods, pod("c")], dict.fromkeys("abc", 24), tolerances=Tolerances(0.1, 0.6)) == 3


def test_a_pod_without_a_measurement_uses_nothing_when_more_are_needed() -> None:
    assert count([pod("a"), pod("b")], {"a": 200}) == 4
    assert count([pod("a"), pod("b")], {"a": 100}) == 2  # none when that turns the direction


def test_a_pod_without_a_measurement_uses_its_request_when_fewer_are_needed() -> None:
    assert count([pod("a"), pod("b"), pod("c")], {"a": 1, "b": 1}) == 3
    assert count([pod(name) for name in "abcdef"], dict.fromkeys("abcde", 1)) == 3
    assert count([pod(name) for name in "abcdef"], dict.fromkeys("abcde", 1), target=200) == 2


@pytest.mark.parametrize(
    "starting",
    [
        pod("b", phase="Pending"),
        pod("b", ready=False, started=60, changed=60),
        pod("b", started=60, changed=5),  # no whole window since it is ready
        pod("b", ready=False, started=DAY, changed=DAY - 20),  # never ready
    ],
    ids=["pending", "not ready yet", "just ready", "never ready"],
)
def test_a_pod_that_starts_uses_nothing_when_more_are_needed_and_does_not_count_otherwise(
    starting: Obj,
) -> None:
    assert count([pod("a"), starting], {"a": 200, "b": 900}) == 4
    assert count([pod("a"), starting], {"a": 20, "b": 900}) == 1


def test_a_pod_that_was_ready_once_counts_and_so_does_the_memory_of_one_that_starts() -> None:
    gone_bad = pod("b", ready=False, started=DAY, changed=60)
    assert count([pod("a"), gone_bad], {"a": 100, "b": 100}) == 4
    starts = pod("b", started=60, changed=5)
    assert count([pod("a"), starts], {"a": 100, "b": 100}, gauge=ByAverage(50), resource="memory") == 4


def test_pods_that_end_or_have_failed_do_not_count() -> None:
    ending = {**pod("b"), "metadata": {"name": "b", "deletionTimestamp": format_time(NOW)}}
    assert count([pod("a"), ending, pod("c", phase="Failed")], {"a": 100, "b": 900}) == 2


def test_without_a_ready_pod_that_is_measured_nothing_is_known() -> None:
    with pytest.raises(UnmeasuredError, match="did not receive metrics for targeted pods"):
        count([pod("a", ready=False, started=60)], {"a": 100})


def test_an_average_is_compared_without_requests() -> None:
    assert count([pod("a"), pod("b")], {"a": 100, "b": 100}, gauge=ByAverage(40)) == 5
    assert count([pod("a"), pod("b"), pod("c")], {"a": 10, "b": 10}, gauge=ByAverage(40)) == 2


def test_requests_are_those_of_containers_and_sidecars_or_of_the_whole_pod() -> None:
    sidecar = {"name": "s", "restartPolicy": "Always", "resources": {"requests": {"cpu": "1"}}}
    first = {"name": "i", "resources": {"requests": {"cpu": "5"}}}
    both = pod("a", initContainers=[sidecar, first])
    assert requests_of([both], "cpu", "") == {"a": 1100}
    assert requests_of([both], "cpu", "s") == {"a": 1000}
    assert requests_of([pod("a", resources={"requests": {"cpu": "2"}})], "cpu", "") == {"a": 2000}
    with pytest.raises(UnmeasuredError, match="missing request for disk in container c of Pod a"):
        requests_of([pod("a")], "disk", "")


def test_a_container_is_read_alone_and_has_to_be_there() -> None:
    usage = {"a": PodUsage(NOW, 10.0, {"c": Usage(1_500_000, 3), "s": Usage(7_000_000, 4)})}
    assert readings(usage, "cpu", "c", "shop")["a"].value == 2  # thousandths, rounded up
    assert readings(usage, "cpu", "", "shop")["a"].value == 9
    assert readings(usage, "memory", "", "shop")["a"].value == 7000
    assert readings(usage, "disk", "", "shop") == {}
    with pytest.raises(UnmeasuredError, match="container x not present in metrics for pod shop/a"):
        readings(usage, "cpu", "x", "shop")
    with pytest.raises(UnmeasuredError, match="no metrics returned from resource metrics API"):
        readings({}, "cpu", "", "shop")


def autoscaler(**spec: Any) -> Obj:
    return {"metadata": {"namespace": "shop", "name": "web"}, "spec": spec}


def target(*names: str, cpu: int) -> Target:
    usage = {name: PodUsage(NOW, 10.0, {"c": Usage(cpu * 1_000_000, 2048)}) for name in names}
    return Target(replicas=len(names), pods=[pod(name) for name in names], usage=usage)


def test_a_metric_of_a_container_says_so() -> None:
    wanted = {"type": "Utilization", "averageUtilization": 50}
    metric = {
        "type": "ContainerResource",
        "containerResource": {"name": "cpu", "container": "c", "target": wanted},
    }
    found = propose(autoscaler(), metric, target("a", cpu=100), NOW)
    assert found == Proposal(
        2,
        "cpu container resource utilization (percentage of request)",
        {
            "type": "ContainerResource",
            "containerResource": {
                "name": "cpu",
                "container": "c",
                "current": {"averageUtilization": 100, "averageValue": "100m"},
            },
        },
    )


def test_memory_is_told_in_bytes_and_a_tolerance_of_the_behavior_holds() -> None:
    wanted = {"type": "AverageValue", "averageValue": "1Ki"}
    metric = {"type": "Resource", "resource": {"name": "memory", "target": wanted}}
    found = propose(autoscaler(), metric, target("a", cpu=0), NOW)
    assert isinstance(found, Proposal)
    assert (found.replicas, found.name) == (2, "memory resource")
    assert found.status["resource"]["current"] == {"averageValue": "2048"}
    tolerant = autoscaler(behavior={"scaleUp": {"tolerance": "1.5"}, "scaleDown": {}})
    found = propose(tolerant, metric, target("a", cpu=0), NOW)
    assert isinstance(found, Proposal)
    assert found.replicas == 1


def test_pods_that_nobody_selects_are_told() -> None:
    wanted = {"type": "Utilization", "averageUtilization": 50}
    metric = {"type": "Resource", "resource": {"name": "cpu", "target": wanted}}
    usage = target("a", cpu=1).usage
    found = propose(autoscaler(), metric, Target(replicas=1, usage=usage), NOW)
    assert isinstance(found, Failure)
    assert found.warned.message == (
        "failed to get cpu utilization: no pods returned by selector while calculating replica count"
    )
