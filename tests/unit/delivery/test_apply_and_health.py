"""What changes on a cluster, and when a workload is up."""

import json
from typing import Any

from leeward.delivery.apply import LAST_APPLIED, plan_change
from leeward.delivery.health import (
    Dependency,
    Health,
    dependencies,
    dispensable,
    is_met,
    judge,
    restarts_with,
)
from leeward.kube.objects import Obj
from leeward.kube.patch.merge import apply_merge_patch, merge_diff


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
    optional = {"condition": "service_healthy", "required": False}
    annotation = json.dumps({"db": "service_healthy", "cache": "service_started", "search": optional})
    workload = {"metadata": {"name": "w", "annotations": {"leeward.dev/depends-on": annotation}}}
    found = dependencies(workload)
    assert found == {
        "db": Dependency("service_healthy"),
        "cache": Dependency("service_started"),
        "search": Dependency("service_healthy", required=False),
    }
    assert is_met(found["cache"], None, exists=True)
    assert not is_met(found["db"], None, exists=True)


def test_what_is_not_required_is_waited_for_only_as_long_as_it_may_come_up() -> None:
    starting = Health("search", "Deployment", 0, 1, False)
    lost = Health("search", "Deployment", 0, 1, False, "no such image", hopeless=True)
    optional, required = Dependency("service_healthy", required=False), Dependency("service_healthy")
    assert not is_met(optional, starting, exists=True)
    assert is_met(optional, lost, exists=True)
    assert not is_met(required, lost, exists=True)


def test_a_service_is_dispensable_when_all_that_wait_for_it_can_do_without() -> None:
    def workload(**waits: Any) -> Obj:
        return {"metadata": {"name": "w", "annotations": {"leeward.dev/depends-on": json.dumps(waits)}}}

    optional = {"condition": "service_healthy", "required": False}
    assert dispensable([workload(db=optional, cache=optional), workload(db="service_started")]) == {"cache"}


def test_a_workload_tells_whose_restart_is_its_own_too() -> None:
    annotations = {"leeward.dev/restart-after": '{"db":"0a1b2c3d"}'}
    assert restarts_with({"spec": {"template": {"metadata": {"annotations": annotations}}}}) == {"db"}
    assert restarts_with({"spec": {"template": {"metadata": {}}}}) == frozenset()


def test_a_cron_job_is_as_it_should_be_when_it_is_there() -> None:
    health = judge({"kind": "CronJob", "metadata": {"name": "report"}}, [])
    assert (health.done, health.hopeless) == (True, False)


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
