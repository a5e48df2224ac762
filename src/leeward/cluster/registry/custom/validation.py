"""Validation of custom objects by a structural schema, in upstream's words.

Source: k8s.io/apiextensions-apiserver/pkg/apiserver/validation and
k8s.io/kube-openapi/pkg/validation/{validate,errors} (Kubernetes 1.36).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from leeward.cluster.registry.custom.formats import has_format
from leeward.cluster.registry.custom.structure import Schema
from leeward.cluster.registry.failures import Failure, required
from leeward.kube.regexp import matches, mistake

_INT_OR_STRING = "x-kubernetes-int-or-string"
_EMBEDDED = "x-kubernetes-embedded-resource"
_EXACT = (1 << 53) - 1  # the largest integer that a float is certain to be
_INT64 = 1 << 63


def schema_failures(value: Any, schema: Schema, path: str = "") -> list[Failure]:
    """Return what is wrong with `value`; ``apiVersion``, ``kind`` and ``metadata`` are the caller's."""
    return list(_failures(value, schema, path))


def _failures(value: Any, schema: Schema, path: str) -> Iterator[Failure]:
    if value is None and schema.get("nullable"):
        return
    wrong = list(_type_failures(value, schema, path))
    yield from wrong
    if wrong:
        return
    yield from _combined(value, schema, path)
    if isinstance(value, str):
        yield from _string(value, schema, path)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield from _number(value, schema, path)
    elif isinstance(value, list):
        yield from _list(value, schema, path)
    if "enum" in schema and value not in schema["enum"]:
        known = ", ".join(_json(each) for each in schema["enum"])
        text = f"Unsupported value: {_json(value)}: supported values: {known}"
        yield Failure(path, "FieldValueNotSupported", text)
    if isinstance(value, dict):
        yield from _object(value, schema, path)


def _type_failures(value: Any, schema: Schema, path: str) -> Iterator[Failure]:
    wanted = ("integer", "string") if schema.get(_INT_OR_STRING) else (schema.get("type"),)
    if wanted == (None,):
        return
    got = _type_of(value)
    if got in wanted or (got == "integer" and "number" in wanted):
        return
    if got == "number" and "integer" in wanted and abs(value) <= _EXACT and float(value).is_integer():
        return
    text = f'Invalid value: "{got}": {path} in body must be of type {",".join(map(str, wanted))}: "{got}"'
    yield Failure(path, "FieldValueTypeInvalid", text)
    if got == "number" and "integer" in wanted:
        shown = (
            f"Checked value must be of type integer ({schema.get('format') or 'default'} format) in {path}"
        )
        yield _elsewhere(shown)


def _elsewhere(text: str) -> Failure:
    """Return a failure that upstream reports without the field's name."""
    return Failure("<nil>", "FieldValueInvalid", f'Invalid value: "": {text}')


def _type_of(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int) and not -_INT64 <= value < _INT64:
        return "number"  # which Go reads it as
    names = {str: "string", int: "integer", float: "number", list: "array", dict: "object"}
    return names[type(value)]


def _combined(value: Any, schema: Schema, path: str) -> Iterator[Failure]:
    """Check allOf, anyOf, oneOf and not."""
    for branch in schema.get("allOf") or ():
        yield from _failures(value, branch, path)
    for key in ("anyOf", "oneOf"):
        branches = schema.get(key)
        if not branches:
            continue
        found = [schema_failures(value, branch, path) for branch in branches]
        fitting = sum(not each for each in found)
        if key == "anyOf" and not fitting:
            yield _elsewhere(f'"{path}" must validate at least one schema (anyOf)')
        elif key == "oneOf" and fitting != 1:
            many = f"Found {fitting} valid alternatives" if fitting else "Found none valid"
            yield _elsewhere(f'"{path}" must validate one and only one schema (oneOf). {many}')
        if not fitting:
            yield from min(found, key=len)
    forbidden = schema.get("not")
    if forbidden is not None and not schema_failures(value, forbidden, path):
        yield _elsewhere(f'"{path}" must not validate the schema (not)')


def _string(value: str, schema: Schema, path: str) -> Iterator[Failure]:
    longest, shortest = schema.get("maxLength"), schema.get("minLength")
    if longest is not None and len(value) > longest:
        yield Failure(path, "FieldValueTooLong", f"Too long: may not be more than {longest} bytes")
    if shortest is not None and len(value) < shortest:
        yield _invalid(path, value, f"should be at least {shortest} chars long")
    pattern = schema.get("pattern")
    wrong = mistake(pattern) if pattern else ""
    if wrong:  # as only a definition of an earlier release can have it
        yield _invalid(path, value, f"should match '{pattern}, but pattern is invalid: {wrong}'")
    elif pattern and not matches(pattern, value):
        yield _invalid(path, value, f"should match '{pattern}'")
    form = schema.get("format")
    if form and not has_format(value, form):
        text = f"Invalid value: {_json(value)}: {path} in body must be of type {form}: {_json(value)}"
        yield Failure(path, "FieldValueTypeInvalid", text)


