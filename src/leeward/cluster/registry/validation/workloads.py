"""Deployments, ReplicaSets, StatefulSets, DaemonSets, replication controllers and their revisions.

Source: pkg/apis/apps/validation/validation.go, pkg/apis/core/validation/validation.go
ValidateReplicationControllerSpec (Kubernetes 1.36).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

from leeward.cluster.registry.failures import Failure, forbidden, go_struct, invalid, required, unsupported
from leeward.cluster.registry.validation.formats import label_selector_failures, not_negative
from leeward.cluster.registry.validation.pods import template_failures
from leeward.kube.objects import Obj
from leeward.kube.selectors import matches_selector

IMMUTABLE = "field is immutable"
MISMATCH = "`selector` does not match template `labels`"
_PERCENT = re.compile("[0-9]+%")
_PERCENT_TEXT = (
    "a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', regex "
    "used for validation is '[0-9]+%')"
)


def selector_failures(spec: Obj, kind: str, *, needed: bool = True) -> list[Failure]:
    """Check ``spec.selector``."""
    selector = spec.get("selector")
    if selector is None:
        return [required("spec.selector")] if needed else []
    found = label_selector_failures(selector, "spec.selector")
    if not selector.get("matchLabels") and not selector.get("matchExpressions"):
        found.append(invalid("spec.selector", selector, f"empty selector is invalid for {kind}"))
    return found


def pod_template_failures(spec: Obj, kind: str, claims: Iterable[str] = ()) -> list[Failure]:
    """Check ``spec.template`` of what keeps Pods running: labels, the Pod, its restart policy."""
    template = spec.get("template")
    if template is None:
        return [required("spec.template")]
    found = mismatch_failures(spec)
    found += template_failures(template, "spec.template", claims)
    pod = template.get("spec") or {}
    if pod.get("restartPolicy") != "Always":
        place = "spec.template.spec.restartPolicy"
        found.append(unsupported(place, pod.get("restartPolicy") or "", ("Always",)))
    if pod.get("activeDeadlineSeconds") is not None:
        text = f"activeDeadlineSeconds in {kind} is not Supported"
        found.append(forbidden("spec.template.spec.activeDeadlineSeconds", text))
    return found


def mismatch_failures(spec: Obj) -> list[Failure]:
    """Check that the selector finds the template's Pods; one that is not there finds nothing."""
    selector, labels = spec.get("selector"), (spec["template"].get("metadata") or {}).get("labels")
    if selector is not None and matches_selector(selector, labels or {}):
        return []
    return [invalid("spec.template.metadata.labels", labels, MISMATCH)]


def _counts(spec: Obj, *names: str) -> list[Failure]:
    return [failure for name in names for failure in not_negative(spec.get(name), f"spec.{name}")]


def amount_failures(value: Any, field: str) -> list[Failure]:
    """Check a number or percentage that is not negative."""
    if isinstance(value, str):
        return [] if _PERCENT.fullmatch(value) else [invalid(field, value, _PERCENT_TEXT)]
    return not_negative(value, field)


def _share_failures(value: Any, field: str) -> list[Failure]:
    if isinstance(value, str) and _PERCENT.fullmatch(value) and int(value[:-1]) > 100:
        return [invalid(field, value, "must not be greater than 100%")]
    return []


def _is_zero(value: Any) -> bool:
    return value in (None, 0, "0%") or (isinstance(value, str) and not value.rstrip("%").strip("0"))


def deployment_failures(obj: Obj) -> list[Failure]:
    """Check a Deployment."""
    spec = obj.get("spec") or {}
    found = _counts(spec, "replicas")
    found += selector_failures(spec, "deployment") + pod_template_failures(spec, "ReplicaSet")
    found += _strategy(spec.get("strategy") or {}, "spec.strategy")
    found += _counts(spec, "minReadySeconds", "revisionHistoryLimit")
    deadline = spec.get("progressDeadlineSeconds")
    if deadline is not None:
        found += not_negative(deadline, "spec.progressDeadlineSeconds")
        if deadline <= (spec.get("minReadySeconds") or 0):
            text = "must be greater than minReadySeconds"
            found.append(invalid("spec.progressDeadlineSeconds", deadline, text))
    return found


def _strategy(strategy: Obj, field: str) -> list[Failure]:
    kind, rolling, place = strategy.get("type") or "", strategy.get("rollingUpdate"), f"{field}.rollingUpdate"
    if kind == "Recreate":
        text = "may not be specified when strategy `type` is 'Recreate'"
        return [] if rolling is None else [forbidden(place, text)]
    if kind != "RollingUpdate":
        return [unsupported(f"{field}.type", kind, ("Recreate", "RollingUpdate"))]
    if rolling is None:
        return [required(place, "this should be defaulted and never be nil")]
    unavailable, surge = rolling.get("maxUnavailable"), rolling.get("maxSurge")
    found = amount_failures(unavailable, f"{place}.maxUnavailable")
    found += amount_failures(surge, f"{place}.maxSurge")
    if _is_zero(unavailable) and _is_zero(surge):
        text = "may not be 0 when `maxSurge` is 0"
        found.append(invalid(f"{place}.maxUnavailable", unavailable, text))
    return found + _share_failures(unavailable, f"{place}.maxUnavailable")


def replica_set_failures(obj: Obj) -> list[Failure]:
    """Check a ReplicaSet."""
    spec = obj.get("spec") or {}
    found = _counts(spec, "replicas", "minReadySeconds")
    return found + selector_failures(spec, "deployment") + pod_template_failures(spec, "ReplicaSet")


