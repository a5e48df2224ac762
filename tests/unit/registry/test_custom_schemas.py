"""Objects of custom kinds are pruned, completed and checked by their schemas, in upstream's words."""

from __future__ import annotations

from typing import Any

import pytest

from leeward.cluster.registry.custom.schemas import definition_schema_failures
from leeward.cluster.registry.custom.structure import default, prune
from leeward.cluster.registry.custom.validation import list_failures, schema_failures

_KEYED = {
    "type": "array",
    "items": {"type": "object", "required": ["k"], "properties": {"k": {"type": "string"}}},
    "x-kubernetes-list-type": "map",
    "x-kubernetes-list-map-keys": ["k"],
}


def test_unknown_fields_go_and_are_told_by_path() -> None:
    schema = {"properties": {"spec": {"properties": {"list": _KEYED, "free": {"type": "object"}}}}}
    obj = {"kind": "W", "metadata": {"a": 1}, "x": 1, "spec": {"list": [{"k": "a", "z": 1}], "y": 2}}
    kept, unknown = prune(obj, schema)
    assert kept == {"kind": "W", "metadata": {"a": 1}, "spec": {"list": [{"k": "a"}]}}
    assert unknown == ["x", "spec.list[0].z", "spec.y"]


def test_preserved_fields_and_embedded_resources_stay() -> None:
    preserving = {"x-kubernetes-preserve-unknown-fields": True}
    schema = {"properties": {"a": preserving, "b": {"x-kubernetes-embedded-resource": True}}}
    obj = {"a": {"any": {"thing": 1}}, "b": {"apiVersion": "v1", "kind": "K", "metadata": {}, "no": 1}}
    kept, unknown = prune(obj, schema)
    assert kept == {"a": {"any": {"thing": 1}}, "b": {"apiVersion": "v1", "kind": "K", "metadata": {}}}
    assert unknown == ["b.no"]


def test_defaults_are_filled_in_deep_and_replace_a_null_that_may_not_be() -> None:
    inner = {"properties": {"n": {"default": 1}, "m": {"default": 2, "nullable": True}}}
    schema = {"properties": {"spec": {"default": {}, **inner}, "list": {"items": inner}}}
    assert default({"list": [{"n": None, "m": None}]}, schema) == {
        "spec": {"n": 1, "m": 2},
        "list": [{"n": 1, "m": None}],
    }


def test_a_null_that_may_not_be_one_goes_where_there_is_no_default() -> None:
    schema = {"properties": {"a": {"type": "string"}, "b": {"type": "string", "nullable": True}}}
    assert default({"a": None, "b": None}, schema) == {"b": None}


@pytest.mark.parametrize(
    ("value", "schema", "message"),
    [
        (
            "big",
            {"type": "integer"},
            'Invalid value: "string": spec in body must be of type integer: "string"',
        ),
        (0, {"minimum": 1}, "Invalid value: 0: spec in body should be greater than or equal to 1"),
        (1, {"maximum": 1, "exclusiveMaximum": True}, "Invalid value: 1: spec in body should be less than 1"),
        (0.3, {"multipleOf": 0.5}, "Invalid value: 0.3: spec in body should be a multiple of 0.5"),
        ("green", {"enum": ["red", "blue"]}, 'Unsupported value: "green": supported values: "red", "blue"'),
        ("A", {"pattern": "^[a-z]+$"}, "Invalid value: \"A\": spec in body should match '^[a-z]+$'"),
        ("abc", {"maxLength": 2}, "Too long: may not be more than 2 bytes"),
        ("a", {"minLength": 2}, 'Invalid value: "a": spec in body should be at least 2 chars long'),
        ([], {"minItems": 1}, "Invalid value: 0: spec in body should have at least 1 items"),
        ([1, 2], {"maxItems": 1}, "Too many: 2: must have at most 1 item"),
        ({}, {"minProperties": 1}, "Invalid value: 0: spec in body should have at least 1 properties"),
        (
            True,
            {"x-kubernetes-int-or-string": True},
            'Invalid value: "boolean": spec in body must be of type integer,string: "boolean"',
        ),
        ("x", {"format": "email"}, 'Invalid value: "x": spec in body must be of type email: "x"'),
        (1, {"not": {"type": "integer"}}, 'Invalid value: "": "spec" must not validate the schema (not)'),
    ],
)
def test_what_is_wrong_is_said_as_upstream_says_it(value: Any, schema: dict[str, Any], message: str) -> None:
    assert [failure.message for failure in schema_failures(value, schema, "spec")] == [message]


def test_what_a_schema_allows_passes() -> None:
    schema = {
        "type": "object",
        "properties": {"n": {"type": "string", "nullable": True}, "f": {"type": "integer"}},
    }
    assert schema_failures({"n": None, "f": 2.0, "other": 1}, schema) == []


@pytest.mark.parametrize("value", [1 << 63, -(1 << 63) - 1, 1e20, float(1 << 54), 1.5])
def test_what_a_client_in_go_cannot_read_is_no_integer(value: float) -> None:
    found = list(schema_failures({"n": value}, {"type": "object", "properties": {"n": {"type": "integer"}}}))
    assert 'n in body must be of type integer: "number"' in found[0].message


@pytest.mark.parametrize("value", [(1 << 63) - 1, -(1 << 63), 3.0, -0.0])
def test_what_a_client_in_go_reads_as_an_integer_is_one(value: float) -> None:
    assert not list(
        schema_failures({"n": value}, {"type": "object", "properties": {"n": {"type": "integer"}}})
    )


def test_a_required_field_is_named() -> None:
    failures = schema_failures({"list": [{}]}, {"required": ["spec"], "properties": {"list": _KEYED}})
    assert [str(failure) for failure in failures] == ["spec: Required value", "list[0].k: Required value"]


def test_members_of_sets_and_keyed_lists_are_there_once() -> None:
    failures = list(list_failures([{"k": "a", "v": 1}, {"k": "a", "v": 2}], _KEYED, "maps"))
    assert [str(failure) for failure in failures] == ['maps[1]: Duplicate value: {"k":"a"}']


def test_a_pattern_that_cannot_be_read_is_told_with_its_field() -> None:
    schema = {"properties": {"spec": {"properties": {"a": {"type": "string", "pattern": "(?=x)a"}}}}}
    (failure,) = schema_failures({"spec": {"a": "xa"}}, schema)

    assert failure.field == "spec.a"
    assert failure.message == (
        'Invalid value: "xa": spec.a in body should match \'(?=x)a, but pattern is invalid: '
        "error parsing regexp: invalid or unsupported Perl syntax: `(?=`'"
    )


def test_items_are_one_schema() -> None:
    schema = {"type": "object", "properties": {"l": {"type": "array", "items": [{"type": "string"}]}}}
    (failure,) = definition_schema_failures(schema, "s")

    assert failure.field == "s.properties[l].items"
    assert failure.message == "Forbidden: items must be a schema object and not an array"
