"""Expressions that construct objects: types by name, numbers that stay whole, places in errors."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from leeward.cluster.cel.construction import (
    TYPE,
    ConstructionError,
    as_json,
    check_names,
    compile_construction,
)
from leeward.cluster.cel.expressions import CelSyntaxError
from leeward.cluster.cel.types import Declarations

VARIABLES = Declarations(("object",))


def value(source: str, obj: Any = None) -> Any:
    return as_json(compile_construction(source, VARIABLES).evaluate({"object": obj}))


@pytest.mark.parametrize(
    ("source", "made"),
    [
        ("Object{a: 1, b: 2.5, c: true, d: null}", {"a": 1, "b": 2.5, "c": True, "d": None}),
        ("Object{a: Object.a{b: object.n + 1}}", {"a": {"b": 5}}),
        ("Object{a: object.l.map(n, Object.a{n: n})}", {"a": [{"n": 1}, {"n": 2}]}),
        ("Object{?a: optional.none(), ?b: optional.of('x')}", {"b": "x"}),
        ("Object{a: {'x-y': Object.a.z{}}}", {"a": {"x-y": {}}}),
        ("Object{a_b: 1, aB: 2, namespace: 'n'}", {"aB": 2, "a_b": 1, "namespace": "n"}),
        ("Object{a: Object . a {b: 1}.b}", {"a": 1}),
        ("Object{a: 'Object.b{}', b: 5u, c: 9007199254740993}", {"a": "Object.b{}", "b": 5, "c": 2**53 + 1}),
        ("Object{a: has(Object{b: 1}.b), b: has(Object{}.b)}", {"a": True, "b": False}),
        ("Object{a: Object.a{b: 1} == Object.a{}, b: Object{} == Object{}}", {"a": False, "b": True}),
    ],
)
def test_an_expression_constructs_objects(source: str, made: Any) -> None:
    assert value(source, {"n": 4, "l": [1, 2]}) == made


@pytest.mark.parametrize(
    ("source", "kind"),
    [
        ("Object{}", "Object"),
        ("true ? Object{} : Object{a: 1}", "Object"),
        ("Object.spec.a_b{}", "Object.spec.a_b"),
        ("[JSONPatch{op: 'x'}]", "list(JSONPatch)"),
        ("[]", "list(dyn)"),
        ("{'a': 1}", "map(string, int)"),
    ],
)
def test_what_an_expression_makes_is_called_as_it_is_written(source: str, kind: str) -> None:
    assert compile_construction(source, VARIABLES).type == kind


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("[JSONPatch{op: 1}]", "1:14: expected type of field 'op' is 'string' but provided type is 'int'"),
        ("true ? Object.a{} : Object.b{}", "'_?_:_' applied to '(bool, Object.a, Object.b)'"),
        ("Object{a: Object.b.c{}.none(1)}", " | Object{a: Object.b.c{}.none(1)}"),
        ("Thing{}", "undeclared reference to 'Thing'"),
    ],
)
def test_what_is_wrong_is_told_with_the_names_that_were_written(source: str, told: str) -> None:
    with pytest.raises(CelSyntaxError) as refused:
        compile_construction(source, VARIABLES)
    assert told in str(refused.value)


def test_names_that_differ_only_in_dots_are_different_types() -> None:
    made = compile_construction("Object{a: [Object.a_b{}, Object.a.b{}]}", VARIABLES).evaluate({})

    assert [each[TYPE] for each in made["a"]] == ["Object.a_b", "Object.a.b"]


def test_an_object_is_called_by_its_path_through_lists_and_maps() -> None:
    check_names(compile_construction("Object{a: [{'x': Object.a{b: Object.a.b{}}}]}", VARIABLES).evaluate({}))
    wrong = compile_construction("Object{a: [Object.a{b: Object.b{}}]}", VARIABLES).evaluate({})

    with pytest.raises(ConstructionError, match=r'unexpected type name "Object\.b", expected "Object\.a\.b"'):
        check_names(wrong)


def test_times_and_bytes_are_texts_in_json() -> None:
    moment = datetime(2020, 1, 2, 3, 4, 5, tzinfo=UTC)

    assert as_json({"t": moment, "d": timedelta(seconds=90), "b": b"a", "f": 2.0}) == {
        "t": "2020-01-02T03:04:05Z", "d": "90s", "b": "YQ==", "f": 2,
    }  # fmt: skip
    with pytest.raises(ConstructionError):
        as_json({"x": object()})
