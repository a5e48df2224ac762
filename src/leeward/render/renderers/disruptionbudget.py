"""A PodDisruptionBudget for every service with two replicas or more: one at a time goes.

Source: kubernetes.io/docs/tasks/run-application/configure-pdb (unhealthy Pods never block a drain).
"""

from __future__ import annotations

from leeward.kube.objects import Obj
from leeward.render.model import PodDraft, Renderer, ServiceContext
from leeward.render.plan import Kind


def _service(context: ServiceContext, draft: PodDraft) -> list[Obj]:
    plan = context.plan
    if plan.replicas < 2 or plan.kind not in (Kind.DEPLOYMENT, Kind.STATEFUL_SET):
        return []
    spec = {
        "maxUnavailable": 1,
        "unhealthyPodEvictionPolicy": "AlwaysAllow",
        "selector": {"matchLabels": context.selector},
    }
    return [{**context.object("policy/v1", "PodDisruptionBudget", plan.name), "spec": spec}]


DESCRIPTOR = Renderer(name="disruptionbudget", service=_service)
