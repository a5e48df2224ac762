"""The real kubectl shows what real containers use, and an autoscaler follows it."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator

import pytest

from tests.live import NEEDS_KUBECTL, NEEDS_PODS, Kubectl, Leeward

pytestmark = [*NEEDS_PODS, NEEDS_KUBECTL]
NAME = "meters"
ROOT = "/apis/metrics.k8s.io/v1beta1"
MEMORY = 64
SPIN = "while :; do i=0; while [ $i -lt 9000 ]; do i=$((i+1)); done; sleep 0.1; done"
OBJECTS = """
apiVersion: v1
kind: Pod
metadata: {name: pair, labels: {app: pair}}
spec:
  terminationGracePeriodSeconds: 0
  containers:
  - name: big
    image: python:3.12
    command: [python, -c, "x = b'x' * (MEMORY << 20); import time; time.sleep(600)"]
  - {name: small, image: busybox, command: [sleep, "600"]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: spin}
spec:
  selector: {matchLabels: {app: spin}}
  template:
    metadata: {labels: {app: spin}}
    spec:
      terminationGracePeriodSeconds: 0
      containers:
      - {name: main, image: busybox, command: [sh, -c, "SPIN"], resources: {requests: {cpu: 20m}}}
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: spin}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: spin}
  maxReplicas: 2
  metrics:
  - {type: Resource, resource: {name: cpu, target: {type: Utilization, averageUtilization: 50}}}
"""


@pytest.fixture(scope="module")
def kubectl(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kubectl]:
    directory = tmp_path_factory.mktemp("metrics")
    leeward = Leeward(directory / "home", directory)
    leeward.ok("cluster", "start", "--name", NAME, "--zones", "1")
    try:
        running = Kubectl(directory / "home" / NAME / "kubeconfig")
        objects = OBJECTS.replace("MEMORY", str(MEMORY)).replace("SPIN", SPIN)
        running.ok("apply", "-f", "-", stdin=objects.encode())
        running.ok("wait", "--for=condition=Ready", "pod/pair", "--timeout=60s")
        running.ok("wait", "--for=condition=Available", "deployment/spin", "--timeout=60s")
        yield running
    finally:
        leeward.run("cluster", "stop", "--name", NAME)


def rows(table: str) -> dict[str, list[str]]:
    """Return the rows of a table of ``kubectl top`` by what they are about."""
    lines = [line.split() for line in table.splitlines()[1:]]
    return {" ".join(line[:-2]): line[-2:] for line in lines}


def test_top_shows_what_containers_use(kubectl: Kubectl) -> None:
    found = rows(kubectl.ok("top", "pods", "--containers"))
    assert MEMORY <= int(found["pair big"][1].removesuffix("Mi")) <= 2 * MEMORY
    assert int(found["pair small"][1].removesuffix("Mi")) < 8
    (spinning,) = (value for name, value in found.items() if name.startswith("spin-"))
    assert int(spinning[0].removesuffix("m")) > 10


def test_top_shows_pods_by_label_in_all_namespaces_and_alone(kubectl: Kubectl) -> None:
    assert list(rows(kubectl.ok("top", "pods", "-l", "app=pair"))) == ["pair"]
    assert "default pair" in rows(kubectl.ok("top", "pods", "-A"))
    assert list(rows(kubectl.ok("top", "pod", "pair"))) == ["pair"]
    assert 'pods "none" not found' in kubectl.fails("top", "pod", "none")


def test_top_shows_nodes_as_the_sum_of_their_pods(kubectl: Kubectl) -> None:
    lines = [line.split() for line in kubectl.ok("top", "nodes", "--no-headers").splitlines()]
    assert {line[0] for line in lines} == {"node-a1", "node-a2"}
    assert sum(int(line[3].removesuffix("Mi")) for line in lines) >= MEMORY


def test_a_command_that_is_executed_counts_for_its_container(kubectl: Kubectl) -> None:
    command = [*kubectl.command, "exec", "pair", "-c", "small", "--", "sh", "-c", "while :; do :; done"]
    process = subprocess.Popen(command)
    try:
        kubectl.ok("top", "pod", "pair")
        time.sleep(2)
        used = rows(kubectl.ok("top", "pod", "pair", "--containers"))["pair small"][0]
    finally:
        process.kill()
        process.wait()
    assert int(used.removesuffix("m")) > 100


def test_the_api_is_discovered_described_and_available(kubectl: Kubectl) -> None:
    assert "True" in kubectl.ok("get", "apiservice", "v1beta1.metrics.k8s.io", "--no-headers")
    assert "PodMetrics" in kubectl.ok("api-resources", "--api-group=metrics.k8s.io")
    assert "containers" in kubectl.ok("explain", "podmetrics", "--api-version=metrics.k8s.io/v1beta1")
    table = kubectl.ok("get", "podmetrics", "pair")
    assert table.split()[:4] == ["NAME", "CPU", "MEMORY", "WINDOW"]
    found = json.loads(kubectl.ok("get", "--raw", f"{ROOT}/namespaces/default/pods/pair"))
    assert [each["name"] for each in found["containers"]] == ["big", "small"]


def test_who_may_view_a_namespace_may_see_what_its_pods_use(kubectl: Kubectl) -> None:
    assert "pods.metrics.k8s.io is forbidden" in kubectl.fails("top", "pods", "--as=jane")
    kubectl.ok("create", "rolebinding", "jane", "--clusterrole=view", "--user=jane")
    assert "pair" in kubectl.ok("top", "pods", "--as=jane")
    assert "nodes.metrics.k8s.io is forbidden" in kubectl.fails("top", "nodes", "--as=jane")


def test_an_autoscaler_adds_a_pod_when_more_is_used_than_wanted(kubectl: Kubectl) -> None:
    kubectl.ok("wait", "--for=jsonpath={.spec.replicas}=2", "deployment/spin", "--timeout=50s")
    active = "jsonpath={.status.conditions[?(@.type=='ScalingActive')].reason}"
    assert kubectl.ok("get", "hpa", "spin", "-o", active) == "ValidMetricFound"
    assert "above target" in kubectl.ok("get", "events", "--field-selector=reason=SuccessfulRescale")
