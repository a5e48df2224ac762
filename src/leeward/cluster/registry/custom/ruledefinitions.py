"""Whether the rules in a CustomResourceDefinition can be asked.

Source: k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/validation/validation.go,
pkg/apiserver/schema/cel/compilation.go (Kubernetes 1.36).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from leeward.cluster.cel.cost import estimated_cost
from leeward.cluster.cel.expressions import CelSyntaxError, Program, compile_expression
from leeward.cluster.cel.sizes import Size, size_of
from leeward.cluster.cel.types import Declarations
from leeward.cluster.registry.custom.rulecosts import Costs, repeated, times_below
from leeward.cluster.registry.custom.rules import RULES, names_old
from leeward.cluster.registry.custom.structure import Schema
from leeward.cluster.registry.failures import Failure, go_struct, invalid, required, unsupported

_REASONS = ("FieldValueRequired", "FieldValueInvalid", "FieldValueForbidden", "FieldValueDuplicate")
_EMBEDDED = "x-kubernetes-embedded-resource"


def rule_definition_failures(schema: Schema, path: str, *, root: bool = False) -> Iterator[Failure]:
    """Return what is wrong with the rules of a schema and of all below it.

    Args:
        schema: of a version.
        path: of the schema in the definition.
        root: whether it is that of whole objects.
    """
    costs = Costs(path)
    yield from _below(schema, _Place(path, costs, root=root))
    yield from costs.total_failures()


@dataclass(frozen=True, slots=True)
class _Place:
    """A place in a schema.

    Attributes:
        path: of the schema there.
        costs: of the rules of the whole schema.
        root: whether it is that of whole objects.
        unrelated: path of the list around it whose members cannot be told apart.
        times: how often there is a value; None: nothing bounds that.
    """

    path: str
    costs: Costs
    root: bool = False
    unrelated: str = ""
    times: int | None = 1


def _below(schema: Schema, place: _Place) -> Iterator[Failure]:
    rules = schema.get(RULES) or ()
    if rules:
        whole = place.root or bool(schema.get(_EMBEDDED))
        typed = Declarations(schemas={"self": schema, "oldSelf": schema}, root=whole)
        loose = Declarations(("oldSelf",), {"self": schema}, root=whole)
        size = size_of(schema, root=whole)
        for index, rule in enumerate(rules):
            declared = loose if rule.get("optionalOldSelf") else typed
            yield from _rule(rule, declared, f"{place.path}.{RULES}[{index}]", place, size)
    inner = replace(place, root=False, times=times_below(schema, place.times))
    for name, each in sorted((schema.get("properties") or {}).items()):
        yield from _below(each, replace(inner, path=f"{place.path}.properties[{name}]"))
    extra, items = schema.get("additionalProperties"), schema.get("items")
    if isinstance(extra, Mapping):
        yield from _below(extra, replace(inner, path=f"{place.path}.additionalProperties"))
    if isinstance(items, Mapping):
        keyed = schema.get("x-kubernetes-list-type") == "map"
        unrelated = place.unrelated or ("" if keyed else place.path)
        yield from _below(items, replace(inner, path=f"{place.path}.items", unrelated=unrelated))


def _rule(
    rule: Mapping[str, Any], declared: Declarations, path: str, place: _Place, size: Size | None
) -> Iterator[Failure]:
    text = rule.get("rule") or ""
    if not text.strip():
        yield required(f"{path}.rule", "rule is not specified")
        return
    yield from _words(rule, path)
    shown = go_struct(
        rule, Rule="", Message="", MessageExpression="", Reason=None, FieldPath="", OptionalOldSelf=None
    )
    program, failure = _compiled(text, declared, "bool", "cel expression must evaluate to a bool")
    if program is None:
        yield invalid(f"{path}.rule", shown, failure)
    else:
        if size is not None:
            cost = repeated(estimated_cost(program.tree(), size), place.times, size)
            yield from place.costs.failures("rule", f"{path}.rule", cost)
        yield from _old_value(rule, path, place.unrelated)
    if rule.get("messageExpression"):
        told = "messageExpression must evaluate to a string"
        program, failure = _compiled(rule["messageExpression"], declared, "string", told)
        if program is None:
            detail = failure if failure == told else f"messageExpression {failure}"
            yield invalid(f"{path}.messageExpression", shown, detail)
        elif size is not None:
            cost = estimated_cost(program.tree(), size)
            yield from place.costs.failures("messageExpression", f"{path}.messageExpression", cost)


def _old_value(rule: Mapping[str, Any], path: str, unrelated: str) -> Iterator[Failure]:
    if names_old(rule["rule"]):
        if unrelated:
            detail = f"oldSelf cannot be used on the uncorrelatable portion of the schema within {unrelated}"
            yield invalid(f"{path}.rule", rule["rule"], detail)
    elif rule.get("optionalOldSelf") is not None:
        detail = "may not be set if oldSelf is not used in rule"
        yield invalid(f"{path}.optionalOldSelf", rule["optionalOldSelf"], detail)


def _words(rule: Mapping[str, Any], path: str) -> Iterator[Failure]:
    message = rule.get("message") or ""
    if message and not message.strip():
        yield invalid(f"{path}.message", message, "message must be non-empty if specified")
    elif "\n" in message.strip():
        yield invalid(f"{path}.message", message, "message must not contain line breaks")
    elif "\n" in rule["rule"].strip() and not message:
        yield required(f"{path}.message", "message must be specified if rule contains line breaks")
    if rule.get("messageExpression") and not rule["messageExpression"].strip():
        told = "messageExpression must be non-empty if specified"
        yield required(f"{path}.messageExpression", told)
    if rule.get("reason") and rule["reason"] not in _REASONS:
        yield unsupported(f"{path}.reason", rule["reason"], sorted(_REASONS))
    if rule.get("fieldPath") and not rule["fieldPath"].startswith((".", "[")):
        yield invalid(f"{path}.fieldPath", rule["fieldPath"], "fieldPath must start with '.' or '['")


def _compiled(text: str, declared: Declarations, wanted: str, otherwise: str) -> tuple[Program | None, str]:
    """Return an expression, or why it does not do."""
    try:
        program = compile_expression(text, declared)
    except CelSyntaxError as error:
        return None, f"compilation failed: {error}"
    return (program, "") if program.returns in (wanted, "dyn") else (None, otherwise)
