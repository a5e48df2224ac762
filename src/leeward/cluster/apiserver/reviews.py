"""Access reviews: whoever holds a token of this cluster may do everything, and is told so.

Source: ``authorization.k8s.io/v1`` and ``authentication.k8s.io/v1`` (1.36).
"""

from __future__ import annotations

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
