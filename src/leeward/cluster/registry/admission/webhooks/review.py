"""AdmissionReviews: the question about a write, and what an answer to it means.

Source: k8s.io/apiserver/pkg/admission/plugin/webhook/{request,errors} (Kubernetes 1.36).
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from leeward.cluster.registry.admission.attributes import Attributes
from leeward.kube.objects import Obj
from leeward.kube.status import StatusError, refusal

_API = "admission.k8s.io"


class BadResponseError(Exception):
    """An answer is none."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a webhook says."""

    allowed: bool
    patch: list[Any]
    warnings: Sequence[str]
    status: Obj | None


def question(write: Attributes, version: str, uid: str, accepted: Sequence[str]) -> Obj | None:
    """Return the AdmissionReview about a write; None: the webhook understands none that we know.

    Args:
        write: the write.
        version: of the resource that the webhook is asked about.
        uid: of the question.
        accepted: the webhook's admissionReviewVersions.
    """
    review = next((each for each in accepted if each in ("v1", "v1beta1")), None)
    if review is None:
        return None
    resource = write.resource
    group = resource.group
    kind = write.kind or {"group": group, "version": version, "kind": resource.kind}
    where = {"group": group, "version": version, "resource": resource.plural}
    request: Obj = {
        "uid": uid,
        "kind": kind,
        "resource": where,
        **({"subResource": write.subresource} if write.subresource else {}),
        "requestKind": {**kind, "version": kind["version"] if write.kind else resource.version},
        "requestResource": {**where, "version": resource.version},
        **({"requestSubResource": write.subresource} if write.subresource else {}),
        **({"name": write.name} if write.name else {}),
        **({"namespace": write.namespace} if write.namespace else {}),
        "operation": write.operation,
        "userInfo": write.user.info(),
        "object": _in_version(write.obj or None, write, version),
        "oldObject": _in_version(write.old, write, version),
        "dryRun": write.dry_run,
        "options": write.options or None,
    }
    return {"kind": "AdmissionReview", "apiVersion": f"{_API}/{review}", "request": request}


def _in_version(obj: Obj | None, write: Attributes, version: str) -> Obj | None:
    if obj is None or write.kind is not None:
        return obj
    group = write.resource.group
    return {**obj, "apiVersion": f"{group}/{version}" if group else version}


def verdict(document: object, asked: Obj, *, mutating: bool) -> Verdict:
    """Return what an answer says.

    Raises:
        BadResponseError: it is no answer to what was asked.
    """
    if not isinstance(document, dict):
        raise BadResponseError("webhook response was absent")
    response = document.get("response")
    if not isinstance(response, dict):
        raise BadResponseError("webhook response was absent")
    if asked["apiVersion"] == f"{_API}/v1":
        _check_identity(document, response, asked["request"]["uid"])
    text, kind = response.get("patch") or "", response.get("patchType")
    if mutating:
        if asked["apiVersion"] == f"{_API}/v1":
            _check_patch_type(text, kind)
    elif text or kind is not None:
        raise BadResponseError(
            f"validating webhook may not return response.{'patch' if text else 'patchType'}"
        )
    return Verdict(
        allowed=bool(response.get("allowed")),
        patch=_patch(text) if text else [],
        warnings=[str(each) for each in response.get("warnings") or ()],
        status=response.get("status"),
    )


def _check_identity(document: Obj, response: Obj, uid: str) -> None:
    given = response.get("uid") or ""
    if given != uid:
        raise BadResponseError(f'expected response.uid="{uid}", got "{given}"')
    version, kind = document.get("apiVersion") or "", document.get("kind") or ""
    if (version, kind) != (f"{_API}/v1", "AdmissionReview"):
        group, _, number = version.rpartition("/")
        raise BadResponseError(
            f"expected webhook response of {_API}/v1, Kind=AdmissionReview, got {group}/{number}, Kind={kind}"
        )


def _check_patch_type(text: str, kind: str | None) -> None:
    if text and kind is None:
        raise BadResponseError("webhook returned response.patch but not response.patchType")
    if not text and kind is not None:
        raise BadResponseError("webhook returned response.patchType but not response.patch")
    if kind == "":
        raise BadResponseError('webhook returned invalid response.patchType of ""')
    if text and kind != "JSONPatch":
        raise BadResponseError(f'unsupported patch type "{kind}"')


def _patch(text: str) -> list[Any]:
    try:
        patch = orjson.loads(base64.b64decode(text))
    except (binascii.Error, orjson.JSONDecodeError) as error:
        raise BadResponseError(f"received undecodable patch in webhook response: {error}") from None
    if not isinstance(patch, list):
        raise BadResponseError("received undecodable patch in webhook response: it is no list")
    return patch


def rejection(hook: str, status: Obj | None) -> StatusError:
    """Return the refusal of a write by a webhook, which may choose its code and reason."""
    given = status or {}
    why = given.get("message") or given.get("reason")
    head = f'admission webhook "{hook}" denied the request'
    return refusal(
        f"{head}: {why}" if why else f"{head} without explanation",
        code=max(given.get("code") or 0, 400),
        reason=given.get("reason") or "",
        details=given.get("details"),
    )
