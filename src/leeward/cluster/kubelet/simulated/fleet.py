"""The simulated fleet: all nodes and their Pods, in one place, on one timer.

Nodes register and renew their leases, Pods follow their stages, and what changes is written in batches. A
healthy node costs a lease now and then, a Pod that runs costs nothing. There are no tasks: the same fleet
lives on real and on virtual time. Warnings become Events; that something went as it should does not.

Invariants: what of a Pod is written is its present state; a state that passes within ``_HELD`` seconds before
the first report is not told. The annotation ``leeward.dev/power: off`` on a Node silences it and its Pods.

Source: pkg/kubelet/kubelet.go (syncLoop), pkg/kubelet/nodelease, pkg/kubelet/status/status_manager.go
(Kubernetes 1.36).
"""

from __future__ import annotations

import heapq
import logging
from collections import OrderedDict
from collections.abc import Collection, Mapping
from ipaddress import IPv4Network

from leeward import __version__
from leeward.base.clock import Clock, Timer
from leeward.base.errors import UserInputError
from leeward.cluster.config import ClusterConfig
from leeward.cluster.interface.client import Client, Event, Unsubscribe
from leeward.cluster.interface.runtime import ContainerStats
from leeward.cluster.kubelet.registration import Registration
from leeward.cluster.kubelet.simulated.nodes import SimulatedNodes
from leeward.cluster.kubelet.simulated.pod import SimulatedPod, requests_of
from leeward.cluster.kubelet.simulated.sources import missing_variable, missing_volume
from leeward.cluster.kubelet.simulated.stages import Stages, stages_of
from leeward.kube.objects import Obj, is_terminating, key_of
from leeward.kube.pods import is_finished
from leeward.kube.status import ConflictError, NotFoundError, StatusError
from leeward.kube.wellknown import SIMULATE

logger = logging.getLogger(__name__)
BATCH = 64  # Pods a turn of the event loop
_HELD = 0.5  # seconds
_RETRY = 1.0  # seconds after a write that was refused
_FIRST_ADDRESS = 10  # of the Pod network
_SOURCES = ("configmaps", "secrets", "persistentvolumeclaims")


