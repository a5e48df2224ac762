"""One cluster for all clients, started from the command line, and a namespace for each of them.

A client gets nothing but the kubeconfig that leeward wrote.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from pathlib import Path

import pytest
from kubernetes import client, config, watch

from tests.live import Leeward

NAME = "matrix"


@pytest.fixture(scope="session")
def kubeconfig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Return the kubeconfig of a cluster whose Pods run."""
    directory = tmp_path_factory.mktemp("clients")
    leeward = Leeward(directory / "home", directory)
    leeward.ok("cluster", "start", "--name", NAME, "--zones", "1")
    try:
        yield Path(leeward.ok("kubeconfig", "--name", NAME, "--path").strip())
    finally:
        leeward.run("cluster", "stop", "--name", NAME)
        gc.collect()  # what clients left behind warns here, where it is ignored, not after the last test


@pytest.fixture(scope="module")
def namespace(kubeconfig: Path, request: pytest.FixtureRequest) -> str:
    """Return a namespace of the module's own, when Pods may be made in it."""
    module = request.module.__name__.rpartition(".")[2]
    name = str(module).removeprefix("test_").replace("_", "-")
    with config.new_client_from_config(str(kubeconfig)) as connection:
        api = client.CoreV1Api(connection)
        api.create_namespace(client.V1Namespace(metadata=client.V1ObjectMeta(name=name)))
        for event in watch.Watch().stream(api.list_namespaced_service_account, name, timeout_seconds=20):
            if event["object"].metadata.name == "default":
                return name
    raise AssertionError(f"nobody made the service account of {name}")
