"""Access reviews: whoever holds a token of this cluster may do everything, and is told so.

Source: ``authorization.k8s.io/v1`` and ``authentication.k8s.io/v1`` (1.36).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from leeward.cluster.apiserver.auth import User
from leeward.kube.objects import Obj

_EVERYTHING = [{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}]
_EVERY_URL = [{"verbs": ["*"], "nonResourceURLs": ["*"]}]

RESOURCES = {
    ("authorization.k8s.io", "selfsubjectaccessreviews"): "SelfSubjectAccessReview",
    ("authorization.k8s.io", "subjectaccessreviews"): "SubjectAccessReview",
    ("authorization.k8s.io", "localsubjectaccessreviews"): "LocalSubjectAccessReview",
    ("authorization.k8s.io", "selfsubjectrulesreviews"): "SelfSubjectRulesReview",
    ("authentication.k8s.io", "selfsubjectreviews"): "SelfSubjectReview",
    ("authentication.k8s.io", "tokenreviews"): "TokenReview",
}


def review(group: str, resource: str, body: Obj, user: User) -> Obj | None:
    """Return the answered review, or None when the resource is no review."""
    kind = RESOURCES.get((group, resource))
    if kind is None:
        return None
    status: dict[str, Any] = {"allowed": True}
    if kind == "SelfSubjectReview":
        status = {"userInfo": {"username": user.name, "groups": list(user.groups)}}
    elif kind == "SelfSubjectRulesReview":
        status = {"resourceRules": _EVERYTHING, "nonResourceRules": _EVERY_URL, "incomplete": False}
    return {
        "kind": kind,
        "apiVersion": f"{group}/v1",
        "metadata": {"creationTimestamp": None},
        "spec": body.get("spec") or {},
        "status": status,
    }


def review_token(body: Obj, authenticate: Callable[[str], User | None]) -> Obj:
    """Return the answered TokenReview.

    Args:
        body: the review as asked.
        authenticate: says whose an Authorization header is.
    """
    spec = body.get("spec") or {}
    user = authenticate(f"Bearer {spec.get('token', '')}") if spec.get("token") else None
    status: dict[str, Any] = {"user": {}, "error": "[invalid bearer token]"}
    if user is not None:
        status = {"authenticated": True, "user": {"username": user.name, "groups": list(user.groups)}}
    return {
        "kind": "TokenReview",
        "apiVersion": "authentication.k8s.io/v1",
        "metadata": {"creationTimestamp": None},
        "spec": spec,
        "status": status,
    }
