"""Estimated costs: the same numbers as upstream's, with and without bounds in the schema."""

from __future__ import annotations

from typing import Any

import pytest

from leeward.cluster.cel.cost import estimated_cost
from leeward.cluster.cel.expressions import compiled, environment_of
from leeward.cluster.cel.sizes import REQUEST, Size, size_of
from leeward.cluster.cel.syntax import tree_of
from leeward.cluster.cel.types import Declarations

NUMBER, TEXT, BOOL = {"type": "number"}, {"type": "string"}, {"type": "boolean"}


def cost(schema: dict[str, Any], rule: str) -> int:
    declared = Declarations(schemas={"self": schema, "oldSelf": schema})
    size = size_of(schema)
    assert size is not None
    return estimated_cost(tree_of(compiled(environment_of(declared), rule)), size)


def array(items: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": items}


def mapping(values: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "additionalProperties": values}


def bounded(schema: dict[str, Any], most: int) -> dict[str, Any]:
    if schema["type"] == "array":
        return {**schema, "maxItems": most}
    if "additionalProperties" in schema:
        return {**schema, "maxProperties": most}
    return {**schema, "maxLength": most}


@pytest.mark.parametrize(
    ("schema", "rule", "without", "most", "with_most"),
    [
        (array(NUMBER), "self.all(x, true)", 4718591, 10, 32),
        (array(TEXT), "self.all(x, true)", 3145727, 20, 62),
        (array(BOOL), "self.all(x, true)", 1887437, 5, 17),
        (array(array(NUMBER)), "self.all(x, true)", 3145727, 100, 302),
        (mapping(NUMBER), "self.all(x, true)", 1348169, 10, 32),
        (mapping(TEXT), "self.all(x, true)", 1179647, 3, 11),
        (mapping(BOOL), "self.all(x, true)", 943718, 100, 302),
        (TEXT, "self.contains('test')", 314574, 10, 5),
        (TEXT, "self.startsWith('test')", 2, 15, 2),
        (TEXT, "self.endsWith('test')", 2, 30, 2),
        (TEXT, "size(self + 'hello') > size('hello')", 314578, 4, 7),
        (array(NUMBER), "self[1] == 0.0", 2, 5000, 2),
        (array(TEXT), "self[1] == self[1]", 314577, 8, 314577),
        (array(NUMBER), "self.all(x, self.all(y, true))", None, 10, 352),
        (array(NUMBER), "self.all(x, self.all(y, self.all(z, true)))", None, 10, 3552),
        (TEXT, "self.matches('x')", 314574, 50, 22),
        (TEXT, "''.matches('(((((((((())))))))))[0-9]')", 7, 10, 7),
        (TEXT, "self.matches('')", 1, 100, 1),
        (TEXT, "self == 'x'", 2, 0, 1),
        ({**TEXT, "format": "byte"}, "self == b'x'", 2, 0, 1),
        (array(NUMBER), "self.all(x, x == 0.0)", 6291454, 3 * 1024 * 2048, 25165826),
        (mapping(NUMBER), "self['x'] == 0.0", 2, 0, 2),
        (array({**TEXT, "format": "duration"}), "self.all(x, true)", 2359295, 5, 17),
        (array({**TEXT, "format": "date"}), "self.all(x, true)", 725936, 15, 47),
        (array({**TEXT, "format": "date-time"}), "self.all(x, true)", 428963, 25, 77),
        (array({**TEXT, "format": "duration"}), "self[0].getHours() == 2", 4, 525, 4),
        (array(mapping(NUMBER)), "self.all(x, x.y == 25.2)", 6291452, 12, 74),
        (array(mapping(NUMBER)), "self[0].x > 2.0", 4, 3000, 4),
        (array(array(NUMBER)), "self[0][0] == -1.0", 3, 51, 3),
    ],
)
def test_a_rule_is_estimated_as_upstream_estimates_it(
    schema: dict[str, Any], rule: str, without: int | None, most: int, with_most: int
) -> None:
    found = cost(schema, rule)

    assert found == without if without is not None else found > 10_000_000
    assert cost(bounded(schema, most), rule) == with_most


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("self.filter(x, x == 'a').map(y, y + 'b').exists(z, z == 'ab')", 129),
        ("self.isSorted()", 16),
        ("self.join(',') == ''", 14),
        ("self[0].replace('a', 'bb').split('b', 3).size() < 4", 28),
        ("cel.bind(x, self[0], x == x)", 18),
        ("self[0].find('a+') == 'a'", 8),
        ("quantity(self[0]).isLessThan(quantity('1k')) || isURL(self[0])", 11),
        ("cidr('10.0.0.0/8').containsIP('10.0.0.1')", 6),
        ("self[0] in ['a', 'b'] ? true : self[0].lowerAscii() == 'c'", 21),
    ],
)
def test_functions_have_costs_of_their_own(rule: str, expected: int) -> None:
    assert cost({**array({**TEXT, "maxLength": 10}), "maxItems": 3}, rule) == expected


def test_what_a_schema_says_of_sizes() -> None:
    item = {
        "type": "object",
        "required": ["n"],
        "properties": {"n": TEXT, "e": {**TEXT, "enum": ["a", "bcd"]}},
    }
    size = size_of(array(item))

    assert size is not None
    assert size.item is not None
    assert size.most == (REQUEST - 2) // (2 + len("n") + 2 + 4 + 1)
    assert size.item.fields["e"].most == 3
    assert size.at(("@items", "n")) == Size(REQUEST - 2, 2)
    assert size_of({"x-kubernetes-preserve-unknown-fields": True}) is None
