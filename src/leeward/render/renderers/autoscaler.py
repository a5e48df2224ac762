"""A HorizontalPodAutoscaler where ``x-leeward`` asks for one; the workload then says nothing of replicas.

Resource targets are shares of what is requested, and every container requests something (``resources``). The
embedded cluster has no metrics to scale by: there the service has its fewest replicas.

Source: kubernetes.io/docs/tasks/run-application/horizontal-pod-autoscale (autoscaling/v2).
"""

from __future__ import annotations

from typing import Any

from leeward.base.diagnostics import Severity
from leeward.kube.objects import Obj
from leeward.render.model import PodDraft, Renderer, ServiceContext
from leeward.render.plan import Kind
from leeward.settings.service import Autoscale, Behavior, ScalingRules

DEFAULT_CPU = 70  # per cent of the request, when nothing else is said
_SCALABLE = (Kind.DEPLOYMENT, Kind.STATEFUL_SET)


def _resource(name: str, share: int) -> dict[str, Any]:
    target = {"type": "Utilization", "averageUtilization": share}
    return {"type": "Resource", "resource": {"name": name, "target": target}}


def _metrics(wanted: Autoscale) -> list[dict[str, Any]]:
    shares = {"cpu": wanted.cpu, "memory": wanted.memory}
    if not any(shares.values()) and not wanted.metrics:
        shares["cpu"] = DEFAULT_CPU
    return [*(_resource(name, share) for name, share in shares.items() if share), *wanted.metrics]


def _direction(rules: ScalingRules) -> dict[str, Any]:
    found = {
        "stabilizationWindowSeconds": rules.stabilization_window_seconds,
        "selectPolicy": rules.select_policy,
        "policies": [
            {"type": policy.type, "value": policy.value, "periodSeconds": policy.period_seconds}
            for policy in rules.policies
        ],
    }
    return {key: value for key, value in found.items() if value not in (None, [])}


def _behavior(wanted: Behavior) -> dict[str, Any]:
    directions = {"scaleUp": wanted.scale_up, "scaleDown": wanted.scale_down}
    return {key: _direction(rules) for key, rules in directions.items() if rules is not None}


def is_autoscaled(context: ServiceContext) -> bool:
    """Tell whether something else than the workload decides how many replicas there are."""
    return context.plan.settings.autoscale is not None and not context.options.on_embedded


def _service(context: ServiceContext, draft: PodDraft) -> list[Obj]:
    plan, wanted = context.plan, context.plan.settings.autoscale
    if wanted is None:
        return []
    if plan.kind not in _SCALABLE:
        context.report(
            ("x-leeward", "autoscale"),
            "not-scalable",
            Severity.ERROR,
            f"The service becomes a {plan.kind.value}, which has no number of replicas to change.",
            "Remove autoscale.",
        )
        return []
    if not is_autoscaled(context):
        context.note(
            ("x-leeward", "autoscale"),
            "not-scaled",
            f"The embedded cluster does not scale by load: it runs {wanted.min}.",
        )
        return []
    spec: dict[str, Any] = {
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": plan.kind.value, "name": plan.name},
        "minReplicas": wanted.min,
        "maxReplicas": wanted.max,
        "metrics": _metrics(wanted),
    }
    if wanted.behavior and (behavior := _behavior(wanted.behavior)):
        spec["behavior"] = behavior
    path = ("x-leeward", "autoscale")
    return [{**context.object("autoscaling/v2", "HorizontalPodAutoscaler", plan.name, *path), "spec": spec}]


DESCRIPTOR = Renderer(name="autoscaler", service=_service)
