"""An unmodified kubectl against the API server."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

pytestmark = pytest.mark.e2e

Kubectl = Callable[..., str]

_MANIFEST = """
apiVersion: v1
kind: ConfigMap
metadata: {name: settings, namespace: default}
data: {colour: COLOUR}
"""


def _pod(name: str, node: str = "node-a1") -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "default", "labels": {"app": name}},
        "spec": {
            "nodeName": node,
            "terminationGracePeriodSeconds": 0,
            "containers": [{"name": "main", "image": "shop:1"}],
        },
        "status": {
            "phase": "Running",
            "podIP": "10.0.0.7",
            "conditions": [{"type": "Ready", "status": "True"}],
            "containerStatuses": [
                {
                    "name": "main",
                    "ready": True,
                    "restartCount": 0,
                    "image": "shop:1",
                    "imageID": "",
                    "state": {"running": {"startedAt": "2026-01-01T00:00:00Z"}},
                }
            ],
        },
    }


def _node(name: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": {"topology.kubernetes.io/zone": "local-a"}},
        "spec": {},
        "status": {"conditions": [{"type": "Ready", "status": "True"}]},
    }


def test_get_shows_the_usual_columns(cluster: Any, kubectl: Kubectl) -> None:
    cluster.put("pods", _pod("web"))
    cluster.put("nodes", _node("node-a1"))
    head, row = kubectl("get", "pods", "-o", "wide").splitlines()
    columns = "NAME READY STATUS RESTARTS AGE IP NODE NOMINATED NODE READINESS GATES"
    assert head.split() == columns.split()
    assert row.split()[:4] == ["web", "1/1", "Running", "0"]
    assert "local-a" in kubectl("get", "nodes", "-L", "topology.kubernetes.io/zone")
    assert "pod/web" in kubectl("get", "all")


def test_apply_creates_then_configures_then_changes_nothing(kubectl: Kubectl) -> None:
    first = _MANIFEST.replace("COLOUR", "red")
    assert "created" in kubectl("apply", "-f", "-", stdin=first)
    assert "configured" in kubectl("apply", "-f", "-", stdin=_MANIFEST.replace("COLOUR", "blue"))
    assert "unchanged" in kubectl("apply", "-f", "-", stdin=_MANIFEST.replace("COLOUR", "blue"))
    assert kubectl("get", "cm", "settings", "-o", "jsonpath={.data.colour}") == "blue"
    assert "deleted" in kubectl("delete", "cm", "settings")
    assert 'configmaps "settings" not found' in kubectl("get", "cm", "settings", fails=True)


def test_typed_commands_send_protobuf_that_is_understood(kubectl: Kubectl) -> None:
    kubectl("create", "deployment", "web", "--image=shop:1", "--replicas=2", "--port=80")
    kubectl("scale", "deployment", "web", "--replicas=5")
    shown = kubectl(
        "get", "deploy", "web", "-o", "jsonpath={.spec.replicas} {.spec.template.spec.containers}"
    )
    assert shown.startswith("5 ")
    assert '"containerPort":80' in shown
    assert "READY" in kubectl("get", "deploy", "web")


def test_a_drained_node_is_cordoned_and_its_pods_are_evicted(cluster: Any, kubectl: Kubectl) -> None:
    cluster.put("nodes", _node("node-a1"))
    cluster.put("pods", _pod("web"))
    assert "drained" in kubectl("drain", "node-a1", "--force")
    assert "SchedulingDisabled" in kubectl("get", "nodes")
    assert "No resources found" in kubectl("get", "pods")
    kubectl("uncordon", "node-a1")
    assert "SchedulingDisabled" not in kubectl("get", "nodes")


def test_logs_are_the_lines_without_their_stamps(cluster: Any, kubectl: Kubectl) -> None:
    cluster.put("pods", _pod("web"))
    lines = [f"2026-01-01T00:00:0{n}.000000000Z stdout F line {n}" for n in range(4)]
    (cluster.directory / "web.log").write_text("\n".join(lines) + "\n")
    assert kubectl("logs", "web") == "line 0\nline 1\nline 2\nline 3\n"
    assert kubectl("logs", "web", "--tail=1", "--timestamps") == "2026-01-01T00:00:03.000000000Z line 3\n"
    assert kubectl("logs", "web", "--since-time=2026-01-01T00:00:02Z") == "line 2\nline 3\n"
    assert "previous terminated container" in kubectl("logs", "web", "-p", fails=True)


def test_describe_explain_and_discovery_work(cluster: Any, kubectl: Kubectl) -> None:
    cluster.put("pods", _pod("web"))
    assert "Image:" in kubectl("describe", "pod", "web")
    assert "FIELD: resources" in kubectl("explain", "pod.spec.containers.resources")
    assert "deployments" in kubectl("api-resources", "--api-group=apps")
    assert "v1.36.0" in kubectl("version")
    assert kubectl("auth", "can-i", "get", "pods").strip() == "yes"


def test_exec_is_refused_with_the_reason_where_nothing_runs(cluster: Any, kubectl: Kubectl) -> None:
    cluster.put("pods", _pod("web"))
    assert "the subresource exec is not served" in kubectl("exec", "web", "--", "true", fails=True)


def test_without_the_token_nothing_is_answered(cluster: Any, kubectl: Kubectl) -> None:
    assert "Unauthorized" in kubectl("--token=wrong", "get", "pods", fails=True) or "logged in" in kubectl(
        "--token=wrong", "get", "pods", fails=True
    )


def test_server_side_apply_owns_fields_and_tells_conflicts(kubectl: Kubectl) -> None:
    def shop(colour: str) -> str:
        return f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: shop}}\ndata: {{colour: {colour}}}\n"

    apply = ("apply", "--server-side", "-f", "-")
    assert kubectl(*apply, stdin=shop("red")) == "configmap/shop serverside-applied\n"

    refused = kubectl(*apply, "--field-manager=other", stdin=shop("blue"), fails=True)
    assert 'conflict with "kubectl": .data.colour' in refused

    kubectl(*apply, "--field-manager=other", "--force-conflicts", stdin=shop("blue"))
    owners = "{range .metadata.managedFields[*]}{.manager} {.operation} {end}"
    assert kubectl("get", "configmap", "shop", "-o", f"jsonpath={owners}", "--show-managed-fields") == (
        "other Apply "
    )


_DEFINITION = """
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: widgets.example.com}
spec:
  group: example.com
  scope: Namespaced
  names: {plural: widgets, kind: Widget}
  versions:
  - name: v1
    served: true
    storage: true
    subresources: {scale: {specReplicasPath: .spec.size, statusReplicasPath: .status.size}}
    schema:
      openAPIV3Schema:
        type: object
        properties: {spec: {type: object, properties: {size: {type: integer}}}}
