"""An OpenAPI v2 document as protobuf, which is how Go clients want it.

Source: openapiv2/OpenAPIv2.proto of github.com/google/gnostic-models; values of any type are YAML there, and
JSON is YAML.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import orjson

Node = Mapping[str, Any]
Encode = Callable[[Any], bytes]


def _varint(value: int) -> bytes:
    value &= (1 << 64) - 1
    parts = bytearray()
    while value > 0x7F:
        parts.append(value & 0x7F | 0x80)
        value >>= 7
    parts.append(value)
    return bytes(parts)


def _part(number: int, data: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(data)) + data


def _text(number: int) -> Encode:
    return lambda value: _part(number, str(value).encode())


def _texts(number: int) -> Encode:
    return lambda values: b"".join(_part(number, str(value).encode()) for value in values)


def _whole(number: int) -> Encode:
    return lambda value: _varint(number << 3) + _varint(int(value))


def _double(number: int) -> Encode:
    return lambda value: _varint(number << 3 | 1) + struct.pack("<d", value)


def _message(number: int, encode: Encode) -> Encode:
    return lambda value: _part(number, encode(value))


def _any(value: Any) -> bytes:
    return _part(2, orjson.dumps(value, option=orjson.OPT_APPEND_NEWLINE))


def _anys(number: int) -> Encode:
    return lambda values: b"".join(_part(number, _any(value)) for value in values)


def _named(number: int, encode: Encode) -> Encode:
    """Encode a map as a list of names and values."""

    def entries(values: Node) -> bytes:
        found = (_part(1, name.encode()) + _part(2, encode(value)) for name, value in values.items())
        return b"".join(_part(number, entry) for entry in found)

    return entries


def _fields(node: Node, known: Mapping[str, Encode], extension: int) -> bytes:
    """Encode what is known of a node, then its extensions."""
    found = [known[key](value) for key, value in node.items() if key in known]
    marks = {key: value for key, value in node.items() if key.startswith("x-")}
    return b"".join([*found, _named(extension, _any)(marks)])


def _schema(schema: Node) -> bytes:
    return _fields(schema, _SCHEMA, 31)


def _additional(value: Any) -> bytes:
    return _whole(2)(value) if isinstance(value, bool) else _part(1, _schema(value))


def _schemas(number: int) -> Encode:
    return lambda values: b"".join(_part(number, _schema(value)) for value in values)


_SCHEMA: Mapping[str, Encode] = {
    "$ref": _text(1),
    "format": _text(2),
    "title": _text(3),
    "description": _text(4),
    "default": _message(5, _any),
    "multipleOf": _double(6),
    "maximum": _double(7),
    "exclusiveMaximum": _whole(8),
    "minimum": _double(9),
    "exclusiveMinimum": _whole(10),
    "maxLength": _whole(11),
    "minLength": _whole(12),
    "pattern": _text(13),
    "maxItems": _whole(14),
    "minItems": _whole(15),
    "uniqueItems": _whole(16),
    "maxProperties": _whole(17),
    "minProperties": _whole(18),
    "required": _texts(19),
    "enum": _anys(20),
    "additionalProperties": _message(21, _additional),
    "type": _message(22, _text(1)),
    "items": _message(23, lambda value: _part(1, _schema(value))),
    "allOf": _schemas(24),
    "properties": _message(25, _named(1, _schema)),
    "readOnly": _whole(27),
    "example": _message(30, _any),
}
_BODY: Mapping[str, Encode] = {
    "description": _text(1),
    "name": _text(2),
    "in": _text(3),
    "required": _whole(4),
    "schema": _message(5, _schema),
}
_COMMON: Mapping[str, Encode] = {
    "required": _whole(1),
    "in": _text(2),
    "description": _text(3),
    "name": _text(4),
}
_IN_PATH = {**_COMMON, "type": _text(5), "format": _text(6), "uniqueItems": _whole(19)}
_IN_QUERY = {**_COMMON, "type": _text(6), "format": _text(7), "uniqueItems": _whole(20)}


def _parameter(parameter: Node) -> bytes:
    if parameter["in"] == "body":
        return _part(1, _part(1, _fields(parameter, _BODY, 6)))
    if parameter["in"] == "path":
        other = _part(4, _fields(parameter, _IN_PATH, 22))
    else:
        other = _part(3, _fields(parameter, _IN_QUERY, 23))
    return _part(1, _part(2, other))


def _parameters(number: int) -> Encode:
    def encode(values: Iterable[Node]) -> bytes:
        return b"".join(_part(number, _parameter(value)) for value in values)

    return encode


def _response(response: Node) -> bytes:
    known = {"description": _text(1), "schema": _message(2, lambda value: _part(1, _schema(value)))}
    return _part(1, _fields(response, known, 5))


_OPERATION: Mapping[str, Encode] = {
    "tags": _texts(1),
    "operationId": _text(5),
    "produces": _texts(6),
    "consumes": _texts(7),
    "parameters": _parameters(8),
    "responses": _message(9, _named(1, _response)),
}
_METHODS = {"get": 2, "put": 3, "post": 4, "delete": 5, "options": 6, "head": 7, "patch": 8}
_PATH: Mapping[str, Encode] = {
    **{
        method: _message(number, lambda operation: _fields(operation, _OPERATION, 13))
        for method, number in _METHODS.items()
    },
    "parameters": _parameters(9),
}
_DOCUMENT: Mapping[str, Encode] = {
    "swagger": _text(1),
    "info": _message(2, lambda info: _fields(info, {"title": _text(1), "version": _text(2)}, 7)),
    "paths": _message(8, _named(2, lambda item: _fields(item, _PATH, 10))),
    "definitions": _message(9, _named(1, _schema)),
}


def encode(document: Node) -> bytes:
    """Return a document of OpenAPI v2 as an ``openapi.v2.Document``."""
    return _fields(document, _DOCUMENT, 16)
