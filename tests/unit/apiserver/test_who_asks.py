"""Whoever asks is who policies see, whatever is asked for."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import orjson
import pytest

from leeward.base.clock import SystemClock
from leeward.base.ids import SystemIds
from leeward.cluster.apiserver.pki import ensure_pki
from leeward.cluster.apiserver.server import ApiServer
from leeward.cluster.registry.admission.plugin import AdmissionOptions
from leeward.cluster.registry.registry import Registry
from leeward.cluster.store.memory import MemoryStore

GROUP = "admissionregistration.k8s.io"
PODS, MAPS = "/api/v1/namespaces/default/pods", "/api/v1/namespaces/default/configmaps"
POD = {"metadata": {"name": "a"}, "spec": {"containers": [{"name": "c", "image": "i"}]}}


class World:
    """A server with a Pod and a ConfigMap, and a policy that refuses everything that bob does to them."""

    def __init__(self, directory: Path) -> None:
        options = AdmissionOptions(disabled=("ServiceAccount",))
        registry = Registry(MemoryStore(), clock=SystemClock(), ids=SystemIds(), options=options)
        admin = registry.client("admin")
        admin.create("namespaces", {"metadata": {"name": "default"}})
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
        pki = ensure_pki(directory / "pki", SystemClock())
        self._token = pki.admin_token
        dry = registry.client("admin", dry_run=True)
        self._server = ApiServer(admin, registry.store, pki=pki, clock=SystemClock(), port=1, dry_client=dry)

    def ask(self, user: str, method: str, path: str, body: Any, kind: str) -> tuple[int, str]:
        """Return status and message of an answer."""
        sent: list[Any] = []

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": b"" if body is None else orjson.dumps(body)}

        async def send(message: Any) -> None:
            sent.append(message)

        where, _, query = path.partition("?")
        headers = {
            "authorization": f"Bearer {self._token}",
            "impersonate-user": user,
            "impersonate-group": "system:masters",
            "content-type": kind,
        }
        scope = {
            "type": "http", "method": method, "path": where, "raw_path": where.encode(),
            "query_string": query.encode(), "client": ("127.0.0.1", 1),
            "headers": [(key.encode(), value.encode()) for key, value in headers.items()],
        }  # fmt: skip
        asyncio.run(self._server(scope, receive, send))
        return sent[0]["status"], orjson.loads(sent[1]["body"]).get("message") or ""


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
    status, message = World(tmp_path).ask("bob", method, path + query, body, kind)
    assert (status, message.rpartition(": ")[2]) == (422, "not bob")

    status, message = World(tmp_path).ask("ann", method, path + query, body, kind)
    assert status in (200, 201), message


def test_an_eviction_that_is_rehearsed_by_its_options_is_asked_about_too(tmp_path: Path) -> None:
    body = {**EVICTION, "deleteOptions": {"dryRun": ["All"]}}
    status, message = World(tmp_path).ask("bob", "POST", f"{PODS}/a/eviction", body, "application/json")
    assert (status, message.rpartition(": ")[2]) == (422, "not bob")
