"""What applying rendered objects would make of those that are live. Pure.

The outlook shows an object as it would be: what is rendered, over what others and the API's defaults added,
without what the last applied state had and the rendering has no longer. Status and bookkeeping are left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from leeward.delivery.apply import LAST_APPLIED, plan_change
from leeward.kube.objects import Obj

_KUBECTLS = "kubectl.kubernetes.io/last-applied-configuration"  # of a Secret, with its values
_BOOKKEEPING = ("creationTimestamp", "generation", "managedFields", "resourceVersion", "selfLink", "uid")


def applied(live: Obj, desired: Obj) -> Obj:
    """Return what `live` will be when `desired` is applied."""
    change = plan_change(desired, live)
    if change.verb == "unchanged":
        return live
    removed = change.patch if change.verb == "patch" and change.patch is not None else {}
    laid: Obj = _lay(_without(live, removed), desired)
    return laid


def _lay(live: Any, desired: Any) -> Any:
    """Return `desired` over `live`; things with names in lists keep what others added to them."""
    if isinstance(live, Mapping) and isinstance(desired, Mapping):
        return {**live, **{key: _lay(live.get(key), value) for key, value in desired.items()}}
    if isinstance(live, list) and isinstance(desired, list) and all(map(_has_name, (*live, *desired))):
        named = {each["name"]: each for each in live}
        return [_lay(named.get(each["name"]), each) for each in desired]
    return desired


def _has_name(value: Any) -> bool:
    return isinstance(value, Mapping) and "name" in value


def _without(live: Any, patch: Mapping[str, Any]) -> Any:
    """Return `live` less what a merge patch removes."""
    kept = {key: value for key, value in live.items() if patch.get(key, "") is not None}
    inner = {key: value for key, value in patch.items() if isinstance(value, Mapping) and key in kept}
    return {
        **kept,
        **{key: _without(kept[key], value) for key, value in inner.items() if isinstance(kept[key], Mapping)},
    }


def substance(obj: Obj) -> Obj:
    """Return what people write of an object: neither status nor what the API keeps its books with."""
    meta = {key: value for key, value in obj["metadata"].items() if key not in _BOOKKEEPING}
    annotations = meta.pop("annotations", None) or {}
    notes = {key: value for key, value in annotations.items() if key not in (LAST_APPLIED, _KUBECTLS)}
    return {
        **{key: value for key, value in obj.items() if key != "status"},
        "metadata": {**meta, **({"annotations": notes} if notes else {})},
    }
