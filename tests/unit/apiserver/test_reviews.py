"""Reviews: who am I, whose token is this, may somebody do that?"""

from __future__ import annotations

from typing import Any

import pytest

from leeward.base.clock import VirtualClock
from leeward.base.ids import SeededIds
from leeward.cluster.apiserver.authentication import ADMIN, Authenticator
from leeward.cluster.apiserver.reviews import RESOURCES, Reviews
from leeward.cluster.authorization.rbac import Rbac
from leeward.cluster.interface.user import User
from leeward.cluster.registry.bootstrap import bootstrap
from leeward.cluster.registry.registry import Registry
from leeward.cluster.store.memory import MemoryStore
from leeward.kube.objects import Obj
from leeward.kube.status import BadRequestError, InvalidError

JANE = User("jane", ("devs", "system:authenticated"), "7")
GROUP_OF = {kind: group for (group, _), kind in RESOURCES.items()}
PODS = {"verb": "list", "resource": "pods", "namespace": "shop"}


@pytest.fixture(scope="module")
def reviews() -> Reviews:
    registry = Registry(MemoryStore(), clock=VirtualClock(), ids=SeededIds(1))
    bootstrap(registry, api_address="127.0.0.1", api_port=6443)
    client = registry.client("system:admin")
    return Reviews(Authenticator({"root": ADMIN}), Rbac(client), lambda: "2030-01-01T00:00:00Z")


def ask(reviews: Reviews, kind: str, user: User = JANE, namespace: str = "", **fields: Any) -> Obj:
    group = GROUP_OF[kind]
    body = {"kind": kind, "apiVersion": f"{group}/v1", **fields}
    return reviews.answer(group, kind, body, user, namespace, "test")


def test_who_asks_is_told_who_they_are(reviews: Reviews) -> None:
    found = ask(reviews, "SelfSubjectReview")["status"]["userInfo"]
    assert found == {"username": "jane", "uid": "7", "groups": ["devs", "system:authenticated"]}


def test_what_one_may_do_oneself(reviews: Reviews) -> None:
    made = ask(reviews, "SelfSubjectAccessReview", spec={"resourceAttributes": PODS})
    assert made["status"] == {"allowed": False}
    assert made["metadata"]["managedFields"][0]["fieldsV1"]["f:spec"]["f:resourceAttributes"].keys() == {
        ".", "f:namespace", "f:resource", "f:verb",
    }  # fmt: skip
    path = {"nonResourceAttributes": {"path": "/version", "verb": "get"}}
    status = ask(reviews, "SelfSubjectAccessReview", spec=path)["status"]
    assert status["allowed"]
    assert status["reason"].startswith('RBAC: allowed by ClusterRoleBinding "system:')
    assert ask(reviews, "SelfSubjectAccessReview", ADMIN, spec={"resourceAttributes": PODS})["status"] == {
        "allowed": True
    }


def test_what_somebody_else_may_do(reviews: Reviews) -> None:
    spec = {"user": "x", "groups": ["system:masters"], "resourceAttributes": PODS}
    assert ask(reviews, "SubjectAccessReview", spec=spec)["status"] == {"allowed": True}
    local = ask(reviews, "LocalSubjectAccessReview", namespace="shop", spec={**spec, "groups": []})
    assert (local["status"], local["metadata"]["namespace"]) == ({"allowed": False}, "shop")


@pytest.mark.parametrize(
    ("kind", "spec", "message"),
    [
        ("SelfSubjectAccessReview", {}, "exactly one of nonResourceAttributes or resourceAttributes"),
        (
            "SelfSubjectAccessReview",
            {"resourceAttributes": PODS, "nonResourceAttributes": {"path": "/", "verb": "get"}},
            'Invalid value: {"Path":"/","Verb":"get"}: cannot be specified in combination with',
        ),
        ("SubjectAccessReview", {"resourceAttributes": PODS}, "at least one of user or group"),
        (
            "LocalSubjectAccessReview",
            {"user": "x", "resourceAttributes": {**PODS, "namespace": "b"}},
            "must match",
        ),
        (
            "LocalSubjectAccessReview",
            {"user": "x", "nonResourceAttributes": {"path": "/", "verb": "get"}},
            "disallowed on this kind of request",
        ),
    ],
)
def test_what_cannot_be_answered_is_said(reviews: Reviews, kind: str, spec: Obj, message: str) -> None:
    namespace = "shop" if kind.startswith("Local") else ""
    with pytest.raises(InvalidError) as caught:
        ask(reviews, kind, namespace=namespace, spec=spec)
    assert message in caught.value.message
    assert (caught.value.details or {})["group"] == "authorization.k8s.io"


def test_a_review_has_no_name(reviews: Reviews) -> None:
    spec = {"resourceAttributes": PODS}
    with pytest.raises(
        InvalidError, match=r'metadata: Invalid value: {"name":"x","managedFields":\[.*must be empty'
    ):
        ask(reviews, "SelfSubjectAccessReview", metadata={"name": "x"}, spec=spec)


def test_all_that_one_may_do_is_listed(reviews: Reviews) -> None:
    status = ask(reviews, "SelfSubjectRulesReview", spec={"namespace": "shop"})["status"]
    assert status["incomplete"] is False
    resources = [name for rule in status["resourceRules"] for name in rule["resources"]]
    assert resources == ["selfsubjectaccessreviews", "selfsubjectrulesreviews", "selfsubjectreviews"]
    assert any("/version" in rule["nonResourceURLs"] for rule in status["nonResourceRules"])
    everything = ask(reviews, "SelfSubjectRulesReview", ADMIN, spec={"namespace": "shop"})["status"]
    assert {"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]} in everything["resourceRules"]
    with pytest.raises(BadRequestError, match="no namespace on request"):
        ask(reviews, "SelfSubjectRulesReview", spec={})


def test_whose_a_token_is(reviews: Reviews) -> None:
    status = ask(reviews, "TokenReview", spec={"token": "root"})["status"]
    assert (status["authenticated"], status["user"]["username"]) == (True, "kubernetes-admin")
    assert "authenticated" not in ask(reviews, "TokenReview", spec={"token": "wrong"})["status"]
    with pytest.raises(BadRequestError, match="token is required"):
        ask(reviews, "TokenReview", spec={})
