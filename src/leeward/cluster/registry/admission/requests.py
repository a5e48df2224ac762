"""A write as admission sees it."""

from __future__ import annotations

from typing import Any

from leeward.cluster.registry.admission.attributes import Attributes, Operation
from leeward.cluster.registry.options import DeleteOptions, WriteOptions
from leeward.kube.objects import Obj
from leeward.kube.resources import Resource

_KINDS = {"CREATE": "CreateOptions", "UPDATE": "UpdateOptions", "DELETE": "DeleteOptions"}


def attributes_of(
    operation: Operation,
    resource: Resource,
    obj: Obj,
    old: Obj | None,
    options: WriteOptions | DeleteOptions,
    subresource: str = "",
) -> Attributes:
    """Return what admission is told about a write."""
    meta = (old or obj)["metadata"]
    version = options.api_version.rpartition("/")[2] if isinstance(options, WriteOptions) else ""
    return Attributes(
        operation=operation,
        resource=resource,
        obj=obj,
        old=old,
        subresource=subresource,
        namespace=meta.get("namespace") or "",
        name=meta.get("name") or "",
        user=options.user,
        dry_run=options.dry_run,
        options=_shown(operation, options),
        version=version,
        warn=options.warn,
    )


def _shown(operation: Operation, options: WriteOptions | DeleteOptions) -> dict[str, Any]:
    """Return the options of a request as an object."""
    shown: dict[str, Any] = {"kind": _KINDS[operation], "apiVersion": "meta.k8s.io/v1"}
    if options.dry_run:
        shown["dryRun"] = ["All"]
    if isinstance(options, WriteOptions):
        return {**shown, "fieldManager": options.field_manager} if options.field_manager else shown
    grace, propagation = options.grace_period_seconds, options.propagation
    return {
        **shown,
        **({} if grace is None else {"gracePeriodSeconds": grace}),
        **({} if propagation is None else {"propagationPolicy": propagation}),
    }
