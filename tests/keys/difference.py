"""What a key changes in a rendering: the smallest parts that differ, under readable paths."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from leeward.kube.objects import Obj
from leeward.kube.wellknown import ORIGIN

_DIGEST = re.compile(r"-[a-z0-9]{8}$")
_NAMES = ("name", "mountPath", "key", "topologyKey", "ip")


def difference(before: Sequence[Obj], after: Sequence[Obj]) -> dict[str, Any]:
    """Return path → value after, None for what is gone; whole objects without their metadata, or "new"."""
    old, new = _named(before), _named(after)
    return dict(_compare("", old, new))


def _named(objects: Sequence[Obj]) -> dict[str, Any]:
    """Return objects by kind and name, without the digest where that leaves names apart."""
    named: dict[str, Any] = {}
    for obj in objects:
        name = f"{obj['kind']}/{obj['metadata']['name']}"
        short = _DIGEST.sub("", name) if obj["kind"] in ("Job", "ConfigMap", "Secret") else name
        named[name if short in named else short] = _without_origin(obj)
    return named


def _without_origin(obj: Obj) -> Obj:
    meta = {key: value for key, value in obj["metadata"].items() if key not in ("namespace", "name")}
    notes = {key: value for key, value in meta.pop("annotations", {}).items() if key != ORIGIN}
    rest = {key: value for key, value in obj.items() if key not in ("apiVersion", "kind", "metadata")}
    return {**({"annotations": notes} if notes else {}), "labels": meta.pop("labels", {}), **rest}


def _compare(path: str, old: Any, new: Any) -> Iterator[tuple[str, Any]]:
    if old == new:
        return
    before, after = _entries(old), _entries(new)
    if before is None or after is None or (path.count(".") and not before):
        yield path, new
        return
    for key in [*before, *(key for key in after if key not in before)]:
        place = f"{path}.{key}" if path else key
        if key not in before:
            yield place, after[key] if path else _new(after[key])
        elif key not in after:
            yield place, None
        else:
            yield from _compare(place, before[key], after[key])


def _new(obj: Obj) -> Any:
    """Return a whole object, or a word where it would be long."""
    rest = {key: value for key, value in obj.items() if key != "labels"}
    return "new" if "template" in rest.get("spec", {}) else rest


def _entries(value: Any) -> Mapping[str, Any] | None:
    """Return a mapping's entries, or a list's by the names of its elements."""
    if isinstance(value, dict):
        return value
    if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
        return None
    names = [next((str(each[key]) for key in _NAMES if key in each), "") for each in value]
    return dict(zip(names, value, strict=True)) if all(names) and len(set(names)) == len(names) else None
