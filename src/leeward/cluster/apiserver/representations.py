"""Objects as Tables and as metadata only.

Source: ``k8s.io/apiserver/pkg/endpoints/handlers/response.go`` and ``k8s.io/kubernetes/pkg/printers``.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from leeward.base.registry import Registry
from leeward.cluster.apiserver.printers.table import DEFAULT, Printer
from leeward.kube.objects import Obj

_META = "meta.k8s.io/v1"


def partial(obj: Obj) -> Obj:
    """Return the PartialObjectMetadata of an object."""
    return {"kind": "PartialObjectMetadata", "apiVersion": _META, "metadata": obj["metadata"]}


def partial_list(items: Sequence[Obj], metadata: dict[str, Any]) -> Obj:
    """Return the PartialObjectMetadataList of objects."""
    return {
        "kind": "PartialObjectMetadataList",
        "apiVersion": _META,
        "metadata": metadata,
        "items": [partial(item) for item in items],
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
    ) -> Obj:
        """Return the Table of `items`.

        Args:
            resource: "pods", "deployments.apps".
            items: the rows' objects.
            metadata: the list's metadata, such as its resourceVersion.
            now: what ages are counted to.
            include: what each row carries: "Metadata", "Object" or "None".
            headers: whether to repeat the column definitions (watch events after the first do not).
        """
        printer = self._printers.get(resource, DEFAULT)
        table: Obj = {
            "kind": "Table",
            "apiVersion": _META,
            "metadata": metadata,
            "columnDefinitions": [column.definition() for column in printer.columns] if headers else None,
            "rows": [_row(printer, item, now, include) for item in items],
        }
        return table


def _row(printer: Printer, obj: Obj, now: datetime, include: str) -> dict[str, Any]:
    row: dict[str, Any] = {"cells": printer.row(obj, now)}
    if include == "Object":
        row["object"] = obj
    elif include != "None":
        row["object"] = partial(obj)
    return row
