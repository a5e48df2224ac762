"""The API over a store in memory, without a socket; it has the namespace default."""

from __future__ import annotations

import asyncio
import json
from types import SimpleNamespace
from typing import Any, NamedTuple

import orjson
import pytest

from leeward.base.clock import VirtualClock
from leeward.base.ids import SeededIds
from leeward.cluster.apiserver.decoding import fit_changed
from leeward.cluster.apiserver.server import ApiServer
from leeward.cluster.interface.user import User
from leeward.cluster.registry.admission.plugin import AdmissionOptions
from leeward.cluster.registry.registry import Registry
from leeward.cluster.store.memory import MemoryStore
from leeward.kube.objects import Obj
from leeward.kube.resources import CRDS

DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
ADMIN = User("admin", ("system:masters", "system:authenticated"), "admin")


class Told(NamedTuple):
    """An answer."""

    status: int
    document: Any
    warnings: list[str]

    @property
    def message(self) -> str:
        """What a Status says."""
        return str(self.document.get("message"))


class Api:
    """Sends requests."""

    def __init__(self) -> None:
        clock, ids = VirtualClock(), SeededIds(1)
        self.store = MemoryStore()
        options = AdmissionOptions(disabled=("ServiceAccount",), fit=fit_changed)
        registry = Registry(self.store, clock=clock, ids=ids, options=options)
        self.client = registry.client("admin")
        self.client.create("namespaces", {"metadata": {"name": "default"}})
        self._pki: Any = SimpleNamespace(admin_token="t")
        self._registry, self._clock = registry, clock
        self._renew()
        self.client.watch((CRDS,), lambda event: self._renew())

    def _renew(self) -> None:
        dry = self._registry.client("admin", dry_run=True)
        self._server = ApiServer(
            self.client,
            self.store,
            pki=self._pki,
            clock=self._clock,
            port=0,
            admin=ADMIN,
            dry_client=dry,
        )

    def send(self, method: str, path: str, body: Any = None, kind: str = "application/json") -> Told:
        """Return what is answered; `body` is sent as JSON."""
        sent: list[dict[str, Any]] = []

        async def receive() -> dict[str, Any]:
            data = b"" if body is None else json.dumps(body).encode()
            return {"type": "http.request", "body": data, "more_body": False}

        async def send(message: Any) -> None:
            sent.append(dict(message))

        where, _, query = path.partition("?")
        headers = [(b"content-type", kind.encode()), (b"authorization", b"Bearer t")]
        scope = {
            "type": "http",
            "method": method,
            "raw_path": where.encode(),
            "query_string": query.encode(),
            "headers": headers,
        }
        asyncio.run(self._server(scope, receive, send))
        data = b"".join(each.get("body", b"") for each in sent)
        warnings = [value.decode() for key, value in sent[0]["headers"] if key == b"warning"]
        is_json = dict(sent[0]["headers"]).get(b"content-type", b"").startswith(b"application/json")
        return Told(sent[0]["status"], orjson.loads(data) if is_json else data.decode(), warnings)

    def patch(self, path: str, body: Any, kind: str = "merge") -> Told:
        """Return what a PATCH answers; `kind` is "merge", "json", "strategic-merge" or "apply"."""
        if kind == "apply":
            return self.send("PATCH", f"{path}?fieldManager=m", body, "application/apply-patch+yaml")
        return self.send("PATCH", path, body, f"application/{kind}-patch+json")

    def define(self, schema: Obj | None = None, **version: Any) -> str:
        """Define Widgets with ``spec.size`` for replicas; returns the path of their collection."""
        size = {"size": {"type": "integer"}}
        spec = {"type": "object", "properties": size, "x-kubernetes-preserve-unknown-fields": True}
        made = {"type": "object", "properties": {"spec": spec}} if schema is None else schema
        scale = {"specReplicasPath": ".spec.size", "statusReplicasPath": ".status.size"}
        versions = [
            {
                "name": "v1",
                "served": True,
                "storage": True,
                "schema": {"openAPIV3Schema": made},
                "subresources": {"scale": scale},
                **version,
            }
        ]
        names = {"plural": "widgets", "kind": "Widget"}
        definition = {
            "metadata": {"name": "widgets.example.com"},
            "spec": {"group": "example.com", "names": names, "scope": "Namespaced", "versions": versions},
        }
        told = self.send("POST", DEFINITIONS, definition)
        assert told.status == 201, told.document
        return "/apis/example.com/v1/namespaces/default/widgets"


@pytest.fixture
def api() -> Api:
    return Api()
