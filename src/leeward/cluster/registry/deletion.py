"""How an object goes: at once, after its finalizers, or, a Pod, after its grace period. Pure.

Source: k8s.io/apiserver/pkg/registry/generic/registry/store.go (deletion), rest/delete.go,
pkg/registry/core/pod/strategy.go (Kubernetes 1.36).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from leeward.cluster.registry.options import DeleteOptions
from leeward.kube.objects import Obj, format_time, is_terminating, parse_time
from leeward.kube.resources import Resource
from leeward.kube.status import ConflictError
from leeward.kube.wellknown import FINALIZER_FOREGROUND, FINALIZER_ORPHAN

_FINISHED = frozenset(("Succeeded", "Failed"))


@dataclass(frozen=True, slots=True)
class Deletion:
    """What to do: remove the object, or keep it in a state that is on its way out."""

    remove: bool
    obj: Obj


def check_preconditions(resource: Resource, obj: Obj, options: DeleteOptions) -> None:
    """Refuse when the object is not the one that was meant.

    Raises:
        ConflictError: uid or resourceVersion differ.
    """
    meta = obj["metadata"]
    what = f'{resource.name} "{meta["name"]}"'
    for name, field, wanted in (
        ("UID", "uid", options.uid),
        ("ResourceVersion", "resourceVersion", options.resource_version),
    ):
        if wanted is not None and wanted != meta[field]:
            detail = (
                f"Precondition failed: {name} in precondition: {wanted}, {name} in object meta: {meta[field]}"
            )
            raise ConflictError(
                f"Operation cannot be fulfilled on {what}: {detail}",
                details={"name": meta["name"], "kind": resource.plural},
            )


def plan_deletion(resource: Resource, obj: Obj, options: DeleteOptions, now: datetime) -> Deletion:
    """Decide what a DELETE does to `obj`."""
    meta = obj["metadata"]
    grace = _grace(resource, obj, options)
    finalizers = _finalizers(list(meta.get("finalizers") or ()), options)
    spec_finalizers = (obj.get("spec") or {}).get("finalizers") if resource.name == "namespaces" else None
    already = is_terminating(obj)
    if grace == 0 and not finalizers and not spec_finalizers:
        return Deletion(True, _ended(obj, now) if resource.name == "pods" else obj)
    old_grace = meta.get("deletionGracePeriodSeconds")
    if (
        already
        and finalizers == list(meta.get("finalizers") or ())
        and (old_grace is None or grace >= old_grace)
    ):
        return Deletion(False, obj)
    new = dict(meta)
    if finalizers:
        new["finalizers"] = finalizers
    if not already:
        new["deletionTimestamp"] = format_time(now + timedelta(seconds=grace))
        if "generation" in new:
            new["generation"] += 1
    elif old_grace is not None and grace < old_grace:
        end = parse_time(meta["deletionTimestamp"]) - timedelta(seconds=old_grace - grace)
        grace = grace if end >= now else min(grace, 1)
        new["deletionTimestamp"] = format_time(max(end, now))
    if resource.name == "pods" or (not already and resource.name != "namespaces"):
        new["deletionGracePeriodSeconds"] = grace if old_grace is None else min(grace, old_grace)
    result = {**obj, "metadata": new}
    if resource.name == "namespaces":
        result["status"] = {**(obj.get("status") or {}), "phase": "Terminating"}
    return Deletion(False, result)


def _ended(pod: Obj, now: datetime) -> Obj:
    """Return a Pod in the state in which it goes: with no time left."""
    meta = {**pod["metadata"], "deletionGracePeriodSeconds": 0}
    if not is_terminating(pod):
        meta |= {"deletionTimestamp": format_time(now), "generation": meta.get("generation", 0) + 1}
    return {**pod, "metadata": meta}


def _grace(resource: Resource, obj: Obj, options: DeleteOptions) -> int:
    """Return the grace period in seconds; only scheduled, unfinished Pods have one."""
    if resource.name != "pods":
        return 0
    spec, phase = obj["spec"], (obj.get("status") or {}).get("phase")
    if not spec.get("nodeName") or phase in _FINISHED:
        return 0
    if options.grace_period_seconds is not None:
        return options.grace_period_seconds if options.grace_period_seconds >= 0 else 1
    pending = obj["metadata"].get("deletionGracePeriodSeconds")
    return int(spec.get("terminationGracePeriodSeconds", 30) if pending is None else pending)


def _finalizers(have: list[str], options: DeleteOptions) -> list[str]:
    """Add the finalizer that the propagation policy asks for, drop the other one."""
    policy = options.propagation
    if policy is None and options.orphan_dependents is not None:
        policy = "Orphan" if options.orphan_dependents else "Background"
    if policy is None:
        return have
    kept = [name for name in have if name not in (FINALIZER_ORPHAN, FINALIZER_FOREGROUND)]
    wanted = {"Orphan": [FINALIZER_ORPHAN], "Foreground": [FINALIZER_FOREGROUND], "Background": []}[policy]
    return kept + wanted


def is_ready_to_go(resource: Resource, obj: Obj) -> bool:
    """Tell whether an object that was just written has nothing left to wait for."""
    meta = obj["metadata"]
    if not is_terminating(obj) or meta.get("finalizers"):
        return False
    if resource.name == "namespaces" and (obj.get("spec") or {}).get("finalizers"):
        return False
    return not meta.get("deletionGracePeriodSeconds")
