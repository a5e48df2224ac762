"""Objects as Tables and as metadata only.

Source: ``k8s.io/apiserver/pkg/endpoints/handlers/response.go`` and ``k8s.io/kubernetes/pkg/printers``.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any

from leeward.base.registry import Registry
from leeward.cluster.apiserver.printers.descriptions import description
from leeward.cluster.apiserver.printers.table import DEFAULT, Printer
from leeward.kube.objects import Obj

_META = "meta.k8s.io"
_GENERATION = "deprecated.daemonset.template.generation"  # which upstream adds after it made a Table


def partial(obj: Obj, version: str = "v1") -> Obj:
    """Return the PartialObjectMetadata of an object."""
    return {"kind": "PartialObjectMetadata", "apiVersion": f"{_META}/{version}", "metadata": obj["metadata"]}


def partial_list(items: Sequence[Obj], metadata: dict[str, Any], version: str = "v1") -> Obj:
    """Return the PartialObjectMetadataList of objects."""
    return {
        "kind": "PartialObjectMetadataList",
        "apiVersion": f"{_META}/{version}",
        "metadata": metadata,
        "items": [partial(item, version) for item in items],
    }


class TableMaker:
    """Turns objects into metav1.Table documents.

    Args:
        printers: by resource; :func:`leeward.cluster.apiserver.printers.catalog.printers`.
    """

    def __init__(self, printers: Registry[Printer]) -> None:
        self._printers = dict(printers.items())

    def make(
        self,
        resource: str,
        items: Sequence[Obj],
        metadata: dict[str, Any],
        now: datetime,
        *,
        include: str = "Metadata",
        headers: bool = True,
        printer: Printer | None = None,
    ) -> Obj:
        """Return the Table of `items`.

        Args:
            resource: "pods", "deployments.apps".
            items: the rows' objects.
            metadata: the list's metadata, such as its resourceVersion.
            now: what ages are counted to.
            include: what each row carries: "Metadata", "Object" or "None".
            headers: whether to repeat the column definitions (watch events after the first do not).
            printer: of a custom resource, instead of the one that is known by name.
        """
        shown = printer or self._printers.get(resource, DEFAULT)
        table: Obj = {
            "kind": "Table",
            "apiVersion": f"{_META}/v1",
            "metadata": metadata,
            "columnDefinitions": _definitions(resource, shown) if headers else None,
            "rows": [_row(shown, item, now, include) for item in items],
        }
        return table


@lru_cache(maxsize=512)
def _definitions(resource: str, printer: Printer) -> list[dict[str, Any]]:
    return [
        column.definition(column.description or description(resource, column.name))
        for column in printer.columns
    ]


def _row(printer: Printer, obj: Obj, now: datetime, include: str) -> dict[str, Any]:
    row: dict[str, Any] = {"cells": printer.row(obj, now)}
    if include == "Object":
        row["object"] = obj
    elif include != "None":
        row["object"] = _bare(partial(obj))
    return row


def _bare(obj: Obj) -> Obj:
    notes = obj["metadata"].get("annotations")
    if not notes or _GENERATION not in notes:
        return obj
    kept = {key: value for key, value in notes.items() if key != _GENERATION}
    meta = {key: value for key, value in obj["metadata"].items() if key != "annotations"}
    return {**obj, "metadata": {**meta, "annotations": kept} if kept else meta}
