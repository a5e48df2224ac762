"""Columns of custom resources.

Source: k8s.io/apiextensions-apiserver/pkg/registry/customresource/tableconvertor (Kubernetes 1.36).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, cast

from leeward.cluster.apiserver.printers.table import UNKNOWN, Cell, Column, Printer, since
from leeward.kube.jsonpath import find
from leeward.kube.objects import Obj

_CREATED = ".metadata.creationTimestamp"
_DEFAULT: Sequence[Mapping[str, Any]] = ({"name": "Age", "type": "date", "jsonPath": _CREATED},)
_PLAIN = (Column("Name"), Column("Age", "date"))
_TYPES: Mapping[str, type | tuple[type, ...]] = {"integer": int, "number": (int, float), "boolean": bool}


def custom_printer(columns: Sequence[Mapping[str, Any]]) -> Printer:
    """Return how a custom resource is shown; `columns` are its ``additionalPrinterColumns``, or none."""
    shown = columns or _DEFAULT
    made = (Column("Name"), *(_column(each) for each in columns)) if columns else _PLAIN
    paths = [(each.get("jsonPath") or "", each["type"]) for each in shown]

    def row(obj: Obj, now: datetime) -> list[Cell | None]:
        return [obj["metadata"]["name"], *(_cell(obj, path, kind, now) for path, kind in paths)]

    return Printer(made, row)


def _column(given: Mapping[str, Any]) -> Column:
    text = f"Custom resource definition column (in JSONPath format): {given.get('jsonPath')}"
    return Column(
        given["name"],
        given["type"],
        given.get("priority") or 0,
        description=given.get("description") or text,
        format=given.get("format") or "",
    )


def _cell(obj: Obj, path: str, kind: str, now: datetime) -> Cell | None:
    try:
        found = find(obj, path)
    except ValueError:
        return None
    if kind == "date" and not found:
        return UNKNOWN if path == _CREATED else None
    if not found or found[0] is None:
        return None
    value = found[0]
    if kind == "date":
        return _age(value, now)
    if kind == "string":
        return ",".join(_text(each) for each in found)
    if kind != "boolean" and isinstance(value, bool):
        return None
    fits = isinstance(value, _TYPES[kind])
    return cast(Cell, value) if fits else None


def _age(value: Any, now: datetime) -> str:
    try:
        return since(value, now)
    except (TypeError, ValueError):
        return "<invalid>"


def _text(value: Any) -> str:
    """Return a value as Go prints it."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return f"[{' '.join(_text(each) for each in value)}]"
    if isinstance(value, dict):
        return f"map[{' '.join(f'{key}:{_text(value[key])}' for key in sorted(value))}]"
    return str(value)
