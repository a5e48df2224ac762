"""How Pods are replaced: ``deploy.update_config`` as the strategy of a Deployment, StatefulSet or DaemonSet.

Without it, no Pod goes before its successor is ready. Compose's own default order is ``stop-first``; it is
followed only where the file writes it, because it takes capacity away.

Source: the Compose Specification, "update_config"; ``DeploymentSpec``, ``DaemonSetUpdateStrategy`` and
``StatefulSetUpdateStrategy`` of the Kubernetes API reference.
"""

from __future__ import annotations

from typing import Any

from leeward.compose.project import UpdateConfig
from leeward.render.model import PodDraft, ServiceContext
from leeward.render.plan import Kind
from leeward.render.quantity import whole_seconds

PROGRESS_SECONDS = 600  # Kubernetes' own deadline of a roll-out that makes no progress
REVISIONS = 5  # templates to go back to; older releases are in the release history
_FAILURE_ACTIONS = {
    "continue": "A roll-out whose Pods do not become ready stops instead of going on.",
    "rollback": "A failed roll-out stops and is not undone by the cluster.",
}


def _config(context: ServiceContext) -> UpdateConfig:
    deploy = context.service.deploy
    return (deploy.update_config if deploy else None) or UpdateConfig()


def _step(config: UpdateConfig) -> int | str:
    """Return how many Pods are replaced at a time; ``parallelism: 0`` means all."""
    return 1 if config.parallelism is None else config.parallelism or "100%"


def _rolling(config: UpdateConfig) -> dict[str, Any]:
    if config.order == "stop-first":
        return {"maxUnavailable": _step(config), "maxSurge": 0}
    return {"maxUnavailable": 0, "maxSurge": _step(config)}


def _ready_seconds(config: UpdateConfig) -> int:
    return whole_seconds(config.delay) if config.delay else 0


def _pace(config: UpdateConfig) -> dict[str, int]:
    seconds = _ready_seconds(config)
    return {"minReadySeconds": seconds} if seconds else {}


def _deadline(config: UpdateConfig, draft: PodDraft) -> dict[str, int]:
    """Return when a roll-out counts as stuck: after start-up, the pause and Compose's ``monitor``."""
    seconds = _ready_seconds(config)
    if config.monitor:
        probe = draft.container.get("startupProbe") or {}
        patience = probe.get("periodSeconds", 0) * probe.get("failureThreshold", 0)
        return {"progressDeadlineSeconds": patience + seconds + whole_seconds(config.monitor)}
    if seconds >= PROGRESS_SECONDS:  # it must be more than minReadySeconds
        return {"progressDeadlineSeconds": seconds + PROGRESS_SECONDS}
    return {}


def deployment_update(context: ServiceContext, draft: PodDraft) -> dict[str, Any]:
    """Return the fields of a Deployment's spec that say how it is updated."""
    config = _config(context)
    return {
        **_pace(config),
        **_deadline(config, draft),
        "revisionHistoryLimit": REVISIONS,
        "strategy": {"type": "RollingUpdate", "rollingUpdate": _rolling(config)},
    }


def stateful_set_update(context: ServiceContext) -> dict[str, Any]:
    """Return the fields of a StatefulSet's spec that say how it is updated."""
    return {
        **_pace(_config(context)),
        "revisionHistoryLimit": REVISIONS,
        "updateStrategy": {"type": "RollingUpdate"},
    }


def daemon_set_update(context: ServiceContext) -> dict[str, Any]:
    """Return the fields of a DaemonSet's spec that say how it is updated.

    Two Pods of a DaemonSet on one node are surprising, so ``start-first`` must be asked for.
    """
    config = _config(context)
    if config.order == "start-first":
        rolling = _rolling(config)
    else:
        rolling = {"maxUnavailable": _step(config), "maxSurge": 0}
    return {
        **_pace(config),
        "revisionHistoryLimit": REVISIONS,
        "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": rolling},
    }


def report_update(context: ServiceContext) -> None:
    """Say what of ``update_config`` the workload's kind does otherwise."""
    config, path = _config(context), ("deploy", "update_config")
    if context.plan.kind is Kind.STATEFUL_SET and (config.order or config.parallelism is not None):
        context.note(path, "approximated", "A StatefulSet stops and starts one Pod at a time.")
    if text := _FAILURE_ACTIONS.get(config.failure_action or ""):
        context.note((*path, "failure_action"), "approximated", text)
    if config.monitor and context.plan.kind is not Kind.DEPLOYMENT:
        context.note(
            (*path, "monitor"), "ignored", f"A {context.plan.kind.value} has no deadline for its roll-out."
        )
