"""What the status of a Pod says about its containers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from leeward.cluster.kubelet.records import Record, make_status, pod_phase, record_from_status
from leeward.kube.objects import Obj, find_condition

_NOW = datetime(2030, 1, 1, tzinfo=UTC)
_LATER = _NOW + timedelta(minutes=5)


def _record(name: str = "a", state: Any = "running", *, ready: bool = True, started: bool = True) -> Record:
    """Return a record; a state is waiting, running or an exit code."""
    record = Record(name, "web:1", container_id=f"sim://{name}", started_at=_NOW)
    if isinstance(state, int):
        record.phase, record.exit_code, record.finished_at = "terminated", state, _LATER
        record.reason = "Error" if state else "Completed"
    elif state == "running":
        record.phase, record.ready, record.started = "running", ready, started
    return record


def _pod(policy: str = "Always", status: Obj | None = None, **spec: Any) -> Obj:
    containers = [{"name": "a"}, {"name": "b"}]
    full = {"restartPolicy": policy, "containers": containers, **spec}
    return {"metadata": {"name": "web", "generation": 4}, "spec": full, "status": status or {}}


def _status(pod: Obj, records: list[Record], init: list[Record] | None = None, **more: Any) -> Obj:
    known: Obj = {"pod_ip": "10.0.0.7", "host_ip": "127.0.0.1", "started_at": _NOW, "now": _LATER, **more}
    return make_status(pod, records, init or [], **known)


def _conditions(status: Obj) -> dict[str, str]:
    return {each["type"]: each["status"] for each in status["conditions"]}


def test_a_running_container_says_since_when() -> None:
    assert _record().to_status() == {
        "name": "a",
        "state": {"running": {"startedAt": "2030-01-01T00:00:00Z"}},
        "lastState": {},
        "ready": True,
        "restartCount": 0,
        "image": "web:1",
        "imageID": "",
        "started": True,
        "containerID": "sim://a",
    }


def test_a_waiting_container_says_why() -> None:
    record = Record("a", "web:1")
    assert record.state() == {"waiting": {"reason": "ContainerCreating"}}
    assert "containerID" not in record.to_status()
    record.reason, record.message = "ErrImagePull", "no such image"
    assert record.state() == {"waiting": {"reason": "ErrImagePull", "message": "no such image"}}


def test_an_ended_container_says_how_and_when() -> None:
    record = _record(state=3)
    assert record.state() == {
        "terminated": {
            "exitCode": 3,
            "reason": "Error",
            "startedAt": "2030-01-01T00:00:00Z",
            "finishedAt": "2030-01-01T00:05:00Z",
            "containerID": "sim://a",
        }
    }
    assert (record.done, _record(state=0).done, _record().done) == (False, True, False)


def test_what_runs_again_remembers_how_it_ended() -> None:
    record = _record(state=0)
    ended = record.terminated()
    record.run_again()
    assert (record.phase, record.reason, record.last) == ("waiting", "PodInitializing", ended)
    running = _record()
    running.run_again()
    assert (running.phase, running.last) == ("running", None)


@pytest.mark.parametrize(
    ("policy", "states", "phase"),
    [
        ("Always", ["waiting", "waiting"], "Pending"),
        ("Always", ["running", "running"], "Running"),
        ("Always", ["running", 1], "Running"),
        ("Always", [0, 0], "Running"),
        ("OnFailure", [0, 0], "Succeeded"),
        ("OnFailure", [0, 1], "Running"),
        ("OnFailure", [0, "running"], "Running"),
        ("Never", [0, 0], "Succeeded"),
        ("Never", [0, 1], "Failed"),
        ("Never", [1, "running"], "Running"),
    ],
)
def test_the_phase_follows_from_containers_and_policy(policy: str, states: list[Any], phase: str) -> None:
    records = [_record(name, state) for name, state in zip("ab", states, strict=True)]
    assert pod_phase(_pod(policy), records, []) == phase


def test_a_pod_whose_container_is_in_its_back_off_is_running() -> None:
    record = Record("a", "web:1", reason="CrashLoopBackOff", last={"exitCode": 1})
    assert pod_phase(_pod(), [record], []) == "Running"


@pytest.mark.parametrize(
    ("policy", "state", "phase"),
    [
        ("Always", "waiting", "Pending"),
        ("Always", "running", "Pending"),
        ("Always", 1, "Pending"),
        ("OnFailure", 1, "Pending"),
        ("Never", 1, "Failed"),
        ("Always", 0, "Running"),
    ],
)
def test_a_pod_is_pending_until_its_init_containers_are_done(policy: str, state: Any, phase: str) -> None:
    pod = _pod(policy, initContainers=[{"name": "init"}])
    assert pod_phase(pod, [_record("a")], [_record("init", state)]) == phase


def test_a_sidecar_that_ended_badly_does_not_fail_the_pod() -> None:
    pod = _pod("Never", initContainers=[{"name": "proxy", "restartPolicy": "Always"}])
    assert pod_phase(pod, [_record("a")], [_record("proxy", 1)]) == "Running"


def test_a_pod_with_all_containers_ready_is_ready() -> None:
    status = _status(_pod(), [_record("a"), _record("b")])
    assert status["phase"] == "Running"
    assert _conditions(status) == {
        "PodReadyToStartContainers": "True",
        "Initialized": "True",
        "Ready": "True",
        "ContainersReady": "True",
    }
    assert (status["podIP"], status["podIPs"]) == ("10.0.0.7", [{"ip": "10.0.0.7"}])
    assert (status["hostIP"], status["hostIPs"]) == ("127.0.0.1", [{"ip": "127.0.0.1"}])
    assert status["observedGeneration"] == 4


def test_a_pod_that_is_not_ready_names_the_containers() -> None:
    status = _status(_pod(), [_record("a"), _record("b", ready=False)])
    found = find_condition({"status": status}, "Ready") or {}
    assert (found["status"], found["reason"]) == ("False", "ContainersNotReady")
    assert found["message"] == "containers with unready status: [b]"


def test_a_pod_without_an_address_cannot_start_containers_yet() -> None:
    status = _status(_pod(), [_record("a", "waiting")], pod_ip="")
    assert _conditions(status)["PodReadyToStartContainers"] == "False"
    assert "podIP" not in status


@pytest.mark.parametrize(
    ("code", "phase", "reason"), [(0, "Succeeded", "PodCompleted"), (1, "Failed", "PodFailed")]
)
def test_an_ended_pod_is_not_ready_and_says_why(code: int, phase: str, reason: str) -> None:
    status = _status(_pod("Never"), [_record("a", code)])
    found = find_condition({"status": status}, "Ready") or {}
    assert (status["phase"], found["status"], found["reason"]) == (phase, "False", reason)


def test_readiness_gates_hold_a_pod_back() -> None:
    gate = {"conditionType": "example.com/in-rotation"}
    pod = _pod(readinessGates=[gate])
    status = _status(pod, [_record("a")])
    assert (_conditions(status)["ContainersReady"], _conditions(status)["Ready"]) == ("True", "False")
    told = {"conditions": [{"type": "example.com/in-rotation", "status": "True"}]}
    status = _status({**pod, "status": told}, [_record("a")])
    assert _conditions(status)["Ready"] == "True"
    assert _conditions(status)["example.com/in-rotation"] == "True"


def test_a_pod_is_initialized_when_init_containers_are_done_and_sidecars_started() -> None:
    pod = _pod(initContainers=[{"name": "init"}, {"name": "proxy", "restartPolicy": "Always"}])
    waiting, done = _record("init", "waiting"), _record("init", 0)
    started, starting = _record("proxy"), _record("proxy", started=False)
    cases = [([waiting, started], "False"), ([done, starting], "False"), ([done, started], "True")]
    for init, expected in cases:
        status = _status(pod, [_record("a")], init)
        assert _conditions(status)["Initialized"] == expected
        assert [each["name"] for each in status["initContainerStatuses"]] == ["init", "proxy"]


def test_a_pod_that_was_given_up_has_failed_with_the_reason() -> None:
    status = _status(_pod(), [_record("a")], failure=("Evicted", "no room"))
    assert (status["phase"], status["reason"], status["message"]) == ("Failed", "Evicted", "no room")
    assert _conditions(status)["Ready"] == "False"


def test_times_of_conditions_and_start_stay_until_something_changes() -> None:
    first = _status(_pod(), [_record("a")], now=_NOW)
    assert first["startTime"] == "2030-01-01T00:00:00Z"
    same = _status(_pod(status=first), [_record("a")], started_at=_LATER)
    assert same == first
    changed = _status(_pod(status=first), [_record("a", ready=False)])
    times = {each["type"]: each["lastTransitionTime"] for each in changed["conditions"]}
    assert (times["Ready"], times["Initialized"]) == ("2030-01-01T00:05:00Z", "2030-01-01T00:00:00Z")
    assert changed["startTime"] == "2030-01-01T00:00:00Z"


def test_an_earlier_reason_is_not_kept() -> None:
    status = _status(
        _pod(status={"reason": "NodeLost", "message": "gone", "qosClass": "Burstable"}), [_record("a")]
    )
    assert "reason" not in status
    assert "message" not in status
    assert status["qosClass"] == "Burstable"


_SPEC = {"name": "a", "image": "web:1"}


def test_an_unknown_container_starts_from_nothing() -> None:
    assert record_from_status(_SPEC, None, _NOW) == Record("a", "web:1")


def test_what_ran_before_a_restart_counts_as_killed() -> None:
    running = {"running": {"startedAt": "2029-12-31T23:00:00Z"}}
    status = {"state": running, "restartCount": 2, "containerID": "sim://x"}
    record = record_from_status(_SPEC, status, _NOW)
    assert (record.phase, record.exit_code, record.reason) == ("terminated", 137, "ContainerStatusUnknown")
    assert (record.restarts, record.attempt, record.container_id) == (2, 2, "sim://x")


def test_what_ended_before_a_restart_stays_ended() -> None:
    last = {"exitCode": 9}
    ended = {"terminated": {"exitCode": 0, "reason": "Completed", "containerID": "sim://x"}}
    status = {"state": ended, "restartCount": 1, "lastState": {"terminated": last}}
    record = record_from_status(_SPEC, status, _NOW)
    assert (record.phase, record.exit_code, record.reason) == ("terminated", 0, "Completed")
    assert (record.done, record.last, record.container_id) == (True, last, "sim://x")


def test_what_waited_before_a_restart_waits_again() -> None:
    status = {"state": {"waiting": {"reason": "ImagePullBackOff"}}, "restartCount": 1}
    record = record_from_status(_SPEC, status, _NOW)
    assert (record.phase, record.restarts, record.retry_at) == ("waiting", 1, 0.0)
