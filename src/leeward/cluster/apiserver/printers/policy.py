"""Columns of disruption budgets, priorities, storage classes, access rules, what extends the API.

Source: ``k8s.io/kubernetes/pkg/printers/internalversion`` (1.36).
"""

from __future__ import annotations

from datetime import datetime

from leeward.cluster.apiserver.printers.table import (
    NONE,
    UNKNOWN,
    UNSET,
    Cell,
    Printer,
    age,
    columns,
    human_duration,
    joined,
    name,
    spec,
    status,
)
from leeward.kube.objects import Obj, find_condition
from leeward.kube.volumes import is_default_class


def _budget(obj: Obj, now: datetime) -> list[Cell]:
    lowest, highest = spec(obj).get("minAvailable"), spec(obj).get("maxUnavailable")
    return [
        name(obj),
        "N/A" if lowest is None else str(lowest),
        "N/A" if highest is None else str(highest),
        status(obj).get("disruptionsAllowed", 0),
        age(obj, now),
    ]


def _priority_class(obj: Obj, now: datetime) -> list[Cell]:
    return [
        name(obj),
        obj.get("value", 0),
        bool(obj.get("globalDefault")),
        age(obj, now),
        obj.get("preemptionPolicy", ""),
    ]


def _runtime_class(obj: Obj, now: datetime) -> list[Cell]:
    return [name(obj), obj.get("handler", ""), age(obj, now)]


def _storage_class(obj: Obj, now: datetime) -> list[Cell]:
    shown = f"{name(obj)} (default)" if is_default_class(obj) else name(obj)
    return [
        shown,
        obj.get("provisioner", ""),
        obj.get("reclaimPolicy", "Delete"),
        obj.get("volumeBindingMode", "Immediate"),
        bool(obj.get("allowVolumeExpansion")),
        age(obj, now),
    ]


def _csi_driver(obj: Obj, now: datetime) -> list[Cell]:
    audiences = [each.get("audience", "") for each in spec(obj).get("tokenRequests") or ()]
    return [
        name(obj),
        spec(obj).get("attachRequired", True),
        spec(obj).get("podInfoOnMount", False),
        spec(obj).get("storageCapacity", False),
        ",".join(audiences) if spec(obj).get("tokenRequests") is not None else UNSET,
        spec(obj).get("requiresRepublish", False),
        joined(spec(obj).get("volumeLifecycleModes") or ()),
        age(obj, now),
    ]


def _signing_request(obj: Obj, now: datetime) -> list[Cell]:
    seconds = spec(obj).get("expirationSeconds")
    conditions = status(obj).get("conditions") or ()
    decided = [each["type"] for each in conditions if each["type"] in ("Approved", "Denied")]
    failed = [each["type"] for each in conditions if each["type"] == "Failed"]
    words = [*(decided or ["Pending"]), *failed, *(["Issued"] if status(obj).get("certificate") else [])]
    return [
        name(obj),
        age(obj, now),
        spec(obj).get("signerName") or NONE,
        spec(obj).get("username", ""),
        NONE if seconds is None else human_duration(seconds),
        ",".join(words),
    ]


def _subjects(obj: Obj) -> list[Cell]:
    found = obj.get("subjects") or ()
    accounts = [
        f"{who.get('namespace', '')}/{who['name']}" for who in found if who["kind"] == "ServiceAccount"
    ]
    return [
        ", ".join(who["name"] for who in found if who["kind"] == "User"),
        ", ".join(who["name"] for who in found if who["kind"] == "Group"),
        ", ".join(accounts),
    ]


def _binding(obj: Obj, now: datetime) -> list[Cell]:
    role = obj.get("roleRef") or {}
    shown = f"{role.get('kind', '')}/{role.get('name', '')}"
    return [name(obj), shown, age(obj, now), *_subjects(obj)]


def _created(obj: Obj, _now: datetime) -> list[Cell]:
    return [name(obj), obj["metadata"].get("creationTimestamp") or UNKNOWN]


def _api_service(obj: Obj, now: datetime) -> list[Cell]:
    service, condition = spec(obj).get("service"), find_condition(obj, "Available")
    where = f"{service.get('namespace', '')}/{service.get('name', '')}" if service else "Local"
    available = "Unknown"
    if condition is not None:
        available, reason = condition.get("status", ""), condition.get("reason")
        if available != "True" and reason:
            available = f"{available} ({reason})"
    return [name(obj), where, available, age(obj, now)]


_CREATED = Printer(columns("Name,Created At:date"), _created)
_BINDING = Printer(columns("Name,Role,Age,|,Users,Groups,ServiceAccounts"), _binding)
_RBAC = "rbac.authorization.k8s.io"

PRINTERS = {
    "poddisruptionbudgets.policy": Printer(
        columns("Name,Min Available,Max Unavailable,Allowed Disruptions:integer,Age"), _budget
    ),
    "priorityclasses.scheduling.k8s.io": Printer(
        columns("Name,Value:integer,Global-Default:boolean,Age,PreemptionPolicy"), _priority_class
    ),
    "runtimeclasses.node.k8s.io": Printer(columns("Name,Handler,Age"), _runtime_class),
    "storageclasses.storage.k8s.io": Printer(
        columns("Name,Provisioner,ReclaimPolicy,VolumeBindingMode,AllowVolumeExpansion,Age"),
        _storage_class,
    ),
    "csidrivers.storage.k8s.io": Printer(
        columns(
            "Name,AttachRequired:boolean,PodInfoOnMount:boolean,StorageCapacity:boolean,TokenRequests,"
            "RequiresRepublish:boolean,Modes,Age"
        ),
        _csi_driver,
    ),
    "certificatesigningrequests.certificates.k8s.io": Printer(
        columns("Name,Age,SignerName,Requestor,RequestedDuration,Condition"), _signing_request
    ),
    f"roles.{_RBAC}": _CREATED,
    f"clusterroles.{_RBAC}": _CREATED,
    f"rolebindings.{_RBAC}": _BINDING,
    f"clusterrolebindings.{_RBAC}": _BINDING,
    "limitranges": _CREATED,
    "apiservices.apiregistration.k8s.io": Printer(columns("Name,Service,Available,Age"), _api_service),
    "customresourcedefinitions.apiextensions.k8s.io": _CREATED,
}
