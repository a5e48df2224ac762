"""Whether the rules in a CustomResourceDefinition can be asked.

Source: k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/validation/validation.go,
pkg/apiserver/schema/cel/compilation.go (Kubernetes 1.36).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from leeward.cluster.cel.expressions import CelSyntaxError, compile_expression
from leeward.cluster.cel.types import Declarations
from leeward.cluster.registry.custom.rules import RULES, names_old
from leeward.cluster.registry.custom.structure import Schema
from leeward.cluster.registry.failures import Failure, go_struct, invalid, required, unsupported

_REASONS = ("FieldValueRequired", "FieldValueInvalid", "FieldValueForbidden", "FieldValueDuplicate")
_EMBEDDED = "x-kubernetes-embedded-resource"


def rule_definition_failures(
    schema: Schema, path: str, *, root: bool = False, unrelated: str = ""
) -> Iterator[Failure]:
    """Return what is wrong with the rules of a schema and of all below it.

    Args:
        schema: of a version, or of a part of it.
        path: of the schema in the definition.
        root: whether it is that of whole objects.
        unrelated: path of the list around it whose members cannot be told apart.
    """
    rules = schema.get(RULES) or ()
    if rules:
        whole = root or bool(schema.get(_EMBEDDED))
        typed = Declarations(schemas={"self": schema, "oldSelf": schema}, root=whole)
        loose = Declarations(("oldSelf",), {"self": schema}, root=whole)
        for index, rule in enumerate(rules):
            declared = loose if rule.get("optionalOldSelf") else typed
            yield from _rule(rule, declared, f"{path}.{RULES}[{index}]", unrelated)
    for name, each in sorted((schema.get("properties") or {}).items()):
        yield from rule_definition_failures(each, f"{path}.properties[{name}]", unrelated=unrelated)
    extra, items = schema.get("additionalProperties"), schema.get("items")
    if isinstance(extra, Mapping):
        yield from rule_definition_failures(extra, f"{path}.additionalProperties", unrelated=unrelated)
    if isinstance(items, Mapping):
        if schema.get("x-kubernetes-list-type") != "map":
            unrelated = unrelated or path
        yield from rule_definition_failures(items, f"{path}.items", unrelated=unrelated)


def _rule(rule: Mapping[str, Any], declared: Declarations, path: str, unrelated: str) -> Iterator[Failure]:
    text = rule.get("rule") or ""
    if not text.strip():
        yield required(f"{path}.rule", "rule is not specified")
        return
    yield from _words(rule, path)
    shown = go_struct(
        rule, Rule="", Message="", MessageExpression="", Reason=None, FieldPath="", OptionalOldSelf=None
    )
    failure = _compiled(text, declared, "bool", "cel expression must evaluate to a bool")
    if failure is not None:
        yield invalid(f"{path}.rule", shown, failure)
    elif unrelated and names_old(text):
        detail = f"oldSelf cannot be used on the uncorrelatable portion of the schema within {unrelated}"
        yield invalid(f"{path}.rule", text, detail)
    if rule.get("messageExpression"):
        told = "messageExpression must evaluate to a string"
        failure = _compiled(rule["messageExpression"], declared, "string", told)
        if failure is not None:
            detail = failure if failure == told else f"messageExpression {failure}"
            yield invalid(f"{path}.messageExpression", shown, detail)


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


def _compiled(text: str, declared: Declarations, wanted: str, otherwise: str) -> str | None:
    """Return why an expression does not do; None: it does."""
    try:
        program = compile_expression(text, declared)
    except CelSyntaxError as error:
        return f"compilation failed: {error}"
    return None if program.returns in (wanted, "dyn") else otherwise
