"""Services as a cluster has them, and a service run once beside them."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from leeward.delivery.oneoff import RESTARTED_AT, RUN_OF, OneOff, one_off_job
from leeward.delivery.restarting import to_restart
from leeward.delivery.services import Service, of_manifest, services_in, services_of
from leeward.kube.objects import Obj
from leeward.kube.wellknown import ALIAS_PREFIX, APP_MANAGED_BY, APP_NAME, APP_PART_OF, NETWORK_PREFIX

LABELS = {
    APP_NAME: "web",
    APP_PART_OF: "shop",
    APP_MANAGED_BY: "leeward",
    NETWORK_PREFIX + "front": "true",
    ALIAS_PREFIX + "www": "true",
}


def workload(name: str = "web", kind: str = "Deployment", **spec: Any) -> Obj:
    labels = {**LABELS, APP_NAME: name}
    pod = {"containers": [{"name": name, "image": f"{name}:1"}], **spec}
    template: Obj = {"metadata": {"labels": labels}, "spec": pod}
    inner: Obj = {"template": template}
    meta = {"name": name, "namespace": "shop-qa", "labels": labels}
    return {
        "kind": kind,
        "metadata": meta,
        "spec": {"jobTemplate": {"spec": inner}} if kind == "CronJob" else inner,
    }


def pod(name: str, *, service: str = "web", ready: bool = True, claim: str = "", **more: Any) -> Obj:
    volumes = [{"name": "v", "persistentVolumeClaim": {"claimName": claim}}] if claim else []
    return {
        "metadata": {"name": name, "labels": {APP_NAME: service, APP_PART_OF: "shop"}, **more},
        "spec": {"nodeName": "node-1", "volumes": volumes},
        "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": str(ready)}]},
    }


def service(**spec: Any) -> Service:
    return services_of([workload(**spec)])["web"]


def job_of(found: Service, pods: list[Obj] | None = None, **wanted: Any) -> Obj:
    return one_off_job(found, OneOff(name="web-run-x", **wanted), "shop-qa", pods or [])


def spec_of(found: Service, **wanted: Any) -> Obj:
    spec: Obj = job_of(found, **wanted)["spec"]["template"]["spec"]
    return spec


def container_of(found: Service, **wanted: Any) -> Obj:
    container: Obj = spec_of(found, **wanted)["containers"][0]
    return container


def test_services_that_share_a_pod_are_each_there() -> None:
    beside = {"name": "tool", "image": "tool:2"}
    lasting = {"name": "log", "image": "log:3", "restartPolicy": "Always"}
    host = workload("vpn", containers=[{"name": "main", "image": "vpn:1"}, beside], initContainers=[lasting])
    found = services_of([host, workload("api", "CronJob")])

    assert [*found] == ["api", "log", "tool", "vpn"]
    assert [(each.host, each.image) for each in found.values()] == [
        ("api", "api:1"),
        ("vpn", "log:3"),
        ("vpn", "tool:2"),
        ("vpn", "vpn:1"),
    ]


def test_pods_that_can_be_talked_to_come_first_and_those_of_others_not_at_all() -> None:
    pods = [
        pod("c", ready=False),
        pod("b", deletionTimestamp="2026-01-01T00:00:00Z"),
        pod("d"),
        pod("a", service="api"),
    ]
    once = {"metadata": {"name": "e", "labels": {APP_PART_OF: "shop", RUN_OF: "web"}}, "spec": {}}

    assert [each["metadata"]["name"] for each in service().pods([*pods, once])] == ["d", "c", "b"]


class _Api:
    async def list(self, resource: str, namespace: str = "", *, label_selector: str = "") -> list[Obj]:
        assert (namespace, label_selector) == ("shop-qa", "app.kubernetes.io/managed-by=leeward")
        mine, other = workload("web"), workload("api")
        mine["metadata"]["annotations"] = {"leeward.dev/environment": "qa"}
        other["metadata"]["annotations"] = {"leeward.dev/environment": "uat"}
        return [mine, other] if resource == "deployments.apps" else []


def test_an_environment_has_what_was_promoted_to_it_and_not_what_is_beside_it() -> None:
    assert [*asyncio.run(services_in(_Api(), "shop-qa", environment="qa"))] == ["web"]


def test_a_service_is_taken_as_it_was_applied() -> None:
    applied = [workload("api"), workload("web", containers=[{"name": "web", "image": "web:applied"}])]

    assert of_manifest(service(), applied).image == "web:applied"
    assert of_manifest(service(), []).image == "web:1"


def test_nothing_finds_a_one_off_that_finds_pods_of_the_service() -> None:
    job = job_of(service())

    labels = job["spec"]["template"]["metadata"]["labels"]
    assert labels == {APP_PART_OF: "shop", RUN_OF: "web", NETWORK_PREFIX + "front": "true"}
    assert APP_MANAGED_BY not in job["metadata"]["labels"]
    assert (job["spec"]["backoffLimit"], job["spec"]["ttlSecondsAfterFinished"]) == (0, 3600)


def test_a_one_off_has_what_the_service_has_but_ports_probes_and_spreading() -> None:
    main = {
        "name": "web",
        "image": "web:1",
        "env": [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "s", "key": "a"}}}],
        "volumeMounts": [{"name": "data", "mountPath": "/data"}],
        "ports": [{"containerPort": 80, "hostPort": 80}],
        "readinessProbe": {"tcpSocket": {"port": 80}},
        "lifecycle": {"postStart": {"exec": {}}, "preStop": {"exec": {}}},
    }
    rest = {"topologySpreadConstraints": [{}], "restartPolicy": "Always", "serviceAccountName": "web"}
    spec = spec_of(service(containers=[main], **rest))

    kept = ("name", "image", "env", "volumeMounts")
    assert spec["containers"] == [
        {**{key: main[key] for key in kept}, "lifecycle": {"postStart": {"exec": {}}}}
    ]
    assert (spec["restartPolicy"], spec["serviceAccountName"]) == ("Never", "web")
    assert "topologySpreadConstraints" not in spec


def test_a_command_takes_the_place_of_the_services_and_an_entrypoint_that_of_the_images() -> None:
    main = {"name": "web", "image": "web:1", "command": ["entry"], "args": ["serve"]}
    found = service(containers=[main])

    words = [
        {key: each[key] for key in ("command", "args") if key in each}
        for each in (
            container_of(found),
            container_of(found, command=["migrate", "$(HOME)"]),
            container_of(found, entrypoint=["sh", "-c"]),
            container_of(found, entrypoint=["sh", "-c"], command=["x"]),
        )
    ]
    assert words == [
        {"command": ["entry"], "args": ["serve"]},
        {"command": ["entry"], "args": ["migrate", "$$(HOME)"]},
        {"command": ["sh", "-c"]},
        {"command": ["sh", "-c"], "args": ["x"]},
    ]


def test_variables_user_directory_and_terminal_are_laid_over_the_services() -> None:
    env = [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}]
    main = {"name": "web", "image": "web:1", "env": env, "securityContext": {"runAsNonRoot": True}}
    wanted = {"variables": {"B": "$(A)"}, "user": 7, "workdir": "/w", "stdin": True, "tty": True}
    found = container_of(service(containers=[main]), **wanted)

    assert found["env"] == [{"name": "A", "value": "1"}, {"name": "B", "value": "$$(A)"}]
    assert found["securityContext"] == {"runAsNonRoot": True, "runAsUser": 7}
    assert (found["workingDir"], found["stdin"], found["stdinOnce"], found["tty"]) == ("/w", True, True, True)
    assert "stdin" not in container_of(service(containers=[{**main, "stdin": True}]))


@pytest.mark.parametrize(
    ("name", "waits", "before"),
    [
        ("web", True, ["wait-for-dependencies", "pre-start-0"]),
        ("web", False, ["pre-start-0"]),
        ("tool", True, ["tool-pre-start-0"]),
    ],
)
def test_each_service_of_a_shared_pod_runs_alone_with_what_runs_before_it(
    name: str, waits: bool, before: list[str]
) -> None:
    beside = [{"name": each, "image": f"{each}:1"} for each in ("web", "tool")]
    first = [{"name": each} for each in ("wait-for-dependencies", "pre-start-0", "tool-pre-start-0")]
    found = services_of([workload(containers=beside, initContainers=first)])[name]
    spec = spec_of(found, waits=waits)

    assert [each["name"] for each in spec["containers"]] == [name]
    assert [each["name"] for each in spec["initContainers"]] == before


def test_a_volume_that_a_pod_has_is_used_where_that_pod_is() -> None:
    stateful = workload(kind="StatefulSet")
    stateful["spec"]["volumeClaimTemplates"] = [{"metadata": {"name": "data"}}]
    found = services_of([stateful])["web"]
    spec = job_of(found, [pod("web-0", claim="data-web-0")])["spec"]["template"]["spec"]

    assert spec["volumes"] == [{"name": "data", "persistentVolumeClaim": {"claimName": "data-web-0"}}]
    near = spec["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
    fields = [{"key": "metadata.name", "operator": "In", "values": ["node-1"]}]
    assert near == {"nodeSelectorTerms": [{"matchFields": fields}]}
    assert "affinity" not in job_of(found, [pod("web-0", claim="other")])["spec"]["template"]["spec"]


def test_the_mark_of_a_restart_is_not_taken_along() -> None:
    marked = workload()
    marked["spec"]["template"]["metadata"]["annotations"] = {RESTARTED_AT: "then", "a": "b"}
    meta = job_of(services_of([marked])["web"])["spec"]["template"]["metadata"]
    assert meta["annotations"] == {"a": "b"}


def test_what_is_restarted_is_what_runs_on_and_what_depends_on_it() -> None:
    follower = workload("worker")
    notes = {"leeward.dev/restart-after": '{"web": "digest"}'}
    follower["spec"]["template"]["metadata"]["annotations"] = notes
    shared = workload("api", containers=[{"name": "api", "image": "x"}, {"name": "tool", "image": "x"}])
    found = services_of([workload(), follower, shared, workload("migrate", "Job")])

    def restarted(*names: str) -> list[str]:
        return [each.host for each in to_restart(found.values(), names)]

    assert restarted() == ["api", "web", "worker"]
    assert restarted("web") == ["web", "worker"]
    assert restarted("tool") == ["api"]
    assert restarted("migrate") == []
