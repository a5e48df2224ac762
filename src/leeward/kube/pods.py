"""What controllers ask about Pods, the same for all of them. Pure.

Source: pkg/api/v1/pod/util.go, pkg/controller/controller_utils.go (Kubernetes 1.36).
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from leeward.kube.objects import (
    Obj,
    find_condition,
    is_condition_true,
    is_terminating,
    owner_reference,
    parse_time,
)


def is_finished(pod: Obj) -> bool:
    """Tell whether the Pod has succeeded or failed."""
    return (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed")


def is_active(pod: Obj) -> bool:
    """Tell whether the Pod counts as one of its controller's replicas."""
    return not is_finished(pod) and not is_terminating(pod)


def is_ready(pod: Obj) -> bool:
    """Tell whether the Pod is Ready."""
    return is_condition_true(pod, "Ready")


def available_in(pod: Obj, min_ready_seconds: int, now: datetime) -> float | None:
    """Return seconds until the Pod is available: 0 when it is, None when it is not ready."""
    condition = find_condition(pod, "Ready")
    if condition is None or condition.get("status") != "True":
        return None
    since = condition.get("lastTransitionTime")
    if min_ready_seconds <= 0 or not since:
        return 0.0
    return max(0.0, min_ready_seconds - (now - parse_time(since)).total_seconds())


def pod_from_template(owner: Obj, template: Obj, **metadata: Any) -> Obj:
    """Return a Pod of `template`, controlled by `owner`.

    Args:
        owner: the controlling object.
        template: ``spec.template``.
        metadata: ``name`` or ``generateName``, and labels or annotations to add.
    """
    meta = template.get("metadata") or {}
    result: Obj = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "namespace": owner["metadata"]["namespace"],
            **{key: value for key, value in metadata.items() if key in ("name", "generateName")},
            "labels": {**(meta.get("labels") or {}), **(metadata.get("labels") or {})},
            "ownerReferences": [owner_reference(owner)],
        },
        "spec": template["spec"],
    }
    annotations = {**(meta.get("annotations") or {}), **(metadata.get("annotations") or {})}
    if annotations:
        result["metadata"]["annotations"] = annotations
    if meta.get("finalizers"):
        result["metadata"]["finalizers"] = meta["finalizers"]
    return result