"""
_WIDGET = """
apiVersion: example.com/v1
kind: Widget
metadata: {name: one}
spec: {size: SIZE}
"""


def test_a_custom_resource_is_applied_again_and_scaled(kubectl: Kubectl) -> None:
    kubectl("apply", "-f", "-", stdin=_DEFINITION)
    kubectl("wait", "--for=condition=Established", "crd/widgets.example.com", "--timeout=10s")
    assert "created" in kubectl("apply", "-f", "-", stdin=_WIDGET.replace("SIZE", "2"))
    assert "configured" in kubectl("apply", "-f", "-", stdin=_WIDGET.replace("SIZE", "3"))
    assert "scaled" in kubectl("scale", "widget/one", "--replicas=5")
    assert kubectl("get", "widget", "one", "-o", "jsonpath={.spec}") == '{"size":5}'
    shown = "jsonpath={.apiVersion} {.kind} {.spec.replicas}"
    assert kubectl("get", "widget", "one", "--subresource=scale", "-o", shown) == "autoscaling/v1 Scale 5"
    head, row = kubectl("get", "widget", "one", "--subresource=scale").splitlines()
    assert head.split() == ["NAME", "DESIRED", "AVAILABLE", "AGE"]
    assert row.split()[:3] == ["one", "5", "0"]
