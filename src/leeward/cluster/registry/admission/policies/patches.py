"""What the mutation of a policy makes of an object: a configuration that is applied to it, or a JSON patch.

Source: k8s.io/apiserver/pkg/admission/plugin/policy/mutating/patch/{smd,json_patch}.go,
gopkg.in/evanphx/json-patch.v4 (Kubernetes 1.36).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from leeward.cluster.cel.construction import TYPE, ConstructionError, as_json, check_names
from leeward.cluster.cel.expressions import CelSyntaxError
from leeward.cluster.registry.admission.plugin import Fit
from leeward.cluster.registry.admission.policies.expressions import ExpressionError, construction, evaluated
from leeward.cluster.registry.managedfields.fieldset import Path, path_text
from leeward.cluster.registry.managedfields.fieldset import field as field_element
from leeward.cluster.registry.managedfields.schema import DEDUCED, Type
from leeward.cluster.registry.managedfields.typed import TypeMismatchError, merge, validate
from leeward.kube.objects import Obj
from leeward.kube.patch.json_patch import RejectedError, apply_json_patch, refused_operation
from leeward.kube.status import StatusError

_WANTED = {"ApplyConfiguration": "Object", "JSONPatch": "list(JSONPatch)"}
_WHERE = {"ApplyConfiguration": "applyConfiguration", "JSONPatch": "jsonPatch"}
_LARGEST = 2**53 - 1  # integer that JSON's numbers keep


class MutationError(Exception):
    """A mutation cannot be carried out."""


def expression_of(mutation: Obj) -> str:
    """Return the expression of a mutation."""
    return str((mutation.get(_WHERE.get(mutation["patchType"], "")) or {}).get("expression") or "")


def mistake_in(mutation: Obj) -> str:
    """Return why the expression of a mutation cannot be used; "": it can."""
    wanted = _WANTED[mutation["patchType"]]
    try:
        kind = construction(expression_of(mutation)).type
    except CelSyntaxError as error:
        return f"compilation failed: {error}"
    return "" if kind == wanted else f"must evaluate to {wanted} but got {kind}"


def mutated(
    mutation: Obj, variables: Mapping[str, Any], broken: Mapping[str, str], kind: Type, fit: Fit
) -> Obj:
    """Return the object that a mutation makes.

    Args:
        mutation: of a policy.
        variables: what its expression sees, the object among it.
        broken: why variables of the policy have no value, by name.
        kind: the type of the object.
        fit: makes of what is changed an object of its type.

    Raises:
        MutationError: it cannot be carried out.
        StatusError: it leaves an object that is none.
    """
    mistake = mistake_in(mutation)
    if mistake:
        raise MutationError(mistake)
    expression, obj = expression_of(mutation), variables["object"]
    try:
        made = evaluated(expression, variables, broken, construction)
    except ExpressionError as error:
        raise MutationError(f"expression '{expression}' resulted in error: {error}") from error
    try:
        if mutation["patchType"] == "JSONPatch":
            return _patched(obj, [_operation(each) for each in made], fit)
        check_names(made)
        return _applied(obj, as_json(made), kind, fit)
    except ConstructionError as error:
        raise MutationError(str(error)) from error


def _applied(obj: Obj, config: Obj, kind: Type, fit: Fit) -> Obj:
    config = {**config, "apiVersion": obj["apiVersion"], "kind": obj["kind"]}
    try:
        validate(kind, config)
        fit(config, obj["apiVersion"], obj["kind"])
    except (TypeMismatchError, ValueError) as error:
        text = "error applying patch: failed to convert patch object to typed object: "
        raise MutationError(f"{text}{error}") from error
    atomic = list(_atomic(kind, config, ()))
    if atomic:
        text = f"may not mutate atomic arrays, maps or structs: {', '.join(atomic)}"
        raise MutationError(f"error applying patch: invalid ApplyConfiguration: {text}")
    try:
        merged: Obj = merge(kind, obj, config)
    except TypeMismatchError as error:
        raise MutationError(f"error applying patch: failed to merge patch: {error}") from error
    return merged


def _atomic(kind: Type, value: Any, path: Path) -> Iterator[str]:
    """Yield the places of what would be replaced as a whole."""
    if isinstance(value, Mapping) and kind.kind == "map":
        if kind.atomic:
            yield path_text(path)
        for name, inner in value.items():
            if name in kind.fields:
                yield from _atomic(kind.fields[name], inner, (*path, field_element(name)))
    elif isinstance(value, list) and kind.kind in ("list", "deduced"):
        if kind.atomic or kind.kind == "deduced":
            yield path_text(path)
        for index, inner in enumerate(value):
            yield from _atomic(kind.element or DEDUCED, inner, (*path, f"i:{index}"))


def _operation(made: Mapping[str, Any]) -> Obj:
    """Return the operation of a JSON patch that an expression constructed."""
    operation: Obj = {"op": made.get("op", ""), "path": made.get("path", "")}
    if made.get("from"):
        operation["from"] = made["from"]
    if "value" in made:
        value = made["value"]
        if isinstance(value, Mapping) and TYPE in value:
            check_names(value)
        operation["value"] = _safe(as_json(value))
    return operation


def _safe(value: Any) -> Any:
    """Return a value whose integers are texts where JSON's numbers could not keep them."""
    if isinstance(value, dict):
        return {key: _safe(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_safe(each) for each in value]
    return str(value) if type(value) is int and abs(value) > _LARGEST else value


def _patched(obj: Obj, operations: list[Obj], fit: Fit) -> Obj:
    try:
        patched = apply_json_patch(obj, operations)
    except RejectedError:
        why = refused_operation(obj, operations)
        if why is None:  # a test does not hold
            return obj
        raise MutationError(f"JSON Patch: {why}") from None
    except StatusError as error:
        raise MutationError(f"JSON Patch: {error.message}") from error
    try:
        fitted, unknown = fit(patched, obj["apiVersion"], obj["kind"])
    except ValueError as error:
        raise internal(str(error)) from error
    if unknown:
        told = ", ".join(f'unknown field "{path}"' for path in sorted(unknown))
        raise internal(f"strict decoding error: {told}")
    if not isinstance(fitted, dict) or not isinstance(fitted.get("metadata") or {}, dict):
        raise internal("a policy left no object")
    return {**fitted, "metadata": fitted.get("metadata") or {}}


def internal(why: str) -> StatusError:
    """Return the failure of a write that is nobody's decision."""
    return StatusError(f"Internal error occurred: {why}", details={"causes": [{"message": why}]})
