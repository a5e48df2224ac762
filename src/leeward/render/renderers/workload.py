"""The object that runs the Pods: Deployment, StatefulSet, DaemonSet or Job.

Invariants: no Pod goes before its successor is ready, unless the file asks for ``stop-first``; a Job's
name carries the digest of its Pod template, because a Job cannot be changed; order between services
is an annotation for who applies the objects, never a gate inside a Pod that could deadlock a restart.

Source: the Compose Specification, "deploy", "restart", "depends_on"; the Kubernetes API reference.
"""

from __future__ import annotations

import json
from typing import Any

from leeward.kube.objects import Obj
from leeward.kube.wellknown import DEPENDS_ON
from leeward.render import naming
from leeward.render.model import PodDraft, Renderer, ServiceContext
from leeward.render.plan import Kind, restart_of
from leeward.render.quantity import whole_seconds
from leeward.render.renderers.autoscaler import is_autoscaled
from leeward.render.renderers.service import headless_name

DEFAULT_BACKOFF = 6  # Kubernetes' own, for "on-failure" without a number
_CONTAINER_KEYS = """
    name image imagePullPolicy command args workingDir stdin tty ports env resources startupProbe
    readinessProbe livenessProbe lifecycle securityContext volumeMounts
"""
_SPEC_KEYS = """
    os hostname hostNetwork hostPID hostIPC dnsPolicy dnsConfig hostAliases runtimeClassName nodeSelector
    affinity tolerations topologySpreadConstraints automountServiceAccountToken enableServiceLinks
    securityContext terminationGracePeriodSeconds restartPolicy containers volumes
"""


def _ordered(text: str, values: dict[str, Any]) -> dict[str, Any]:
    keys = text.split()
    rest = [key for key in values if key not in keys]
    return {key: values[key] for key in (*keys, *rest) if key in values}


def pod_template(draft: PodDraft) -> Obj:
    """Return the finished Pod template, keys in reading order."""
    container = dict(draft.container)
    if draft.mounts:
        container["volumeMounts"] = draft.mounts
    spec = {**draft.spec, "containers": [_ordered(_CONTAINER_KEYS, container)]}
    if draft.security:
        spec["securityContext"] = draft.security
    mounted = {mount["name"] for mount in draft.mounts}
    if mounted:
        volumes = [{"name": name, **source} for name, source in draft.volumes.items() if name in mounted]
        spec |= {"volumes": volumes} if volumes else {}
    meta: Obj = {"labels": draft.labels}
    if draft.annotations:
        meta["annotations"] = draft.annotations
    return {"metadata": meta, "spec": _ordered(_SPEC_KEYS, spec)}


def _replicas(context: ServiceContext) -> dict[str, int]:
    return {} if is_autoscaled(context) else {"replicas": context.plan.replicas}


def _depends_on(context: ServiceContext) -> dict[str, str]:
    plans = context.project.plan.services
    waits = {
        plans[name].name: dependency.condition
        for name, dependency in context.service.depends_on.items()
        if name in plans
    }
    return {DEPENDS_ON: json.dumps(waits, separators=(",", ":"), sort_keys=True)} if waits else {}


def _deployment_strategy(context: ServiceContext) -> dict[str, Any]:
    update = context.service.deploy.update_config if context.service.deploy else None
    step = update.parallelism if update and update.parallelism else 1
    stop_first = update is not None and update.order == "stop-first"
    rolling = (
        {"maxUnavailable": step, "maxSurge": 0} if stop_first else {"maxUnavailable": 0, "maxSurge": step}
    )
    return {"type": "RollingUpdate", "rollingUpdate": rolling}


def _delay(context: ServiceContext) -> dict[str, int]:
    update = context.service.deploy.update_config if context.service.deploy else None
    return {"minReadySeconds": whole_seconds(update.delay)} if update and update.delay else {}


def _deployment(context: ServiceContext, draft: PodDraft, head: Obj) -> Obj:
    spec = {
        **_replicas(context),
        **_delay(context),
        "selector": {"matchLabels": context.selector},
        "strategy": _deployment_strategy(context),
        "template": pod_template(draft),
    }
    return {**head, "spec": spec}


def _stateful_set(context: ServiceContext, draft: PodDraft, head: Obj) -> Obj:
    spec = {
        **_replicas(context),
        **_delay(context),
        "serviceName": headless_name(context.plan),
        "podManagementPolicy": "Parallel",
        "selector": {"matchLabels": context.selector},
        "updateStrategy": {"type": "RollingUpdate"},
        "template": pod_template(draft),
        "volumeClaimTemplates": draft.claims,
    }
    return {**head, "spec": spec}


def _daemon_set(context: ServiceContext, draft: PodDraft, head: Obj) -> Obj:
    spec = {
        **_delay(context),
        "selector": {"matchLabels": context.selector},
        "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 1}},
        "template": pod_template(draft),
    }
    return {**head, "spec": spec}


def _job(context: ServiceContext, draft: PodDraft, head: Obj) -> Obj:
    condition, attempts = restart_of(context.service)
    spec: dict[str, Any] = {}
    if context.plan.replicas > 1:
        spec |= {"completions": context.plan.replicas, "parallelism": context.plan.replicas}
    if condition in ("on-failure", "always"):
        draft.spec["restartPolicy"] = "OnFailure"
        spec["backoffLimit"] = DEFAULT_BACKOFF if attempts is None else attempts
    else:
        draft.spec["restartPolicy"] = "Never"
        spec["backoffLimit"] = 0
        # losing the node is no failure of the program: try again elsewhere
        ignore = {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]}
        spec["podFailurePolicy"] = {"rules": [ignore]}
    spec["template"] = pod_template(draft)
    name = naming.hashed_name(context.plan.name, json.dumps(spec, sort_keys=True))
    return {**head, "metadata": {**head["metadata"], "name": name}, "spec": spec}


_KINDS = {
    Kind.DEPLOYMENT: ("apps/v1", _deployment),
    Kind.STATEFUL_SET: ("apps/v1", _stateful_set),
    Kind.DAEMON_SET: ("apps/v1", _daemon_set),
    Kind.JOB: ("batch/v1", _job),
}


def _report_approximations(context: ServiceContext) -> None:
    kind, update = context.plan.kind, context.service.deploy.update_config if context.service.deploy else None
    if kind is not Kind.JOB and restart_of(context.service)[0] in ("no", "on-failure"):
        context.note(
            ("restart",),
            "approximated",
            "Others need this service to run, so it is started again whenever it ends.",
        )
    if update and (update.order or update.parallelism) and kind in (Kind.STATEFUL_SET, Kind.DAEMON_SET):
        context.note(
            ("deploy", "update_config"), "approximated", f"A {kind.value} stops and starts one Pod at a time."
        )


def _service(context: ServiceContext, draft: PodDraft) -> list[Obj]:
    plan = context.plan
    _report_approximations(context)
    api_version, build = _KINDS[plan.kind]
    head = context.object(api_version, plan.kind.value, plan.name, annotations=_depends_on(context))
    return [build(context, draft, head), *draft.objects]


DESCRIPTOR = Renderer(name="workload", service=_service)
