"""Reviews: objects that are answered, not stored. Who am I, whose token is this, may somebody do that?

Source: pkg/registry/{authorization,authentication}, pkg/apis/authorization/validation (Kubernetes 1.36).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from leeward.cluster.apiserver import decoding
from leeward.cluster.apiserver.authentication import Authenticator
from leeward.cluster.authorization.attributes import Attributes
from leeward.cluster.authorization.rbac import Decision, Rbac
from leeward.cluster.interface.user import User
from leeward.cluster.registry.failures import Failure, GoStruct, invalid, told
from leeward.cluster.registry.managedfields.manager import STATUS, Writer, track_create
from leeward.cluster.registry.managedfields.types import built_in_type
from leeward.cluster.registry.tokens import ISSUER
from leeward.kube.objects import Obj
from leeward.kube.status import BadRequestError, InvalidError

_AUTHORIZATION, _AUTHENTICATION = "authorization.k8s.io", "authentication.k8s.io"
RESOURCES = {
    (_AUTHORIZATION, "selfsubjectaccessreviews"): "SelfSubjectAccessReview",
    (_AUTHORIZATION, "subjectaccessreviews"): "SubjectAccessReview",
    (_AUTHORIZATION, "localsubjectaccessreviews"): "LocalSubjectAccessReview",
    (_AUTHORIZATION, "selfsubjectrulesreviews"): "SelfSubjectRulesReview",
    (_AUTHENTICATION, "selfsubjectreviews"): "SelfSubjectReview",
    (_AUTHENTICATION, "tokenreviews"): "TokenReview",
}
_METADATA = (
    "name", "generateName", "namespace", "selfLink", "uid", "resourceVersion", "generation",
    "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "labels", "annotations",
    "ownerReferences", "finalizers", "managedFields",
)  # fmt: skip
_RULE_FIELDS = ("verbs", "apiGroups", "resources", "resourceNames")


class Reviews:
    """Answers reviews.

    Args:
        authenticator: knows tokens.
        rbac: knows who may do what.
        now: the time, as text.
    """

    def __init__(self, authenticator: Authenticator, rbac: Rbac, now: Callable[[], str]) -> None:
        self._authenticator = authenticator
        self._rbac = rbac
        self._now = now

    def answer(self, group: str, kind: str, body: Obj, user: User, namespace: str, manager: str) -> Obj:
        """Return a review with its status.

        Args:
            group: of the kind.
            kind: one of `RESOURCES`.
            body: the review as asked.
            user: who asks.
            namespace: of the request; "" for the whole cluster.
            manager: who owns the fields of the answer.

        Raises:
            StatusError: nothing can be said to that.
        """
        version = f"{group}/v1"
        fitted = decoding.fit_object(body, version, kind).document
        meta = dict(fitted.get("metadata") or {})
        if namespace:
            meta["namespace"] = namespace
        asked: Obj = {"kind": kind, "apiVersion": version, "metadata": meta, "spec": fitted.get("spec") or {}}
        if kind == "SelfSubjectReview":
            done = {
                **asked,
                "metadata": {"creationTimestamp": self._now()},
                "status": {"userInfo": user.info()},
            }
            del done["spec"]
            return done
        writer = Writer(name=manager, operation="Update", api_version=version, time=self._now())
        asked = track_create(built_in_type(version, kind), asked, writer, STATUS)
        return {**asked, "status": self._status(kind, asked, user)}

    def _status(self, kind: str, asked: Obj, user: User) -> dict[str, Any]:
        if kind == "TokenReview":
            return self._token(asked["spec"])
        if kind == "SelfSubjectRulesReview":
            return self._rules(asked["spec"], user)
        failures = _failures(kind, asked)
        if failures:
            raise _invalid(failures)
        spec = asked["spec"]
        if kind != "SelfSubjectAccessReview":
            extra = spec.get("extra") or {}
            user = User(spec.get("user") or "", spec.get("groups") or (), spec.get("uid") or "", extra)
        return _shown(self._rbac.authorize(_attributes(spec, user)))

    def _token(self, spec: Obj) -> dict[str, Any]:
        token = spec.get("token")
        if not token:
            raise BadRequestError("token is required for TokenReview in authentication")
        audiences = spec.get("audiences") or [ISSUER]
        user = self._authenticator.of_token(token, audiences)
        if user is None:
            return {"user": {}, "error": "[invalid bearer token]"}
        return {"authenticated": True, "user": user.info(), "audiences": audiences}

    def _rules(self, spec: Obj, user: User) -> dict[str, Any]:
        if not spec.get("namespace"):
            raise BadRequestError("no namespace on request")
        rules, errors = self._rbac.rules_of(user, spec["namespace"])
        status: dict[str, Any] = {
            "resourceRules": [
                {field: rule[field] for field in _RULE_FIELDS if rule.get(field)}
                for rule in rules
                if rule.get("resources")
            ],
            "nonResourceRules": [
                {"verbs": rule["verbs"], "nonResourceURLs": rule["nonResourceURLs"]}
                for rule in rules
                if rule.get("nonResourceURLs")
            ],
            "incomplete": False,
        }
        return {**status, "evaluationError": ", ".join(errors)} if errors else status


def _attributes(spec: Obj, user: User) -> Attributes:
    wanted = spec.get("resourceAttributes")
    if wanted is None:
        asked = spec["nonResourceAttributes"]
        return Attributes(user=user, verb=asked.get("verb") or "", path=asked.get("path") or "/")
    fields = ("group", "version", "resource", "subresource", "namespace", "name")
    return Attributes(
        user=user, verb=wanted.get("verb") or "", **{field: wanted.get(field) or "" for field in fields}
    )


def _shown(decision: Decision) -> dict[str, Any]:
    status: dict[str, Any] = {"allowed": decision.allowed}
    if decision.reason:
        status["reason"] = decision.reason
    if decision.error:
        status["evaluationError"] = decision.error
    return status


def _failures(kind: str, asked: Obj) -> list[Failure]:
    spec, meta = asked["spec"], asked["metadata"]
    resource, other = spec.get("resourceAttributes"), spec.get("nonResourceAttributes")
    found = []
    if resource is not None and other is not None:
        place = "spec.nonResourceAttributes"
        value = GoStruct({"Path": other.get("path") or "", "Verb": other.get("verb") or ""})
        found.append(invalid(place, value, "cannot be specified in combination with resourceAttributes"))
    if resource is None and other is None:
        text = "exactly one of nonResourceAttributes or resourceAttributes must be specified"
        found.append(invalid("spec.resourceAttributes", None, text))
    if kind != "SelfSubjectAccessReview" and not spec.get("user") and not spec.get("groups"):
        found.append(invalid("spec.user", "", "at least one of user or group must be specified"))
    local = kind == "LocalSubjectAccessReview"
    if local and other is not None:
        found.append(invalid("spec.nonResourceAttributes", other, "disallowed on this kind of request"))
    if local and resource is not None and (resource.get("namespace") or "") != meta["namespace"]:
        place = "spec.resourceAttributes.namespace"
        found.append(invalid(place, resource.get("namespace") or "", "must match metadata.namespace"))
    if meta.keys() - {"managedFields", *(("namespace",) if local else ())}:
        ordered = GoStruct({key: meta[key] for key in sorted(meta, key=_METADATA.index)})
        found.append(invalid("metadata", ordered, "must be empty"))
    return found


def _invalid(failures: list[Failure]) -> InvalidError:
    """Return the refusal; upstream names neither kind nor object in it."""
    text, causes = told(failures)
    return InvalidError(
        f'.{_AUTHORIZATION} "" is invalid: {text}', details={"group": _AUTHORIZATION, "causes": causes}
    )
