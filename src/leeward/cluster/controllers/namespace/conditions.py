"""What a terminating namespace says about what is left in it. Pure.

Source: ``status_condition_utils.go`` and deleteAllContentForGroupVersionResource of
pkg/controller/namespace/deletion (Kubernetes 1.36).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from leeward.kube.objects import Obj, parse_time
from leeward.kube.pods import is_finished
from leeward.kube.resources import Resource

Left = Mapping[Resource, Sequence[Obj]]
_DISCOVERED = (
    ("NamespaceDeletionDiscoveryFailure", "ResourcesDiscovered", "All resources successfully discovered"),
    (
        "NamespaceDeletionGroupVersionParsingFailure",
        "ParsedGroupVersions",
        "All legacy kube types successfully parsed",
    ),
)


def conditions(left: Left, failures: Iterable[str]) -> list[dict[str, str]]:
    """Return the conditions for the objects left of each resource, and for what went wrong."""
    fine = [_condition(kind, reason, message) for kind, reason, message in _DISCOVERED]
    return [*fine, _failed(sorted(failures)), _remaining(left), _held(left)]


def _condition(kind: str, reason: str, message: str, status: str = "False") -> dict[str, str]:
    return {"type": kind, "status": status, "reason": reason, "message": message}


def _failed(failures: Sequence[str]) -> dict[str, str]:
    kind = "NamespaceDeletionContentFailure"
    if not failures:
        message = "All content successfully deleted, may be waiting on finalization"
        return _condition(kind, "ContentDeleted", message)
    message = f"Failed to delete all resource types, {len(failures)} remaining: {', '.join(failures)}"
    return _condition(kind, "ContentDeletionFailed", message, "True")


def _remaining(left: Left) -> dict[str, str]:
    kind = "NamespaceContentRemaining"
    if not left:
        return _condition(kind, "ContentRemoved", "All content successfully removed")
    parts = sorted(
        f"{each.plural}.{each.group} has {len(objects)} resource instances" for each, objects in left.items()
    )
    message = f"Some resources are remaining: {', '.join(parts)}"
    return _condition(kind, "SomeResourcesRemain", message, "True")


def _held(left: Left) -> dict[str, str]:
    kind = "NamespaceFinalizersRemaining"
    counts = Counter(
        finalizer
        for objects in left.values()
        for obj in objects
        for finalizer in obj["metadata"].get("finalizers") or ()
    )
    if not counts:
        return _condition(kind, "ContentHasNoFinalizers", "All content-preserving finalizers finished")
    parts = [f"{name} in {count} resource instances" for name, count in sorted(counts.items())]
    message = f"Some content in the namespace has finalizers remaining: {', '.join(parts)}"
    return _condition(kind, "SomeFinalizersRemain", message, "True")


def unexpected(namespace: Obj, left: Left, now: datetime) -> list[str]:
    """Return what should be gone: nothing holds it, and its grace period is over."""
    asked = parse_time(namespace["metadata"]["deletionTimestamp"])
    name = namespace["metadata"]["name"]
    found = []
    for resource, objects in left.items():
        held = any(obj["metadata"].get("finalizers") for obj in objects)
        if not held and now >= asked + timedelta(seconds=_grace(resource, objects)):
            place = f"{resource.group}/{resource.version}, Resource={resource.plural}"
            found.append(f"unexpected items still remain in namespace: {name} for gvr: {place}")
    return found


def _grace(resource: Resource, objects: Iterable[Obj]) -> int:
    if resource.name != "pods":
        return 0
    running = (pod for pod in objects if not is_finished(pod))
    return max((pod["spec"].get("terminationGracePeriodSeconds") or 0 for pod in running), default=0)
