"""What may change of a Pod: by updates, ephemeral containers, resizes and its status."""

from __future__ import annotations

from typing import Any

import pytest

from leeward.cluster.registry.kinds.pods import POD
from leeward.cluster.registry.validation.podstatus import pod_status_failures
from leeward.cluster.registry.validation.podupdates import pod_update_failures
from leeward.kube.objects import Obj
from leeward.kube.status import InvalidError

CONTAINER = {"name": "c", "image": "web:1", "imagePullPolicy": "Always"}
GUARANTEED = {"cpu": "1", "memory": "64Mi"}
MIRROR = "kubernetes.io/config.mirror"


def pod(status: Obj | None = None, annotations: Obj | None = None, **spec: Any) -> Obj:
    meta = {"name": "web", "namespace": "shop", **({"annotations": annotations} if annotations else {})}
    made = POD.default({"metadata": meta, "spec": {"containers": [CONTAINER], **spec}})
    return {**made, "status": status or {}}


def refused(call: Any) -> list[str]:
    """Return what a refusal says, field by field."""
    with pytest.raises(InvalidError) as caught:
        call()
    return [f"{each['field']}: {each['message']}" for each in (caught.value.details or {})["causes"]]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ({"activeDeadlineSeconds": 5}, {"activeDeadlineSeconds": 6},
         "spec.activeDeadlineSeconds: Invalid value: 6: must be less than or equal to previous value"),
        ({"activeDeadlineSeconds": 5}, {},
         "spec.activeDeadlineSeconds: Invalid value: null: "
         "must not update from a positive integer to nil value"),
        ({}, {"schedulingGates": [{"name": "a/b"}]},
         "spec.schedulingGates[0].name: Forbidden: "
         "only deletion is allowed, but found new scheduling gate 'a/b'"),
        ({}, {"containers": [{**CONTAINER, "image": ""}]}, "spec.containers[0].image: Required value"),
    ],
)  # fmt: skip
def test_few_fields_change_and_only_in_one_direction(old: Obj, new: Obj, message: str) -> None:
    assert [str(each) for each in pod_update_failures(pod(**new), pod(**old))] == [message]


def test_a_gated_pod_is_narrowed_down_and_nothing_else() -> None:
    def gated(**spec: Any) -> Obj:
        return pod(schedulingGates=[{"name": "a/b"}], **spec)

    had = gated(nodeSelector={"a": "1"})
    assert pod_update_failures(gated(nodeSelector={"a": "1", "b": "2"}), had) == []
    (failure,) = pod_update_failures(gated(nodeSelector={"a": "2"}), had)
    text = "only additions to spec.nodeSelector are allowed (no mutations or deletions)"
    assert str(failure) == f'spec.nodeSelector: Invalid value: {{"a":"2"}}: {text}'


def test_a_pod_stays_a_mirror_or_none() -> None:
    place = f"metadata.annotations[{MIRROR}]: Forbidden: may not"
    plain, mirror = pod(), pod(annotations={MIRROR: "x"})
    assert [str(each) for each in pod_update_failures(mirror, plain)] == [
        f"{place} add mirror pod annotation"
    ]
    assert [str(each) for each in pod_update_failures(plain, mirror)] == [
        f"{place} remove or update mirror pod annotation"
    ]


def test_ephemeral_containers_are_added_and_stay(cluster: Any) -> None:
    cluster.pod()

    def patch(*containers: Obj) -> Obj:
        change = {"spec": {"ephemeralContainers": list(containers), "hostname": "ignored"}}
        made: Obj = cluster.client.patch(
            "pods", "shop", "web", change, patch_type="merge", subresource="ephemeralcontainers"
        )
        return made

    debug = {"name": "debug", "image": "busybox"}
    changed = patch(debug)
    assert [each["name"] for each in changed["spec"]["ephemeralContainers"]] == ["debug"]
    assert "hostname" not in changed["spec"]
    assert changed["metadata"]["generation"] == 2
    kept = 'spec.ephemeralContainers: Forbidden: existing ephemeral containers "debug" may not be'
    assert refused(patch) == [f"{kept} removed\n"]
    (text,) = refused(lambda: patch({**debug, "image": "other"}))
    assert text.startswith(f"{kept} changed\n")
    other = {**debug, "name": "other", "ports": [{"containerPort": 80}]}
    assert refused(lambda: patch(debug, other)) == [
        "spec.ephemeralContainers[1].ports: Forbidden: cannot be set for an Ephemeral Container"
    ]


def resize(cluster: Any, *containers: Obj) -> Obj:
    change = {"spec": {"containers": list(containers)}}
    made: Obj = cluster.client.patch("pods", "shop", "web", change, patch_type="merge", subresource="resize")
    return made


def sized(cpu: str | None, **more: str) -> Obj:
    requests = {**({"cpu": cpu} if cpu else {}), "memory": "64Mi", **more}
    return {**CONTAINER, "resources": {"requests": requests}}


def test_a_resize_changes_resources_and_ignores_the_rest(cluster: Any) -> None:
    cluster.pod(containers=[sized("100m")])
    changed = resize(cluster, {**sized("200m"), "image": "other"})
    (container,) = changed["spec"]["containers"]
    assert (container["image"], container["resources"]["requests"]["cpu"]) == ("web:1", "200m")
    assert changed["metadata"]["generation"] == 2


