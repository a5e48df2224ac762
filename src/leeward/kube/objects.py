"""Kubernetes objects as plain JSON dictionaries, and the small accessors everyone needs.

Invariant: an object read from a store, cache or client is shared and immutable by convention; a
writer copies the path it changes (``{**obj, "status": new}``), never in place.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, NamedTuple, TypeAlias

Obj: TypeAlias = dict[str, Any]


class ObjectKey(NamedTuple):
    """What a work queue holds: never the object, which may be stale by the time it is read."""

    namespace: str  # "" for cluster-scoped kinds
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}" if self.namespace else self.name


def key_of(obj: Obj) -> ObjectKey:
    """Return the namespace and name of `obj`."""
    meta = obj["metadata"]
    return ObjectKey(meta.get("namespace") or "", meta["name"])


def labels_of(obj: Obj) -> dict[str, str]:
    """Return the labels; {} when there are none."""
    return obj["metadata"].get("labels") or {}


def annotations_of(obj: Obj) -> dict[str, str]:
    """Return the annotations; {} when there are none."""
    return obj["metadata"].get("annotations") or {}


def controller_of(obj: Obj) -> dict[str, Any] | None:
    """Return the owner reference marked ``controller: true``, if any."""
    refs: Iterable[dict[str, Any]] = obj["metadata"].get("ownerReferences") or ()
    for ref in refs:
        if ref.get("controller"):
            return ref
    return None


def owner_reference(owner: Obj, *, controller: bool = True) -> dict[str, Any]:
    """Return the reference that makes `owner` the (controlling, blocking) owner of a dependent."""
    return {
        "apiVersion": owner["apiVersion"],
        "kind": owner["kind"],
        "name": owner["metadata"]["name"],
        "uid": owner["metadata"]["uid"],
        "controller": controller,
        "blockOwnerDeletion": True,
    }


def is_terminating(obj: Obj) -> bool:
    """Tell whether deletion of `obj` has been asked for."""
    return bool(obj["metadata"].get("deletionTimestamp"))


def find_condition(obj: Obj, kind: str) -> dict[str, Any] | None:
    """Return the status condition of type `kind`, if any."""
    conditions: Iterable[dict[str, Any]] = (obj.get("status") or {}).get("conditions") or ()
    for found in conditions:
        if found.get("type") == kind:
            return found
    return None


def is_condition_true(obj: Obj, kind: str) -> bool:
    """Tell whether the status condition `kind` is there and "True"."""
    found = find_condition(obj, kind)
    return found is not None and found.get("status") == "True"


@lru_cache(maxsize=256)
def format_time(moment: datetime) -> str:
    """Return `moment` as metav1.Time: RFC 3339, UTC, whole seconds."""
    return moment.astimezone(UTC).isoformat(timespec="seconds")[:-6] + "Z"  # strftime takes ten times longer


def format_micro_time(moment: datetime) -> str:
    """Return `moment` as metav1.MicroTime: RFC 3339, UTC, microseconds."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds")[:-6] + "Z"


def parse_time(text: str) -> datetime:
    """Return the aware datetime of an RFC 3339 text.

    Raises:
        ValueError: `text` is no such time.
    """
    moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def without_finalizer(obj: Obj, finalizer: str) -> Obj:
    """Return `obj` without one finalizer; `obj` itself when it has it not."""
    have = obj["metadata"].get("finalizers") or []
    if finalizer not in have:
        return obj
    left = [name for name in have if name != finalizer]
    return {**obj, "metadata": {**obj["metadata"], "finalizers": left}}


def newest_first(objects: Iterable[Obj]) -> list[Obj]:
    """Return objects, newest first, equally old ones by name."""
    by_name = sorted(objects, key=lambda each: str(each["metadata"]["name"]))
    return sorted(by_name, key=lambda each: str(each["metadata"]["creationTimestamp"]), reverse=True)
