"""Columns of Deployments, ReplicaSets, StatefulSets, DaemonSets, Jobs, CronJobs and autoscalers.

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
    Column,
    Printer,
    age,
    columns,
    containers,
    human_duration,
    label_map,
    label_selector,
    name,
    since,
    spec,
    status,
)
from leeward.kube.objects import Obj, controller_of, is_condition_true, parse_time

_DESIRED = "replicas is the desired number of instances for the scaled object."
_OBSERVED = "replicas is the actual number of observed instances of the scaled object."


def _template(obj: Obj) -> dict[str, Any]:
    return spec(obj).get("template") or {}


def _deployment(obj: Obj, now: datetime) -> list[Cell]:
    names, images = containers(_template(obj))
    state = status(obj)
    return [
        name(obj),
        f"{state.get('readyReplicas', 0)}/{spec(obj).get('replicas', 1)}",
        state.get("updatedReplicas", 0),
        state.get("availableReplicas", 0),
        age(obj, now),
        names,
        images,
        label_selector(spec(obj).get("selector")),
    ]


def _replica_set(obj: Obj, now: datetime) -> list[Cell]:
    names, images = containers(_template(obj))
    state = status(obj)
    return [
        name(obj),
        spec(obj).get("replicas", 1),
        state.get("replicas", 0),
        state.get("readyReplicas", 0),
        age(obj, now),
        names,
        images,
        label_selector(spec(obj).get("selector")),
    ]


def _replication_controller(obj: Obj, now: datetime) -> list[Cell]:
    row = _replica_set({**obj, "spec": {**spec(obj), "selector": None}}, now)
    return [*row[:-1], label_map(spec(obj).get("selector"))]


def _stateful_set(obj: Obj, now: datetime) -> list[Cell]:
    names, images = containers(_template(obj))
    ready = status(obj).get("readyReplicas", 0)
    return [name(obj), f"{ready}/{spec(obj).get('replicas', 1)}", age(obj, now), names, images]


def _daemon_set(obj: Obj, now: datetime) -> list[Cell]:
    names, images = containers(_template(obj))
    state = status(obj)
    node_selector = (_template(obj).get("spec") or {}).get("nodeSelector")
    return [
        name(obj),
        state.get("desiredNumberScheduled", 0),
        state.get("currentNumberScheduled", 0),
        state.get("numberReady", 0),
        state.get("updatedNumberScheduled", 0),
        state.get("numberAvailable", 0),
        label_map(node_selector),
        age(obj, now),
        names,
        images,
        label_selector(spec(obj).get("selector")),
    ]


def _job_status(obj: Obj) -> str:
    if is_condition_true(obj, "Complete"):
        return "Complete"
    if is_condition_true(obj, "Failed"):
        return "Failed"
    if obj["metadata"].get("deletionTimestamp"):
        return "Terminating"
    for kind in ("Suspended", "FailureTarget", "SuccessCriteriaMet"):
        if is_condition_true(obj, kind):
            return kind
    return "Running"


def _job_completions(obj: Obj) -> str:
    done, wanted = status(obj).get("succeeded", 0), spec(obj).get("completions")
    if wanted is not None:
        return f"{done}/{wanted}"
    parallelism = spec(obj).get("parallelism") or 0
    return f"{done}/1 of {parallelism}" if parallelism > 1 else f"{done}/1"


def _job_duration(obj: Obj, now: datetime) -> str:
    state = status(obj)
    if not state.get("startTime"):
        return ""
    end = state.get("completionTime")
    started = parse_time(state["startTime"])
    return human_duration(((parse_time(end) if end else now) - started).total_seconds())


def _job(obj: Obj, now: datetime) -> list[Cell]:
    names, images = containers(_template(obj))
    return [
        name(obj),
        _job_status(obj),
        _job_completions(obj),
        _job_duration(obj, now),
        age(obj, now),
        names,
        images,
        label_selector(spec(obj).get("selector")),
    ]


def _cron_job(obj: Obj, now: datetime) -> list[Cell]:
    names, images = containers((spec(obj).get("jobTemplate") or {}).get("spec", {}).get("template") or {})
    last = status(obj).get("lastScheduleTime")
    return [
        name(obj),
        spec(obj).get("schedule", ""),
        spec(obj).get("timeZone") or NONE,
        str(bool(spec(obj).get("suspend"))),
        len(status(obj).get("active") or ()),
        since(last, now) if last else NONE,
        age(obj, now),
        names,
        images,
        NONE,
    ]


def _metric_value(source: Mapping[str, Any], kind: str) -> str:
    if kind == "Utilization" and source.get("averageUtilization") is not None:
        return f"{source['averageUtilization']}%"
    return str(source.get("averageValue") or source.get("value") or UNKNOWN)


def _metric(rule: Mapping[str, Any], current: Mapping[str, Any]) -> str:
    kind = str(rule.get("type", ""))
    field = kind[:1].lower() + kind[1:]
    wanted = (rule.get(field) or {}).get("target") or {}
    measured = (current.get(field) or {}).get("current") or {}
    text = (
        f"{_metric_value(measured, wanted.get('type', ''))}/{_metric_value(wanted, wanted.get('type', ''))}"
    )
    if kind in ("Resource", "ContainerResource"):
        return f"{(rule.get(field) or {}).get('name', '')}: {text}"
    return f"{text} (avg)" if wanted.get("averageValue") else text


def _autoscaler(obj: Obj, now: datetime) -> list[Cell]:
    target = spec(obj).get("scaleTargetRef") or {}
    rules = spec(obj).get("metrics") or ()
    found = status(obj).get("currentMetrics") or ()
    shown = [_metric(rule, found[index] if index < len(found) else {}) for index, rule in enumerate(rules)]
    more = f" + {len(shown) - 2} more..." if len(shown) > 2 else ""
    lowest = spec(obj).get("minReplicas")
    return [
        name(obj),
        f"{target.get('kind', '')}/{target.get('name', '')}",
        (", ".join(shown[:2]) + more) if shown else NONE,
        UNSET if lowest is None else str(lowest),
        spec(obj).get("maxReplicas", 0),
        status(obj).get("currentReplicas") or 0,
        age(obj, now),
    ]


def _revision(obj: Obj, now: datetime) -> list[Cell]:
    owner = controller_of(obj)
    shown = NONE
    if owner:
        group = owner["apiVersion"].partition("/")[0] if "/" in owner["apiVersion"] else ""
        shown = f"{owner['kind'].lower()}{'.' + group if group else ''}/{owner['name']}"
    return [name(obj), shown, obj.get("revision", 0), age(obj, now)]


_REPLICAS = "Name,Desired:integer,Current:integer,Ready:integer,Age,|,Containers,Images,Selector"

SCALE = Printer(
    (
        *columns("Name"),
        Column("Desired", "integer", description=_DESIRED),
        Column("Available", "integer", description=_OBSERVED),
        *columns("Age"),
    ),
    lambda obj, now: [name(obj), spec(obj).get("replicas", 0), status(obj).get("replicas", 0), age(obj, now)],
)

PRINTERS = {
    "deployments.apps": Printer(
        columns("Name,Ready,Up-to-date,Available,Age,|,Containers,Images,Selector"), _deployment
    ),
    "replicasets.apps": Printer(columns(_REPLICAS), _replica_set),
    "replicationcontrollers": Printer(columns(_REPLICAS), _replication_controller),
    "statefulsets.apps": Printer(columns("Name,Ready,Age,|,Containers,Images"), _stateful_set),
    "daemonsets.apps": Printer(
        columns(
            "Name,Desired:integer,Current:integer,Ready:integer,Up-to-date:integer,Available:integer,"
            "Node Selector,Age,|,Containers,Images,Selector"
        ),
        _daemon_set,
    ),
    "controllerrevisions.apps": Printer(columns("Name,Controller,Revision,Age"), _revision),
    "jobs.batch": Printer(columns("Name,Status,Completions,Duration,Age,|,Containers,Images,Selector"), _job),
    "cronjobs.batch": Printer(
        columns(
            "Name,Schedule,Timezone,Suspend:boolean,Active:integer,Last Schedule,Age,"
            "|,Containers,Images,Selector"
        ),
        _cron_job,
    ),
    "horizontalpodautoscalers.autoscaling": Printer(
        columns("Name,Reference,Targets,MinPods,MaxPods:integer,Replicas:integer,Age"), _autoscaler
    ),
}
