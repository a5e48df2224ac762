"""A PodDisruptionBudget for every service with two replicas or more: one at a time goes.

``x-leeward`` may let more go, or fewer, or switch it off.

Source: kubernetes.io/docs/tasks/run-application/configure-pdb (unhealthy Pods never block a drain).
"""

from __future__ import annotations

from typing import Any

from leeward.kube.objects import Obj
from leeward.render.model import PodDraft, Renderer, ServiceContext
from leeward.render.plan import Kind


def _limit(context: ServiceContext) -> dict[str, Any]:
    """Return the number that the budget is about; empty: no budget."""
    wanted = context.plan.settings.disruption
    if not wanted.enabled:
        return {}
    if wanted.min_available is not None:
        return {"minAvailable": wanted.min_available}
    if wanted.max_unavailable is not None:
        return {"maxUnavailable": wanted.max_unavailable}
    return {"maxUnavailable": 1} if context.plan.replicas >= 2 else {}


def _service(context: ServiceContext, draft: PodDraft) -> list[Obj]:
    plan = context.plan
    limit = _limit(context)
    if not limit or plan.kind not in (Kind.DEPLOYMENT, Kind.STATEFUL_SET):
        return []
    spec = {
        **limit,
        "unhealthyPodEvictionPolicy": "AlwaysAllow",
        "selector": {"matchLabels": context.selector},
    }
    return [{**context.object("policy/v1", "PodDisruptionBudget", plan.name), "spec": spec}]


DESCRIPTOR = Renderer(name="disruptionbudget", service=_service)
