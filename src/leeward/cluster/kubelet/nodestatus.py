"""What a node says about itself. Pure.

Source: pkg/kubelet/nodestatus/setters.go, pkg/kubelet/kubelet_node_status.go (Kubernetes 1.36).
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from leeward.cluster.config import ClusterConfig, NodeGroup, NodeShape
from leeward.kube.objects import Obj, find_condition, format_time
from leeward.kube.wellknown import ARCH, HOSTNAME, INSTANCE_TYPE, NODE_GROUP, OS, REGION, ZONE

VERSION = "v1.36.0"
_CONDITIONS = (
    ("MemoryPressure", "False", "KubeletHasSufficientMemory", "kubelet has sufficient memory available"),
    ("DiskPressure", "False", "KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
    ("PIDPressure", "False", "KubeletHasSufficientPID", "kubelet has sufficient PID available"),
    ("Ready", "True", "KubeletReady", "kubelet is posting ready status"),
)


def node_object(shape: NodeShape, config: ClusterConfig, machine: dict[str, str]) -> Obj:
    """Return a Node as it registers itself."""
    name, zone, group = shape
    arch, system = machine["architecture"], machine["operatingSystem"]
    labels = {
        "beta.kubernetes.io/arch": arch,
        "beta.kubernetes.io/os": system,
        ARCH: arch,
        OS: system,
        HOSTNAME: name,
        INSTANCE_TYPE: "leeward",
        REGION: config.region,
        ZONE: zone,
    }
    if len(config.node_groups) > 1:
        labels[NODE_GROUP] = group.name
    spec: Obj = {"providerID": f"leeward://{zone}/{name}"}
    if group.taints:
        spec["taints"] = [dict(taint) for taint in group.taints]
    return {"metadata": {"name": name, "labels": {**labels, **group.labels}}, "spec": spec}


def capacity(group: NodeGroup) -> dict[str, str]:
    """Return what a node has."""
    return _resources(group, group.cpu_millis, group.memory_bytes)


def allocatable(group: NodeGroup) -> dict[str, str]:
    """Return what Pods can have of a node."""
    return _resources(
        group, group.cpu_millis - group.kept_cpu_millis, group.memory_bytes - group.kept_memory_bytes
    )


def _resources(group: NodeGroup, millis: int, memory: int) -> dict[str, str]:
    return {
        "cpu": f"{millis}m" if millis % 1000 else str(millis // 1000),
        "memory": f"{memory // 1024}Ki",
        "ephemeral-storage": "100Gi",
        "pods": str(group.pods),
    }


def node_status(
    node: Obj, group: NodeGroup, *, address: str, runtime: str, machine: dict[str, str], now: datetime
) -> Obj:
    """Return the status of a node that is well.

    Args:
        node: as last read; its transition times are kept.
        group: capacities.
        address: internal IP.
        runtime: "process://0.1.0".
        machine: architecture, kernelVersion, osImage, operatingSystem.
        now: heartbeat time.
    """
    conditions = [_condition(node, *row, now) for row in _CONDITIONS]
    name = node["metadata"]["name"]
    info: dict[str, Any] = {
        "machineID": node["metadata"].get("uid", ""),
        "systemUUID": node["metadata"].get("uid", ""),
        "bootID": "",
        "kernelVersion": machine["kernelVersion"],
        "osImage": machine["osImage"],
        "containerRuntimeVersion": runtime,
        "kubeletVersion": VERSION,
        "kubeProxyVersion": "",
        "operatingSystem": machine["operatingSystem"],
        "architecture": machine["architecture"],
    }
    old = node.get("status") or {}
    return {
        **old,
        "capacity": {**(old.get("capacity") or {}), **capacity(group)},
        "allocatable": {**(old.get("allocatable") or {}), **allocatable(group)},
        "conditions": conditions,
        "addresses": [{"type": "InternalIP", "address": address}, {"type": "Hostname", "address": name}],
        "daemonEndpoints": {"kubeletEndpoint": {"Port": 10250}},
        "nodeInfo": info,
    }


def _condition(node: Obj, kind: str, status: str, reason: str, message: str, now: datetime) -> dict[str, Any]:
    old = find_condition(node, kind)
    since = old["lastTransitionTime"] if old and old["status"] == status else format_time(now)
    return {
        "type": kind,
        "status": status,
        "lastHeartbeatTime": format_time(now),
        "lastTransitionTime": since,
        "reason": reason,
        "message": message,
    }
