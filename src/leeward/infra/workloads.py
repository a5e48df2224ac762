"""What rendered Kubernetes objects ask of nodes: how many Pods of which size, and where they may be.

Pure; objects are plain, as they are applied. What runs now and then, such as a CronJob, counts with one Pod.

Source: ``pod_resources`` as the scheduler counts; the autoscaling/v2 and policy/v1 APIs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from leeward.kube.objects import Obj
from leeward.kube.resourcelists import pod_resources
from leeward.kube.selectors import matches_selector

_WORKLOADS = ("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Job", "CronJob", "Pod")
_AROUND = ("HorizontalPodAutoscaler", "PodDisruptionBudget")


@dataclass(frozen=True, slots=True)
class Workload:
    """The Pods of one object, which are alike."""

    kind: str
    namespace: str
    name: str
    pods: int  # as they are applied; of a DaemonSet 0, because nodes decide
    most: int  # that its autoscaler may make of them
    cpu_millis: int  # of one
    memory_mib: int
    spec: Obj  # of a Pod
    labels: Mapping[str, str]  # of a Pod
    volumes: bool  # whether it has volumes that stay in a zone
    evictable: int | None  # how many its budget lets go at once; None: it has none

    @property
    def title(self) -> str:
        """Return its name for people, such as "deployment/web"."""
        return f"{self.kind.lower()}/{self.name}"


def workloads(objects: Iterable[Obj]) -> list[Workload]:
    """Return what runs, by kind, namespace and name.

    Args:
        objects: of one environment, or of several in namespaces of their own.

    Raises:
        ValueError, TypeError, AttributeError: one is not as Kubernetes has it.
    """
    there = list(objects)
    around = [obj for obj in there if obj.get("kind") in _AROUND]
    found = [_workload(obj, around) for obj in there if obj.get("kind") in _WORKLOADS]
    return sorted(found, key=lambda each: (each.kind, each.namespace, each.name))


def requests(found: Iterable[Workload]) -> tuple[float, float]:
    """Return the CPUs and GiB that Pods request together, but for those that every node has."""
    pods = [(each.pods, each) for each in found]
    return (
        sum(count * each.cpu_millis for count, each in pods) / 1000,
        sum(count * each.memory_mib for count, each in pods) / 1024,
    )


def _workload(obj: Obj, there: Iterable[Obj]) -> Workload:
    meta, spec, kind = obj.get("metadata") or {}, obj.get("spec") or {}, str(obj["kind"])
    namespace, name = str(meta.get("namespace") or "default"), str(meta.get("name") or "")
    template = _template(kind, obj)
    pod, labels = template.get("spec") or {}, (template.get("metadata") or {}).get("labels") or {}
    least, most = _replicas(kind, spec, [each for each in there if _scales(each, kind, namespace, name)])
    asked = pod_resources(pod, "requests")
    claims = any("persistentVolumeClaim" in volume for volume in pod.get("volumes") or ())
    return Workload(
        kind=kind,
        namespace=namespace,
        name=name,
        pods=least,
        most=most,
        cpu_millis=-int(-asked["cpu"].value * 1000 // 1) if "cpu" in asked else 0,
        memory_mib=-int(-asked["memory"].value // 2**20) if "memory" in asked else 0,
        spec=pod,
        labels=labels,
        volumes=claims or bool(spec.get("volumeClaimTemplates")),
        evictable=_evictable(there, namespace, labels, least),
    )


def _template(kind: str, obj: Obj) -> Obj:
    spec: Obj = obj.get("spec") or {}
    if kind == "Pod":
        return obj
    if kind == "CronJob":
        spec = (spec.get("jobTemplate") or {}).get("spec") or {}
    found: Obj = spec.get("template") or {}
    return found


def _replicas(kind: str, spec: Obj, scalers: list[Obj]) -> tuple[int, int]:
    if kind == "DaemonSet":
        return 0, 0
    if kind == "Job":
        count = _number(spec.get("parallelism"))
    elif kind in ("CronJob", "Pod"):
        count = 1
    else:
        count = _number(spec.get("replicas"))
    if not scalers:
        return count, count
    limits = scalers[0].get("spec") or {}
    least = _number(limits.get("minReplicas"))
    return (max(count, least) if "replicas" in spec else least), max(
        least, _number(limits.get("maxReplicas"), least)
    )


def _number(written: int | None, default: int = 1) -> int:
    return default if written is None else int(written)


def _scales(obj: Obj, kind: str, namespace: str, name: str) -> bool:
    if obj.get("kind") != "HorizontalPodAutoscaler":
        return False
    target = (obj.get("spec") or {}).get("scaleTargetRef") or {}
    where = (obj.get("metadata") or {}).get("namespace") or "default"
    return (where, target.get("kind"), target.get("name")) == (namespace, kind, name)


def _evictable(there: Iterable[Obj], namespace: str, labels: Mapping[str, str], pods: int) -> int | None:
    found: int | None = None
    for obj in there:
        spec = obj.get("spec") or {}
        where = (obj.get("metadata") or {}).get("namespace") or "default"
        if obj.get("kind") != "PodDisruptionBudget" or where != namespace:
            continue
        if not matches_selector(spec.get("selector"), labels):
            continue
        allowed = _allowed(spec, pods)
        found = allowed if found is None else min(found, allowed)
    return found


def _allowed(spec: Obj, pods: int) -> int:
    """Return how many Pods a budget lets go when all are healthy; percentages round up, as upstream's do."""
    if "maxUnavailable" in spec:
        return _share(spec["maxUnavailable"], pods)
    return max(0, pods - _share(spec.get("minAvailable", 1), pods))


def _share(written: int | str, pods: int) -> int:
    if isinstance(written, str) and written.endswith("%"):
        return -(-int(written[:-1]) * pods // 100)
    return int(written)
