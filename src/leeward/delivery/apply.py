"""How a desired object becomes a live one: create, patch, recreate or leave alone. Pure.

The last desired state is kept in an annotation; what the user removed is removed from the live
object, what somebody else added to it stays.

Source: the three-way rule of ``kubectl apply`` (client side), with JSON merge patches (RFC 7386).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Literal

from leeward.kube.objects import Obj, annotations_of
from leeward.kube.patch.merge import merge_diff
from leeward.kube.wellknown import APP_MANAGED_BY, APP_PART_OF

LAST_APPLIED = "leeward.dev/last-applied"
Verb = Literal["create", "patch", "recreate", "unchanged"]
_ONE_SHOT = frozenset(("Job",))  # their template cannot be changed: a new one takes their place
_UNCOMPARED = frozenset(("resources", "status", "stringData", "data", "sizeLimit", "storage"))
_ORDER = (
    "Namespace",
    "ServiceAccount",
    "NetworkPolicy",
    "ConfigMap",
    "Secret",
    "PersistentVolumeClaim",
    "Service",
    "Ingress",
    "PodDisruptionBudget",
)


@dataclass(frozen=True, slots=True)
class Change:
    """What to do with one object."""

    verb: Verb
    desired: Obj  # with its annotation
    patch: dict[str, Any] | None = None  # JSON merge patch, for "patch"


def plan_change(desired: Obj, live: Obj | None) -> Change:
    """Compare what is wanted with what is there.

    Args:
        desired: as rendered.
        live: as the API returned it, or None.
    """
    text = json.dumps(desired, sort_keys=True, separators=(",", ":"))
    stamped = _annotate(desired, text)
    if live is None:
        return Change("create", stamped)
    before = annotations_of(live).get(LAST_APPLIED)
    if desired["kind"] in _ONE_SHOT:
        return Change("unchanged" if before == text else "recreate", stamped)
    patch = merge_diff(json.loads(before) if before else {}, desired)
    patch = _overlay(patch, _drift(desired, live))
    if not patch:
        return Change("unchanged", stamped)
    patch = _overlay(patch, {"metadata": {"annotations": {LAST_APPLIED: text}}})
    return Change("patch", stamped, patch)


def has_drifted(desired: Obj, live: Obj) -> bool:
    """Tell whether anything of `desired` is otherwise in `live`, as far as that can be told from outside."""
    return bool(_drift(desired, live))


def _drift(desired: dict[str, Any], live: dict[str, Any]) -> dict[str, Any]:
    """Return what of `desired` is otherwise in `live`, a list as a whole.

    What `live` has beyond that stays, also in lists of things with names. Quantities are left alone,
    because the API writes them in another form.
    """
    patch: dict[str, Any] = {}
    for key, value in desired.items():
        have = live.get(key)
        if key in _UNCOMPARED:
            continue
        if isinstance(value, dict) and isinstance(have, dict):
            if inner := _drift(value, have):
                patch[key] = inner
        elif not _holds(value, have):
            patch[key] = value
    return patch


def _holds(value: Any, have: Any) -> bool:
    """Tell whether `have` is `value`, or `value` with what the API or others added."""
    if isinstance(value, dict):
        return isinstance(have, dict) and all(
            key in _UNCOMPARED or _holds(inner, have.get(key)) for key, inner in value.items()
        )
    if not isinstance(value, list):
        return bool(value == have) or (not value and not have)
    have = have or []
    if value and all(isinstance(each, dict) and "name" in each for each in value):
        named = {each.get("name"): each for each in have}
        return all(_holds(each, named.get(each["name"])) for each in value)
    return len(value) == len(have) and all(map(_holds, value, have))


def _overlay(base: dict[str, Any], extra: dict[str, Any]) -> dict[str, Any]:
    """Return `base` with `extra` laid over it."""
    merged = dict(base)
    for key, value in extra.items():
        old = merged.get(key)
        merged[key] = _overlay(old, value) if isinstance(value, dict) and isinstance(old, dict) else value
    return merged


def _annotate(desired: Obj, text: str) -> Obj:
    meta = desired["metadata"]
    annotations = {**(meta.get("annotations") or {}), LAST_APPLIED: text}
    return {**desired, "metadata": {**meta, "annotations": annotations}}


def in_order(objects: list[Obj]) -> tuple[list[Obj], list[Obj]]:
    """Split into what has to be there first, in order, and the workloads."""
    first = [obj for obj in objects if obj["kind"] in _ORDER]
    workloads = [obj for obj in objects if obj["kind"] not in _ORDER]
    return sorted(first, key=lambda obj: _ORDER.index(obj["kind"])), workloads


def project_selector(project: str) -> str:
    """Return the label selector of everything that belongs to a project."""
    return f"{APP_PART_OF}={project},{APP_MANAGED_BY}=leeward"
