"""Whoever asks is who policies see, whatever is asked for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.unit.apiserver.inprocess import InProcess

GROUP = "admissionregistration.k8s.io"
PODS, MAPS = "/api/v1/namespaces/default/pods", "/api/v1/namespaces/default/configmaps"
POD = {"metadata": {"name": "a"}, "spec": {"containers": [{"name": "c", "image": "i"}]}}


def refusing_bob(directory: Path) -> InProcess:
    """Return a server with a Pod and a ConfigMap, to which bob may do nothing by a policy."""
    server = InProcess(directory)
    admin = server.admin
    admin.create("pods", {**POD, "metadata": {"name": "a", "namespace": "default"}})
    admin.create("configmaps", {"metadata": {"name": "a", "namespace": "default"}})
    rule = {
        "apiGroups": [""],
        "apiVersions": ["v1"],
        "resources": ["pods", "pods/*", "configmaps"],
        "operations": ["CREATE", "UPDATE", "DELETE"],
    }
    spec = {
        "matchConstraints": {"resourceRules": [rule]},
        "validations": [{"expression": "request.userInfo.username != 'bob'", "message": "not bob"}],
    }
    admin.create(f"validatingadmissionpolicies.{GROUP}", {"metadata": {"name": "p"}, "spec": spec})
    bound = {"policyName": "p", "validationActions": ["Deny"]}
    admin.create(f"validatingadmissionpolicybindings.{GROUP}", {"metadata": {"name": "b"}, "spec": bound})
    return server


def reason(answer: bytes) -> str:
    message: str = orjson.loads(answer)["message"]
    return message.rpartition(": ")[2]


EVICTION = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": "a"}}


@pytest.mark.parametrize("query", ["", "?dryRun=All"])
@pytest.mark.parametrize(
    ("method", "path", "body", "kind"),
    [
        ("POST", MAPS, {"metadata": {"name": "b"}}, "application/json"),
        ("PUT", f"{MAPS}/a", {"metadata": {"name": "a"}, "data": {"a": "1"}}, "application/json"),
        ("PATCH", f"{MAPS}/a", {"data": {"a": "1"}}, "application/merge-patch+json"),
        ("PATCH", f"{MAPS}/a", [{"op": "add", "path": "/data", "value": {}}], "application/json-patch+json"),
        ("DELETE", f"{MAPS}/a", None, "application/json"),
        ("DELETE", MAPS, None, "application/json"),
        ("PATCH", f"{PODS}/a/status", {"status": {"phase": "Running"}}, "application/merge-patch+json"),
        ("POST", f"{PODS}/a/eviction", EVICTION, "application/json"),
        ("POST", f"{PODS}/a/binding", {"target": {"name": "n"}}, "application/json"),
        ("DELETE", f"{PODS}/a", None, "application/json"),
    ],
)
def test_a_policy_about_a_user_holds_for_every_verb(
    tmp_path: Path, method: str, path: str, body: Any, kind: str, query: str
) -> None:
    status, answer = refusing_bob(tmp_path).ask(method, path + query, body, user="bob", kind=kind)
    assert (status, reason(answer)) == (422, "not bob")

    status, answer = refusing_bob(tmp_path).ask(method, path + query, body, user="ann", kind=kind)
    assert status in (200, 201), answer


def test_an_eviction_that_is_rehearsed_by_its_options_is_asked_about_too(tmp_path: Path) -> None:
    body = {**EVICTION, "deleteOptions": {"dryRun": ["All"]}}
    status, answer = refusing_bob(tmp_path).ask("POST", f"{PODS}/a/eviction", body, user="bob")
    assert (status, reason(answer)) == (422, "not bob")
