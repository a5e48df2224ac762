"""Deployments, ReplicaSets, StatefulSets, DaemonSets, Jobs: defaults and rules.

Source: pkg/apis/apps/v1/defaults.go, pkg/apis/batch/v1/defaults.go and their validation (Kubernetes 1.36).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from leeward.cluster.registry.failures import Failure, forbidden, invalid, required, unsupported
from leeward.cluster.registry.kinds.fill import fill, fill_each, update
from leeward.cluster.registry.kinds.pods import default_template, validate_template
from leeward.cluster.registry.kinds.storage import default_claim
from leeward.cluster.registry.kinds.strategy import Strategy
from leeward.kube.objects import Obj, annotations_of
from leeward.kube.selectors import matches_selector
from leeward.kube.wellknown import TEMPLATE_GENERATION

_NOT_NEGATIVE = "must be greater than or equal to 0"
_IMMUTABLE = "field is immutable"


def _with_spec(obj: Obj, spec: Obj) -> Obj:
    return {**obj, "spec": spec}


def _default_deployment(obj: Obj) -> Obj:
    spec = fill(obj.get("spec"), replicas=1, revisionHistoryLimit=10, progressDeadlineSeconds=600)
    strategy = fill(spec.get("strategy"), type="RollingUpdate")
    if strategy["type"] == "RollingUpdate":
        rolling = fill(strategy.get("rollingUpdate"), maxUnavailable="25%", maxSurge="25%")
        strategy = {**strategy, "rollingUpdate": rolling}
    return _with_spec(obj, update({**spec, "strategy": strategy}, "template", default_template))


def _default_replica_set(obj: Obj) -> Obj:
    return _with_spec(obj, update(fill(obj.get("spec"), replicas=1), "template", default_template))


def _default_stateful_set(obj: Obj) -> Obj:
    spec = fill(
        obj.get("spec"),
        replicas=1,
        revisionHistoryLimit=10,
        podManagementPolicy="OrderedReady",
        persistentVolumeClaimRetentionPolicy={"whenDeleted": "Retain", "whenScaled": "Retain"},
    )
    strategy = fill(spec.get("updateStrategy"), type="RollingUpdate")
    if strategy["type"] == "RollingUpdate":
        strategy = {**strategy, "rollingUpdate": fill(strategy.get("rollingUpdate"), partition=0)}
    spec = update({**spec, "updateStrategy": strategy}, "template", default_template)
    claims = lambda items: fill_each(items, _default_claim_template)  # noqa: E731 - one line, used once
    return _with_spec(obj, update(spec, "volumeClaimTemplates", claims))


def _default_claim_template(claim: Obj) -> Obj:
    claim = default_claim(fill(claim, apiVersion="v1", kind="PersistentVolumeClaim"))
    meta = dict(claim.get("metadata") or {})
    return {**claim, "metadata": meta, "status": {"phase": "Pending"}}


def _default_daemon_set(obj: Obj) -> Obj:
    spec = fill(obj.get("spec"), revisionHistoryLimit=10)
    strategy = fill(spec.get("updateStrategy"), type="RollingUpdate")
    if strategy["type"] == "RollingUpdate":
        rolling = fill(strategy.get("rollingUpdate"), maxUnavailable=1, maxSurge=0)
        strategy = {**strategy, "rollingUpdate": rolling}
    obj = _with_template_generation(obj, annotations_of(obj).get(TEMPLATE_GENERATION, "1"))
    return _with_spec(obj, update({**spec, "updateStrategy": strategy}, "template", default_template))


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


def _default_job(obj: Obj) -> Obj:
    spec = fill(
        obj.get("spec"),
        backoffLimit=6,
        completionMode="NonIndexed",
        suspend=False,
        manualSelector=False,
        podReplacementPolicy="TerminatingOrFailed",
    )
    if "completions" not in spec and "parallelism" not in spec:
        spec = fill(spec, completions=1, parallelism=1)
    spec = fill(spec, parallelism=1)
    if spec.get("podFailurePolicy"):
        spec["podReplacementPolicy"] = "Failed"
    return _with_spec(obj, update(spec, "template", default_template))


def _default_cron_job(obj: Obj) -> Obj:
    spec = fill(
        obj.get("spec"),
        concurrencyPolicy="Allow",
        suspend=False,
        successfulJobsHistoryLimit=3,
        failedJobsHistoryLimit=1,
    )
    return _with_spec(obj, update(spec, "jobTemplate", _default_job_template))


def _default_job_template(job: Obj) -> Obj:
    """Its Pods are completed here; what a Job gets by default waits for the Job."""
    job = fill(job, metadata={}, spec={})
    return update(job, "spec", lambda spec: update(spec, "template", default_template))


def complete_job(obj: Obj, uid: str) -> Obj:
    """Give a Job the selector and labels that tie its Pods to it, unless it brings its own."""
    spec = obj.get("spec") or {}
    if spec.get("manualSelector") or spec.get("template") is None:
        return obj
    name = obj["metadata"]["name"]
    ours = {
        "batch.kubernetes.io/controller-uid": uid,
        "batch.kubernetes.io/job-name": name,
        "controller-uid": uid,
        "job-name": name,
    }
    template = spec["template"]
    meta = template.get("metadata") or {}
    template = {**template, "metadata": {**meta, "labels": {**(meta.get("labels") or {}), **ours}}}
    selector = {"matchLabels": {"batch.kubernetes.io/controller-uid": uid}}
    return {**obj, "spec": {**spec, "selector": selector, "template": template}}


def _validate(restart: tuple[str, ...], counts: tuple[str, ...]) -> Callable[[Obj], list[Failure]]:
    def validate(obj: Obj) -> list[Failure]:
        spec = obj.get("spec") or {}
        found = [
            invalid(f"spec.{name}", spec[name], _NOT_NEGATIVE)
            for name in counts
            if isinstance(spec.get(name), int) and spec[name] < 0
        ]
        selector, template = spec.get("selector"), spec.get("template")
        if not selector and obj["kind"] != "Job":
            found.append(required("spec.selector"))
        if template is None:
            return [*found, required("spec.template")]
        labels = (template.get("metadata") or {}).get("labels") or {}
        if selector and not matches_selector(selector, labels):
            found.append(
                invalid(
                    "spec.template.metadata.labels", labels, "`selector` does not match template `labels`"
                )
            )
        policy = template["spec"].get("restartPolicy")
        if policy not in restart:
            found.append(unsupported("spec.template.spec.restartPolicy", policy, list(restart)))
        claims = [claim["metadata"].get("name") for claim in spec.get("volumeClaimTemplates") or ()]
        return [*found, *validate_template(template, "spec.template", claims)]

    return validate


def _immutable(*fields: str) -> Callable[[Obj, Obj], list[Failure]]:
    def validate(new: Obj, old: Obj) -> list[Failure]:
        return [
            invalid(f"spec.{name}", new["spec"].get(name), _IMMUTABLE)
            for name in fields
            if new["spec"].get(name) != old["spec"].get(name)
        ]

    return validate


_STATEFUL_SET_CHANGEABLE = frozenset(
    (
        "replicas", "ordinals", "template", "updateStrategy", "revisionHistoryLimit",
        "persistentVolumeClaimRetentionPolicy", "minReadySeconds",
    )
)  # fmt: skip


def _validate_stateful_set_update(new: Obj, old: Obj) -> list[Failure]:
    def frozen(obj: Obj) -> dict[str, Any]:
        spec = {key: value for key, value in obj["spec"].items() if key not in _STATEFUL_SET_CHANGEABLE}
        return update(spec, "volumeClaimTemplates", lambda items: [{**c, "status": None} for c in items])

    if frozen(new) == frozen(old):
        return []
    text = "'replicas', 'ordinals', 'template', 'updateStrategy', 'revisionHistoryLimit', "
    text += "'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden"
    return [forbidden("spec", f"updates to statefulset spec for fields other than {text}")]


DEPLOYMENT = Strategy(
    default=_default_deployment,
    validate=_validate(("Always",), ("replicas", "minReadySeconds", "revisionHistoryLimit")),
    validate_update=_immutable("selector"),
    has_status=True,
    has_generation=True,
    initial_status={},
)
REPLICA_SET = Strategy(
    default=_default_replica_set,
    validate=_validate(("Always",), ("replicas", "minReadySeconds")),
    validate_update=_immutable("selector"),
    has_status=True,
    has_generation=True,
    initial_status={"replicas": 0},
)
STATEFUL_SET = Strategy(
    default=_default_stateful_set,
    validate=_validate(("Always",), ("replicas", "minReadySeconds", "revisionHistoryLimit")),
    validate_update=_validate_stateful_set_update,
    has_status=True,
    has_generation=True,
    initial_status={"availableReplicas": 0, "replicas": 0},
)
DAEMON_SET = Strategy(
    default=_default_daemon_set,
    prepare_update=_count_template,
    validate=_validate(("Always",), ("minReadySeconds", "revisionHistoryLimit")),
    validate_update=_immutable("selector"),
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
    validate=_validate(("OnFailure", "Never"), ("parallelism", "completions", "backoffLimit")),
    validate_update=_immutable("selector", "completionMode", "template", "podFailurePolicy"),
    has_status=True,
    has_generation=True,
    initial_status={},
)
CRON_JOB = Strategy(default=_default_cron_job, has_status=True, has_generation=True, initial_status={})
