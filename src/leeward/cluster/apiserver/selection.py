"""Label and field selectors as they come in a query string.

Invariant: parsing is pure; what a field selector may name is decided per resource, unknown fields are
refused as upstream refuses them.

Source: ``k8s.io/apimachinery/pkg/labels`` (Parse), ``k8s.io/apimachinery/pkg/fields`` and the
``AddFieldLabelConversionFunc`` of each kind (1.36).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from leeward.cluster.apiserver.served import Served
from leeward.cluster.registry.labelselectors import parse_label_selector
from leeward.kube.objects import Obj, labels_of
from leeward.kube.selectors import matches_requirement
from leeward.kube.status import BadRequestError

Matcher = Callable[[Obj], bool]

# Fields besides metadata.name and metadata.namespace, by resource.
_FIELDS: Mapping[str, Sequence[str]] = {
    "pods": (
        "spec.nodeName",
        "spec.restartPolicy",
        "spec.schedulerName",
        "spec.serviceAccountName",
        "spec.hostNetwork",
        "status.phase",
        "status.podIP",
        "status.podIPs",
        "status.nominatedNodeName",
    ),
    "nodes": ("spec.unschedulable",),
    "namespaces": ("status.phase",),
    "secrets": ("type",),
    "services": ("spec.clusterIP", "spec.type"),
    "events": (
        *(
            f"involvedObject.{field}"
            for field in ("kind", "namespace", "name", "uid", "apiVersion", "resourceVersion", "fieldPath")
        ),
        "reason",
        "reportingComponent",
        "source",
        "type",
    ),
    "events.events.k8s.io": (
        *(
            f"regarding.{field}"
            for field in ("kind", "namespace", "name", "uid", "apiVersion", "resourceVersion", "fieldPath")
        ),
        "reason",
        "reportingController",
        "type",
    ),
    "replicationcontrollers": ("status.replicas",),
    "jobs.batch": ("status.successful",),
    "certificatesigningrequests.certificates.k8s.io": ("spec.signerName",),
}
_STORED = {"status.successful": "status.succeeded", "reportingController": "reportingComponent"}
_DEFAULTS = {
    "status.succeeded": "0",
    "spec.unschedulable": "false",
    "spec.hostNetwork": "false",
    "status.replicas": "0",
}


def parse_field_selector(
    text: str, resource: str, selectable: Sequence[str] = (), *, custom: bool = False
) -> list[tuple[str, bool, str]]:
    """Return ``(field, is equal, value)`` terms.

    Raises:
        BadRequestError: it cannot be parsed or names a field that `resource` is not selected by.
    """
    allowed = ("metadata.name", "metadata.namespace", *_FIELDS.get(resource, ()), *selectable)
    terms: list[tuple[str, bool, str]] = []
    for part in filter(None, text.split(",")):
        match = re.fullmatch(r"([^=!]+)(==|!=|=)(.*)", part)
        if match is None:
            raise BadRequestError(f"invalid selector: '{text}'; can't understand '{part}'")
        field, operator, value = match.groups()
        if field not in allowed:
            if custom or resource in _FIELDS:
                raise BadRequestError(f"field label not supported: {field}")
            known = 'only "metadata.name", "metadata.namespace"'
            raise BadRequestError(f'"{field}" is not a known field selector: {known}')
        terms.append((field, operator != "!=", value))
    return terms


def _field(obj: Obj, field: str) -> str:
    if field == "source":
        return str((obj.get("source") or {}).get("component") or obj.get("reportingComponent") or "")
    field = _STORED.get(field) or field.replace("regarding.", "involvedObject.", 1)
    value: Any = obj
    for key in field.split("."):
        value = value.get(key) if isinstance(value, Mapping) else None
    if value is None or value == "":
        return _DEFAULTS.get(field, "")
    return str(value).lower() if isinstance(value, bool) else str(value)


def matcher_for(label_selector: str, field_selector: str, served: Served) -> Matcher | None:
    """Return the predicate of both selectors for what is served, or None when everything matches.

    Raises:
        BadRequestError: one of them is wrong.
    """
    return make_matcher(label_selector, field_selector, served.name, served.selectable, custom=served.custom)


def make_matcher(
    label_selector: str,
    field_selector: str,
    resource: str,
    selectable: Sequence[str] = (),
    *,
    custom: bool = False,
) -> Matcher | None:
    """Return the predicate of both selectors, or None when everything matches.

    Raises:
        BadRequestError: one of them is wrong.
    """
    requirements = parse_label_selector(label_selector)
    terms = parse_field_selector(field_selector, resource, selectable, custom=custom)
    if not requirements and not terms:
        return None

    def matches(obj: Obj) -> bool:
        labels = labels_of(obj)
        return all(matches_requirement(rule, labels) for rule in requirements) and all(
            (_field(obj, field) == value) is equal for field, equal, value in terms
        )

    return matches


def exact_name(field_selector: str) -> str | None:
    """Return the name of a ``metadata.name=X`` selector, if it is one."""
    match = re.search(r"(?:^|,)metadata\.name==?([^,!=]+)", field_selector)
    return match.group(1) if match else None
