"""Kubernetes' own schemas, read from disk for as long as a document is being made.

Invariant: nothing is kept: a caller gets the schemas it asked for, the rest is garbage at once.

Source: ``kubernetes-validate`` (PyPI), which carries Kubernetes' OpenAPI definitions with their
``x-kubernetes-*`` extensions; the shapes given back are those of kube-apiserver's OpenAPI v3.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import orjson

VERSION = "1.36"
_PREFIX = "#/$defs/"
_COMPONENT = "#/components/schemas/"

Schema = dict[str, Any]

# What the package leaves out of types that it turns into a choice of types.
_LEFT_OUT: Mapping[str, Schema] = {
    "io.k8s.apimachinery.pkg.util.intstr.IntOrString": {
        "description": (
            "IntOrString is a type that can hold an int32 or a string.  When used in JSON or YAML "
            "marshalling and unmarshalling, it produces or consumes the inner type.  This allows you to "
            "have, for example, a JSON field that can accept a name or number."
        ),
        "format": "int-or-string",
    },
}


def definitions_file(version: str = VERSION) -> Path:
    """Return the file with the definitions of Kubernetes `version` ("1.36").

    Raises:
        FileNotFoundError: the package does not have that version.
    """
    # Found without importing the package, which would load a JSON Schema validator.
    spec = importlib.util.find_spec("kubernetes_validate")
    if spec is None or not spec.submodule_search_locations:
        raise FileNotFoundError("the package kubernetes-validate is not installed")
    root = Path(next(iter(spec.submodule_search_locations))) / "kubernetes-json-schema"
    return root / f"v{version}.0-local" / "_definitions.json"


def read_definitions() -> dict[str, Schema]:
    """Return all definitions by name, such as "io.k8s.api.core.v1.Pod"."""
    document: dict[str, dict[str, Schema]] = orjson.loads(definitions_file().read_bytes())
    definitions = document["$defs"]
    for name, more in _LEFT_OUT.items():
        definitions[name] = {**more, **definitions[name]}
    return definitions


def kinds(definitions: Mapping[str, Schema]) -> dict[tuple[str, str, str], str]:
    """Return definition names by (group, version, kind)."""
    found: dict[tuple[str, str, str], str] = {}
    for name, schema in definitions.items():
        marks = schema.get("x-kubernetes-group-version-kind") or []
        if len(marks) == 1:  # DeleteOptions and the like are marked for every group
            mark = marks[0]
            found[(mark["group"], mark["version"], mark["kind"])] = name
    return found


def closure(definitions: Mapping[str, Schema], roots: Iterable[str]) -> dict[str, Schema]:
    """Return the components that `roots` need, in OpenAPI v3's form, ordered by name."""
    wanted = [name for name in roots if name in definitions]
    seen: dict[str, Schema] = {}
    while wanted:
        name = wanted.pop()
        if name in seen:
            continue
        seen[name] = convert(definitions[name])
        wanted.extend(_references(definitions[name]))
    return dict(sorted(seen.items()))


def _references(node: Any) -> list[str]:
    if isinstance(node, list):
        return [name for item in node for name in _references(item)]
    if not isinstance(node, dict):
        return []
    found = [name for value in node.values() for name in _references(value)]
    if isinstance(node.get("$ref"), str):
        found.append(node["$ref"].removeprefix(_PREFIX))
    return found


def convert(node: Any) -> Any:
    """Return a schema of the package in OpenAPI v3's form."""
    if isinstance(node, list):
        return [convert(item) for item in node]
    if not isinstance(node, dict):
        return node
    if "oneOf" in node and "type" not in node:
        types = [_scalar(option.get("type")) for option in node["oneOf"]]
        return {**_keep(node), "oneOf": [{"type": kind} for kind in types]}
    result = {key: convert(value) for key, value in node.items() if key not in ("$ref", "type", "properties")}
    if "type" in node:
        result["type"] = _scalar(node["type"])
    if "properties" in node:
        result["properties"] = {name: _property(name, value) for name, value in node["properties"].items()}
    if "$ref" in node:
        reference = {"$ref": _COMPONENT + node["$ref"].removeprefix(_PREFIX)}
        return {**result, "allOf": [reference]} if result else reference
    return result


def _keep(node: Schema) -> Schema:
    return {key: convert(value) for key, value in node.items() if key != "oneOf"}


def _property(name: str, schema: Any) -> Any:
    converted = convert(schema)
    if name in ("apiVersion", "kind") and isinstance(converted, dict):
        converted.pop("enum", None)  # the package's own addition
    return converted


def _scalar(kind: Any) -> Any:
    if isinstance(kind, list):
        return next((item for item in kind if item != "null"), "string")
    return kind
