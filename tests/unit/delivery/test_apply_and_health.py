"""What changes on a cluster, and when a workload is up."""

import json
from typing import Any

from leeward.delivery.apply import LAST_APPLIED, merge_diff, plan_change
from leeward.delivery.health import dependencies, is_met, judge
from leeward.kube.objects import Obj
from leeward.kube.patch.merge import apply_merge_patch


def config(**data: str) -> Obj:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "data": data}


def live(desired: Obj, **more: Any) -> Obj:
    return {**plan_change(desired, None).desired, **more}


def test_what_is_not_there_is_created_with_its_desired_state_remembered() -> None:
    change = plan_change(config(a="1"), None)
    assert change.verb == "create"
    assert json.loads(change.desired["metadata"]["annotations"][LAST_APPLIED]) == config(a="1")


def test_the_same_again_changes_nothing() -> None:
    assert plan_change(config(a="1"), live(config(a="1"))).verb == "unchanged"


def test_what_was_removed_is_removed_and_what_others_added_stays() -> None:
    there = live(config(a="1", b="2"))
    there["data"] = {**there["data"], "added": "by somebody"}
    change = plan_change(config(a="1"), there)
    assert change.patch is not None
    assert apply_merge_patch(there, change.patch)["data"] == {"a": "1", "added": "by somebody"}


def test_a_job_whose_template_changed_is_made_anew() -> None:
    job = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "j"}, "spec": {"a": 1}}
    assert plan_change({**job, "spec": {"a": 2}}, live(job)).verb == "recreate"


def test_a_scaled_workload_gets_its_number_back() -> None:
    desired = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "d"},
        "spec": {"replicas": 3},
    }
    there = {**live(desired), "spec": {"replicas": 7, "revisionHistoryLimit": 10}}
    change = plan_change(desired, there)
    assert change.patch is not None
    assert change.patch["spec"] == {"replicas": 3}


def web(image: str, *more: Obj) -> Obj:
    pod = {"containers": [{"name": "web", "image": image, "env": [{"name": "A", "value": "1"}]}, *more]}
    meta = {"name": "web"}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": meta,
        "spec": {"template": {"spec": pod}},
    }


def test_a_changed_image_is_put_right() -> None:
    there = {**live(web("a:1")), "spec": web("other:2")["spec"]}
    change = plan_change(web("a:1"), there)
    assert change.patch is not None
    assert apply_merge_patch(there, change.patch)["spec"] == web("a:1")["spec"]


def test_what_the_api_and_others_add_to_lists_is_no_difference() -> None:
    there = live(web("a:1"))
    there["spec"] = web("a:1", {"name": "injected", "image": "proxy"})["spec"]
    there["spec"]["template"]["spec"]["containers"][0]["imagePullPolicy"] = "Always"
    assert plan_change(web("a:1"), there).verb == "unchanged"


def test_a_removed_variable_is_put_back() -> None:
    there = live(web("a:1"))
    there["spec"] = json.loads(json.dumps(there["spec"]))
    there["spec"]["template"]["spec"]["containers"][0]["env"] = []
    assert plan_change(web("a:1"), there).verb == "patch"


def test_a_merge_diff_turns_before_into_after() -> None:
    before, after = {"a": 1, "b": {"c": [1], "d": 2}}, {"b": {"c": [2]}, "e": {"f": 1}}
    assert apply_merge_patch(before, merge_diff(before, after)) == after


def deployment(**status: int) -> Obj:
    return {
        "kind": "Deployment",
        "metadata": {"name": "web", "generation": 2, "labels": {"app.kubernetes.io/name": "web"}},
        "spec": {"replicas": 2},
        "status": status,
    }


def test_a_deployment_is_up_when_its_newest_generation_is_rolled_out() -> None:
    done = {"updatedReplicas": 2, "replicas": 2, "availableReplicas": 2}
    assert judge(deployment(observedGeneration=2, **done), []).done
    assert not judge(deployment(observedGeneration=1, **done), []).done
    assert not judge(deployment(observedGeneration=2, **{**done, "availableReplicas": 1}), []).done


def test_an_image_that_cannot_be_had_is_hopeless() -> None:
    waiting = {"waiting": {"reason": "ErrImagePull", "message": "no"}}
    pod = {"metadata": {"name": "p"}, "status": {"containerStatuses": [{"name": "c", "state": waiting}]}}
    health = judge(deployment(observedGeneration=2), [pod])
    assert health.hopeless
    assert health.problem == "ErrImagePull: no"


def test_dependencies_are_read_and_met_by_their_condition() -> None:
    annotation = json.dumps({"db": "service_healthy", "cache": "service_started"})
    workload = {"metadata": {"name": "w", "annotations": {"leeward.dev/depends-on": annotation}}}
    assert dependencies(workload) == {"db": "service_healthy", "cache": "service_started"}
    assert is_met("service_started", None, exists=True)
    assert not is_met("service_healthy", None, exists=True)


def waits(restarts: int, **last: Any) -> Obj:
    """Return a Pod whose container waits after it has ended."""
    status = {
        "name": "c",
        "restartCount": restarts,
        "state": {
            "waiting": {"reason": "CrashLoopBackOff", "message": "back-off 20s restarting failed container=c"}
        },
        "lastState": {"terminated": last},
    }
    return {"metadata": {"name": "p"}, "status": {"containerStatuses": [status]}}


def test_the_reason_why_a_container_cannot_be_started_is_told_at_once() -> None:
    pod = waits(1, reason="StartError", exitCode=128, message="x: there is no such program")
    health = judge(deployment(observedGeneration=2), [pod])
    assert (health.problem, health.hopeless) == ("it cannot be started: x: there is no such program", True)


def test_a_container_that_ends_is_given_some_tries() -> None:
    once = judge(deployment(observedGeneration=2), [waits(1, reason="Error", exitCode=3)])
    often = judge(deployment(observedGeneration=2), [waits(9, reason="Error", exitCode=3)])
    assert (once.hopeless, often.hopeless) == (False, True)
    assert once.problem == "it ends again and again (exit code 3)"
