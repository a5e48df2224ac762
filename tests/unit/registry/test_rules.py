from __future__ import annotations

from typing import Any

import pytest

from leeward.cluster.registry.custom.ruledefinitions import rule_definition_failures
from leeward.cluster.registry.custom.rules import ruled


def told(schema: dict[str, Any], value: Any, old: Any = None) -> list[str]:
    rules = ruled(schema)
    assert rules is not None
    return [str(failure) for failure in rules.failures(value, old, "")]


def at_spec(*rules: dict[str, Any], **properties: Any) -> dict[str, Any]:
    spec = {"type": "object", "properties": properties, "x-kubernetes-validations": list(rules)}
    return {"type": "object", "properties": {"spec": spec}}


LIMITS = at_spec(
    {"rule": "self.min <= self.max", "message": "min must not exceed max"},
    min={"type": "integer"},
    max={"type": "integer"},
)


def test_a_broken_rule_says_its_message_and_an_object_is_not_shown() -> None:
    assert told(LIMITS, {"spec": {"min": 2, "max": 1}}) == ["spec: Invalid value: min must not exceed max"]


def test_without_a_message_the_rule_itself_is_told() -> None:
    schema = at_spec(n={"type": "string", "x-kubernetes-validations": [{"rule": "self != 'bad' "}]})

    assert told(schema, {"spec": {"n": "bad"}}) == [
        "spec.n: Invalid value: \"bad\": failed rule: self != 'bad'"
    ]


def test_an_expression_makes_the_message_and_a_reason_and_a_path_are_kept() -> None:
    rule = {
        "rule": "self.name != 'bad'",
        "messageExpression": "'not ' + self.name",
        "reason": "FieldValueForbidden",
        "fieldPath": ".name",
    }

    assert told(at_spec(rule), {"spec": {"name": "bad"}}) == ["spec.name: Forbidden: not bad"]


def test_a_message_that_cannot_be_made_gives_way_to_the_written_one() -> None:
    rule = {"rule": "false", "messageExpression": "self.none", "message": "written"}

    assert told(at_spec(rule), {"spec": {}}) == ["spec: Invalid value: written"]


def test_a_rule_of_a_transition_is_asked_of_changes_only() -> None:
    schema = at_spec(n={"type": "string", "x-kubernetes-validations": [{"rule": "self == oldSelf"}]})

    assert told(schema, {"spec": {"n": "a"}}) == []
    assert told(schema, {"spec": {"n": "a"}}, {"spec": {"n": "a"}}) == []
    assert told(schema, {"spec": {"n": "b"}}, {"spec": {"n": "a"}}) == [
        'spec.n: Invalid value: "b": failed rule: self == oldSelf'
    ]


def test_a_rule_with_an_optional_old_value_is_asked_of_new_objects_too() -> None:
    rule = {"rule": "oldSelf.hasValue() || self.n == 1", "optionalOldSelf": True, "message": "start at 1"}

    assert told(at_spec(rule), {"spec": {"n": 2}}) == ["spec: Invalid value: start at 1"]
    assert told(at_spec(rule), {"spec": {"n": 2}}, {"spec": {"n": 1}}) == []


def test_the_name_of_the_old_value_in_a_string_is_only_a_word() -> None:
    rule = {"rule": "self.n != 'oldSelf' && self.n != 'the oldSelf value'", "message": "no"}

    assert told(at_spec(rule), {"spec": {"n": "oldSelf"}}) == ["spec: Invalid value: no"]
    assert told(at_spec({**rule, "optionalOldSelf": True}), {"spec": {"n": "the oldSelf value"}}) == [
        "spec: Invalid value: no"
    ]


def test_what_did_not_change_may_go_on_breaking_a_rule() -> None:
    broken = {"spec": {"min": 2, "max": 1}}

    assert told(LIMITS, broken, broken) == []


def test_members_of_a_list_with_keys_are_compared_with_their_former_selves() -> None:
    items = {"type": "object", "x-kubernetes-validations": [{"rule": "self.n >= oldSelf.n", "message": "up"}]}
    of_map = {
        "type": "array",
        "items": items,
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["k"],
    }
    schema = {"type": "object", "properties": {"all": of_map}}
    old = {"all": [{"k": "a", "n": 5}, {"k": "b", "n": 1}]}

    assert told(schema, {"all": [{"k": "b", "n": 2}, {"k": "a", "n": 4}]}, old) == [
        "all[1]: Invalid value: up"
    ]