def _number(value: float, schema: Schema, path: str) -> Iterator[Failure]:
    factor = schema.get("multipleOf")
    if factor is not None:
        if isinstance(value, int):
            factor = int(factor)
        if factor <= 0:
            text = f"factor MultipleOf declared for {path} must be positive: {factor}"
            yield Failure(path, "FieldValueInvalid", f"Invalid value: {factor}: {text}")
        elif not float(value / factor).is_integer():
            yield _invalid(path, value, f"should be a multiple of {factor}")
    most, least = schema.get("maximum"), schema.get("minimum")
    if most is not None and (value > most or (value == most and schema.get("exclusiveMaximum"))):
        words = "less than" if schema.get("exclusiveMaximum") else "less than or equal to"
        yield _invalid(path, value, f"should be {words} {most}")
    if least is not None and (value < least or (value == least and schema.get("exclusiveMinimum"))):
        words = "greater than" if schema.get("exclusiveMinimum") else "greater than or equal to"
        yield _invalid(path, value, f"should be {words} {least}")


def _list(value: list[Any], schema: Schema, path: str) -> Iterator[Failure]:
    fewest, most = schema.get("minItems"), schema.get("maxItems")
    items = schema.get("items")
    if isinstance(items, Mapping):
        for index, each in enumerate(value):
            yield from _failures(each, items, f"{path}[{index}]")
    if fewest is not None and len(value) < fewest:
        yield _invalid(path, len(value), f"should have at least {fewest} items")
    if most is not None and len(value) > most:
        yield _too_many(path, len(value), most)
    if schema.get("uniqueItems") and _repeated(value):
        yield _invalid(path, value, "shouldn't contain duplicates")


def _object(value: dict[str, Any], schema: Schema, path: str) -> Iterator[Failure]:
    fewest, most = schema.get("minProperties"), schema.get("maxProperties")
    if fewest is not None and len(value) < fewest:
        yield _invalid(path, len(value), f"should have at least {fewest} properties")
    if most is not None and len(value) > most:
        yield _too_many(path, len(value), most)
    for name in schema.get("required") or ():
        if name not in value:
            yield required(_join(path, name))
    properties: Mapping[str, Schema] = schema.get("properties") or {}
    extra = schema.get("additionalProperties")
    for name, each in value.items():
        found = properties.get(name, extra)
        if isinstance(found, Mapping):
            yield from _failures(each, found, _join(path, name))


def list_failures(value: Any, schema: Schema, path: str = "") -> Iterator[Failure]:
    """Return repeated members of sets and of lists with keys, and what embedded resources lack."""
    if isinstance(value, list):
        items = schema.get("items") or {}
        yield from _duplicates(value, schema, path)
        for index, each in enumerate(value):
            yield from list_failures(each, items, f"{path}[{index}]")
    elif isinstance(value, dict):
        if schema.get(_EMBEDDED):
            for name in ("apiVersion", "kind"):
                if not value.get(name):
                    yield required(_join(path, name))
        properties: Mapping[str, Schema] = schema.get("properties") or {}
        extra = schema.get("additionalProperties")
        for name, each in value.items():
            found = properties.get(name, extra)
            if isinstance(found, Mapping):
                yield from list_failures(each, found, _join(path, name))


def _duplicates(value: list[Any], schema: Schema, path: str) -> Iterator[Failure]:
    kind = schema.get("x-kubernetes-list-type")
    if kind not in ("set", "map"):
        return
    keys = schema.get("x-kubernetes-list-map-keys") or ()
    members = value
    if kind == "map":
        members = [
            {key: each[key] for key in keys if key in each} if isinstance(each, dict) else each
            for each in value
        ]
    for index in _repeated(members):
        yield Failure(f"{path}[{index}]", "FieldValueDuplicate", f"Duplicate value: {_json(members[index])}")


def _repeated(members: list[Any]) -> list[int]:
    """Return the positions of members that were there before."""
    seen: set[str] = set()
    found: list[int] = []
    for index, each in enumerate(members):
        text = orjson.dumps(each, option=orjson.OPT_SORT_KEYS).decode()
        if text in seen:
            found.append(index)
        seen.add(text)
    return found


def _invalid(path: str, value: Any, text: str) -> Failure:
    return Failure(path, "FieldValueInvalid", f"Invalid value: {_json(value)}: {path} in body {text}")


def _too_many(path: str, have: int, most: int) -> Failure:
    items = "item" if most == 1 else "items"
    return Failure(path, "FieldValueTooMany", f"Too many: {have}: must have at most {most} {items}")


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _json(value: Any) -> str:
    return orjson.dumps(value).decode()
