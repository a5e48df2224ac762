"""CertificateSigningRequests after they were asked for: conditions and certificates of who decides.

Source: pkg/apis/certificates/validation, pkg/registry/certificates/certificates/strategy.go (1.36).
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import Any

from cryptography import x509

from leeward.cluster.registry.failures import Failure, duplicate, forbidden, invalid, required, unsupported
from leeward.cluster.registry.validation.diff import struct_diff
from leeward.kube.objects import Obj

_DECISIONS = ("Approved", "Denied")
_FINAL = (*_DECISIONS, "Failed")
_STATUSES = ("False", "True", "Unknown")
_PLACE = "status.conditions"
_BLOCK = re.compile(rb"-----BEGIN ([A-Z ]+)-----\r?\n(.*?)-----END \1-----", re.DOTALL)


def stamped(new: Obj, old: Obj | None, now: str) -> Obj:
    """Return a request whose conditions say since when they are so."""
    status = new.get("status") or {}
    if not status.get("conditions"):
        return new
    before = ((old or {}).get("status") or {}).get("conditions") or ()
    since = {(each.get("type"), each.get("status")): each.get("lastTransitionTime") for each in before}
    conditions = [
        {
            **each,
            "lastUpdateTime": each.get("lastUpdateTime") or now,
            "lastTransitionTime": each.get("lastTransitionTime")
            or since.get((each.get("type"), each.get("status")))
            or now,
        }
        for each in status["conditions"]
    ]
    return {**new, "status": {**status, "conditions": conditions}}


def take_approval(new: Obj, old: Obj) -> Obj:
    """Only conditions change."""
    conditions = (new.get("status") or {}).get("conditions")
    status = {key: value for key, value in (old.get("status") or {}).items() if key != "conditions"}
    return {**old, "status": {**status, "conditions": conditions} if conditions else status}


def approval_failures(new: Obj, old: Obj) -> list[Failure]:
    """Check a decision about a request."""
    return [*_condition_failures(new), *_lost(new, old)]


def status_failures(new: Obj, old: Obj) -> list[Failure]:
    """Check what a signer makes of a request: a certificate, or a failure, but no decision."""
    certificate = (new.get("status") or {}).get("certificate") or ""
    before = (old.get("status") or {}).get("certificate") or ""
    found = [*_condition_failures(new), *_certificate_failures(certificate), *_lost(new, old)]
    for kind in _DECISIONS:
        has, had = _of(new, kind), _of(old, kind)
        if len(has) > len(had):
            found.append(forbidden(_PLACE, f'updates may not add a condition of type "{kind}"'))
        elif len(has) == len(had) and has != had:
            text = f'updates may not modify a condition of type "{kind}"\n{struct_diff(had, has)}'
            found.append(forbidden(_PLACE, text))
    if before and certificate != before:
        found.append(forbidden("status.certificate", "updates may not modify existing certificate content"))
    return found


def _of(obj: Obj, kind: str) -> list[Any]:
    conditions = (obj.get("status") or {}).get("conditions") or ()
    return [each for each in conditions if each.get("type") == kind]


def _lost(new: Obj, old: Obj) -> list[Failure]:
    return [
        forbidden(_PLACE, f'updates may not remove a condition of type "{kind}"')
        for kind in _FINAL
        if len(_of(new, kind)) < len(_of(old, kind))
    ]


def _condition_failures(obj: Obj) -> list[Failure]:
    found: list[Failure] = []
    seen: set[str] = set()
    for index, condition in enumerate((obj.get("status") or {}).get("conditions") or ()):
        kind, status, place = condition.get("type") or "", condition.get("status") or "", f"{_PLACE}[{index}]"
        if not kind:
            found.append(required(f"{place}.type"))
        elif kind in seen:
            found.append(duplicate(f"{place}.type", kind))
        if kind in _DECISIONS and seen & {each for each in _DECISIONS if each != kind}:
            found.append(invalid(_PLACE, kind, "Approved and Denied conditions are mutually exclusive"))
        allowed = ("True",) if kind in _FINAL else _STATUSES
        if not status:
            found.append(required(f"{place}.status"))
        elif status not in allowed:
            found.append(unsupported(f"{place}.status", status, allowed))
        seen.add(kind)
    return found


def _certificate_failures(encoded: str) -> list[Failure]:
    problem = _certificate_problem(encoded) if encoded else ""
    return [invalid("status.certificate", "<certificate data>", problem)] if problem else []


def _certificate_problem(encoded: str) -> str:
    try:
        blocks = _BLOCK.findall(base64.b64decode(encoded))
    except binascii.Error:
        blocks = []
    if not blocks:
        return "must contain at least one CERTIFICATE PEM block"
    for kind, body in blocks:
        if kind != b"CERTIFICATE":
            return f'only CERTIFICATE PEM blocks are allowed, found "{kind.decode()}"'
        if b":" in body:
            return "no PEM block headers are permitted"
        try:
            x509.load_der_x509_certificate(base64.b64decode(body))
        except ValueError as error:
            return str(error)
    return ""
