"""The JSON schema of a chart's values: types, and no key that no template reads.

A misspelt key is refused by Helm instead of doing nothing. What Kubernetes reads as it is, resources and
further variables, is open.

Source: helm.sh/docs/topics/charts, Schema Files; json-schema.org/draft-07.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

_TYPES: Mapping[type, str] = {str: "string", int: "integer", bool: "boolean", float: "number"}
_OPEN: Mapping[str, Mapping[str, Any]] = {
    "resources": {"type": "object"},
    "extraEnv": {"type": "array", "items": {"type": "object", "required": ["name"]}},
    "hosts": {"type": "array", "items": {"type": "string"}},
}


def schema(values: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Return the schema of values.

    Args:
        values: environment → its values.
    """
    whole = _object(values.values())
    properties = whole["properties"]
    properties["global"] = {"type": "object"}  # of a chart that has this one in it
    if "environment" in properties:
        properties["environment"] = {"enum": list(values)}
    for service in properties["services"]["properties"].values():
        known = service["properties"]
        known.update({key: dict(_OPEN[key]) for key in _OPEN if key in known})
    return {"$schema": "http://json-schema.org/draft-07/schema#", **whole}


def _object(values: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    members: dict[str, list[Any]] = {}
    for value in values:
        for key, inner in value.items():
            members.setdefault(key, []).append(inner)
    return {
        "type": "object",
        "properties": {key: _any(inner) for key, inner in members.items()},
        "additionalProperties": False,
    }


def _any(values: list[Any]) -> dict[str, Any]:
    if all(isinstance(value, Mapping) for value in values):
        return _object(values)
    types = sorted({_TYPES.get(type(value), "array") for value in values})
    return {"type": types[0] if len(types) == 1 else types}
