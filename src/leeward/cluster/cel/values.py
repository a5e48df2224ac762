"""Values of custom resources as expressions see them: times are times, bytes are bytes, names are escaped.

Source: k8s.io/apiserver/pkg/cel/common/values.go (Kubernetes 1.36).
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Mapping
from typing import Any

from leeward.cluster.cel.types import Schema, escaped

Convert = Callable[[Any], Any]

_UNITS = {"ns": 1, "us": 10**3, "µs": 10**3, "ms": 10**6, "s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9}
_PARTS = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|ms|s|m|h)")


def converter(schema: Schema) -> Convert | None:
    """Return what makes a value of `schema` into what an expression sees; None: it is the same."""
    kind = schema.get("type")
    if kind == "string":
        return _FORMATS.get(schema.get("format") or "")
    if kind == "number":
        return lambda value: float(value) if isinstance(value, int) else value
    if kind == "array":
        items = converter(schema.get("items") or {})
        return None if items is None else lambda value: _of_list(value, items)
    extra = schema.get("additionalProperties")
    if isinstance(extra, Mapping):
        each = converter(extra)
        return None if each is None else lambda value: _of_map(value, each)
    return _object(schema.get("properties") or {})


def _of_list(value: Any, items: Convert) -> Any:
    return [items(each) for each in value] if isinstance(value, list) else value


def _of_map(value: Any, each: Convert) -> Any:
    return {key: each(inner) for key, inner in value.items()} if isinstance(value, dict) else value


def _object(properties: Mapping[str, Schema]) -> Convert | None:
    changed: dict[str, tuple[str, Convert | None]] = {}
    for name, schema in properties.items():
        known_as, inner = escaped(name), converter(schema)
        if inner is not None or known_as != name:
            changed[name] = (known_as or name, inner)
    if not changed:
        return None

    def convert(value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        made = {}
        for name, each in value.items():
            known_as, inner = changed.get(name, (name, None))
            made[known_as] = each if inner is None else inner(each)
        return made

    return convert


def _timestamp(value: Any) -> Any:
    from google.protobuf.timestamp_pb2 import Timestamp

    made = Timestamp()
    try:
        made.FromJsonString(value if "T" in value else f"{value}T00:00:00Z")
    except (ValueError, TypeError):
        return value
    return made


def _duration(value: Any) -> Any:
    from google.protobuf.duration_pb2 import Duration

    if not isinstance(value, str):
        return value
    nanos = sum(float(number) * _UNITS[unit] for number, unit in _PARTS.findall(value))
    made = Duration()
    made.FromNanoseconds(int(-nanos if value.startswith("-") else nanos))
    return made


def _bytes(value: Any) -> Any:
    try:
        return base64.b64decode(value)
    except (ValueError, TypeError):
        return value


_FORMATS: Mapping[str, Convert] = {
    "date": _timestamp,
    "date-time": _timestamp,
    "duration": _duration,
    "byte": _bytes,
}
