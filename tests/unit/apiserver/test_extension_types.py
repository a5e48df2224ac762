"""CustomResourceDefinitions and APIServices have their types, in JSON and as protobuf."""

from __future__ import annotations

from typing import Any

import pytest

from leeward.cluster.apiserver import protobuf
from leeward.cluster.apiserver.decoding import fit_object
from leeward.cluster.apiserver.goorder import in_go_order
from leeward.kube.objects import Obj
from leeward.kube.status import BadRequestError

DEFINITION = ("apiextensions.k8s.io/v1", "CustomResourceDefinition")
API_SERVICE = ("apiregistration.k8s.io/v1", "APIService")


def _definition(schema: Obj, **version: Any) -> Obj:
    versions = [{"name": "v1", "served": True, "storage": True, **version}]
    versions[0]["schema"] = {"openAPIV3Schema": schema}
    names = {"plural": "widgets", "kind": "Widget"}
    spec = {"group": "example.com", "names": names, "scope": "Namespaced", "versions": versions}
    return {"metadata": {"name": "widgets.example.com"}, "spec": spec}


def _schema_of(definition: Obj) -> Any:
    return definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]


def test_a_schema_stays_as_it_is() -> None:
    schema = {
        "type": "object",
        "$ref": "#/x",
        "x-kubernetes-preserve-unknown-fields": False,
        "properties": {
            "a": {"type": "integer", "minimum": 0, "default": {"b": None, "c": [1, None]}, "enum": [1, None]},
            "list": {"type": "array", "items": {"type": "string"}},
            "tuple": {"type": "array", "items": [{"type": "string"}, {"type": "integer"}]},
            "open": {"type": "object", "additionalProperties": True},
            "typed": {"type": "object", "additionalProperties": {"type": "string"}},
        },
        "dependencies": {"a": ["b"], "c": {"type": "object"}},
    }
    given = _definition(schema, subresources={"status": {}})
    assert fit_object(given, *DEFINITION) == (given, [])


def test_unknown_fields_of_a_definition_are_named() -> None:
    given = _definition({"type": "object", "properties": {"a": {"typ": "string"}}}, extra=1)
    document, unknown = fit_object(given, *DEFINITION)

    path = "spec.versions[0]"
    assert sorted(unknown) == [f"{path}.extra", f"{path}.schema.openAPIV3Schema.properties.a.typ"]
    assert _schema_of(document) == {"type": "object", "properties": {"a": {}}}


def test_what_is_unknown_where_go_reads_a_schema_apart_goes_unsaid() -> None:
    given = _definition({"items": {"typ": "x", "type": "string"}, "additionalProperties": {"nosuch": 1}})
    document, unknown = fit_object(given, *DEFINITION)

    assert unknown == []
    assert _schema_of(document) == {"items": {"type": "string"}, "additionalProperties": {}}


def test_additional_properties_are_a_schema_or_a_bool() -> None:
    with pytest.raises(BadRequestError, match="boolean or JSON schema expected"):
        fit_object(_definition({"additionalProperties": "yes"}), *DEFINITION)
    with pytest.raises(BadRequestError, match=r"string into Go struct field JSONSchemaProps\.minLength of"):
        fit_object(_definition({"items": {"minLength": "1"}}), *DEFINITION)


def test_unknown_fields_of_an_api_service_are_named() -> None:
    spec = {"group": "a.example.com", "service": {"name": "a", "namespace": "b", "host": "c"}, "prio": 1}
    assert sorted(fit_object({"spec": spec}, *API_SERVICE).unknown) == ["spec.prio", "spec.service.host"]


def test_a_definition_comes_in_the_order_of_go() -> None:
    schema = {
        "properties": {"b": {"items": {"type": "x", "format": "y", "id": "z"}}, "a": {}},
        "type": "object",
    }
    ordered = _schema_of(
        in_go_order({"apiVersion": DEFINITION[0], "kind": DEFINITION[1], **_definition(schema)})
    )

    assert list(ordered) == ["type", "properties"]
    assert list(ordered["properties"]) == ["a", "b"]
    assert list(ordered["properties"]["b"]["items"]) == ["id", "type", "format"]


