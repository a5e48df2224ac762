"""What a cluster has to know to keep releases: custom resources, and rules on who writes what.

Specs of releases, promotions, approvals and audit records never change once they are written. A promotion, an
approval and a record of the audit trail name who wrote them, and the API server sees to it that this is true;
it also asks RBAC whether they may ``promote`` to (or ``approve`` for) the environment, a permission that
nothing else implies.

Source: kubernetes.io/docs, "CustomResourceDefinition", "Validating Admission Policy".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from leeward.delivery.records import GROUP, VERSION
from leeward.kube.objects import Obj

_TEXT: Obj = {"type": "string"}
_NUMBER: Obj = {"type": "integer", "minimum": 0}
_SECONDS: Obj = {"type": "number", "minimum": 0}
_FLAG: Obj = {"type": "boolean"}
_TEXTS: Obj = {"type": "array", "items": _TEXT}
_TEXT_MAP: Obj = {"type": "object", "additionalProperties": _TEXT}
_ANYTHING: Obj = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
_MOMENT: Obj = {"type": "string", "format": "date-time"}
_NEVER_CHANGES = [{"rule": "self == oldSelf", "message": "what was written stays as it is"}]


def _record(**fields: Obj) -> Obj:
    return {"type": "object", "properties": fields}


class _Kind(NamedTuple):
    """One custom resource."""

    kind: str
    plural: str
    short: str
    spec: Mapping[str, Obj]
    required: Sequence[str]
    columns: Sequence[tuple[str, str, str]]  # (name, type, JSON path)
    status: Mapping[str, Obj] | None = None
    changes: bool = False  # its spec


_KINDS = (
    _Kind(
        "Release", "releases", "rel",
        spec={
            "app": _TEXT, "digest": _TEXT, "version": _TEXT, "createdBy": _TEXT, "copiedBy": _TEXT,
            "images": _TEXT_MAP, "git": _record(commit=_TEXT, branch=_TEXT, dirty=_FLAG), "content": _TEXT,
        },
        required=("app", "digest", "content", "createdBy"),
        columns=(
            ("Version", "string", ".spec.version"), ("Commit", "string", ".spec.git.commit"),
            ("By", "string", ".spec.createdBy"), ("Age", "date", ".metadata.creationTimestamp"),
        ),
    ),
    _Kind(
        "Environment", "environments", "lenv",
        spec={
            "app": _TEXT, "namespace": _TEXT, "from": _TEXT, "fromCluster": _TEXT, "approvals": _NUMBER,
            "soakSeconds": _SECONDS, "freeze": _TEXTS, "embedded": _FLAG,
            "verify": {
                "type": "array",
                "items": _record(
                    run=_TEXT, http=_TEXT, drill=_TEXT, service=_TEXT, port=_NUMBER, host=_TEXT,
                    status=_TEXTS, contains=_TEXT, zone=_TEXT, timeoutSeconds=_SECONDS,
                    forSeconds=_SECONDS, ratePerSecond=_SECONDS,
                ),
            },
            "access": _TEXT_MAP, "content": _TEXT,
        },
        required=("app", "namespace", "content"),
        columns=(
            ("From", "string", ".spec.from"), ("Release", "string", ".status.release"),
            ("Verified", "date", ".status.verifiedAt"), ("Locked", "string", ".status.lock.reason"),
            ("Age", "date", ".metadata.creationTimestamp"),
        ),
        status={
            "release": _TEXT, "promotion": _TEXT, "verifiedAt": _MOMENT,
            "verified": {"type": "array", "items": _record(release=_TEXT, at=_MOMENT)},
            "lock": _record(by=_TEXT, reason=_TEXT, at=_MOMENT),
        },
        changes=True,
    ),
    _Kind(
        "Promotion", "promotions", "prom",
        spec={
            "environment": _TEXT, "release": _TEXT, "previous": _TEXT, "by": _TEXT, "reason": _TEXT,
            "rollback": _FLAG, "diffHash": _TEXT, "variablesVersion": _NUMBER, "summary": _TEXTS,
        },
        required=("environment", "release", "by"),
        columns=(
            ("Environment", "string", ".spec.environment"), ("Release", "string", ".spec.release"),
            ("Phase", "string", ".status.phase"), ("Step", "string", ".status.step"),
            ("By", "string", ".spec.by"), ("Message", "string", ".status.message"),
            ("Age", "date", ".metadata.creationTimestamp"),
        ),
        status={
            "phase": _TEXT, "step": _TEXT, "message": _TEXT, "startedAt": _MOMENT, "finishedAt": _MOMENT,
        },
    ),
    _Kind(
        "Approval", "approvals", "appr",
        spec={
            "environment": _TEXT, "release": _TEXT, "diffHash": _TEXT, "by": _TEXT, "reason": _TEXT,
            "until": _TEXT,
        },
        required=("environment", "release", "diffHash", "by"),
        columns=(
            ("Environment", "string", ".spec.environment"), ("Release", "string", ".spec.release"),
            ("By", "string", ".spec.by"), ("Until", "string", ".spec.until"),
            ("Age", "date", ".metadata.creationTimestamp"),
        ),
    ),
    _Kind(
        "AuditRecord", "auditrecords", "audit",
        spec={
            "sequence": _NUMBER, "time": _MOMENT, "by": _TEXT, "action": _TEXT, "environment": _TEXT,
            "release": _TEXT, "promotion": _TEXT, "result": _TEXT, "details": _ANYTHING, "previous": _TEXT,
            "hash": _TEXT,
        },
        required=("sequence", "time", "by", "action", "previous", "hash"),
        columns=(
            ("Time", "string", ".spec.time"), ("By", "string", ".spec.by"),
            ("Action", "string", ".spec.action"), ("Environment", "string", ".spec.environment"),
            ("Release", "string", ".spec.release"), ("Result", "string", ".spec.result"),
        ),
    ),
)  # fmt: skip


def definitions() -> list[Obj]:
    """Return the CustomResourceDefinitions."""
    return [_definition(kind) for kind in _KINDS]


def _definition(kind: _Kind) -> Obj:
    spec: Obj = {"type": "object", "required": list(kind.required), "properties": dict(kind.spec)}
    if not kind.changes:
        spec["x-kubernetes-validations"] = _NEVER_CHANGES
    properties: dict[str, Any] = {"spec": spec}
    if kind.status is not None:
        properties["status"] = {"type": "object", "properties": dict(kind.status)}
    version: Obj = {
        "name": VERSION,
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": {"type": "object", "required": ["spec"], "properties": properties}},
        "additionalPrinterColumns": [
            {"name": name, "type": form, "jsonPath": path} for name, form, path in kind.columns
        ],
        **({"subresources": {"status": {}}} if kind.status is not None else {}),
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{kind.plural}.{GROUP}"},
        "spec": {
            "group": GROUP,
            "scope": "Namespaced",
            "names": {
                "kind": kind.kind,
                "listKind": f"{kind.kind}List",
                "plural": kind.plural,
                "singular": kind.kind.lower(),
                "shortNames": [kind.short],
                "categories": ["leeward"],
            },
            "versions": [version],
        },
    }


def policies() -> list[Obj]:
    """Return the admission policies and their bindings."""
    honest = {
        "expression": "object.spec.by == request.userInfo.username",
        "messageExpression": "'spec.by has to be ' + request.userInfo.username + ', who writes it'",
        "reason": "Forbidden",
    }
    made = {
        "expression": "object.spec.createdBy == request.userInfo.username || "
        "(has(object.spec.copiedBy) && object.spec.copiedBy == request.userInfo.username)",
        "messageExpression": "'spec.createdBy or spec.copiedBy has to be ' + request.userInfo.username",
        "reason": "Forbidden",
    }
    told = {
        "expression": "!has(object.spec.environment) || object.spec.environment == '' || "
        "variables.promote || variables.approve || variables.update",
        "messageExpression": "request.userInfo.username + ' may not record: ' + object.spec.environment",
        "reason": "Forbidden",
    }
    found: list[Obj] = _policy("leeward-names", ("promotions", "approvals", "auditrecords"), honest)
    found += _policy("leeward-releases", ("releases",), made)
    found += _policy("leeward-auditrecords", ("auditrecords",), told, asks=("promote", "approve", "update"))
    for plural, verb, more in (
        ("promotions", "promote", [{"operations": ["UPDATE"], "resources": ["promotions/status"]}]),
        ("approvals", "approve", []),
    ):
        allowed = {
            "expression": _asked(verb),
            "messageExpression": f"request.userInfo.username + ' may not {verb}: ' + object.spec.environment",
            "reason": "Forbidden",
        }
        found += _policy(f"leeward-{plural}", (plural,), allowed, more)
    return found


def _asked(verb: str) -> str:
    return (
        f"authorizer.group('{GROUP}').resource('environments').namespace(request.namespace)"
        f".name(object.spec.environment).check('{verb}').allowed()"
    )


def _policy(
    name: str, plurals: Sequence[str], validation: Obj, more: Sequence[Obj] = (), asks: Sequence[str] = ()
) -> list[Obj]:
    """Return a policy and its binding; one expression can afford two questions, so each of `asks` has one."""
    made = {"operations": ["CREATE"], "resources": list(plurals)}
    rules = [{"apiGroups": [GROUP], "apiVersions": ["*"], **each} for each in (made, *more)]
    head = {"apiVersion": "admissionregistration.k8s.io/v1", "metadata": {"name": name}}
    policy = {
        "failurePolicy": "Fail",
        "matchConstraints": {"resourceRules": rules},
        "validations": [validation],
        **({"variables": [{"name": verb, "expression": _asked(verb)} for verb in asks]} if asks else {}),
    }
    binding = {"policyName": name, "validationActions": ["Deny"]}
    return [
        {**head, "kind": "ValidatingAdmissionPolicy", "spec": policy},
        {**head, "kind": "ValidatingAdmissionPolicyBinding", "spec": binding},
    ]