class SimulatedFleet:
    """Plays all kubelets of a cluster.

    Args:
        client: reads and writes, as the kubelets.
        clock: paces everything.
        config: the nodes, and the timing.
        network: where Pod addresses come from; nothing listens there.
        host_ip: of all nodes.
        stages: of containers, unless their Pod says otherwise.
        seed: of what is drawn.
    """

    def __init__(
        self,
        client: Client,
        clock: Clock,
        config: ClusterConfig,
        *,
        network: IPv4Network,
        host_ip: str,
        stages: Stages,
        seed: int = 0,
    ) -> None:
        self._client = client
        self._clock = clock
        registration = Registration(
            client, clock, config, address=host_ip, runtime=f"simulated://{__version__}"
        )
        self._nodes = SimulatedNodes(client, clock, config, registration)
        self._host_ip = host_ip
        self._stages = stages
        self._seed = seed
        self._network = network
        self._next_address = _FIRST_ADDRESS
        self._addresses: dict[str, str] = {}  # in use → Pod uid
        self._pods: dict[str, SimulatedPod] = {}  # by uid
        self._arriving: dict[str, tuple[Obj, bool]] = {}  # Pods still to be taken up, and whether they live
        self._lacking: dict[str, None] = {}  # uids of Pods that wait for something that they name
        self._ready: OrderedDict[str, None] = OrderedDict()  # uids of Pods to look at now
        self._later: list[tuple[float, str]] = []  # a heap of (monotonic time, uid)
        self._timer: Timer | None = None
        self._timer_at = 0.0
        self._turn: Timer | None = None
        self._unsubscribe: Unsubscribe | None = None
        self._reports = False  # a status is being written here

    def start(self) -> None:
        """Register the nodes, and go on with the Pods that are there."""
        self._unsubscribe = self._client.watch(("pods", "nodes", *_SOURCES), self._note)
        self._nodes.start()
        for pod in self._client.list("pods"):
            if self._nodes.is_on(pod["spec"].get("nodeName")):
                address = _address_of(pod)
                if address and not is_finished(pod) and not pod["spec"].get("hostNetwork"):
                    self._addresses[address] = pod["metadata"]["uid"]
                self._arrive(pod, lives=True)

    async def stop(self) -> None:
        """Look at nothing any more."""
        if self._unsubscribe is not None:
            self._unsubscribe()
            self._unsubscribe = None
        self._nodes.stop()
        for timer in (self._timer, self._turn):
            if timer is not None:
                timer.cancel()
        self._timer = self._turn = None

    # Events: only take note -----------------------------------------------------------------------

    def _note(self, event: Event) -> None:
        if event.resource == "pods":
            self._note_pod(event)
        elif event.resource == "nodes":
            self._note_power(event.object["metadata"]["name"], self._nodes.note(event))
        elif event.type != "DELETED" and self._lacking:
            namespace = key_of(event.object).namespace
            for uid in self._lacking:
                if self._pods[uid].pod["metadata"]["namespace"] == namespace:
                    self._look(uid)

    def _note_power(self, node: str, power: bool | None) -> None:
        if power is False:
            for pod in [each for each in self._pods.values() if each.pod["spec"]["nodeName"] == node]:
                self._drop(pod)
            for uid in [uid for uid, each in self._arriving.items() if each[0]["spec"]["nodeName"] == node]:
                self._turn_away(uid)
        elif power:
            self._clock.call_later(0.0, lambda: self._switch_on(node))

    def _note_pod(self, event: Event) -> None:
        pod = event.object
        node = pod["spec"].get("nodeName")
        if not node:
            return
        uid = pod["metadata"]["uid"]
        known = self._pods.get(uid)
        if event.type == "DELETED":
            self._turn_away(uid)
            if known is not None:
                self._drop(known)
        elif known is not None:
            known.update(pod)
            if not self._reports:  # somebody else's write
                self._look(uid)
        elif self._nodes.is_on(node):
            self._arrive(pod, lives=False)

    def _arrive(self, pod: Obj, *, lives: bool) -> None:
        """Take a Pod up in a later turn; what was said of its containers first holds."""
        uid = pod["metadata"]["uid"]
        known = self._arriving.get(uid)
        self._arriving[uid] = pod, known[1] if known is not None else lives
        self._look(uid)

    def _take(self, pod: Obj, *, lives: bool) -> SimulatedPod:
        made = SimulatedPod(pod, self._stages, self._seed, self._clock.now(), lives=lives)
        try:
            made.stages = stages_of(pod, self._stages)
        except UserInputError as error:
            text = f"annotation {SIMULATE}: {error}. {error.remedy}"
            self._clock.call_later(0.0, lambda: self._warn(made, "InvalidSimulation", text))
        self._pods[made.uid] = made
        address = _address_of(pod)
        if lives and self._addresses.get(address) == made.uid:
            made.ip = address
        return made

    def _drop(self, pod: SimulatedPod) -> None:
        del self._pods[pod.uid]
        self._lacking.pop(pod.uid, None)
        self._free(pod.ip, pod.uid)

    def _turn_away(self, uid: str) -> None:
        """Do not take up a Pod that was to come."""
        if (found := self._arriving.pop(uid, None)) is not None:
            self._free(_address_of(found[0]), uid)

    def _free(self, address: str, uid: str) -> None:
        if self._addresses.get(address) == uid:
            del self._addresses[address]

    def _switch_on(self, node: str) -> None:
        """Take up what is on a node that has power again."""
        for left in self._client.pods_on(node) if self._nodes.is_on(node) else ():
            uid = left["metadata"]["uid"]
            if uid not in self._pods:
                self._arrive(left, lives=False)

    # Turns ----------------------------------------------------------------------------------------

    def _look(self, uid: str) -> None:
        self._ready[uid] = None
        if self._turn is None:
            self._turn = self._clock.call_later(0.0, self._run_turn)

    def _run_turn(self) -> None:
        self._turn = None
        with self._client.batch():
            for _ in range(min(BATCH, len(self._ready))):
                self._handle(self._ready.popitem(last=False)[0])
        if self._ready and self._turn is None:
            self._turn = self._clock.call_later(0.0, self._run_turn)

    def _wait(self, pod: SimulatedPod, until: float) -> None:
        if pod.queued_at is not None and pod.queued_at <= until:
            return
        pod.queued_at = until
        heapq.heappush(self._later, (until, pod.uid))
        if self._timer is None or until < self._timer_at:
            self._arm()

    def _arm(self) -> None:
        """Set the timer to the first Pod that waits."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer_at = self._later[0][0]
        delay = max(0.0, self._timer_at - self._clock.monotonic())
        self._timer = self._clock.call_later(delay, self._fire)

    def _fire(self) -> None:
        self._timer = None
        now = self._clock.monotonic()
        while self._later and self._later[0][0] <= now:
            when, uid = heapq.heappop(self._later)
            pod = self._pods.get(uid)
            if pod is not None and pod.queued_at == when:
                pod.queued_at = None
                self._look(uid)
        if self._later:
            self._arm()

    def _handle(self, uid: str) -> None:
        arrived = self._arriving.pop(uid, None)
        pod = self._pods.get(uid)
        try:
            if pod is None and arrived is not None:
                pod = self._take(arrived[0], lives=arrived[1])
            if pod is None:
                return
            if is_terminating(pod.pod):
                self._terminate(pod)
            else:
                self._advance(pod)
        except (ConflictError, NotFoundError) as error:
            logger.debug("%s: %s", uid, error)
        except StatusError as error:
            logger.warning("%s: %s", uid, error)
        except Exception:  # worker-loop edge: one odd Pod must not stop the others
            logger.exception("the simulated Pod %s", uid)
        else:
            return
        if pod is not None:
            self._wait(pod, self._clock.monotonic() + _RETRY)

    def _advance(self, pod: SimulatedPod) -> None:
        """Let a Pod live on, and tell what became of it."""
        mono, wall = self._clock.monotonic(), self._clock.now()
        if is_finished(pod.pod):
            self._free(pod.ip, pod.uid)
            if pod.end(wall, obeyed=True):
                self._report(pod)
            return
        lacks = "" if pod.prepared or pod.fails(wall) else missing_volume(self._client, pod.pod)
        pod.lacks = bool(lacks)
        if lacks:
            self._warn(pod, "FailedMount", lacks)
            pod.wait_for_deadline(mono, wall)
        else:
            pod.prepared = True
            if not pod.ip and not pod.pod["spec"].get("hostNetwork"):
                pod.ip = self._new_address(pod.uid)
            pod.step(
                mono,
                wall,
                lambda container: missing_variable(self._client, pod.pod, container),
                lambda reason, message: self._warn(pod, reason, message),
            )
        if pod.lacks:
            self._lacking[pod.uid] = None
        else:
            self._lacking.pop(pod.uid, None)
        if pod.due is not None:
            self._wait(pod, pod.due)
            if pod.due - mono <= _HELD and "startTime" not in (pod.pod.get("status") or {}):
                return
        self._report(pod)

    def _terminate(self, pod: SimulatedPod) -> None:
        """End a Pod within its grace period, then have the API forget it."""
        mono, meta = self._clock.monotonic(), pod.pod["metadata"]
        if pod.stop_at is None:
            pod.stop_at = mono + pod.stop_seconds()
        pod.killed_at = min(pod.killed_at, mono + float(meta.get("deletionGracePeriodSeconds") or 0))
        ends_at = min(pod.stop_at, pod.killed_at)
        if ends_at > mono:
            self._wait(pod, ends_at)
            return
        if meta.get("finalizers"):
            pod.end(self._clock.now(), obeyed=pod.stop_at <= pod.killed_at)
            self._write_status(pod, pod.final_status(self._clock.now(), self._host_ip))
        namespace, name = key_of(pod.pod)
        self._client.delete("pods", namespace, name, uid=pod.uid, grace_period_seconds=0)

    def _report(self, pod: SimulatedPod) -> None:
        self._write_status(pod, pod.status(self._clock.now(), self._host_ip))

    def _write_status(self, pod: SimulatedPod, status: Obj) -> None:
        if status == pod.pod.get("status"):
            return
        self._reports = True
        try:
            self._client.update_status("pods", {**pod.pod, "status": status})
        finally:
            self._reports = False

    def _warn(self, pod: SimulatedPod, reason: str, message: str) -> None:
        self._client.record(pod.pod, event_type="Warning", reason=reason, message=message)

    def _new_address(self, uid: str) -> str:
        """Return an address that no Pod has, while there are any; the most recently used ones come last."""
        size, address = self._network.num_addresses - 2, ""
        free = len(self._addresses) < size - _FIRST_ADDRESS
        while not address or (free and address in self._addresses):
            address = str(self._network[self._next_address])
            self._next_address = self._next_address + 1 if self._next_address < size else _FIRST_ADDRESS
        self._addresses[address] = uid
        return address

    # What containers use --------------------------------------------------------------------------

    def stats(self, container_ids: Collection[str]) -> Mapping[str, ContainerStats]:
        """Say what containers would have used since they run: half of what they request."""
        found: dict[str, ContainerStats] = {}
        now = self._clock.now()
        for each in container_ids:
            pod = self._pods.get(each.removeprefix("simulated://").partition("/")[0])
            running = pod.running_since(each) if pod is not None else None
            if running is not None:
                millis, memory = requests_of(running[1])
                seconds = (now - running[0]).total_seconds()
                found[each] = ContainerStats(round(seconds * millis / 2 * 1_000_000), memory // 2)
        return found


def _address_of(pod: Obj) -> str:
    return (pod.get("status") or {}).get("podIP") or ""
