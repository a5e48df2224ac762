from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

Render = Callable[..., Any]
VPN = """
    services:
      vpn:
        image: vpn
        cap_add: [NET_ADMIN]
        volumes: ["keys:/keys", "/tmp/a"]
        ports: ["8080:8080"]
        depends_on: {{db: {{condition: service_healthy}}}}
      tool:
        image: tool
        {join}
        container_name: the-tool
        volumes: ["keys:/vpn-keys:ro", "data:/data", "/tmp/b"]
        expose: ["9090"]
        depends_on: [queue]
        stop_grace_period: 45s
      db: {{image: x, healthcheck: {{test: "true"}}}}
      queue: {{image: x}}
    volumes: {{keys: , data: }}
"""


@pytest.fixture
def shared(render_text: Render) -> Any:
    return render_text(VPN.format(join='network_mode: "service:vpn"'))


def test_a_service_that_joins_anothers_network_is_a_container_of_its_pod(shared: Any) -> None:
    containers = shared.pod("StatefulSet", "vpn")["containers"]
    assert [each["name"] for each in containers] == ["vpn", "tool"]
    assert "capabilities" not in containers[1].get("securityContext", {})
    assert containers[1]["ports"][0]["containerPort"] == 9090
    workloads = [obj for obj in shared.objects if "template" in obj.get("spec", {})]
    assert {obj["metadata"]["name"] for obj in workloads} == {"vpn", "db", "queue"}


@pytest.mark.parametrize("join", ['pid: "service:vpn"', 'ipc: "service:vpn"'])
def test_so_is_one_that_joins_processes_or_memory(join: str, render_text: Render) -> None:
    pod = render_text(VPN.format(join=join)).pod("StatefulSet", "vpn")
    assert len(pod["containers"]) == 2
    assert pod.get("shareProcessNamespace", False) is join.startswith("pid")


def test_a_container_name_leads_to_its_service(render_text: Render) -> None:
    result = render_text("""
        services:
          vpn: {image: x, container_name: gate}
          tool: {image: x, network_mode: "container:gate"}
    """)
    assert len(result.pod("Deployment", "vpn")["containers"]) == 2


def test_the_names_of_both_lead_to_the_pod(shared: Any) -> None:
    for name in ("vpn", "tool"):
        selector = shared.find("Service", name)["spec"]["selector"]
        assert selector == {"app.kubernetes.io/name": "vpn", "app.kubernetes.io/part-of": "shop"}
    labels = shared.find("StatefulSet", "vpn")["spec"]["template"]["metadata"]["labels"]
    assert labels["alias.leeward.dev/the-tool"] == "true"
    assert labels["app.kubernetes.io/name"] == "vpn"


def test_volumes_of_both_are_claims_of_the_pod_and_private_ones_stay_private(shared: Any) -> None:
    spec = shared.find("StatefulSet", "vpn")["spec"]
    assert [claim["metadata"]["name"] for claim in spec["volumeClaimTemplates"]] == ["keys", "data"]
    assert shared.names("PersistentVolumeClaim") == []
    first, second = (
        {m["mountPath"]: m["name"] for m in c["volumeMounts"]} for c in spec["template"]["spec"]["containers"]
    )
    assert first["/keys"] == second["/vpn-keys"] == "keys"
    assert first["/tmp/a"] != second["/tmp/b"]
    names = [volume["name"] for volume in spec["template"]["spec"]["volumes"]]
    assert len(names) == len(set(names)) == 2


def test_the_pod_waits_for_what_either_waits_for_and_not_for_itself(shared: Any) -> None:
    text = shared.find("StatefulSet", "vpn")["metadata"]["annotations"]["leeward.dev/depends-on"]
    assert json.loads(text) == {"db": "service_healthy", "queue": "service_started"}


def test_the_longer_grace_period_counts(shared: Any) -> None:
    assert shared.pod("StatefulSet", "vpn")["terminationGracePeriodSeconds"] == 45 + 2


def test_it_is_said_that_they_live_together(shared: Any) -> None:
    found = [each for each in shared.diagnostics if each.code == "shared-pod"]
    assert [each.path for each in found] == ["services.tool.network_mode"]
    assert not {each.code for each in shared.diagnostics} & {"key-ignored"}


def test_a_dependency_that_waits_for_the_pod_itself_is_left_out(render_text: Render) -> None:
    result = render_text("""
        services:
          vpn: {image: x}
          tool: {image: x, network_mode: "service:vpn", depends_on: [relay]}
          relay: {image: x, depends_on: [vpn]}
    """)
    assert "leeward.dev/depends-on" not in result.find("Deployment", "vpn")["metadata"]["annotations"]
    assert "waits-for-itself" in result.codes()


def test_replicas_are_those_of_the_host(render_text: Render) -> None:
    result = render_text("""
        services:
          vpn: {image: x, scale: 2}
          tool: {image: x, scale: 5, network_mode: "service:vpn"}
    """)
    assert result.find("Deployment", "vpn")["spec"]["replicas"] == 2
    assert result.names("PodDisruptionBudget") == ["vpn"]
    assert "replicas-of-host" in result.codes()


def test_in_a_pod_that_ends_the_other_container_is_a_sidecar(render_text: Render) -> None:
    result = render_text("""
        services:
          once: {image: x, restart: "no"}
          proxy: {image: y, network_mode: "service:once"}
    """)
    pod = result.pod("Job", result.names("Job")[0])
    assert [each["name"] for each in pod["containers"]] == ["once"]
    assert [(each["name"], each["restartPolicy"]) for each in pod["initContainers"]] == [("proxy", "Always")]


def test_the_pod_does_not_wait_for_itself_from_within(render_text: Render) -> None:
    result = render_text(
        """
        services:
          vpn: {image: x}
          tool:
            image: x
            command: [sh, -c, run]
            network_mode: "service:vpn"
            depends_on: {relay: {condition: service_healthy}, db: {condition: service_healthy}}
          relay: {image: x, expose: ["1"], healthcheck: {test: "true"}, depends_on: [vpn]}
          db: {image: x, expose: ["2"], healthcheck: {test: "true"}}
        """,
        environment="production",
    )
    (gate,) = result.pod("Deployment", "vpn")["initContainers"]
    assert gate["name"] == "tool-wait-for-dependencies"
    assert gate["command"][-2:] == ["db", "2"]


@pytest.mark.parametrize("setting", ["schedule: '@daily'", "autoscale: {max: 3}"])
def test_what_only_a_pod_of_its_own_could_have_is_told(setting: str, render_text: Render) -> None:
    result = render_text(f"""
        services:
          vpn: {{image: x}}
          tool: {{image: x, network_mode: "service:vpn", x-leeward: {{{setting}}}}}
    """)
    key = setting.partition(":")[0]
    assert f"services.tool.x-leeward.{key}" in {each.path for each in result.diagnostics}
    assert result.names("CronJob") == []


def test_the_end_of_a_container_in_a_pod_that_runs_on_is_not_waited_for(render_text: Render) -> None:
    result = render_text("""
        services:
          vpn: {image: x}
          tool: {image: x, network_mode: "service:vpn"}
          late: {image: x, depends_on: {tool: {condition: service_completed_successfully}}}
    """)
    text = result.find("Deployment", "late")["metadata"]["annotations"]["leeward.dev/depends-on"]
    assert json.loads(text) == {"vpn": "service_started"}
    assert "never-completes" in result.codes()