def replication_controller_failures(obj: Obj) -> list[Failure]:
    """Check a ReplicationController, whose selector are plain labels."""
    spec = obj.get("spec") or {}
    selector = spec.get("selector") or {}
    found = _counts(spec, "minReadySeconds")
    if not selector:
        found.append(required("spec.selector"))
    found += _counts(spec, "replicas")
    spec = {**spec, "selector": {"matchLabels": selector}}
    return found + pod_template_failures(spec, "ReplicationController")


def daemon_set_failures(obj: Obj) -> list[Failure]:
    """Check a DaemonSet."""
    spec = obj.get("spec") or {}
    found = label_selector_failures(spec.get("selector"), "spec.selector")
    template = pod_template_failures(spec, "DaemonSet")
    found += template
    selector = spec.get("selector")
    if selector is not None and not selector.get("matchLabels") and not selector.get("matchExpressions"):
        found.append(invalid("spec.selector", selector, "empty selector is invalid for daemonset"))
    found += _counts(spec, "minReadySeconds")
    return found + _daemon_strategy(spec) + _counts(spec, "revisionHistoryLimit")


def _daemon_strategy(spec: Obj) -> list[Failure]:
    strategy, field = spec.get("updateStrategy") or {}, "spec.updateStrategy"
    kind, rolling = strategy.get("type") or "", strategy.get("rollingUpdate")
    if kind == "OnDelete":
        return []
    if kind != "RollingUpdate":
        value = go_struct(strategy, Type="", RollingUpdate=None)
        return [unsupported(field, value, ("RollingUpdate", "OnDelete"))]
    if rolling is None:
        return [required(f"{field}.rollingUpdate")]
    unavailable, surge = rolling.get("maxUnavailable"), rolling.get("maxSurge")
    place = f"{field}.rollingUpdate"
    found: list[Failure] = []
    if not _is_zero(unavailable) and not _is_zero(surge):
        found.append(invalid(f"{place}.maxSurge", surge, "may not be set when maxUnavailable is non-zero"))
    elif _is_zero(unavailable) and _is_zero(surge):
        found.append(required(f"{place}.maxUnavailable", "cannot be 0 when maxSurge is 0"))
    for name, value in (("maxUnavailable", unavailable), ("maxSurge", surge)):
        found += amount_failures(value, f"{place}.{name}") + _share_failures(value, f"{place}.{name}")
    return found


def stateful_set_failures(obj: Obj) -> list[Failure]:
    """Check a StatefulSet."""
    spec = obj.get("spec") or {}
    policy = spec.get("podManagementPolicy") or ""
    found: list[Failure] = []
    if policy not in ("OrderedReady", "Parallel"):
        text = "must be 'OrderedReady' or 'Parallel'"
        place = "spec.podManagementPolicy"
        found.append(invalid(place, policy, text) if policy else required(place))
    found += _stateful_strategy(spec.get("updateStrategy") or {}, "spec.updateStrategy")
    retention = spec.get("persistentVolumeClaimRetentionPolicy") or {}
    for name in ("whenDeleted", "whenScaled"):
        value = retention.get(name)
        if retention and value not in ("Retain", "Delete"):
            place = f"spec.persistentVolumeClaimRetentionPolicy.{name}"
            found.append(unsupported(place, value or "", ("Delete", "Retain")))
    found += _counts(spec, "replicas", "minReadySeconds")
    found += not_negative((spec.get("ordinals") or {}).get("start"), "spec.ordinals.start")
    found += _counts(spec, "revisionHistoryLimit")
    found += selector_failures(spec, "statefulset")
    claims = [
        (each.get("metadata") or {}).get("name") or "" for each in spec.get("volumeClaimTemplates") or ()
    ]
    return found + pod_template_failures(spec, "StatefulSet", claims)


def _stateful_strategy(strategy: Obj, field: str) -> list[Failure]:
    kind, rolling, place = strategy.get("type") or "", strategy.get("rollingUpdate"), f"{field}.rollingUpdate"
    if kind == "OnDelete":
        if rolling is None:
            return []
        value = go_struct(rolling, Partition=0, MaxUnavailable=None)
        return [invalid(place, value, "only allowed for updateStrategy 'RollingUpdate'")]
    if kind == "RollingUpdate":
        if rolling is None:
            return []
        found = not_negative(rolling.get("partition"), f"{place}.partition")
        unavailable = rolling.get("maxUnavailable")
        if unavailable is not None:
            found += amount_failures(unavailable, f"{place}.maxUnavailable")
            if _is_zero(unavailable):
                found.append(invalid(f"{place}.maxUnavailable", unavailable, "cannot be 0"))
            found += _share_failures(unavailable, f"{place}.maxUnavailable")
        return found
    if not kind:
        return [required(field)]
    value = go_struct(strategy, Type="", RollingUpdate=None)
    return [invalid(field, value, "must be 'RollingUpdate' or 'OnDelete'")]


def immutable_failures(*names: str) -> Callable[[Obj, Obj], list[Failure]]:
    """Return a check that fields of the spec stay what they are."""

    def check(new: Obj, old: Obj) -> list[Failure]:
        after, before = new.get("spec") or {}, old.get("spec") or {}
        return [
            invalid(f"spec.{name}", after.get(name), IMMUTABLE)
            for name in names
            if after.get(name) != before.get(name)
        ]

    return check


def revision_failures(obj: Obj) -> list[Failure]:
    """Check a ControllerRevision."""
    found: list[Failure] = []
    if obj.get("data") is None:
        found.append(required("data", "data is mandatory"))
    return found + not_negative(obj.get("revision"), "revision")


def revision_update_failures(new: Obj, old: Obj) -> list[Failure]:
    """Check that a revision's data stays what it is."""
    return [] if new.get("data") == old.get("data") else [invalid("data", new.get("data"), IMMUTABLE)]
