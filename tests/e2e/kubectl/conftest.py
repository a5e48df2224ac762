"""An API server on a free port over a bare store, and the real kubectl."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from leeward.base.clock import SystemClock
from leeward.base.ids import SystemIds
from leeward.cluster.apiserver.pki import ensure_pki
from leeward.cluster.apiserver.server import ApiServer
from leeward.cluster.registry.admission.plugin import AdmissionOptions
from leeward.cluster.registry.bootstrap import bootstrap
from leeward.cluster.registry.registry import Registry
from leeward.cluster.store.memory import MemoryStore
from leeward.kube.kubeconfig import make_kubeconfig, write_kubeconfig
from leeward.kube.objects import Obj

Kubectl = Callable[..., str]


class Cluster:
    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.store = MemoryStore()
        registry = Registry(
            self.store,
            clock=SystemClock(),
            ids=SystemIds(),
            options=AdmissionOptions(disabled=("ServiceAccount",)),
        )
        bootstrap(registry, api_address="127.0.0.1", api_port=6443)
        self.client = registry.client("admin")
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        pki = ensure_pki(directory / "pki", SystemClock())
        self.server = ApiServer(
            self.client,
            self.store,
            pki=pki,
            clock=SystemClock(),
            port=0,
            dry_client=registry.client("admin", dry_run=True),
            pod_logs=self._log,
        )
        self._thread.start()
        self.run(self.server.start())
        config = make_kubeconfig(
            name="test", server=self.server.url, ca_data=pki.ca_data, token=pki.admin_token
        )
        write_kubeconfig(directory / "kubeconfig", config)

    def _log(self, pod: Obj, container: str, *, previous: bool) -> Path | None:
        return None if previous else self.directory / f"{pod['metadata']['name']}.log"

    def run(self, work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(20)

    def write(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Call a synchronous function on the server's thread."""

        async def call() -> Any:
            return function(*arguments)

        return self.run(call())

    def put(self, resource: str, obj: Obj) -> None:
        """Store an object with its status, as its controller would leave it."""

        def store() -> None:
            created = self.client.create(resource, obj)
            self.client.update_status(resource, {**created, "status": obj["status"]})

        self.write(store)

    def stop(self) -> None:
        self.run(self.server.stop())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(10)
        self.loop.close()


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    if shutil.which("kubectl") is None:
        pytest.skip("kubectl is not installed")
    running = Cluster(tmp_path)
    yield running
    running.stop()


@pytest.fixture
def kubectl(cluster: Cluster) -> Kubectl:
    def run(*arguments: str, stdin: str = "", fails: bool = False) -> str:
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(cluster.directory),
            "KUBECONFIG": str(cluster.directory / "kubeconfig"),
        }
        done = subprocess.run(
            ["kubectl", *arguments],
            input=stdin,
            capture_output=True,
            text=True,
            timeout=30,
            env=environment,
            check=False,
        )
        assert (done.returncode != 0) is fails, done.stdout + done.stderr
        return done.stdout + done.stderr

    return run
