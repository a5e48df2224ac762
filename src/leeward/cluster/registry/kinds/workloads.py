"""Deployments, ReplicaSets, StatefulSets, DaemonSets, Jobs: defaults and rules.

Source: pkg/apis/apps/v1/defaults.go, pkg/apis/batch/v1/defaults.go and their validation (Kubernetes 1.36).
"""

from __future__ import annotations

from leeward.cluster.registry.failures import Failure, forbidden
from leeward.cluster.registry.kinds.fill import fill, fill_each, fill_zero, update
from leeward.cluster.registry.kinds.pods import default_template
from leeward.cluster.registry.kinds.storage import default_claim
from leeward.cluster.registry.kinds.strategy import Strategy
from leeward.cluster.registry.validation import workloadstatus
from leeward.cluster.registry.validation.jobs import (
    cron_job_create_failures,
    cron_job_failures,
    cron_job_update_failures,
    job_failures,
    job_update_failures,
)
from leeward.cluster.registry.validation.jobstatus import job_status_failures
from leeward.cluster.registry.validation.workloads import (
    daemon_set_failures,
    deployment_failures,
    immutable_failures,
    replica_set_failures,
    replication_controller_failures,
    revision_failures,
    revision_update_failures,
    stateful_set_failures,
)
from leeward.kube.objects import Obj, annotations_of
from leeward.kube.wellknown import TEMPLATE_GENERATION


def _with_template(spec: Obj) -> Obj:
    """Fill in the template, which is there even when it was left out."""
    return update(fill(spec, template={}), "template", default_template)


def _with_spec(obj: Obj, spec: Obj) -> Obj:
    return {**obj, "spec": spec}


def _default_deployment(obj: Obj) -> Obj:
    spec = fill(obj.get("spec"), replicas=1, revisionHistoryLimit=10, progressDeadlineSeconds=600)
    strategy = fill_zero(spec.get("strategy"), type="RollingUpdate")
    if strategy["type"] == "RollingUpdate":
        rolling = fill(strategy.get("rollingUpdate"), maxUnavailable="25%", maxSurge="25%")
        strategy = {**strategy, "rollingUpdate": rolling}
    return _with_spec(obj, _with_template({**spec, "strategy": strategy}))


def _default_replica_set(obj: Obj) -> Obj:
    return _with_spec(obj, _with_template(fill(obj.get("spec"), replicas=1)))


def _default_stateful_set(obj: Obj) -> Obj:
    spec = fill(obj.get("spec"), replicas=1, revisionHistoryLimit=10)
    spec = fill_zero(spec, podManagementPolicy="OrderedReady")
    retention = fill_zero(
        spec.get("persistentVolumeClaimRetentionPolicy"), whenDeleted="Retain", whenScaled="Retain"
    )
    spec["persistentVolumeClaimRetentionPolicy"] = retention
    strategy = fill_zero(spec.get("updateStrategy"), type="RollingUpdate")
    if strategy["type"] == "RollingUpdate":
        strategy = {**strategy, "rollingUpdate": fill(strategy.get("rollingUpdate"), partition=0)}
    spec = _with_template({**spec, "updateStrategy": strategy})
    claims = lambda items: fill_each(items, _default_claim_template)  # noqa: E731 - one line, used once
    return _with_spec(obj, update(spec, "volumeClaimTemplates", claims))


def _default_claim_template(claim: Obj) -> Obj:
    claim = default_claim(fill(claim, apiVersion="v1", kind="PersistentVolumeClaim"))
    meta = dict(claim.get("metadata") or {})
    return {**claim, "metadata": meta, "status": {"phase": "Pending"}}


