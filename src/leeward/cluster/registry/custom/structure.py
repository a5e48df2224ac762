"""Pruning and defaulting by a structural schema.

Both return a new value and share what did not change; unknown fields are told by path
("spec.nested.y", "spec.list[0].z") so that strict requests can be refused and others warned.

Source: k8s.io/apiextensions-apiserver/pkg/apiserver/schema/{pruning,defaulting} (Kubernetes 1.36).
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from typing import Any

Schema = Mapping[str, Any]

_PRESERVE = "x-kubernetes-preserve-unknown-fields"
_EMBEDDED = "x-kubernetes-embedded-resource"
_TYPE_META = ("apiVersion", "kind", "metadata")


def prune(value: Any, schema: Schema, *, root: bool = True) -> tuple[Any, list[str]]:
    """Return `value` without the fields that `schema` has not, and their paths."""
    unknown: list[str] = []
    return _prune(value, schema, "", root, unknown), unknown


def _prune(value: Any, schema: Schema, path: str, resource: bool, unknown: list[str]) -> Any:
    if isinstance(value, list):
        items = schema.get("items")
        if not isinstance(items, Mapping):
            return value
        embedded = bool(items.get(_EMBEDDED))
        return [
            _prune(each, items, f"{path}[{index}]", embedded, unknown) for index, each in enumerate(value)
        ]
    if not isinstance(value, dict):
        return value
    properties: Mapping[str, Schema] = schema.get("properties") or {}
    kept: dict[str, Any] = {}
    for name, each in value.items():
        inner = f"{path}.{name}" if path else name
        if resource and name in _TYPE_META:
            kept[name] = each
            continue
        found = properties.get(name, schema.get("additionalProperties"))
        if isinstance(found, Mapping):
            kept[name] = _prune(each, found, inner, bool(found.get(_EMBEDDED)), unknown)
        elif found is True or schema.get(_PRESERVE):
            kept[name] = each
        else:
            unknown.append(inner)
    return kept


def default(value: Any, schema: Schema) -> Any:
    """Return `value` with the defaults of `schema`; a null that may not be one is as good as absent."""
    if isinstance(value, list):
        items = schema.get("items")
        return [default(each, items) for each in value] if isinstance(items, Mapping) else value
    if not isinstance(value, dict):
        return value
    properties: Mapping[str, Schema] = schema.get("properties") or {}
    extra = schema.get("additionalProperties")
    known = dict(properties)
    if isinstance(extra, Mapping):
        known |= dict.fromkeys((name for name in value if name not in properties), extra)
    filled = dict(value)
    for name, found in known.items():
        if name in filled and filled[name] is None and not found.get("nullable"):
            del filled[name]
        if name not in filled and found.get("default") is not None:
            filled[name] = deepcopy(found["default"])
        if name in filled:
            filled[name] = default(filled[name], found)
    return filled
