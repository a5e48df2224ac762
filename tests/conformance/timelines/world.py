"""The whole control plane in this process and in virtual time, as the timelines were recorded.

The real registry with its admission, every controller, the real scheduler; kubelets and metrics are played.
Timing is upstream's.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from leeward.base.clock import VirtualClock
from leeward.base.ids import SeededIds
from leeward.cluster.config import Timing
from leeward.cluster.controllers.catalog import CONTROLLERS
from leeward.cluster.controllers.framework.controller import (
    Collecting,
    Controller,
    ControllerContext,
)
from leeward.cluster.controllers.framework.manager import ControllerManager
from leeward.cluster.interface.client import Event
from leeward.cluster.interface.metrics import PodUsage, Usage
from leeward.cluster.registry.bootstrap import bootstrap
from leeward.cluster.registry.registry import Registry
from leeward.cluster.scheduler.scheduler import Scheduler
from leeward.cluster.store.memory import MemoryStore
from leeward.kube.objects import Obj, ObjectKey, key_of
from tests.conformance.kubelets import Kubelets

NAMESPACE = "recorded-namespace"
REGION = "us-east-1"
UPSTREAM = Timing(
    lease_renew_seconds=10,
    lease_duration_seconds=40,
    node_monitor_period_seconds=5,
    node_monitor_grace_seconds=50,
    node_eviction_rate=0.1,
    job_batch_seconds=1,
    default_toleration_seconds=300,
)
_OURS = (("storageclasses.storage.k8s.io", "standard"), ("ingressclasses.networking.k8s.io", "leeward"))
_NODES: Sequence[Mapping[str, str]] = tuple(
    {"name": f"node-{zone}{number}", "zone": f"{REGION}{zone}"} for zone in "abc" for number in (1, 2)
)
WRITE_SECONDS = 0.005  # what a write takes over a network; Events are written on the side
METRICS_SECONDS = 0.04  # what a question to the metrics API takes
_WINDOW = 10.0  # seconds
_SETTLED = 30.0  # seconds until a new cluster is at rest


class Meter:
    """Says that running Pods use what was set."""

    def __init__(self, clock: VirtualClock) -> None:
        self._clock = clock
        self.millis, self.mode = 0, "each"
        self.asked = 0  # times

    def known(self, pods: Iterable[Obj]) -> Mapping[ObjectKey, PodUsage]:
        self.asked += 1
        running = [pod for pod in pods if (pod.get("status") or {}).get("phase") == "Running"]
        each = self.millis if self.mode == "each" or not running else self.millis / len(running)
        used = Usage(round(each * 1_000_000), 0)
        return {
            key_of(pod): PodUsage(
                self._clock.now(), _WINDOW, {c["name"]: used for c in pod["spec"]["containers"]}
            )
            for pod in running
        }

    async def ask(self, pods: Iterable[Obj]) -> Mapping[ObjectKey, PodUsage]:
        return self.known(pods)


class Paced:
    """A controller whose passes take time, in which nothing else happens to their key.

    Args:
        controller: the real one.
        clock: its time, which does not show what a pass takes.
        work: tells how long passes have taken so far, seconds.
    """

    def __init__(self, controller: Controller, clock: VirtualClock, work: Callable[[], float]) -> None:
        self._controller = controller
        self._clock = clock
        self._work = work
        self._busy: dict[ObjectKey, float] = {}  # until when

    @property
    def resources(self) -> Collection[str]:
        return self._controller.resources

    def keys_for(self, event: Event) -> Iterable[ObjectKey]:
        return self._controller.keys_for(event)

    def delay(self, key: ObjectKey, event: Event, rested: float) -> float:
        if not isinstance(self._controller, Collecting):
            return 0.0
        return self._controller.delay(key, event, rested)

    def sync(self, key: ObjectKey) -> float | None:
        left = self._busy.pop(key, 0.0) - self._clock.monotonic()
        if left > 0:
            self._busy[key] = self._clock.monotonic() + left
            return left
        before = self._work()
        again = self._controller.sync(key)
        took = self._work() - before
        if took > 0:
            self._busy[key] = self._clock.monotonic() + took
        return None if again is None else again + took


class World:
    """One cluster, at rest, with an empty namespace.

    Args:
        nodes: (name, zone) as a case has them; the usual six when None.
        second: of a minute, at which the case begins.
        heartbeat: seconds after the begin at which leases are renewed.
    """

    def __init__(
        self, nodes: Sequence[Mapping[str, str]] | None = None, second: float = 0.0, heartbeat: float = 0.0
    ) -> None:
        begin = datetime(2026, 6, 15, 12, 0, tzinfo=UTC) + timedelta(seconds=second)
        self.clock = VirtualClock(begin - timedelta(seconds=_SETTLED))
        ids = SeededIds(7)
        registry = Registry(MemoryStore(), clock=self.clock, ids=ids)
        bootstrap(registry, api_address="127.0.0.1", api_port=6443)
        self.client = registry.client("admin")
        for resource, name in _OURS:
            self.client.delete(resource, "", name)
        self.meter = Meter(self.clock)
        self._writes = 0
        self.client.watch(None, self._count)
        built = [
            (
                found.name,
                Paced(
                    found.build(
                        ControllerContext(
                            client=registry.client(found.user),
                            clock=self.clock,
                            ids=ids,
                            timing=UPSTREAM,
                            metrics=self.meter,
                            root_ca="recorded",
                        )
                    ),
                    self.clock,
                    self._work,
                ),
            )
            for found in CONTROLLERS
        ]
        first = (_SETTLED + heartbeat) % 10.0
        self.kubelets = Kubelets(
            registry, self.clock, [make_node(each["name"], each["zone"]) for each in nodes or _NODES], first
        )
        ControllerManager(built, self.client, self.clock).start()
        Scheduler(registry.client("default-scheduler"), self.clock).start()
        self.kubelets.start()
        self.clock.advance(_SETTLED)

    def _count(self, event: Event) -> None:
        self._writes += event.resource != "events"

    def _work(self) -> float:
        return self._writes * WRITE_SECONDS + self.meter.asked * METRICS_SECONDS

    def open_namespace(self) -> None:
        """Make the namespace in which a case plays."""
        self.client.create("namespaces", {"metadata": {"name": NAMESPACE}})
        self.clock.advance(0.1)


def make_node(name: str, zone: str, labels: Mapping[str, str] | None = None, cpu: str = "16") -> Obj:
    """Return a node as its kubelet registers it."""
    own = {
        "kubernetes.io/arch": "amd64",
        "kubernetes.io/hostname": name,
        "kubernetes.io/os": "linux",
        "topology.kubernetes.io/region": REGION,
        "topology.kubernetes.io/zone": zone,
    }
    room = {"cpu": cpu, "memory": "64Gi", "pods": "110", "ephemeral-storage": "100Gi"}
    conditions: list[Any] = [
        {"type": f"{kind}Pressure", "status": "False", "reason": "Sufficient", "message": "enough"}
        for kind in ("Memory", "Disk", "PID")
    ]
    ready = {"reason": "KubeletReady", "message": "kubelet is posting ready status"}
    return {
        "metadata": {"name": name, "labels": {**own, **(labels or {})}},
        "status": {
            "capacity": room,
            "allocatable": room,
            "conditions": [*conditions, {"type": "Ready", "status": "True", **ready}],
            "addresses": [{"type": "InternalIP", "address": "10.0.0.1"}],
        },
    }
