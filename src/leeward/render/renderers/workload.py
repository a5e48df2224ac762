"""The object that runs the Pods: Deployment, StatefulSet, DaemonSet, Job or CronJob.

Invariants: no Pod goes before its successor is ready, unless the file asks for ``stop-first``; where an
autoscaler decides how many Pods there are, nothing else does; a service that runs in another's Pod has no
workload.

Source: the Compose Specification, "deploy", "restart", "scale"; the Kubernetes API reference.
"""

from __future__ import annotations

from typing import Any

from leeward.kube.objects import Obj
from leeward.render.model import PodDraft, Renderer, ServiceContext
from leeward.render.plan import Kind, restart_of
from leeward.render.renderers import prestart, startorder
from leeward.render.renderers.autoscaler import is_autoscaled
from leeward.render.renderers.jobs import cron_job, job
from leeward.render.renderers.podtemplate import pod_template
from leeward.render.renderers.service import headless_name
from leeward.render.renderers.updates import (
    daemon_set_update,
    deployment_update,
    report_update,
    stateful_set_update,
)


def _replicas(context: ServiceContext) -> dict[str, int]:
    return {} if is_autoscaled(context) else {"replicas": context.plan.replicas}


def _template(context: ServiceContext, draft: PodDraft) -> Obj:
    return pod_template(draft, annotations=startorder.restart_after(context))


def _deployment(context: ServiceContext, draft: PodDraft, head: Obj) -> Obj:
    spec = {
        **_replicas(context),
        "selector": {"matchLabels": context.selector},
        **deployment_update(context, draft),
        "template": _template(context, draft),
    }
    return {**head, "spec": spec}


def _stateful_set(context: ServiceContext, draft: PodDraft, head: Obj) -> Obj:
    spec = {
        **_replicas(context),
        "serviceName": headless_name(context.plan),
        "podManagementPolicy": "Parallel",
        "selector": {"matchLabels": context.selector},
        **stateful_set_update(context),
        "template": _template(context, draft),
        **({"volumeClaimTemplates": draft.claims} if draft.claims else {}),
    }
    return {**head, "spec": spec}


def _daemon_set(context: ServiceContext, draft: PodDraft, head: Obj) -> Obj:
    spec: dict[str, Any] = {
        "selector": {"matchLabels": context.selector},
        **daemon_set_update(context),
        "template": _template(context, draft),
    }
    return {**head, "spec": spec}


_KINDS = {
    Kind.DEPLOYMENT: ("apps/v1", _deployment),
    Kind.STATEFUL_SET: ("apps/v1", _stateful_set),
    Kind.DAEMON_SET: ("apps/v1", _daemon_set),
    Kind.JOB: ("batch/v1", job),
    Kind.CRON_JOB: ("batch/v1", cron_job),
}


def _report_restart(context: ServiceContext) -> None:
    if context.plan.ends:
        return
    condition, attempts = restart_of(context.service)
    if condition in ("no", "on-failure"):
        context.note(
            ("restart",),
            "approximated",
            "Others need this service to run, so it is started again whenever it ends.",
        )
    elif attempts is not None:
        context.note(
            ("deploy", "restart_policy", "max_attempts"),
            "approximated",
            "A service that runs on is started again without end, after longer and longer pauses.",
        )


def _report_replicas(context: ServiceContext, draft: PodDraft) -> None:
    """Say what several replicas of a service do not have in common, or cannot have."""
    plan, service = context.plan, context.service
    if plan.replicas < 2 or plan.ends:
        return
    if service.container_name:
        context.warn(
            ("container_name",),
            "name-of-many",
            f"Compose has one container of a name; {service.container_name!r} leads to {plan.replicas}.",
            "Remove container_name, or run one replica.",
        )
    peers = service.deploy is not None and service.deploy.endpoint_mode == "dnsrr"  # they know one another
    for claim in draft.claims:
        report = context.note if peers else context.warn
        report(
            ("volumes",),
            "replicas-share-nothing",
            f"Each of {plan.replicas} replicas has a volume {claim['metadata']['name']!r} of its own; "
            "Compose's replicas share it.",
            "Run one replica, or let the replicas replicate the data.",
        )


def _service(context: ServiceContext, draft: PodDraft) -> list[Obj]:
    plan = context.plan
    if plan.kind is Kind.GUEST:
        return draft.objects
    _report_restart(context)
    _report_replicas(context, draft)
    if not plan.ends:
        report_update(context)
    waiting = startorder.waits(context)
    hooks = prestart.jobs_of(context, startorder.annotation(waiting))
    waiting |= prestart.waits(context)
    api_version, build = _KINDS[plan.kind]
    head = context.object(api_version, plan.kind.value, plan.name, annotations=startorder.annotation(waiting))
    return [build(context, draft, head), *hooks, *draft.objects]


DESCRIPTOR = Renderer(name="workload", service=_service)
