"""Jobs on the real registry: from their first Pod to the end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from leeward.base.clock import VirtualClock
from leeward.base.ids import SeededIds
from leeward.cluster.config import Timing
from leeward.cluster.controllers.framework.controller import Collecting, ControllerContext
from leeward.cluster.controllers.job.controller import DESCRIPTOR
from leeward.cluster.controllers.job.indexes import INDEX
from leeward.cluster.controllers.job.tally import is_tracked
from leeward.cluster.interface.client import Event
from leeward.kube.objects import ObjectKey, format_time, is_terminating
from leeward.kube.pods import is_finished

if TYPE_CHECKING:
    from tests.unit.controllers_workload.conftest import Stage

JOBS = "jobs.batch"


def _run(stage: Stage, restart: str = "Never", **spec: Any) -> None:
    pod = {"restartPolicy": restart, "containers": [{"name": "c", "image": "web:1"}]}
    stage.create(JOBS, "job", {"template": {"spec": pod}, **spec})


def _start(stage: Stage) -> list[str]:
    stage.run_all()
    return stage.names()


def _end(stage: Stage, name: str, code: int) -> None:
    finished = {"exitCode": code, "finishedAt": format_time(stage.clock.now())}
    containers = [{"name": "c", "state": {"terminated": finished}, "restartCount": 0, "ready": False}]
    stage.tell(name, "Failed" if code else "Succeeded", containerStatuses=containers)
    stage.step()


def _status(stage: Stage, *names: str) -> list[Any]:
    status = stage.get(JOBS, "job")["status"]
    return [status.get(name, 0) for name in names]


def test_a_job_runs_to_its_end(stage: Stage) -> None:
    _run(stage, completions=3, parallelism=2)
    for expected in (2, 2, 1):
        names = _start(stage)
        assert len(names) == expected
        assert _status(stage, "active", "ready", "terminating") == [expected, expected, 0]
        _end(stage, names[0], 0)
    assert stage.condition(JOBS, "job", "Complete") == ("True", "CompletionsReached")
    assert stage.condition(JOBS, "job", "SuccessCriteriaMet") == ("True", "CompletionsReached")
    assert _status(stage, "succeeded", "active", "completionTime") == [3, 0, format_time(stage.clock.now())]
    assert stage.events("Completed") == ["Job completed"]
    assert len(stage.names(is_finished)) == 3


def test_a_pod_that_succeeded_counts_also_when_it_is_deleted(stage: Stage) -> None:
    _run(stage, completions=2)
    _end(stage, _start(stage)[0], 0)
    stage.delete("pods", stage.names(is_finished)[0])
    stage.finish_terminating()
    assert _status(stage, "succeeded", "active") == [1, 1]
    _end(stage, _start(stage)[0], 0)
    assert stage.condition(JOBS, "job", "Complete") is not None


def test_failures_are_retried_with_delay_until_the_limit(stage: Stage) -> None:
    _run(stage, backoffLimit=1)
    _end(stage, _start(stage)[0], 1)
    stage.step(9)
    assert stage.names() == []
    stage.step(2)
    assert len(stage.names()) == 1
    _end(stage, _start(stage)[0], 1)
    assert stage.condition(JOBS, "job", "Failed") == ("True", "BackoffLimitExceeded")
    assert _status(stage, "failed", "active") == [2, 0]
    assert stage.events("BackoffLimitExceeded") == ["Job has reached the specified backoff limit"]
    stage.step(1000)
    assert stage.names() == []


def test_a_job_has_failed_when_its_last_pod_is_gone(stage: Stage) -> None:
    _run(stage, parallelism=2, completions=2, backoffLimit=0)
    first, second = _start(stage)
    _end(stage, first, 1)
    assert stage.condition(JOBS, "job", "FailureTarget") == ("True", "BackoffLimitExceeded")
    assert stage.condition(JOBS, "job", "Failed") is None
    assert stage.names(is_terminating) == [second]
    stage.finish_terminating()
    assert stage.condition(JOBS, "job", "Failed") == ("True", "BackoffLimitExceeded")
    assert _status(stage, "failed", "terminating") == [2, 0]


def test_a_job_whose_kubelet_restarts_containers_fails_too(stage: Stage) -> None:
    _run(stage, restart="OnFailure", backoffLimit=2)
    (name,) = _start(stage)
    crashed = [{"name": "c", "state": {"waiting": {"reason": "CrashLoopBackOff"}}, "restartCount": 2}]
    stage.tell(name, "Running", containerStatuses=crashed)
    stage.step()
    assert stage.condition(JOBS, "job", "FailureTarget") == ("True", "BackoffLimitExceeded")


def test_a_deadline_ends_the_job(stage: Stage) -> None:
    _run(stage, activeDeadlineSeconds=30)
    _start(stage)
    stage.step(29)
    assert stage.condition(JOBS, "job", "FailureTarget") is None
    stage.step(2)
    assert stage.condition(JOBS, "job", "FailureTarget") == ("True", "DeadlineExceeded")


def test_a_job_is_suspended_and_resumed(stage: Stage) -> None:
    _run(stage, suspend=True, parallelism=2, completions=2)
    assert stage.names() == []
    assert stage.condition(JOBS, "job", "Suspended") == ("True", "JobSuspended")
    assert "startTime" not in stage.get(JOBS, "job")["status"]
    stage.patch(JOBS, "job", {"spec": {"suspend": False}})
    assert len(_start(stage)) == 2
    assert stage.condition(JOBS, "job", "Suspended") == ("False", "JobResumed")
    stage.patch(JOBS, "job", {"spec": {"suspend": True}})
    assert "startTime" not in stage.get(JOBS, "job")["status"]
    assert _status(stage, "active", "terminating", "failed") == [0, 2, 0]
    assert (stage.events("Suspended"), stage.events("Resumed")) == (["Job suspended"], ["Job resumed"])


def test_pods_given_up_by_suspension_are_no_failures(stage: Stage) -> None:
    _run(stage, backoffLimit=0)
    _start(stage)
    stage.patch(JOBS, "job", {"spec": {"suspend": True}})
    for name in stage.names(is_terminating):
        stage.tell(name, "Failed")
    stage.patch(JOBS, "job", {"spec": {"suspend": False}})
    stage.finish_terminating()
    assert stage.condition(JOBS, "job", "FailureTarget") is None
    assert _status(stage, "active", "failed") == [1, 0]


def test_the_deadline_starts_again_when_a_job_is_resumed(stage: Stage) -> None:
    _run(stage, activeDeadlineSeconds=60)
    stage.step(50)
    stage.patch(JOBS, "job", {"spec": {"suspend": True}})
    stage.step(50)
    stage.patch(JOBS, "job", {"spec": {"suspend": False}})
    stage.step(50)
    assert stage.condition(JOBS, "job", "FailureTarget") is None
    stage.step(11)
    assert stage.condition(JOBS, "job", "FailureTarget") == ("True", "DeadlineExceeded")


def test_less_parallelism_makes_no_failures(stage: Stage) -> None:
    _run(stage, completions=6, parallelism=3, backoffLimit=0)
    _start(stage)
    stage.patch(JOBS, "job", {"spec": {"parallelism": 1}})
    assert _status(stage, "active", "terminating", "failed") == [1, 2, 0]
    stage.finish_terminating()
    assert _status(stage, "active", "terminating", "failed") == [1, 0, 0]
    assert stage.condition(JOBS, "job", "FailureTarget") is None


def test_a_pod_deleted_by_hand_is_a_failure_that_stays(stage: Stage) -> None:
    _run(stage)
    stage.delete("pods", _start(stage)[0])
    stage.finish_terminating()
    assert _status(stage, "failed", "active") == [1, 0]
    stage.step(11)
    assert _status(stage, "failed", "active") == [1, 1]


def test_every_index_has_its_number(stage: Stage) -> None:
    _run(stage, completionMode="Indexed", completions=3, parallelism=2)
    names = _start(stage)
    assert [name.rsplit("-", 1)[0] for name in names] == ["job-0", "job-1"]
    pod = stage.get("pods", names[1])
    assert pod["metadata"]["annotations"][INDEX] == pod["metadata"]["labels"][INDEX] == "1"
    assert pod["spec"]["hostname"] == "job-1"
    (variable,) = pod["spec"]["containers"][0]["env"]
    assert variable["name"] == "JOB_COMPLETION_INDEX"
    assert variable["valueFrom"]["fieldRef"]["fieldPath"] == f"metadata.labels['{INDEX}']"
    _end(stage, names[1], 0)
    assert stage.get(JOBS, "job")["status"]["completedIndexes"] == "1"
    _end(stage, names[0], 0)
    assert stage.get(JOBS, "job")["status"]["completedIndexes"] == "0,1"
    _end(stage, _start(stage)[0], 0)
    assert stage.get(JOBS, "job")["status"]["completedIndexes"] == "0-2"


def test_a_finished_job_goes_when_its_time_is_over(stage: Stage) -> None:
    _run(stage, ttlSecondsAfterFinished=30)
    stage.step(100)
    assert stage.client.find(JOBS, "shop", "job") is not None
    _end(stage, _start(stage)[0], 0)
    stage.step(28)
    assert stage.client.find(JOBS, "shop", "job") is not None
    stage.step(3)
    assert stage.get(JOBS, "job")["metadata"]["finalizers"] == ["foregroundDeletion"]


def test_a_job_managed_by_another_controller_is_left_alone(stage: Stage) -> None:
    _run(stage, managedBy="example.com/queue")
    assert stage.names() == []
    assert "startTime" not in (stage.get(JOBS, "job").get("status") or {})


def test_changes_of_pods_are_looked_at_together() -> None:
    context = ControllerContext(
        client=None,  # type: ignore[arg-type]
        clock=VirtualClock(),
        ids=SeededIds(),
        timing=Timing(job_batch_seconds=1),
    )
    controller, key = DESCRIPTOR.build(context), ObjectKey("shop", "job")
    assert isinstance(controller, Collecting)
    old, new = ({"metadata": {"generation": number}} for number in (1, 2))
    assert controller.delay(key, Event("ADDED", "pods", new, None, 1), 9.0) == 1
    assert controller.delay(key, Event("MODIFIED", JOBS, old, old, 1), 9.0) == 1
    assert controller.delay(key, Event("MODIFIED", JOBS, new, old, 1), 9.0) == 0
    assert controller.delay(key, Event("ADDED", JOBS, new, None, 1), 9.0) == 0


def test_pods_whose_job_is_gone_are_let_go(stage: Stage) -> None:
    _run(stage, parallelism=2, completions=2)
    _start(stage)
    stage.client.delete(JOBS, "shop", "job", propagation="Background")
    stage.step()
    assert len(stage.pods()) == 2
    assert not any(is_tracked(pod) for pod in stage.pods())


def test_a_new_job_of_the_name_remembers_nothing_of_the_old_one(stage: Stage) -> None:
    _run(stage, completions=2)
    _end(stage, _start(stage)[0], 0)
    stage.client.delete(JOBS, "shop", "job", propagation="Background")
    _run(stage, completions=2)
    assert _status(stage, "succeeded", "active") == [0, 1]
