"""Validation failures in upstream's words.

Source: k8s.io/apimachinery/pkg/util/validation/field/errors.go (Kubernetes 1.36).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from leeward.kube.resources import Resource
from leeward.kube.status import InvalidError


@dataclass(frozen=True, slots=True)
class Failure:
    """What is wrong with one field."""

    field: str  # "spec.template.spec.containers[0].name"
    reason: str  # "FieldValueInvalid", …
    message: str

    def __str__(self) -> str:
        return f"{self.field}: {self.message}"


def required(field: str, detail: str = "") -> Failure:
    """The field has to be there."""
    return Failure(field, "FieldValueRequired", f"Required value{_more(detail)}")


def invalid(field: str, value: Any, detail: str) -> Failure:
    """The value is not acceptable."""
    return Failure(field, "FieldValueInvalid", f"Invalid value: {json.dumps(value)}: {detail}")


def unsupported(field: str, value: Any, supported: list[str]) -> Failure:
    """The value is none of a few."""
    known = ", ".join(json.dumps(each) for each in supported)
    return Failure(
        field, "FieldValueNotSupported", f"Unsupported value: {json.dumps(value)}: supported values: {known}"
    )


def forbidden(field: str, detail: str) -> Failure:
    """The field must not be there, or not change."""
    return Failure(field, "FieldValueForbidden", f"Forbidden: {detail}")


def duplicate(field: str, value: Any) -> Failure:
    """The value is there twice."""
    return Failure(field, "FieldValueDuplicate", f"Duplicate value: {json.dumps(value)}")


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
    texts = [str(failure) for failure in failures]
    text = texts[0] if len(texts) == 1 else f"[{', '.join(texts)}]"
    causes = [{"reason": f.reason, "message": f.message, "field": f.field} for f in failures]
    details: dict[str, Any] = {"name": name, "kind": resource.kind, "causes": causes}
    if resource.group:
        details["group"] = resource.group
    raise InvalidError(f'{what} "{name}" is invalid: {text}', details=details)
