"""The composition root: constructs every component of one embedded cluster, starts and stops them.

Nothing else constructs components. The order of start is the order in which they need one another: store
and rules, API, controllers and scheduler, containers, nodes, the way in.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import shutil
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from random import SystemRandom

from leeward.base.clock import Clock, SystemClock
from leeward.base.errors import UserInputError
from leeward.base.ids import IdSource, SystemIds
from leeward.cluster.apiserver.admission import ask
from leeward.cluster.apiserver.audit import AuditLog
from leeward.cluster.apiserver.decoding import fit_changed
from leeward.cluster.apiserver.pki import ensure_pki
from leeward.cluster.apiserver.server import ApiServer
from leeward.cluster.apiserver.signing import signer
from leeward.cluster.config import ClusterConfig
from leeward.cluster.controllers.catalog import CONTROLLERS
from leeward.cluster.controllers.framework.controller import Controller, ControllerContext
from leeward.cluster.controllers.framework.manager import FIELD_MANAGER, ControllerManager
from leeward.cluster.interface.network import AddressPlan
from leeward.cluster.interface.runtime import RuntimeService
from leeward.cluster.kubelet.containers import log_path
from leeward.cluster.kubelet.fleet import Fleet
from leeward.cluster.kubelet.kubelet import Kubelet
from leeward.cluster.kubelet.nodestatus import allocatable
from leeward.cluster.kubelet.podworker import Host
from leeward.cluster.kubelet.simulated.fleet import SimulatedFleet
from leeward.cluster.kubelet.simulated.nodes import fleet_timing
from leeward.cluster.kubelet.simulated.stages import parse_stages
from leeward.cluster.kubelet.simulated.streams import NoStreams
from leeward.cluster.metrics.sampler import Sampler
from leeward.cluster.network.network import Network
from leeward.cluster.network.podnetwork import BridgePodNetwork
from leeward.cluster.registry.admission.plugin import AdmissionOptions
from leeward.cluster.registry.bootstrap import bootstrap
from leeward.cluster.registry.expiry import EventExpiry
from leeward.cluster.registry.registry import Registry
from leeward.cluster.registry.tokens import Tokens
from leeward.cluster.runtimes.catalog import RuntimeContext, build_runtime
from leeward.cluster.scheduler.configuration import profiles_of
from leeward.cluster.scheduler.scheduler import Scheduler
from leeward.cluster.statedir import StateDir, config_from_record
from leeward.cluster.store.sqlite import SQLiteStore
from leeward.kube.kubeconfig import (
    load_kubeconfig,
    make_kubeconfig,
    renewed_kubeconfig,
    write_kubeconfig,
)
from leeward.kube.nodes import is_without_power
from leeward.kube.objects import Obj, format_micro_time, is_condition_true
from leeward.kube.wellknown import TAINT_NOT_READY

logger = logging.getLogger(__name__)
_HOST = "127.0.0.1"
_RESOLV = Path("/etc/resolv.conf")
_SIMULATED_LIMITS = ("Containers are simulated: they have states, but run nothing and answer nothing.",)
Progress = Callable[[str], None]


class Cluster:
    """One embedded cluster in this process.

    Args:
        config: what it is made of.
        plan: its addresses.
        state: where it keeps everything.
        clock: time for all components.
        ids: identity for all components.
    """

    def __init__(
        self, config: ClusterConfig, plan: AddressPlan, state: StateDir, clock: Clock, ids: IdSource
    ) -> None:
        self._simulated = config.runtime == "simulated"
        if self._simulated:
            config = replace(config, timing=fleet_timing(config.timing, len(config.nodes)))
        self._config = config
        self._plan = plan
        self._state = state
        self._clock = clock
        state.root.mkdir(parents=True, exist_ok=True)
        self._pki = ensure_pki(state.pki, clock)
        self._store = SQLiteStore(state.database)
        self._registry = Registry(
            self._store,
            clock=clock,
            ids=ids,
            service_network=plan.service_network,
            options=AdmissionOptions(
                default_toleration_seconds=config.timing.default_toleration_seconds, fit=fit_changed
            ),
            hooks=ask,
            tokens=Tokens(self._pki.signing_key.read_bytes(), clock=clock, ids=ids),
        )
        self._expiry = EventExpiry(self._store, clock, config.timing.event_ttl_seconds)
        client = self._registry.client
        self._runtime: RuntimeService | None = None  # simulated containers need none
        self._fleet = self._simulated_fleet() if self._simulated else self._real_fleet(ids)
        self._scheduler = Scheduler(
            client("default-scheduler", manager="kube-scheduler"),
            clock,
            profiles=profiles_of(config.scheduler),
        )
        self._network = Network(
            client=client("system:network"),
            clock=clock,
            rng=SystemRandom(),
            plan=None if self._simulated else plan,
            ingress_port=config.ingress_port,
            nameservers=_nameservers(),
        )
        self._api = ApiServer(
            client("system:admin"),
            self._store,
            pki=self._pki,
            clock=clock,
            port=config.api_port,
            dry_client=self._registry.client("system:admin", dry_run=True),
            ready=self._unready,
            pod_logs=self._log_file,
            runtime=self._runtime or NoStreams(),
            metrics=self._metrics,
            tokens=self._registry.tokens,
            audit=AuditLog(state.logs / "audit.log", lambda: format_micro_time(clock.now()), ids),
        )
        self._manager = ControllerManager(self._controllers(ids), client("system:controllers"), clock)
        self._nodes_ready = asyncio.Event()
        self._started: list[str] = []

    def _simulated_fleet(self) -> SimulatedFleet:
        """Return what plays the kubelets; what containers use is asked of it too."""
        config = self._config
        fleet = SimulatedFleet(
            self._registry.client("system:kubelet", manager="kubelet"),
            self._clock,
            config,
            network=self._plan.pod_network,
            host_ip=_HOST,
            stages=parse_stages(config.simulate),
            seed=config.seed,
        )
        self._metrics = Sampler(fleet, self._clock)
        return fleet

    def _real_fleet(self, ids: IdSource) -> Fleet:
        """Return the kubelets, and start nothing."""
        config, plan, state = self._config, self._plan, self._state
        client = self._registry.client("system:kubelet", manager="kubelet")
        context = RuntimeContext(
            directory=state.runtime,
            images=state.images,
            clock=self._clock,
            ids=ids,
            plan=plan,
            make_network=BridgePodNetwork,
        )
        self._runtime, images = build_runtime(config.runtime, context)
        self._metrics = Sampler(self._runtime, self._clock)
        kubelets = []
        for shape in config.nodes:
            host = Host(
                node=shape.name,
                client=client,
                clock=self._clock,
                runtime=self._runtime,
                images=images,
                pods_dir=state.pods,
                logs_dir=state.logs,
                host_ip=str(plan.gateway) if plan.isolated else _HOST,
                dns=str(plan.dns) if plan.isolated else "",
                isolated=plan.isolated,
                allocatable=allocatable(shape.group),
            )
            kubelets.append(Kubelet(host, shape, config))
        return Fleet(kubelets, client, self._runtime)

    def _controllers(self, ids: IdSource) -> Iterable[tuple[str, Controller]]:
        for descriptor in CONTROLLERS:
            context = ControllerContext(
                client=self._registry.client(descriptor.user, manager=FIELD_MANAGER),
                clock=self._clock,
                ids=ids,
                timing=self._config.timing,
                metrics=self._metrics,
                metrics_apis=self._api.metrics_apis,
                root_ca=self._pki.ca_certificate.read_text(),
                volumes_dir=self._state.volumes,
                make_volume=_make_volume,
                remove_volume=_remove_volume,
                sign=signer(self._pki, self._clock),
            )
            yield descriptor.name, descriptor.build(context)

    def _unready(self) -> Iterable[str]:
        """Return what the cluster still waits for."""
        waiting = [part for part in ("nodes", "network") if part not in self._started]
        return waiting if self._manager.has_synced else ["controllers", *waiting]

    async def start(self, progress: Progress) -> None:
        """Start everything; returns when all nodes are Ready.

        Args:
            progress: told each step in a few words.

        Raises:
            OperationError: a port is taken, or the runtime does not work here.
        """
        progress("starting the API")
        dns = str(self._plan.dns) if self._plan.isolated and not self._simulated else ""
        bootstrap(
            self._registry,
            api_address=_HOST,
            api_port=self._config.api_port,
            dns_address=dns,
            metrics=True,
        )
        self._expiry.start()
        await self._api.start()
        self._write_kubeconfig()
        self._manager.start()
        self._scheduler.start()
        progress(f"starting {len(self._config.nodes)} nodes")
        if self._runtime is not None:
            await self._runtime.start()
        for limit in _SIMULATED_LIMITS if self._runtime is None else self._runtime.limits:
            progress(f"note: {limit}")
        self._remove_left_volumes()
        self._fleet.start()
        await self._await_nodes()
        self._started.append("nodes")
        progress("starting the network")
        await self._network.start()
        self._started.append("network")
        logger.info("cluster %s is ready", self._config.name)

    def _remove_left_volumes(self) -> None:
        """Remove volumes of Pods that went while no kubelet was running."""
        uids = {pod["metadata"]["uid"] for pod in self._registry.client("system:admin").list("pods")}
        for path in self._state.pods.glob("*"):
            if path.name not in uids:
                shutil.rmtree(path, ignore_errors=True)

    async def _await_nodes(self) -> None:
        """Wait until every node that has power is Ready, and its taint says so too."""
        client = self._registry.client("system:admin")
        wanted = {shape.name for shape in self._config.nodes}

        def look(nodes: Iterable[Obj]) -> None:
            for node in nodes:
                taints = {taint["key"] for taint in node["spec"].get("taints") or ()}
                is_well = is_condition_true(node, "Ready") and TAINT_NOT_READY not in taints
                if is_well or is_without_power(node):
                    wanted.discard(node["metadata"]["name"])
            if not wanted:
                self._nodes_ready.set()

        unsubscribe = client.watch(["nodes"], lambda event: look([event.object]))
        look(client.list("nodes"))
        try:
            await self._nodes_ready.wait()
        finally:
            unsubscribe()

    def _write_kubeconfig(self) -> None:
        """Write how the cluster is reached; what somebody else wrote into the file stays."""
        name, path = f"leeward-{self._config.name}", self._state.kubeconfig
        config = make_kubeconfig(
            name=name,
            server=self._api.url,
            ca_data=self._pki.ca_data,
            token=self._pki.admin_token,
        )
        with contextlib.suppress(UserInputError):  # it is ours, and of no use as it is
            config = renewed_kubeconfig(config, load_kubeconfig(path))
        write_kubeconfig(path, config)

    def _log_file(self, pod: Obj, container: str, *, previous: bool) -> Path | None:
        """Return where the kubelet keeps a container's output; a simulated one says nothing."""
        if self._simulated:
            return Path(os.devnull)
        directory = log_path(self._state.logs, pod, container, 0).parent
        attempts = sorted(int(path.stem) for path in directory.glob("*.log") if path.stem.isdigit())
        if previous:
            attempts = attempts[:-1]
        return directory / f"{attempts[-1]}.log" if attempts else None

    async def stop(self) -> None:
        """Stop everything that started; no process, interface or mount remains.

        First what would act on the end of containers, then these, while they still have a network.
        """
        self._scheduler.stop()
        self._manager.stop()
        await self._fleet.stop()
        await self._network.stop()
        if self._runtime is not None:
            await self._runtime.stop()
        await self._api.stop()
        self._expiry.stop()
        self._store.close()


def build_cluster(state: StateDir) -> Cluster:
    """Return the cluster whose configuration is recorded in `state`.

    Raises:
        OperationError: the state is of another version, or cannot be used.
    """
    config, plan = config_from_record(state.root, state.load())
    return Cluster(config, plan, state, SystemClock(), SystemIds())


def remove_traces(state: StateDir) -> None:
    """Remove what a killed cluster process left on this machine: interfaces, routes, containers' files."""
    _, plan = config_from_record(state.root, state.load())
    if plan.isolated:
        BridgePodNetwork(plan).teardown()
    shutil.rmtree(state.runtime, ignore_errors=True)


def _make_volume(path: Path) -> None:
    path.mkdir(parents=True, exist_ok=True)
    path.chmod(0o777)


def _remove_volume(path: Path) -> None:
    shutil.rmtree(path, ignore_errors=True)


def _nameservers() -> list[str]:
    """Return the machine's own nameservers."""
    try:
        lines = _RESOLV.read_text().splitlines()
    except OSError:
        return []
    return [line.split()[1] for line in lines if line.startswith("nameserver ") and len(line.split()) > 1]
