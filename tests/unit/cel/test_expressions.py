from __future__ import annotations

from typing import Any

import pytest

from leeward.cluster.cel.expressions import CelEvaluationError, CelSyntaxError, compile_expression
from leeward.cluster.cel.types import Declarations, escaped
from leeward.cluster.cel.values import converter

ANYTHING = Declarations(("self",))
SCHEMA = {
    "type": "object",
    "properties": {
        "spec": {
            "type": "object",
            "properties": {
                "min": {"type": "integer"},
                "names": {"type": "array", "items": {"type": "string"}},
                "by_name": {"type": "object", "additionalProperties": {"type": "string"}},
                "port": {"x-kubernetes-int-or-string": True},
            },
        }
    },
}
TYPED = Declarations(schemas={"self": SCHEMA, "oldSelf": SCHEMA}, root=True)


def value(source: str, **variables: Any) -> Any:
    return compile_expression(source, ANYTHING).evaluate({"self": None, **variables})


@pytest.mark.parametrize(
    "source",
    [
        "self.spec.min > 0",
        "self.spec.names.all(x, x.startsWith('a'))",
        "self.spec.by_name['a'] == 'b'",
        "has(self.spec.port) && self.spec.port == 5",
        "self.spec.min >= oldSelf.spec.min",
        "self.metadata.name == 'x'",
    ],
)
def test_an_expression_over_a_schema_is_compiled_with_its_types(source: str) -> None:
    assert compile_expression(source, TYPED).returns == "bool"


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("self.spec.none == 1", "ERROR: <input>:1:10: undefined field 'none'"),
        ("self.spec.min == 'a'", "found no matching overload for '_==_' applied to '(int, string)'"),
        ("foo(", "Syntax error: mismatched input '<EOF>'"),
        ("nosuch", "undeclared reference to 'nosuch'"),
    ],
)
def test_what_is_wrong_with_an_expression_is_told_with_its_place(source: str, told: str) -> None:
    with pytest.raises(CelSyntaxError) as refused:
        compile_expression(source, TYPED)
    assert told in str(refused.value)


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("self.data.a == 'b'", "no such key: data"),
        ("[1][2] == 1", "index out of bounds: 2"),
        ("1 / 0 == 1", "division by zero"),
    ],
)
def test_an_expression_without_a_value_says_why_in_upstreams_words(source: str, told: str) -> None:
    with pytest.raises(CelEvaluationError) as refused:
        value(source, self={"x": 1})
    assert str(refused.value) == told


@pytest.mark.parametrize(
    "source",
    [
        "quantity('1Gi').isGreaterThan(quantity('900Mi'))",
        "quantity('100m').add(quantity('200m')).compareTo(quantity('0.3')) == 0",
        "isQuantity('1k') && !isQuantity('k1')",
        "url('https://a.example:8443/p?q=1').getPort() == '8443'",
        "cidr('10.0.0.0/8').containsIP('10.1.2.3')",
        "isIP('::1') && !isIP('1.2.3')",
        "semver('1.10.0').isGreaterThan(semver('1.9.9'))",
        "'abc123'.find('[0-9]+') == '123'",
        "[1, 2, 3].isSorted() && [1, 2, 3].sum() == 6",
        "sets.contains([1, 2], [1])",
        "'a,b'.split(',').size() == 2",
    ],
)
def test_the_functions_of_kubernetes_are_there(source: str) -> None:
    assert value(source) is True


@pytest.mark.parametrize(
    ("name", "known_as"),
    [
        ("a-b", "a__dash__b"),
        ("a.b", "a__dot__b"),
        ("in", "__in__"),
        ("a__b", "a__underscores__b"),
        ("1a", None),
    ],
)
def test_names_of_properties_are_escaped_as_upstream_does(name: str, known_as: str | None) -> None:
    assert escaped(name) == known_as


def test_times_and_durations_of_a_schema_are_compared_as_such() -> None:
    schema = {
        "type": "object",
        "properties": {
            "at": {"type": "string", "format": "date-time"},
            "for": {"type": "string", "format": "duration"},
        },
    }
    convert = converter(schema)
    assert convert is not None
    seen = convert({"at": "2026-01-02T00:00:00Z", "for": "90s"})

    assert value("self.at > timestamp('2026-01-01T00:00:00Z')", self=seen) is True
    assert value("self.__for__ > duration('1m')", self=seen) is True


def test_a_value_is_bound_to_a_name() -> None:
    assert value("cel.bind(x, self + 1, x * x)", self=2) == 9


def test_an_expression_that_goes_on_and_on_is_cancelled_in_upstreams_words() -> None:
    with pytest.raises(CelEvaluationError, match=r"^operation cancelled: actual cost limit exceeded$"):
        value("self.all(x, self.all(y, x + y > 0))", self=list(range(1, 1000)))
