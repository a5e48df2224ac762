"""HorizontalPodAutoscalers: defaults.

Source: pkg/apis/autoscaling/v2/defaults.go (Kubernetes 1.36).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from leeward.cluster.registry.kinds.fill import fill
from leeward.kube.objects import Obj

_PERCENT = {"type": "Percent", "value": 100, "periodSeconds": 15}
_RULES: Mapping[str, Mapping[str, Any]] = {
    "scaleUp": {
        "stabilizationWindowSeconds": 0,
        "selectPolicy": "Max",
        "policies": [{"type": "Pods", "value": 4, "periodSeconds": 15}, _PERCENT],
    },
    "scaleDown": {"selectPolicy": "Max", "policies": [_PERCENT]},
}
_CPU = {
    "type": "Resource",
    "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 80}},
}


def default_autoscaler(obj: Obj) -> Obj:
    """Fill in a HorizontalPodAutoscaler."""
    spec = fill(obj.get("spec"), minReplicas=1)
    if not spec.get("metrics"):
        spec["metrics"] = [_CPU]
    if spec.get("behavior") is not None:
        spec["behavior"] = {
            direction: {**rules, **fill(spec["behavior"].get(direction))}
            for direction, rules in _RULES.items()
        }
    return {**obj, "spec": spec}
