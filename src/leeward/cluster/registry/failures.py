"""Validation failures in upstream's words.

Source: k8s.io/apimachinery/pkg/util/validation/field/errors.go (Kubernetes 1.36).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from leeward.kube.resources import Resource
from leeward.kube.status import InvalidError

_FIRST = re.compile("^[A-Z]+(?=[A-Z][a-z])|^[A-Z]")


@dataclass(frozen=True, slots=True)
class Failure:
    """What is wrong with one field."""

    field: str  # "spec.template.spec.containers[0].name"
    reason: str  # "FieldValueInvalid", …
    message: str

    def __str__(self) -> str:
        return f"{self.field}: {self.message}"


def shown(value: Any) -> str:
    """Return a value as Go shows it in a message: compact JSON, with keys in order."""
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    first = value[0] if isinstance(value, list) and value else value
    ordered = isinstance(first, GoStruct)
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=not ordered)


class GoStruct(dict[str, Any]):
    """An object of upstream's internal types, whose fields have Go's names and their own order."""


def go_struct(value: Mapping[str, Any] | None, **zeros: Any) -> GoStruct:
    """Return `value` as its internal type: `zeros` are its fields, by Go's names, and what an absent one is.

    A field's JSON name is Go's with a small first letter, or word in capitals.
    """
    given = value or {}
    return GoStruct(
        {
            name: given.get(_FIRST.sub(lambda word: word[0].lower(), name), zero)
            for name, zero in zeros.items()
        }
    )


def required(field: str, detail: str = "") -> Failure:
    """The field has to be there."""
    return Failure(field, "FieldValueRequired", f"Required value{_more(detail)}")


def invalid(field: str, value: Any, detail: str) -> Failure:
    """The value is not acceptable."""
    return Failure(field, "FieldValueInvalid", f"Invalid value: {shown(value)}: {detail}")


def invalid_without_value(field: str, detail: str) -> Failure:
    """The value is not acceptable, and too large to show."""
    return Failure(field, "FieldValueInvalid", f"Invalid value: {detail}")


def unsupported(field: str, value: Any, supported: Sequence[str]) -> Failure:
    """The value is none of a few."""
    known = ", ".join(shown(each) for each in supported)
    text = f"Unsupported value: {shown(value)}: supported values: {known}"
    return Failure(field, "FieldValueNotSupported", text)


def forbidden(field: str, detail: str) -> Failure:
    """The field must not be there, or not change."""
    return Failure(field, "FieldValueForbidden", f"Forbidden: {detail}")


def duplicate(field: str, value: Any, detail: str = "") -> Failure:
    """The value is there twice."""
    return Failure(field, "FieldValueDuplicate", f"Duplicate value: {shown(value)}{_more(detail)}")


def not_found(field: str, value: Any) -> Failure:
    """What the value names is not there."""
    return Failure(field, "FieldValueNotFound", f"Not found: {shown(value)}")


def too_many(field: str, actual: int, limit: int) -> Failure:
    """A list has more items than it may have."""
    text = f"Too many: {actual}: must have at most {limit} items"
    return Failure(field, "FieldValueTooMany", text)


def too_long(field: str, limit: int) -> Failure:
    """The value has more bytes than it may have."""
    return Failure(field, "FieldValueTooLong", f"Too long: may not be more than {limit} bytes")


def _more(detail: str) -> str:
    return f": {detail}" if detail else ""


def raise_if_any(resource: Resource, name: str, failures: list[Failure]) -> None:
    """Raise all failures as one Status.

    Raises:
        InvalidError: there is a failure.
    """
    if not failures:
        return
    what = f"{resource.kind}.{resource.group}" if resource.group else resource.kind
    text, causes = told(failures)
    details: dict[str, Any] = {**({"name": name} if name else {}), "kind": resource.kind, "causes": causes}
    if resource.group:
        details["group"] = resource.group
    raise InvalidError(f'{what} "{name}" is invalid: {text}', details=details)


def told(failures: Sequence[Failure]) -> tuple[str, list[dict[str, str]]]:
    """Return failures as the text and the causes of a Status."""
    texts = list(dict.fromkeys(str(failure) for failure in failures))
    text = texts[0] if len(texts) == 1 else f"[{', '.join(texts)}]"
    return text, [{"reason": f.reason, "message": f.message, "field": f.field} for f in failures]
