"""An image from scratch, built and pushed by Podman to a registry on loopback, then asked for."""

from __future__ import annotations

import asyncio
import json
import shutil
from pathlib import Path

import pytest

from leeward.base.clock import SystemClock
from leeward.compose.load import LoadOptions, load_project
from leeward.delivery.images.credentials import DockerConfig
from leeward.delivery.images.engines import Podman
from leeward.delivery.images.pinning import ImagePinner, Pinned, origin_labels
from leeward.delivery.images.plan import ImageOptions
from leeward.delivery.images.references import parse_reference
from leeward.delivery.images.registry import Registry
from tests.registryserver import RegistryServer, serving

PODMAN = shutil.which("podman")
pytestmark = [pytest.mark.e2e, pytest.mark.skipif(PODMAN is None, reason="needs podman")]
_COMPOSE = """
services:
  web:
    image: ${HOST}/web:1.2
    build: {context: ., args: {WORD: hello}}
  worker: {image: "${HOST}/web:1.2"}
  both: {image: "${HOST}/both", build: {context: ., platforms: [linux/amd64, linux/arm64]}}
"""


@pytest.fixture(autouse=True)
def _own_storage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let Podman keep everything below `tmp_path`, and not need what machines without limits lack."""
    storage, containers = tmp_path / "storage.conf", tmp_path / "containers.conf"
    roots = f'graphroot = "{tmp_path}/root"\nrunroot = "{tmp_path}/run"\n'
    storage.write_text(f'[storage]\ndriver = "vfs"\n{roots}')
    engine = '[engine]\nruntime = "runc"\n' if shutil.which("runc") else ""
    limits = '[containers]\ndefault_ulimits = ["nofile=1024:1024", "nproc=1000:1000"]\n'
    containers.write_text(engine + limits)
    monkeypatch.setenv("CONTAINERS_STORAGE_CONF", str(storage))
    monkeypatch.setenv("CONTAINERS_CONF", str(containers))


def _pin(directory: Path, server: RegistryServer, lines: list[str]) -> tuple[Pinned, dict[str, str]]:
    """Build, push and pin; return also what the registry says afterwards, by tag."""
    variables = {"HOST": server.host}
    project = load_project(
        LoadOptions(working_dir=directory, project_name="shop", environment=variables)
    ).project

    async def run() -> tuple[Pinned, dict[str, str]]:
        clock = SystemClock()
        async with Registry(DockerConfig(directory / "none", clock), clock) as registry:
            engine = Podman(str(PODMAN), ("--isolation", "chroot"))
            options = ImageOptions(labels=origin_labels("abc", "https://example.com/shop.git"))
            pinned = await ImagePinner(registry, engine, options, lines.append).pin(project)
            asked = {
                name: await registry.digest(parse_reference(text)) for name, text in pinned.built.items()
            }
            return pinned, asked

    return asyncio.run(run())


def test_what_podman_pushes_is_what_the_registry_has(tmp_path: Path) -> None:
    (tmp_path / "compose.yaml").write_text(_COMPOSE)
    (tmp_path / "Dockerfile").write_text("FROM scratch\nARG WORD\nLABEL word=$WORD\nCOPY file /file\n")
    (tmp_path / "file").write_text("content")
    lines: list[str] = []
    with serving() as server:
        pinned, asked = _pin(tmp_path, server, lines)
        host = server.host
        kind, index = server.manifests["both", asked["both"]]
        manifest = json.loads(server.manifests["web", asked["web"]][1])
        config = json.loads(server.blobs[manifest["config"]["digest"]])
    assert pinned.images == {
        "web": f"{host}/web@{asked['web']}",
        "worker": f"{host}/web@{asked['web']}",
        "both": f"{host}/both@{asked['both']}",
    }
    assert any("COPY file /file" in line for line in lines)
    labels = config["config"]["Labels"]
    assert (labels["word"], labels["org.opencontainers.image.revision"]) == ("hello", "abc")
    assert "index" in kind or "list" in kind
    assert {each["platform"]["architecture"] for each in json.loads(index)["manifests"]} == {"amd64", "arm64"}
