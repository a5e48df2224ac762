"""An API that another server serves: with TLS both ways, through discovery, until it goes."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import ssl
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
import uvicorn

from leeward.base.clock import SystemClock
from leeward.base.ids import SystemIds
from leeward.cluster.apiserver.pki import Pki, ensure_pki
from leeward.cluster.apiserver.server import ApiServer
from leeward.cluster.interface.metrics import EXTERNAL_METRICS, Answer, MetricQuery
from leeward.cluster.registry.admission.plugin import AdmissionOptions
from leeward.cluster.registry.bootstrap import bootstrap
from leeward.cluster.registry.registry import Registry
from leeward.cluster.store.memory import MemoryStore
from leeward.kube.objects import Obj

pytestmark = pytest.mark.e2e
GROUP = "wardle.example.com"
KIND = {"group": "", "version": "", "kind": "Flunder"}
RESOURCE = {"resource": "flunders", "responseKind": KIND, "scope": "Cluster", "verbs": ["get"]}
DOCUMENTS: dict[str, Any] = {
    "/apis": {
        "kind": "APIGroupDiscoveryList",
        "items": [{"metadata": {"name": GROUP}, "versions": [{"version": "v1", "resources": [RESOURCE]}]}],
    },
    f"/apis/{GROUP}/v1": {"kind": "APIResourceList", "resources": []},
    "/openapi/v3": {
        "paths": {f"apis/{GROUP}/v1": {"serverRelativeURL": f"/openapi/v3/apis/{GROUP}/v1?hash=1"}}
    },
    f"/openapi/v3/apis/{GROUP}/v1": {"openapi": "3.0.0"},
    "/apis/external.metrics.k8s.io/v1beta1/namespaces/shop/queue": {
        "items": [{"metricName": "queue", "value": "7", "timestamp": "2030-01-01T00:00:00Z"}]
    },
}
QUEUE = MetricQuery(kind="External", namespace="shop", metric="queue", labels="name=orders")


async def _flunders(scope: Any, _receive: Any, send: Any) -> None:
    """The aggregated server: its documents, and whatever else was asked, told back."""
    headers = [(key.decode(), value.decode()) for key, value in scope["headers"]]
    echo = {"path": scope["path"], "headers": [each for each in headers if each[0].startswith("x-remote")]}
    body = orjson.dumps(DOCUMENTS.get(scope["path"], echo))
    head = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": head})
    await send({"type": "http.response.body", "body": body})


@contextlib.asynccontextmanager
async def _aggregated(own: Pki, trusted: Path) -> AsyncIterator[int]:
    """Serve flunders to who has a certificate of `trusted`; yields the port."""
    config = uvicorn.Config(
        _flunders,
        port=0,
        loop="none",
        lifespan="off",
        log_config=None,
        ssl_certfile=str(own.server_certificate),
        ssl_keyfile=str(own.server_key),
        ssl_ca_certs=str(trusted),
        ssl_cert_reqs=ssl.CERT_REQUIRED,
    )
    server = uvicorn.Server(config)
    config.load()
    server.lifespan = config.lifespan_class(config)
    await server.startup()
    task = asyncio.create_task(server.main_loop())
    try:
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = True
        await task
        await server.shutdown()


def _objects(port: int, bundle: str) -> list[tuple[str, Obj]]:
    ports = [{"name": "https", "port": 443, "protocol": "TCP"}]
    spec = {
        "group": GROUP,
        "version": "v1",
        "groupPriorityMinimum": 2000,
        "versionPriority": 15,
        "caBundle": bundle,
        "service": {"namespace": "default", "name": "kubernetes"},  # the name that its certificate has
    }
    labels = {"kubernetes.io/service-name": "kubernetes"}
    slice_ = {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {"name": "flunders", "namespace": "default", "labels": labels},
        "addressType": "IPv4",
        "ports": [{**ports[0], "port": port}],
        "endpoints": [{"addresses": ["127.0.0.1"], "conditions": {"ready": True}}],
    }
    return [
        ("endpointslices.discovery.k8s.io", slice_),
        ("apiservices.apiregistration.k8s.io", {"metadata": {"name": f"v1.{GROUP}"}, "spec": spec}),
    ]


async def _queue(server: ApiServer, registry: Registry, client: httpx.AsyncClient, spec: Obj) -> Answer:
    """Let the same server have external metrics, too; return what the autoscaler is told of a queue."""
    name = f"v1beta1.{EXTERNAL_METRICS}"
    given = {**spec, "group": EXTERNAL_METRICS, "version": "v1beta1"}
    made = {"metadata": {"name": name}, "spec": given}
    registry.client("admin").create("apiservices.apiregistration.k8s.io", made)
    await _available(client, "True", name)
    told: asyncio.Future[Mapping[MetricQuery, Answer]] = asyncio.get_running_loop().create_future()
    server.metrics_apis.ask([QUEUE], told.set_result)
    return (await told)[QUEUE]


async def _available(client: httpx.AsyncClient, wanted: str, name: str = f"v1.{GROUP}") -> None:
    path = f"/apis/apiregistration.k8s.io/v1/apiservices/{name}"
    conditions: list[Obj] = []
    for _ in range(100):
        conditions = (await client.get(path)).json()["status"].get("conditions") or [{}]
        if conditions[0].get("status") == wanted:
            return
        await asyncio.sleep(0.05)
    raise AssertionError(conditions)


async def _story(directory: Path) -> dict[str, Any]:
    clock, store = SystemClock(), MemoryStore()
    options = AdmissionOptions(disabled=("ServiceAccount",))
    registry = Registry(store, clock=clock, ids=SystemIds(), options=options)
    bootstrap(registry, api_address="127.0.0.1", api_port=6443)
    store.delete("endpointslices.discovery.k8s.io", "default", "kubernetes")
    pki, own = ensure_pki(directory / "pki", clock), ensure_pki(directory / "own", clock)
    server = ApiServer(registry.client("admin"), store, pki=pki, clock=clock, port=0)
    await server.start()
    told: dict[str, Any] = {}
    context = ssl.create_default_context(cafile=str(pki.ca_certificate))
    headers = {"authorization": f"Bearer {pki.admin_token}", "x-remote-user": "mallory"}
    async with httpx.AsyncClient(base_url=server.url, verify=context, headers=headers) as client:
        async with _aggregated(own, pki.front_proxy_ca) as port:
            (slices, piece), (resource, api_service) = _objects(
                port, base64.b64encode(own.ca_certificate.read_bytes()).decode()
            )
            store.create(slices, piece)
            registry.client("admin").create(resource, api_service)
            told["before"] = (await client.get(f"/apis/{GROUP}/v1/flunders")).status_code
            await _available(client, "True")
            told["echo"] = (await client.get(f"/apis/{GROUP}/v1/flunders")).json()
            told["anonymous"] = (
                await client.get(f"/apis/{GROUP}/v1/flunders", headers={"authorization": ""})
            ).status_code
            accept = {"accept": "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"}
            told["items"] = (await client.get("/apis", headers=accept)).json()["items"]
            told["groups"] = [each["name"] for each in (await client.get("/apis")).json()["groups"]]
            index = (await client.get("/openapi/v3")).json()["paths"]
            told["queue"] = await _queue(server, registry, client, api_service["spec"])
            told["openapi"] = (await client.get(index[f"apis/{GROUP}/v1"]["serverRelativeURL"])).json()
        store.update(slices, {**store.list(slices)[0], "endpoints": []})
        await _available(client, "False")
        told["after"] = (await client.get(f"/apis/{GROUP}/v1/flunders")).status_code
        told["stale"] = (await client.get("/apis", headers=accept)).json()["items"]
        path = "/api/v1/namespaces/kube-system/configmaps/extension-apiserver-authentication"
        told["published"] = (await client.get(path)).json()["data"]
    await server.stop()
    return told


def _freshness(items: list[Obj]) -> list[str]:
    return [
        version["freshness"]
        for item in items
        if item["metadata"]["name"] == GROUP
        for version in item["versions"]
    ]


def test_an_aggregated_api_is_served_while_its_server_answers(tmp_path: Path) -> None:
    told = asyncio.run(_story(tmp_path))

    assert (told["before"], told["after"], told["anonymous"]) == (503, 503, 403)
    assert told["echo"] == {
        "path": f"/apis/{GROUP}/v1/flunders",
        "headers": [
            ["x-remote-user", "kubernetes-admin"],
            ["x-remote-group", "system:masters"],
            ["x-remote-group", "system:authenticated"],
        ],
    }
    assert told["groups"].index(GROUP) == len(told["groups"]) - 1
    assert (_freshness(told["items"]), _freshness(told["stale"])) == (["Current"], ["Stale"])
    assert [(each.millis, each.name) for each in told["queue"]] == [(7000, "")]
    assert told["openapi"] == {"openapi": "3.0.0"}
    assert "BEGIN CERTIFICATE" in told["published"]["requestheader-client-ca-file"]