@pytest.mark.parametrize(
    ("wanted", "messages"),
    [
        ([sized(None)],
         ["spec.containers[0].resources.requests: Forbidden: resource requests cannot be removed"]),
        ([sized("1", **{"ephemeral-storage": "1Gi"})],
         ["spec: Forbidden: only cpu and memory resources are mutable"]),
        ([{**sized("1"), "name": "b"}],
         ["spec.containers[0].name: Forbidden: containers may not be renamed or reordered on resize"]),
        ([sized("1"), {**CONTAINER, "name": "b"}],
         ["spec.containers: Forbidden: containers may not be added or removed on resize"]),
        ([{**CONTAINER, "resources": {"limits": GUARANTEED, "requests": GUARANTEED}}],
         ['spec: Invalid value: "Burstable": Pod QOS Class may not change as a result of resizing']),
    ],
)  # fmt: skip
def test_a_resize_that_is_more_is_refused(cluster: Any, wanted: list[Obj], messages: list[str]) -> None:
    cluster.pod(containers=[sized("100m")])
    assert refused(lambda: resize(cluster, *wanted)) == messages


def test_a_node_that_cannot_resize_says_nothing_about_resources(cluster: Any) -> None:
    running = {"name": "c", "state": {"running": {}}}
    cluster.pod(containers=[sized("100m")], status={"containerStatuses": [running]})
    assert refused(lambda: resize(cluster, sized("200m"))) == [
        "spec: Forbidden: Pod running on node without support for resize"
    ]


@pytest.mark.parametrize(
    ("old", "new", "messages"),
    [
        ({}, {"podIPs": [{"ip": "10.0.0.1"}, {"ip": "10.0.0.1"}]},
         ['status.podIPs: Invalid value: [{"IP":"10.0.0.1"},{"IP":"10.0.0.1"}]: '
          "may specify no more than one IP for each IP family",
          'status.podIPs[1]: Duplicate value: {"IP":"10.0.0.1"}']),
        ({}, {"hostIP": "10.0.0.1", "hostIPs": [{"ip": "10.0.0.2"}]},
         ['status.hostIPs[0].ip: Invalid value: "10.0.0.2": must be equal to `hostIP`']),
        ({"qosClass": "Burstable"}, {"qosClass": "BestEffort"},
         ['status.qosClass: Invalid value: "BestEffort": field is immutable']),
        ({}, {"resourceClaimStatuses": [{"name": "x"}]},
         ['status.resourceClaimStatuses[0].name: Invalid value: "x": '
          "must match the name of an entry in `spec.resourceClaims`"]),
        ({}, {"nominatedNodeName": "n"},
         ["status.nominatedNodeName: Forbidden: may not be set on pods that are already bound to a node"]),
        ({}, {"conditions": [{"type": "a b"}]}, 1),
        ({}, {"podIPs": [{"ip": "10.0.0.1"}, {"ip": "fd00::1"}]}, []),
    ],
)  # fmt: skip
def test_a_status_is_possible(old: Obj, new: Obj, messages: list[str] | int) -> None:
    found = [str(each) for each in pod_status_failures(pod(new, nodeName="n"), pod(old, nodeName="n"))]
    assert found == messages if isinstance(messages, list) else len(found) == messages


def test_what_has_ended_does_not_run_again_unless_its_policy_says_so() -> None:
    ended = {"containerStatuses": [{"name": "c", "state": {"terminated": {"exitCode": 1}}}]}
    running = {"containerStatuses": [{"name": "c", "state": {"running": {}}}]}

    def failures(policy: str) -> int:
        return len(pod_status_failures(pod(running, restartPolicy=policy), pod(ended, restartPolicy=policy)))

    assert [failures(policy) for policy in ("Always", "OnFailure", "Never")] == [0, 0, 1]


def test_a_status_is_complete_and_keeps_its_class_of_service(cluster: Any) -> None:
    cluster.pod(node="n1")
    change = {"status": {"podIP": "10.0.0.1", "conditions": [{"type": "Ready", "status": "True"}],
                         "containerStatuses": [{"name": "c"}], "qosClass": None}}  # fmt: skip
    status = cluster.client.patch("pods", "shop", "web", change, subresource="status")["status"]
    assert (status["qosClass"], status["podIPs"]) == ("BestEffort", [{"ip": "10.0.0.1"}])
    ready = next(each for each in status["conditions"] if each["type"] == "Ready")
    assert (ready["lastProbeTime"], ready["lastTransitionTime"]) == (None, None)
    assert status["containerStatuses"] == [
        {
            "name": "c",
            "state": {},
            "lastState": {},
            "ready": False,
            "restartCount": 0,
            "image": "",
            "imageID": "",
        }
    ]
    moved = cluster.client.patch(
        "pods", "shop", "web", {"status": {"podIP": "10.0.0.2"}}, subresource="status"
    )
    assert moved["status"]["podIPs"] == [{"ip": "10.0.0.2"}]


def test_a_volume_without_a_name_is_refused(cluster: Any) -> None:
    assert refused(lambda: cluster.pod(volumes=[{"emptyDir": {}}])) == [
        "spec.volumes[0].name: Required value"
    ]
