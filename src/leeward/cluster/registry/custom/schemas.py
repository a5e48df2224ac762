"""Whether the schema in a CustomResourceDefinition is structural.

Source: k8s.io/apiextensions-apiserver/pkg/apiserver/schema/validation.go (Kubernetes 1.36).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from leeward.cluster.registry.custom.structure import Schema
from leeward.cluster.registry.custom.validation import schema_failures
from leeward.cluster.registry.failures import Failure, forbidden, invalid, required
from leeward.kube.regexp import mistake

_UNTYPED = ("x-kubernetes-int-or-string", "x-kubernetes-preserve-unknown-fields")


def definition_schema_failures(schema: Schema, path: str) -> Iterator[Failure]:
    """Return why the schema of a version is refused."""
    kind = schema.get("type")
    if kind and kind != "object":
        yield invalid(f"{path}.type", kind, "must be object at the root")
        return
    metadata = (schema.get("properties") or {}).get("metadata") or {}
    if set(metadata.get("properties") or {}) - {"name", "generateName"}:
        text = (
            "must not specify anything other than name and generateName, but metadata is implicitly specified"
        )
        yield forbidden(f"{path}.properties[metadata]", text)
    for name, each in sorted((schema.get("properties") or {}).items()):
        if name not in ("apiVersion", "kind", "metadata"):
            yield from _node(each, f"{path}.properties[{name}]")
    yield from _extra(schema, path)
    if not kind:
        yield required(f"{path}.type", "must not be empty at the root")


def _node(schema: Schema, path: str) -> Iterator[Failure]:
    if not schema.get("type") and not any(schema.get(each) for each in _UNTYPED):
        word = "array items" if path.endswith(".items") else "object fields"
        yield required(f"{path}.type", f"must not be empty for specified {word}")
    items = schema.get("items")
    if schema.get("type") == "array" and not items:
        yield required(f"{path}.items", "must be specified")
    yield from _pattern(schema.get("pattern"), path)
    yield from _default(schema, path)
    for name, each in sorted((schema.get("properties") or {}).items()):
        yield from _node(each, f"{path}.properties[{name}]")
    yield from _extra(schema, path)
    if isinstance(items, list):
        yield forbidden(f"{path}.items", "items must be a schema object and not an array")
    elif isinstance(items, Mapping):
        yield from _node(items, f"{path}.items")


def _extra(schema: Schema, path: str) -> Iterator[Failure]:
    extra = schema.get("additionalProperties")
    if isinstance(extra, Mapping):
        if schema.get("properties"):
            text = "must not be used together with properties"
            yield forbidden(f"{path}.additionalProperties", text)
        yield from _node(extra, f"{path}.additionalProperties")


def _pattern(pattern: Any, path: str) -> Iterator[Failure]:
    if not pattern:
        return
    reason = mistake(pattern)
    if reason:
        text = f"must be a valid regular expression, but isn't: {reason}"
        yield invalid(f"{path}.pattern", pattern, text)


def _default(schema: Schema, path: str) -> Iterator[Failure]:
    if schema.get("default") is None:
        return
    for failure in schema_failures(schema["default"], schema):
        where = f"{path}.default.{failure.field}" if failure.field else f"{path}.default"
        yield Failure(where, failure.reason, failure.message)
