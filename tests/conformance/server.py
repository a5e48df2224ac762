"""An API server as the transcripts of a real one were recorded: no scheduler, no kubelets, few controllers.

Run: python tests/conformance/server.py     prints URL and token, serves until interrupted
Run: python tests/conformance/server.py --replay [options of replay_transcripts.py]
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any, TypeVar

import uvloop

from leeward.base.clock import SystemClock
from leeward.base.ids import SystemIds
from leeward.cluster.apiserver.admission import ask
from leeward.cluster.apiserver.decoding import fit_changed
from leeward.cluster.apiserver.pki import ensure_pki
from leeward.cluster.apiserver.server import ApiServer
from leeward.cluster.config import Timing
from leeward.cluster.controllers.catalog import CONTROLLERS
from leeward.cluster.controllers.framework.controller import ControllerContext
from leeward.cluster.controllers.framework.manager import FIELD_MANAGER, ControllerManager
from leeward.cluster.interface.user import User
from leeward.cluster.kubelet.simulated.streams import NoStreams
from leeward.cluster.registry.admission.plugin import AdmissionOptions
from leeward.cluster.registry.bootstrap import bootstrap
from leeward.cluster.registry.registry import Registry
from leeward.cluster.registry.tokens import Tokens
from leeward.cluster.scheduler.scheduler import Scheduler
from leeward.cluster.store.memory import MemoryStore

T = TypeVar("T")
OURS = (("storageclasses.storage.k8s.io", "standard"), ("ingressclasses.networking.k8s.io", "leeward"))

SHARED = Path(__file__).resolve().parents[3] / "shared"
REPLAY = SHARED / "tools" / "replay_transcripts.py"
TRANSCRIPTS = SHARED / "data" / "apiserver"
EXTRA_BUNDLES = (("openshift-service-ca.crt", "service-ca.crt"),)  # the recorded server is OpenShift's build
RECORDED = (
    "serviceaccount-controller",
    "serviceaccount-token-controller",
    "clusterrole-aggregation-controller",
    "root-ca-certificate-publisher-controller",
    "namespace-controller",
)


class RecordedServer:
    """An API server over a bare store, in a thread of its own.

    Args:
        directory: for its certificates.
        whole: with every controller and the scheduler, not only what the transcripts had.
        timing: of the controllers.
    """

    def __init__(self, directory: Path, *, whole: bool = False, timing: Timing | None = None) -> None:
        self._loop = uvloop.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        clock, ids = SystemClock(), SystemIds()
        self._store = MemoryStore()
        self.clock = clock
        pki = ensure_pki(directory / "pki", clock)
        self.registry = registry = Registry(
            self._store,
            clock=clock,
            ids=ids,
            service_network=IPv4Network("10.96.0.0/16"),
            options=AdmissionOptions(extra_token_bundles=EXTRA_BUNDLES, fit=fit_changed),
            hooks=ask,
            tokens=Tokens(pki.signing_key.read_bytes(), clock=clock, ids=ids),
        )
        self.token, self.ca_data = pki.admin_token, pki.ca_data
        client = registry.client("admin")
        controllers = [
            (
                descriptor.name,
                descriptor.build(
                    ControllerContext(
                        client=registry.client(descriptor.user, manager=FIELD_MANAGER),
                        clock=clock,
                        ids=ids,
                        root_ca=pki.ca_certificate.read_text(),
                        timing=timing or Timing(),
                    )
                ),
            )
            for descriptor in CONTROLLERS
            if whole or descriptor.name in RECORDED
        ]
        self._scheduler = (
            Scheduler(registry.client("default-scheduler", manager="kube-scheduler"), clock)
            if whole
            else None
        )
        self._manager = ControllerManager(controllers, registry.client("system:controllers"), clock)
        self._api = ApiServer(
            client,
            self._store,
            pki=pki,
            clock=clock,
            port=0,
            dry_client=registry.client("admin", dry_run=True),
            runtime=NoStreams(),
            pod_logs=lambda pod, container, previous: None,
            tokens=registry.tokens,
            admin=User("admin", ("system:masters", "system:authenticated"), "admin"),
        )

        async def start() -> None:
            bootstrap(registry, api_address="127.0.0.1", api_port=6443)
            for resource, name in OURS:
                client.delete(resource, "", name)
            await self._api.start()
            self._manager.start()
            if self._scheduler is not None:
                self._scheduler.start()

        self._run(start())
        self.url = self._api.url

    def _run(self, work: Any) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(30)

    def call(self, function: Callable[[], T]) -> T:
        """Return what `function` returns, called in the server's thread."""

        async def work() -> T:
            return function()

        return asyncio.run_coroutine_threadsafe(work(), self._loop).result(30)

    def close(self) -> None:
        """Stop serving."""

        async def stop() -> None:
            if self._scheduler is not None:
                self._scheduler.stop()
            self._manager.stop()
            await self._api.stop()

        self._run(stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()


def main() -> int:
    """Serve until interrupted, or replay transcripts."""
    with tempfile.TemporaryDirectory() as directory:
        server = RecordedServer(Path(directory))
        try:
            if sys.argv[1:2] == ["--replay"]:
                options = sys.argv[2:]
                if not any(option.endswith(".jsonl") for option in options):
                    options += map(str, sorted(TRANSCRIPTS.glob("*.jsonl")))
                command = [
                    sys.executable,
                    str(REPLAY),
                    "--url",
                    server.url,
                    f"--token={server.token}",  # it may begin with a dash
                    *options,
                ]
                return subprocess.run(command, check=False).returncode
            sys.stdout.write(f"{server.url} {server.token}\n")
            sys.stdout.flush()
            threading.Event().wait()
        except KeyboardInterrupt:
            pass
        finally:
            server.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
