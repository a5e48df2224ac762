"""leeward's own client against the API server over TLS."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from leeward.base.clock import SystemClock
from leeward.base.errors import OperationError
from leeward.base.ids import SystemIds
from leeward.cluster.apiserver.pki import ensure_pki
from leeward.cluster.apiserver.server import ApiServer
from leeward.cluster.registry.admission.plugin import AdmissionOptions
from leeward.cluster.registry.bootstrap import bootstrap
from leeward.cluster.registry.registry import Registry
from leeward.cluster.store.memory import MemoryStore
from leeward.kube.client import KubeClient
from leeward.kube.kubeconfig import Access
from leeward.kube.status import NotFoundError, UnauthorizedError

pytestmark = pytest.mark.e2e


def _server(directory: Path, port: int = 0) -> tuple[ApiServer, Access]:
    store = MemoryStore()
    registry = Registry(
        store, clock=SystemClock(), ids=SystemIds(), options=AdmissionOptions(disabled=("ServiceAccount",))
    )
    bootstrap(registry, api_address="127.0.0.1", api_port=6443)
    pki = ensure_pki(directory / "pki", SystemClock())
    client = registry.client("admin")
    server = ApiServer(client, store, pki=pki, clock=SystemClock(), port=port)
    return server, Access(server="", ca_pem=pki.ca_certificate.read_text(), token=pki.admin_token)


def _access(server: ApiServer, access: Access, token: str | None = None) -> Access:
    return Access(server=server.url, ca_pem=access.ca_pem, token=token or access.token)


def _config_map(name: str) -> dict[str, object]:
    meta = {"name": name, "namespace": "default"}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": {"a": "1"}}


async def _life(directory: Path) -> list[tuple[str, str]]:
    server, access = _server(directory)
    await server.start()
    seen = []
    async with KubeClient(_access(server, access)) as client:
        _, version = await client.list_with_version("configmaps", "default")
        await client.create("configmaps", _config_map("one"))
        await client.patch("configmaps", "default", "one", {"data": {"a": "2"}}, patch_type="merge")
        assert (await client.get("configmaps", "default", "one"))["data"] == {"a": "2"}
        await client.delete("configmaps", "default", "one")
        with pytest.raises(NotFoundError):
            await client.get("configmaps", "default", "one")
        watch = client.watch("configmaps", "default", resource_version=version, timeout_seconds=1)
        async for kind, obj in watch:
            seen.append((kind, obj["metadata"].get("name", "")))
    async with KubeClient(_access(server, access, token="wrong")) as stranger:
        with pytest.raises(UnauthorizedError):
            await stranger.list("pods")
    await server.stop()
    return seen


def test_a_watch_replays_what_happened_since_the_list(tmp_path: Path) -> None:
    import asyncio

    events = asyncio.run(_life(tmp_path))
    assert [event for event in events if event[0] != "BOOKMARK"] == [
        ("ADDED", "one"),
        ("MODIFIED", "one"),
        ("DELETED", "one"),
    ]


def test_a_taken_port_is_an_error_with_a_remedy(tmp_path: Path) -> None:
    import asyncio

    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        server, _ = _server(tmp_path, other.getsockname()[1])
        with pytest.raises(OperationError, match="taken") as caught:
            asyncio.run(server.start())
    assert "--port" in caught.value.remedy
