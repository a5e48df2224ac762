"""What Services see of Pods: which they select, on which port, under which name, and since when.

Source: k8s.io/endpointslice (util/controller_utils.go, trigger_time_tracker.go; Kubernetes 1.36).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any

from leeward.cluster.interface.client import Event
from leeward.kube.objects import (
    Obj,
    ObjectKey,
    find_condition,
    is_terminating,
    key_of,
    labels_of,
    owner_reference,
)
from leeward.kube.pods import is_finished, is_ready
from leeward.kube.selectors import matches_labels

TRIGGER_TIME = "endpoints.kubernetes.io/last-change-trigger-time"


def selects(service: Obj, pod: Obj) -> bool:
    """Tell whether the Service selects the Pod (a Service without selector selects none)."""
    selector = service["spec"].get("selector")
    return bool(selector) and matches_labels(selector, labels_of(pod))


def _looks_the_same(pod: Obj, before: Obj) -> bool:
    """Tell whether a change of a Pod is none for Services."""
    new, old = pod.get("status") or {}, before.get("status") or {}
    return (
        new.get("podIPs") == old.get("podIPs")
        and new.get("podIP") == old.get("podIP")
        and is_terminating(pod) == is_terminating(before)
        and pod["spec"].get("nodeName") == before["spec"].get("nodeName")
        and labels_of(pod) == labels_of(before)
        and is_finished(pod) == is_finished(before)
        and is_ready(pod) == is_ready(before)
    )


def services_of(event: Event, services: Callable[[str], Iterable[Obj]]) -> list[ObjectKey]:
    """Return the keys of the Services for which a change of a Pod matters; `services` lists a namespace's.

    A Pod without an address matters to none.
    """
    pod, before = event.object, event.previous
    if not any((each.get("status") or {}).get("podIP") for each in (pod, before) if each is not None):
        return []
    if event.type == "MODIFIED" and before is not None and _looks_the_same(pod, before):
        return []
    pods = [pod] if before is None or labels_of(before) == labels_of(pod) else [pod, before]
    found = services(pod["metadata"]["namespace"])
    return [key_of(service) for service in found if any(selects(service, each) for each in pods)]


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


def ports_key(ports: Iterable[Obj] | None) -> str:
    """Return what identifies a set of ports."""
    return json.dumps(sorted(json.dumps(port, sort_keys=True) for port in ports or ()))


def new_slice(owner: Obj, family: str, labels: dict[str, str], **content: Any) -> Obj:
    """Return an EndpointSlice to make, which `owner` (with its kind) controls."""
    meta = owner["metadata"]
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "generateName": f"{meta['name']}-",
            "namespace": meta["namespace"],
            "labels": labels,
            "ownerReferences": [owner_reference(owner)],
        },
        "addressType": family,
        **content,
    }


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

    def of(self, key: ObjectKey, service: Obj, pods: Iterable[Obj], gone: Iterable[str] | None = None) -> str:
        """Return the time for the endpoints written now; "" for none.

        Args:
            key: of the Service.
            service: it.
            pods: those that it selects, or those of them that changed.
            gone: names of those that it selects no more; None: `pods` are all that it selects.
        """
        created: str = service["metadata"].get("creationTimestamp") or ""
        since = {
            pod["metadata"]["name"]: (find_condition(pod, "Ready") or {}).get("lastTransitionTime") or ""
            for pod in pods
        }
        known = self._services.get(key)
        if known is None:
            self._services[key] = created, since
            return created
        before, times = known
        changed = [time for name, time in since.items() if time > times.get(name, "")]
        changed += [created] if created > before else []
        if gone is None:
            times = since
        else:
            times.update(since)
            for name in gone:
                times.pop(name, None)
        self._services[key] = created, times
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
