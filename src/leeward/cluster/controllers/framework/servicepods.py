"""What Services see of Pods: which they select, on which port, under which name, and since when.

Source: k8s.io/endpointslice (util/controller_utils.go, trigger_time_tracker.go; Kubernetes 1.36).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from leeward.cluster.interface.client import Event
from leeward.kube.objects import (
    Obj,
    ObjectKey,
    find_condition,
    is_condition_true,
    is_terminating,
    key_of,
    labels_of,
)
from leeward.kube.selectors import matches_labels

TRIGGER_TIME = "endpoints.kubernetes.io/last-change-trigger-time"


def selects(service: Obj, pod: Obj) -> bool:
    """Tell whether the Service selects the Pod (a Service without selector selects none)."""
    selector = service["spec"].get("selector")
    return bool(selector) and matches_labels(selector, labels_of(pod))


def view_of(pod: Obj) -> tuple[object, ...]:
    """Return what Services see of a Pod."""
    status, spec = pod.get("status") or {}, pod["spec"]
    return (
        status.get("podIP"),
        status.get("phase") in ("Succeeded", "Failed"),
        is_condition_true(pod, "Ready"),
        is_terminating(pod),
        spec.get("nodeName"),
        labels_of(pod),
    )


def services_of(event: Event, services: Callable[[str], Iterable[Obj]]) -> list[ObjectKey]:
    """Return the keys of the Services for which a change of a Pod matters; `services` lists a namespace's."""
    before = event.previous if event.type == "MODIFIED" else None
    if before is not None and view_of(event.object) == view_of(before):
        return []
    pods = [pod for pod in (event.object, event.previous) if pod is not None]
    found = services(event.object["metadata"]["namespace"])
    return [key_of(service) for service in found if any(selects(service, pod) for pod in pods)]


def target_port(service_port: Obj, pod: Obj) -> int | None:
    """Return the port of `pod` that a port of a Service means; None: it names one that the Pod lacks."""
    target = service_port.get("targetPort") or service_port["port"]
    if isinstance(target, int):
        return target
    protocol = service_port.get("protocol") or "TCP"
    sidecars = [c for c in pod["spec"].get("initContainers") or () if c.get("restartPolicy") == "Always"]
    for container in (*(pod["spec"].get("containers") or ()), *sidecars):
        for port in container.get("ports") or ():
            if port.get("name") == target and (port.get("protocol") or "TCP") == protocol:
                number: int = port["containerPort"]
                return number
    return None


def endpoint_port(service_port: Obj, number: int) -> Obj:
    """Return a port of endpoints."""
    port = {
        "name": service_port.get("name") or "",
        "protocol": service_port.get("protocol") or "TCP",
        "port": number,
    }
    if service_port.get("appProtocol"):
        port["appProtocol"] = service_port["appProtocol"]
    return port


def published_name(service: Obj, pod: Obj) -> str:
    """Return the name that a Pod has below its Service; "" for none."""
    name, spec = service["metadata"]["name"], pod["spec"]
    return spec.get("hostname") or "" if spec.get("subdomain") == name else ""


def target_of(pod: Obj) -> Obj:
    """Return the reference of an endpoint to its Pod."""
    meta = pod["metadata"]
    return {"kind": "Pod", "namespace": meta["namespace"], "name": meta["name"], "uid": meta["uid"]}


class TriggerTimes:
    """Tells when that happened which endpoints change for.

    That is the creation of a Service that is new, then the earliest of the changes of readiness that were
    not known the last time.
    """

    def __init__(self) -> None:
        self._services: dict[ObjectKey, tuple[str, dict[str, str]]] = {}

    def of(self, key: ObjectKey, service: Obj, pods: Iterable[Obj]) -> str:
        """Return the time for the endpoints written now; "" for none.

        Args:
            key: of the Service.
            service: it.
            pods: those that it selects.
        """
        created: str = service["metadata"].get("creationTimestamp") or ""
        times = {
            pod["metadata"]["name"]: (find_condition(pod, "Ready") or {}).get("lastTransitionTime") or ""
            for pod in pods
        }
        known = self._services.get(key)
        self._services[key] = created, times
        if known is None:
            return created
        changed = [time for name, time in times.items() if time > known[1].get(name, "")]
        changed += [created] if created > known[0] else []
        return min(changed, default="")

    def forget(self, key: ObjectKey) -> None:
        """A Service is gone."""
        self._services.pop(key, None)


def with_trigger_time(meta: Obj, time: str) -> Obj:
    """Return the metadata of endpoints that change because of `time` ("": nobody knows)."""
    kept = {name: value for name, value in (meta.get("annotations") or {}).items() if name != TRIGGER_TIME}
    if time:
        kept[TRIGGER_TIME] = time
    bare = {name: value for name, value in meta.items() if name != "annotations"}
    return {**bare, "annotations": kept} if kept else bare