def test_a_rule_that_cannot_be_evaluated_is_broken() -> None:
    schema = at_spec({"rule": "self.none > 1"})

    assert told(schema, {"spec": {}}) == [
        "spec: Invalid value: no such key: none evaluating rule: self.none > 1"
    ]


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        ({"rule": "self.none"}, "compilation failed: ERROR: <input>:1:5: undefined field 'none'"),
        ({"rule": "1 + 1"}, "cel expression must evaluate to a bool"),
        ({"rule": " "}, "rule is not specified"),
        ({"rule": "true", "messageExpression": "1"}, "messageExpression must evaluate to a string"),
        ({"rule": "true", "messageExpression": "("}, "messageExpression compilation failed: ERROR"),
        ({"rule": "true", "message": "a\nb"}, "message must not contain line breaks"),
        ({"rule": "true", "reason": "No"}, "Unsupported value"),
    ],
)
def test_a_definition_with_a_rule_that_cannot_be_asked_is_refused(rule: dict[str, Any], text: str) -> None:
    failures = [str(each) for each in rule_definition_failures(at_spec(rule), "schema", root=True)]

    assert len(failures) == 1
    assert failures[0].startswith("schema.properties[spec].x-kubernetes-validations[0].")
    assert text in failures[0]


def test_a_transition_of_what_cannot_be_told_apart_is_refused() -> None:
    items = {"type": "string", "maxLength": 9, "x-kubernetes-validations": [{"rule": "self == oldSelf"}]}
    schema = {"type": "object", "properties": {"all": {"type": "array", "maxItems": 9, "items": items}}}

    (failure,) = rule_definition_failures(schema, "schema")

    assert "oldSelf cannot be used on the uncorrelatable portion of the schema" in failure.message


def test_a_rule_that_goes_on_and_on_is_cancelled_in_upstreams_words() -> None:
    numbers = {"type": "array", "items": {"type": "integer"}}
    schema = at_spec({"rule": "self.n.all(x, self.n.all(y, x + y > 0))", "message": "all"}, n=numbers)

    assert told(schema, {"spec": {"n": list(range(1, 1000))}}) == [
        "spec: Invalid value: 'operation cancelled: actual cost limit exceeded': no further validation rules "
        "will be run due to call cost exceeds limit for rule: all"
    ]


def _numbers(rule: str, **more: Any) -> dict[str, Any]:
    rules = [{"rule": rule}]
    return {"type": "array", "items": {"type": "integer"}, "x-kubernetes-validations": rules, **more}


TOO_DEAR = (
    "Forbidden: {} exceeds budget by factor of {} (try simplifying the rule, or adding "
    "maxItems, maxProperties, and maxLength where arrays, maps, and strings are declared)"
)


def _definition(schema: dict[str, Any]) -> list[str]:
    whole = {"type": "object", "properties": {"spec": schema}}
    return [str(each) for each in rule_definition_failures(whole, "schema", root=True)]


def test_a_rule_that_may_cost_too_much_is_refused_until_its_lists_have_bounds() -> None:
    rule = "self.all(x, self.all(y, x == y))"
    at = "schema.properties[spec].x-kubernetes-validations[0].rule: "

    alone, contributed, total = _definition(_numbers(rule))

    assert alone == at + TOO_DEAR.format("estimated rule cost", "more than 100x")
    assert contributed.startswith(
        f"{at}Forbidden: contributed to estimated rule cost total exceeding cost limit"
    )
    what = "x-kubernetes-validations estimated rule cost total for entire OpenAPIv3 schema"
    assert total == "schema: " + TOO_DEAR.format(what, "more than 100x")
    assert _definition(_numbers(rule, maxItems=100)) == []


def test_a_rule_in_a_list_costs_as_often_as_the_list_has_members() -> None:
    inner = _numbers("self.all(x, x > 0)", maxItems=1000)

    assert _definition({"type": "array", "items": inner, "maxItems": 1000}) == []
    (failure,) = _definition({"type": "array", "items": inner, "maxItems": 2500})
    assert failure.endswith(TOO_DEAR.format("estimated rule cost", "1.250500x"))
    unbounded = _definition({"type": "array", "items": inner})
    assert "more than 100x" in unbounded[0]


def test_an_old_value_is_optional_only_where_it_is_used() -> None:
    (failure,) = _definition(
        {"type": "string", "x-kubernetes-validations": [{"rule": "self != ''", "optionalOldSelf": True}]}
    )

    assert failure.endswith(
        "optionalOldSelf: Invalid value: true: may not be set if oldSelf is not used in rule"
    )