def _default_daemon_set(obj: Obj) -> Obj:
    spec = fill(obj.get("spec"), revisionHistoryLimit=10)
    strategy = fill_zero(spec.get("updateStrategy"), type="RollingUpdate")
    if strategy["type"] == "RollingUpdate":
        rolling = fill(strategy.get("rollingUpdate"), maxUnavailable=1, maxSurge=0)
        strategy = {**strategy, "rollingUpdate": rolling}
    obj = _with_template_generation(obj, annotations_of(obj).get(TEMPLATE_GENERATION, "1"))
    return _with_spec(obj, _with_template({**spec, "updateStrategy": strategy}))


def _with_template_generation(obj: Obj, generation: str) -> Obj:
    meta = obj.get("metadata") or {}
    annotations = {**(meta.get("annotations") or {}), TEMPLATE_GENERATION: generation}
    return {**obj, "metadata": {**meta, "annotations": annotations}}


def _count_template(new: Obj, old: Obj) -> Obj:
    """Keep the generation of a DaemonSet's template, which changes with the template only."""
    generation = annotations_of(old).get(TEMPLATE_GENERATION, "1")
    if new["spec"].get("template") != old["spec"].get("template") and generation.isdigit():
        generation = str(int(generation) + 1)
    return _with_template_generation(new, generation)


_UNLIMITED = 2147483647  # failures of a Job whose indexes have limits of their own


def _default_job(obj: Obj) -> Obj:
    given = obj.get("spec") or {}
    spec = fill(
        given,
        backoffLimit=6 if given.get("backoffLimitPerIndex") is None else _UNLIMITED,
        completionMode="NonIndexed",
        suspend=False,
        manualSelector=False,
        podReplacementPolicy="TerminatingOrFailed" if given.get("podFailurePolicy") is None else "Failed",
    )
    if "completions" not in spec and "parallelism" not in spec:
        spec = fill(spec, completions=1, parallelism=1)
    spec = fill(spec, parallelism=1)
    spec = update(spec, "podFailurePolicy", _default_failure_policy)
    spec = _with_template(spec)
    meta, labels = obj.get("metadata") or {}, (spec["template"].get("metadata") or {}).get("labels")
    if labels and not meta.get("labels"):
        obj = {**obj, "metadata": {**meta, "labels": labels}}
    return _with_spec(obj, spec)


def _default_failure_policy(policy: Obj) -> Obj:
    def pattern(each: Obj) -> Obj:
        return fill_zero(each, status="True")

    def rule(each: Obj) -> Obj:
        return update(each, "onPodConditions", lambda items: fill_each(items, pattern))

    return update(policy, "rules", lambda rules: fill_each(rules, rule))


def _default_cron_job(obj: Obj) -> Obj:
    spec = fill(
        fill_zero(obj.get("spec"), concurrencyPolicy="Allow"),
        suspend=False,
        successfulJobsHistoryLimit=3,
        failedJobsHistoryLimit=1,
    )
    return _with_spec(obj, update(spec, "jobTemplate", _default_job_template))


def _default_job_template(job: Obj) -> Obj:
    """Its Pods are completed here; what a Job gets by default waits for the Job."""
    job = fill(job, metadata={}, spec={})
    return update(job, "spec", _with_template)


def _complete_job(obj: Obj) -> Obj:
    """Give a Job the selector and labels that tie its Pods to it, unless it brings its own."""
    spec, meta = obj["spec"], obj["metadata"]
    template = spec["template"]
    labels = (template.get("metadata") or {}).get("labels")
    if not spec.get("manualSelector"):
        uid, name = meta["uid"], meta["name"]
        ours = {
            "batch.kubernetes.io/controller-uid": uid,
            "batch.kubernetes.io/job-name": name,
            "controller-uid": uid,
            "job-name": name,
        }
        given = spec.get("selector") or {}
        matched = {"batch.kubernetes.io/controller-uid": uid, **(given.get("matchLabels") or {})}
        inner = {**(template.get("metadata") or {}), "labels": {**ours, **(labels or {})}}
        template = {**template, "metadata": inner}
        spec = {**spec, "selector": {**given, "matchLabels": matched}, "template": template}
    if not meta.get("labels") or meta["labels"] == labels:  # as upstream's share them with the template's
        final = (template.get("metadata") or {}).get("labels")
        meta = {**meta, "labels": final} if final else meta
    return {**obj, "metadata": meta, "spec": spec}


