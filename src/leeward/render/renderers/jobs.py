"""What runs to its end: a Job per release, and a CronJob for services with a schedule.

A Job cannot be changed, so its name carries the digest of its spec: a new release is a new Job, the same
release applied again is the same Job and does not run twice. Jobs have no ``ttlSecondsAfterFinished``: one
that cleaned itself up would run again with the next ``apply``, and who waits for its end could not see it.
The runs of a CronJob are tidied by its history limits.

Losing a node is no failure of the program: where a failed Pod is final, a disruption does not count.

Source: kubernetes.io/docs/concepts/workloads/controllers/job (backoff, Pod failure policy, Indexed) and
.../cron-jobs; the Compose Specification, "restart" and "deploy.restart_policy".
"""

from __future__ import annotations

import json
from typing import Any

from leeward.kube.objects import Obj
from leeward.kube.wellknown import APP_NAME, APP_PART_OF
from leeward.render import naming
from leeward.render.model import PodDraft, ServiceContext
from leeward.render.plan import JOB_MODES, Kind, restart_of
from leeward.render.renderers import startorder
from leeward.render.renderers.podtemplate import pod_template

DEFAULT_BACKOFF = 6  # Kubernetes' own, for "on-failure" without a number
CRON_NAME_LIMIT = 52  # the controller adds a time of eleven characters
UTC = "Etc/UTC"  # without a time zone it would be the control plane's
IGNORE_DISRUPTION = {
    "rules": [{"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]}]
}


def _retries(context: ServiceContext) -> int | None:
    """Return how many failures are allowed; None: the first is final."""
    condition, attempts = restart_of(context.service)
    deploy = context.service.deploy
    if condition is None and deploy is not None and deploy.mode in JOB_MODES:
        condition = "on-failure"  # what such a job is made for
    if condition in (None, "no"):
        return None
    return DEFAULT_BACKOFF if attempts is None else attempts


def _count(context: ServiceContext) -> dict[str, Any]:
    """Return how many Pods have to succeed, all at the same time."""
    count = context.plan.replicas
    if count == 1:
        return {}
    indexed = {"completionMode": "Indexed"} if context.plan.kind is Kind.CRON_JOB else {}
    return {**indexed, "completions": count, "parallelism": count}


def job_spec(context: ServiceContext, draft: PodDraft) -> dict[str, Any]:
    """Return the spec of the Job that runs `draft`."""
    retries = _retries(context)
    policy = "Never" if retries is None else "OnFailure"
    spec: dict[str, Any] = {**_count(context), "backoffLimit": retries or 0}
    if retries is None:
        spec["podFailurePolicy"] = IGNORE_DISRUPTION
    spec["template"] = pod_template(
        draft, annotations=startorder.restart_after(context), restart_policy=policy
    )
    return spec


def named_job(head: Obj, base: str, spec: dict[str, Any]) -> Obj:
    """Return the Job of this release: `base` with the digest of `spec` is its name."""
    name = naming.hashed_name(base, json.dumps(spec, sort_keys=True))
    return {**head, "metadata": {**head["metadata"], "name": name}, "spec": spec}


def job(context: ServiceContext, draft: PodDraft, head: Obj) -> Obj:
    """Return the Job of a service that runs once."""
    if context.service.deploy and context.service.deploy.mode == "global-job":
        context.warn(
            ("deploy", "mode"),
            "approximated",
            "A Job cannot be told to run once on every node; it runs as often as there are replicas.",
            "Write the number of nodes as replicas and max_replicas_per_node: 1, or use mode: global.",
        )
    return named_job(head, context.plan.name, job_spec(context, draft))


def cron_job(context: ServiceContext, draft: PodDraft, head: Obj) -> Obj:
    """Return the CronJob of a service with ``x-leeward.schedule``."""
    schedule = context.plan.settings.schedule
    assert schedule is not None  # what makes a service a CronJob
    _report_schedule(context)
    deadline = schedule.starting_deadline_seconds
    spec: dict[str, Any] = {
        "schedule": schedule.cron,
        "timeZone": schedule.time_zone or UTC,
        "concurrencyPolicy": schedule.concurrency,
        **({"suspend": True} if schedule.suspend else {}),
        **({} if deadline is None else {"startingDeadlineSeconds": deadline}),
        "successfulJobsHistoryLimit": schedule.keep_successful,
        "failedJobsHistoryLimit": schedule.keep_failed,
        "jobTemplate": {
            "metadata": {"labels": {APP_NAME: context.plan.name, APP_PART_OF: context.project.plan.part_of}},
            "spec": job_spec(context, draft),
        },
    }
    name = naming.dns_label(context.plan.name, limit=CRON_NAME_LIMIT)
    return {**head, "metadata": {**head["metadata"], "name": name}, "spec": spec}


def _report_schedule(context: ServiceContext) -> None:
    service = context.service
    if context.plan.ports:
        context.warn(
            ("ports",) if service.ports else ("expose",),
            "scheduled-ports",
            "The service runs only at its times; outside them nothing listens on its ports.",
            "Remove the ports, or the schedule.",
        )
    if service.restart in ("always", "unless-stopped"):
        context.note(
            ("restart",), "approximated", "A scheduled run is repeated when it fails, not when it has ended."
        )
    if service.deploy and service.deploy.mode != "replicated":
        context.warn(
            ("deploy", "mode"), "ignored", f"A scheduled service is not {service.deploy.mode}.", "Remove it."
        )
