"""Filling in defaults without changing what was given."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any


def fill(obj: Mapping[str, Any] | None, **defaults: Any) -> dict[str, Any]:
    """Return `obj` with absent fields added; None counts as absent."""
    result = {key: value for key, value in (obj or {}).items() if value is not None}
    for key, value in defaults.items():
        if key not in result:
            result[key] = value
    return result


def filled(obj: dict[str, Any], **defaults: Any) -> dict[str, Any]:
    """Return `obj` with absent fields added; itself where none is, so that versions of an object share it."""
    if None not in obj.values() and defaults.keys() <= obj.keys():
        return obj
    return fill(obj, **defaults)


def fill_zero(obj: Mapping[str, Any] | None, **defaults: Any) -> dict[str, Any]:
    """Return `obj` with absent fields added; "" and 0 count as absent, as where Go has no pointer."""
    result = {key: value for key, value in (obj or {}).items() if value is not None}
    for key, value in defaults.items():
        if not result.get(key):
            result[key] = value
    return result


def fill_each(items: Any, filler: Callable[[dict[str, Any]], dict[str, Any]]) -> list[Any]:
    """Return the list with `filler` applied to each object in it."""
    return [filler(item) if isinstance(item, dict) else item for item in items or ()]


def update(obj: dict[str, Any], field: str, change: Callable[[Any], Any]) -> dict[str, Any]:
    """Return `obj` with `field` changed, when it is there."""
    return {**obj, field: change(obj[field])} if obj.get(field) is not None else obj
