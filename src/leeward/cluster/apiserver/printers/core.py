"""Columns of the core group besides Pods: Nodes, Namespaces, Events, configuration, storage, quota.

Source: ``k8s.io/kubernetes/pkg/printers/internalversion`` (1.36).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from leeward.cluster.apiserver.printers.table import (
    NONE,
    UNKNOWN,
    UNSET,
    Cell,
    Printer,
    age,
    columns,
    joined,
    name,
    since,
    spec,
    status,
)
from leeward.kube.objects import Obj, labels_of
from leeward.kube.volumes import class_of

_ROLE_PREFIX = "node-role.kubernetes.io/"
_MODES = {
    "ReadWriteOnce": "RWO",
    "ReadOnlyMany": "ROX",
    "ReadWriteMany": "RWX",
    "ReadWriteOncePod": "RWOP",
}


def _node_roles(node: Obj) -> str:
    roles = set()
    for key, value in labels_of(node).items():
        if key.startswith(_ROLE_PREFIX) and len(key) > len(_ROLE_PREFIX):
            roles.add(key[len(_ROLE_PREFIX) :])
        elif key == "kubernetes.io/role" and value:
            roles.add(value)
    return joined(sorted(roles))


def _node_status(node: Obj) -> str:
    conditions = {found["type"]: found for found in status(node).get("conditions") or ()}
    ready = conditions.get("Ready")
    word = "Unknown" if ready is None else "Ready" if ready.get("status") == "True" else "NotReady"
    return f"{word},SchedulingDisabled" if spec(node).get("unschedulable") else word


def _address(node: Obj, kind: str) -> str:
    found = status(node).get("addresses") or ()
    return next((item["address"] for item in found if item.get("type") == kind), NONE)


def _node(node: Obj, now: datetime) -> list[Cell]:
    info: Mapping[str, Any] = status(node).get("nodeInfo") or {}
    kernel = info.get("kernelVersion") or UNKNOWN
    if info.get("kernelVersion") and info.get("architecture"):
        kernel = f"{kernel} ({info['architecture']})"
    return [
        name(node),
        _node_status(node),
        _node_roles(node),
        age(node, now),
        info.get("kubeletVersion", ""),
        _address(node, "InternalIP"),
        _address(node, "ExternalIP"),
        info.get("osImage") or UNKNOWN,
        kernel,
        info.get("containerRuntimeVersion") or UNKNOWN,
    ]


def _namespace(obj: Obj, now: datetime) -> list[Cell]:
    return [name(obj), status(obj).get("phase", ""), age(obj, now)]


def _interval(event: Obj, now: datetime) -> tuple[str, str]:
    """Return (last seen, first seen)."""
    first = event.get("firstTimestamp") or event.get("eventTime")
    first_text = since(first, now)
    series = event.get("series")
    if series:
        last = since(series.get("lastObservedTime"), now)
        return f"{last} (x{series.get('count', 0)} over {first_text})", first_text
    count = event.get("count") or 0
    last_stamp = event.get("lastTimestamp")
    last = since(last_stamp, now) if last_stamp else first_text
    if count > 1:
        return f"{last} (x{count} over {first_text})", first_text
    return last, first_text


def _event(event: Obj, now: datetime) -> list[Cell]:
    involved = event.get("involvedObject") or event.get("regarding") or {}
    last, first = _interval(event, now)
    source = event.get("source") or event.get("deprecatedSource") or {}
    component = source.get("component") or event.get("reportingComponent") or ""
    shown = f"{component}, {source['host']}" if source.get("host") else component
    target = str(involved.get("kind", "")).lower()
    count = (
        (event.get("series") or {}).get("count") or event.get("count") or event.get("deprecatedCount") or 1
    )
    return [
        last,
        event.get("type", ""),
        event.get("reason", ""),
        f"{target}/{involved['name']}" if involved.get("name") else target,
        involved.get("fieldPath", ""),
        shown,
        str(event.get("message") or event.get("note") or "").strip(),
        first,
        count,
        name(event),
    ]


def _config_map(obj: Obj, now: datetime) -> list[Cell]:
    return [name(obj), len(obj.get("data") or ()) + len(obj.get("binaryData") or ()), age(obj, now)]


def _secret(obj: Obj, now: datetime) -> list[Cell]:
    return [name(obj), obj.get("type", ""), len(obj.get("data") or ()), age(obj, now)]


def _service_account(obj: Obj, now: datetime) -> list[Cell]:
    return [name(obj), len(obj.get("secrets") or ()), age(obj, now)]


def _access_modes(modes: Any) -> str:
    return ",".join(dict.fromkeys(_MODES.get(mode, mode) for mode in modes or ()))


def _claim(obj: Obj, now: datetime) -> list[Cell]:
    phase = "Terminating" if obj["metadata"].get("deletionTimestamp") else status(obj).get("phase", "")
    bound = bool(spec(obj).get("volumeName"))
    return [
        name(obj),
        phase,
        spec(obj).get("volumeName", ""),
        ((status(obj).get("capacity") or {}).get("storage") or "0") if bound else "",
        _access_modes(status(obj).get("accessModes")) if bound else "",
        class_of(obj),
        spec(obj).get("volumeAttributesClassName") or UNSET,
        age(obj, now),
        spec(obj).get("volumeMode") or UNSET,
    ]


def _volume(obj: Obj, now: datetime) -> list[Cell]:
    phase = "Terminating" if obj["metadata"].get("deletionTimestamp") else status(obj).get("phase", "")
    claim = spec(obj).get("claimRef")
    return [
        name(obj),
        (spec(obj).get("capacity") or {}).get("storage", ""),
        _access_modes(spec(obj).get("accessModes")),
        spec(obj).get("persistentVolumeReclaimPolicy", ""),
        phase,
        f"{claim.get('namespace', '')}/{claim.get('name', '')}" if claim else "",
        class_of(obj),
        spec(obj).get("volumeAttributesClassName") or UNSET,
        status(obj).get("reason", ""),
        age(obj, now),
        spec(obj).get("volumeMode") or UNSET,
    ]


def _quota(obj: Obj, now: datetime) -> list[Cell]:
    hard, used = status(obj).get("hard") or {}, status(obj).get("used") or {}
    requests: list[str] = []
    limits: list[str] = []
    for key in sorted(hard):
        text = f"{key}: {used.get(key, '0')}/{hard[key]}"
        (limits if key.startswith("limits") else requests).append(text)
    return [name(obj), ", ".join(requests), ", ".join(limits), age(obj, now)]


def _lease(obj: Obj, now: datetime) -> list[Cell]:
    return [name(obj), spec(obj).get("holderIdentity") or "", age(obj, now)]


def _pod_template(obj: Obj, now: datetime) -> list[Cell]:
    template = obj.get("template") or {}
    found = (template.get("spec") or {}).get("containers") or ()
    labels = (template.get("metadata") or {}).get("labels") or {}
    return [
        name(obj),
        ",".join(item["name"] for item in found),
        ",".join(item.get("image", "") for item in found),
        joined(f"{key}={value}" for key, value in sorted(labels.items())),
    ]


_EVENT_COLUMNS = columns("Last Seen,Type,Reason,Object,|,Subobject,Source")
_EVENT_REST = (*columns("Message"), *columns("|,First Seen,Count:integer,Name"))
_EVENT = Printer((*_EVENT_COLUMNS, *_EVENT_REST), _event)

PRINTERS = {
    "nodes": Printer(
        columns(
            "Name,Status,Roles,Age,Version,|,Internal-IP,External-IP,OS-Image,Kernel-Version,Container-Runtime"
        ),
        _node,
    ),
    "namespaces": Printer(columns("Name,Status,Age"), _namespace),
    "events": _EVENT,
    "events.events.k8s.io": _EVENT,
    "configmaps": Printer(columns("Name,Data,Age"), _config_map),
    "secrets": Printer(columns("Name,Type,Data,Age"), _secret),
    "serviceaccounts": Printer(columns("Name,Secrets,Age"), _service_account),
    "persistentvolumeclaims": Printer(
        columns(
            "Name,Status,Volume,Capacity,Access Modes,StorageClass,VolumeAttributesClass,Age,|,VolumeMode"
        ),
        _claim,
    ),
    "persistentvolumes": Printer(
        columns(
            "Name,Capacity,Access Modes,Reclaim Policy,Status,Claim,StorageClass,VolumeAttributesClass,"
            "Reason,Age,|,VolumeMode"
        ),
        _volume,
    ),
    "resourcequotas": Printer(columns("Name,Request,Limit,Age"), _quota),
    "podtemplates": Printer(columns("Name,Containers,Images,Pod Labels"), _pod_template),
    "leases.coordination.k8s.io": Printer(columns("Name,Holder,Age"), _lease),
}