def _field(number: int, value: bytes | str | int) -> bytes:
    """Return a field as protobuf has it."""
    if isinstance(value, int):
        return bytes([number << 3]) + bytes([value]) if number < 16 else _tag(number, 0) + bytes([value])
    content = value.encode() if isinstance(value, str) else value
    return _tag(number, 2) + _varint(len(content)) + content


def _tag(number: int, wire: int) -> bytes:
    return _varint(number << 3 | wire)


def _varint(number: int) -> bytes:
    result = b""
    while number > 0x7F:
        result += bytes([number & 0x7F | 0x80])
        number >>= 7
    return result + bytes([number])


def _body(version: str, kind: str, message: bytes) -> bytes:
    return b"k8s\x00" + _field(1, _field(1, version) + _field(2, kind)) + _field(2, message)


def _property(name: str, schema: bytes) -> bytes:
    return _field(29, _field(1, name) + _field(2, schema))


def test_a_definition_as_protobuf_is_the_same_as_in_json() -> None:
    text = _field(5, "string")
    schema = (
        _field(5, "object")
        + _field(3, "#/x")
        + _field(38, 1)
        + _property("list", _field(24, _field(1, text)))
        + _property("tuple", _field(24, _field(2, text) + _field(2, _field(5, "integer"))))
        + _property("open", _field(30, _field(1, 1)))
        + _property("closed", _field(30, _field(1, 0)))
        + _property("typed", _field(30, _field(1, 1) + _field(2, text)))
        + _property("value", _field(8, _field(1, '{"a":[1]}')) + _field(20, _field(1, "7")) + _field(17, 0))
        + _property("off", _field(8, _field(1, "false")))
        + _field(32, _field(1, "needs") + _field(2, _field(2, "list")))
    )
    version = _field(1, "v1") + _field(2, 1) + _field(3, 0) + _field(4, _field(1, schema))
    version += _field(5, _field(1, b""))
    message = _field(1, _field(1, "widgets.example.com")) + _field(
        2, _field(1, "example.com") + _field(7, version)
    )
    found = protobuf.decode(_body(*DEFINITION, message))["spec"]["versions"][0]

    assert (found["served"], found["storage"], found["subresources"]) == (True, False, {"status": {}})
    assert found["schema"]["openAPIV3Schema"] == {
        "type": "object",
        "$ref": "#/x",
        "x-kubernetes-preserve-unknown-fields": True,
        "properties": {
            "list": {"items": {"type": "string"}},
            "tuple": {"items": [{"type": "string"}, {"type": "integer"}]},
            "open": {"additionalProperties": True},
            "closed": {"additionalProperties": False},
            "typed": {"additionalProperties": {"type": "string"}},
            "off": {"default": False},
            "value": {"default": {"a": [1]}, "enum": [7], "minItems": 0},
        },
        "dependencies": {"needs": ["list"]},
    }


def test_an_api_service_is_read_from_protobuf() -> None:
    service = _field(1, "ops") + _field(2, "metrics") + _field(3, 80)
    spec = _field(1, service) + _field(2, "metrics.k8s.io") + _field(5, b"pem") + _field(7, 100)
    message = _field(1, _field(1, "v1.metrics.k8s.io")) + _field(2, spec)

    found = protobuf.decode(_body(*API_SERVICE, message))
    assert (found["apiVersion"], found["kind"]) == API_SERVICE
    assert found["spec"] == {
        "service": {"namespace": "ops", "name": "metrics", "port": 80},
        "group": "metrics.k8s.io",
        "caBundle": "cGVt",
        "groupPriorityMinimum": 100,
    }
