"""OpenAPI v2, made of v3: one document of everything, for clients that do not find a kind in v3.

Invariant: pure. What v2 has no words for (a choice of types, null) is left out, and a number or a string is a
string, as upstream has it.

Source: ``k8s.io/kube-openapi/pkg/handler`` and ``pkg/builder`` (1.36).
"""

from __future__ import annotations

from typing import Any

_V3, _V2 = "#/components/schemas/", "#/definitions/"
_KEPT = frozenset(
    (
        "format", "title", "description", "default", "multipleOf", "maximum", "exclusiveMaximum", "minimum",
        "exclusiveMinimum", "maxLength", "minLength", "pattern", "maxItems", "minItems", "uniqueItems",
        "maxProperties", "minProperties", "required", "enum", "type", "readOnly", "example",
    )
)  # fmt: skip
_METHODS = ("get", "put", "post", "delete", "options", "head", "patch")

Document = dict[str, Any]


def to_v2(document: Document) -> Document:
    """Return an OpenAPI v3 document of the API server as one of v2."""
    schemas = document["components"]["schemas"]
    return {
        "swagger": "2.0",
        "info": document["info"],
        "paths": {path: _path(item) for path, item in document["paths"].items()},
        "definitions": {name: _schema(schema) for name, schema in schemas.items()},
    }


def _schema(schema: Any) -> Document:
    if not isinstance(schema, dict):  # true or false
        return {}
    if "oneOf" in schema and "type" not in schema:
        return {"type": "string", **_plain(schema)}
    result = _plain(schema)
    parts: list[Any] = schema.get("allOf") or []
    if "$ref" in schema:
        result["$ref"] = _reference(schema["$ref"])
    elif len(parts) == 1 and "$ref" in parts[0]:
        result["$ref"] = _reference(parts[0]["$ref"])
    elif parts:
        result["allOf"] = [_schema(part) for part in parts]
    if "properties" in schema:
        result["properties"] = {name: _schema(inner) for name, inner in schema["properties"].items()}
    if isinstance(schema.get("items"), dict):
        result["items"] = _schema(schema["items"])
    if "additionalProperties" in schema:
        rest = schema["additionalProperties"]
        result["additionalProperties"] = _schema(rest) if isinstance(rest, dict) else rest
    return result


def _plain(schema: Document) -> Document:
    return {key: value for key, value in schema.items() if key in _KEPT or key.startswith("x-")}


def _reference(text: str) -> str:
    return _V2 + text.removeprefix(_V3)


def _path(item: Document) -> Document:
    result: Document = {key: _operation(item[key]) for key in _METHODS if key in item}
    if item.get("parameters"):
        result["parameters"] = [_parameter(each) for each in item["parameters"]]
    return result


def _parameter(parameter: Document) -> Document:
    schema = parameter.get("schema") or {}
    plain = {key: value for key, value in parameter.items() if key != "schema"}
    return {**plain, "type": schema.get("type", "string"), "uniqueItems": True}


def _operation(operation: Document) -> Document:
    body = operation.get("requestBody")
    parameters = [_parameter(each) for each in operation.get("parameters") or ()]
    if body:
        reference = _first(body["content"])
        parameters.insert(0, {"name": "body", "in": "body", "required": True, "schema": _schema(reference)})
    marks = {key: value for key, value in operation.items() if key.startswith("x-")}
    return {
        "tags": operation.get("tags") or [],
        "operationId": operation.get("operationId", ""),
        "consumes": sorted(body["content"]) if body else ["*/*"],
        "produces": ["application/json"],
        **({"parameters": parameters} if parameters else {}),
        "responses": {code: _response(each) for code, each in operation["responses"].items()},
        **marks,
    }


def _response(response: Document) -> Document:
    content = response.get("content")
    schema = {"schema": _schema(_first(content))} if content else {}
    return {"description": response.get("description", ""), **schema}


def _first(content: Document) -> Document:
    found: Document = next(iter(content.values()))["schema"]
    return found