_CHANGEABLE = frozenset(
    (
        "replicas", "ordinals", "template", "updateStrategy", "revisionHistoryLimit",
        "persistentVolumeClaimRetentionPolicy", "minReadySeconds",
    )
)  # fmt: skip
_FIXED = (
    "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', "
    "'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden"
)


def _stateful_set_update_failures(new: Obj, old: Obj) -> list[Failure]:
    def frozen(obj: Obj) -> Obj:
        spec = {key: value for key, value in obj["spec"].items() if key not in _CHANGEABLE}
        return update(spec, "volumeClaimTemplates", lambda items: [{**c, "status": None} for c in items])

    return [] if frozen(new) == frozen(old) else [forbidden("spec", _FIXED)]


def _default_replication_controller(obj: Obj) -> Obj:
    """What selects nothing selects the labels of its Pods, and is labelled like them."""
    spec = update(fill(obj.get("spec"), replicas=1), "template", default_template)
    labels = ((spec.get("template") or {}).get("metadata") or {}).get("labels")
    if labels and not spec.get("selector"):
        spec["selector"] = labels
    meta = obj.get("metadata") or {}
    if labels and not meta.get("labels"):
        obj = {**obj, "metadata": {**meta, "labels": labels}}
    return _with_spec(obj, spec)


DEPLOYMENT = Strategy(
    status_metadata=("annotations", "finalizers", "ownerReferences"),
    default=_default_deployment,
    validate=deployment_failures,
    validate_update=immutable_failures("selector"),
    validate_status=workloadstatus.DEPLOYMENT,
    has_status=True,
    has_generation=True,
    initial_status={},
)
REPLICA_SET = Strategy(
    default=_default_replica_set,
    validate=replica_set_failures,
    validate_update=immutable_failures("selector"),
    validate_status=workloadstatus.REPLICA_SET,
    has_status=True,
    has_generation=True,
    initial_status={"replicas": 0},
)
STATEFUL_SET = Strategy(
    default=_default_stateful_set,
    validate=stateful_set_failures,
    validate_update=_stateful_set_update_failures,
    validate_status=workloadstatus.STATEFUL_SET,
    has_status=True,
    has_generation=True,
    initial_status={"availableReplicas": 0, "replicas": 0},
)
DAEMON_SET = Strategy(
    default=_default_daemon_set,
    prepare_update=_count_template,
    validate=daemon_set_failures,
    validate_update=immutable_failures("selector"),
    update_first=True,
    validate_status=workloadstatus.DAEMON_SET,
    has_status=True,
    has_generation=True,
    initial_status={
        "currentNumberScheduled": 0,
        "desiredNumberScheduled": 0,
        "numberMisscheduled": 0,
        "numberReady": 0,
    },
)
JOB = Strategy(
    default=_default_job,
    prepare_create=_complete_job,
    validate=job_failures,
    validate_update=job_update_failures,
    validate_status=job_status_failures,
    has_status=True,
    has_generation=True,
    initial_status={},
)
CRON_JOB = Strategy(
    default=_default_cron_job,
    validate=cron_job_failures,
    validate_create=cron_job_create_failures,
    validate_update=cron_job_update_failures,
    has_status=True,
    has_generation=True,
    initial_status={},
)
REPLICATION_CONTROLLER = Strategy(
    default=_default_replication_controller,
    validate=replication_controller_failures,
    validate_status=workloadstatus.REPLICATION_CONTROLLER,
    has_status=True,
    has_generation=True,
    initial_status={"replicas": 0},
)
CONTROLLER_REVISION = Strategy(validate=revision_failures, validate_update=revision_update_failures)
