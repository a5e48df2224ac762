"""The live zone drill: load on the front door, a zone cut, everything watched, the zone brought back.

Works through the Kubernetes API alone: mode "power" annotates nodes of an embedded cluster, mode "drain"
cordons and evicts, which works on any cluster.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from leeward.base.clock import Clock
from leeward.base.errors import LeewardError, OperationError, UserInputError
from leeward.drill.frontdoor import name_url
from leeward.drill.load import Load
from leeward.drill.observation import Cluster, Observation, by_zone, last_before, observe, zones_of
from leeward.drill.report import Report, make_report
from leeward.drill.request import Door, RequestKind, ask
from leeward.drill.services import WORKLOADS, Held, Service, held_volumes, services_of
from leeward.drill.verdict import Drill
from leeward.kube.client import KubeClient
from leeward.kube.objects import Obj, annotations_of, controller_of
from leeward.kube.status import NotFoundError, StatusError, TooManyRequestsError
from leeward.kube.wellknown import NODE_POWER

logger = logging.getLogger(__name__)
LOOK_SECONDS = 0.25
SETTLE_SECONDS = 20.0  # for Pods to be back after the load has ended


@dataclass(frozen=True, slots=True, kw_only=True)
class ZoneDrill:
    """What to do, when; seconds since the load began."""

    zone: str
    namespace: str
    url: str
    kinds: Sequence[RequestKind]
    mode: str = "power"
    rate: float = 100.0
    duration: float = 30.0
    cut: float = 8.0
    back: float = 20.0


async def run_zone_drill(
    api: KubeClient, plan: ZoneDrill, clock: Clock, show: Callable[[str], None]
) -> Report:
    """Run a drill and judge it; whatever happens, the zone is brought back.

    Raises:
        UserInputError: there is no such zone.
        OperationError: it is the only one or gone already, nothing runs, or a request fails before the cut.
    """
    nodes = await api.list("nodes")
    cluster = find_zone(nodes, plan.zone)
    outage = _Outage(api, plan.mode, cluster, nodes, clock)
    held = await _held(api, plan.namespace)
    services = await _services(api, plan.namespace, nodes, held)
    if not observe(0.0, await api.list("pods", plan.namespace), (), cluster).has_ready:
        raise OperationError(
            f"nothing of {plan.namespace} is ready", remedy="`leeward ps` and `leeward logs` tell why."
        )
    await _ask_first(plan)
    samples, seen = await _rehearse(api, plan, cluster, outage, clock, show)
    done = Drill(
        zone=cluster.lost,
        mode=plan.mode,
        cut=outage.cut,
        back=outage.back,
        pinned={name: zones[cluster.lost] for name, zones in held.items() if cluster.lost in zones},
        services=services,
    )
    return make_report(done, samples, seen, cluster)


async def _rehearse(
    api: KubeClient,
    plan: ZoneDrill,
    cluster: Cluster,
    outage: _Outage,
    clock: Clock,
    show: Callable[[str], None],
) -> tuple[list[Any], list[Observation]]:
    """Lose the zone under load and bring it back; returns samples and observations."""
    zone = cluster.lost
    load = Load(Door.of(plan.url), plan.kinds, rate=plan.rate, duration=plan.duration, clock=clock)
    seen: list[Observation] = []
    began = clock.monotonic()
    watching = asyncio.ensure_future(_watch(api, plan.namespace, cluster, clock, began, seen))
    running = asyncio.ensure_future(load.run(began))
    complete = False
    try:
        show(f"{plan.rate:g} requests/s to {plan.url}")
        await clock.sleep(began + plan.cut - clock.monotonic())
        show(f"cutting zone {zone} ({', '.join(sorted(cluster.nodes_in))})")
        await outage.begin(began)
        await clock.sleep(began + plan.back - clock.monotonic())
        show(f"bringing zone {zone} back")
        await outage.end(began)
        samples = await running
        await _settle(seen, outage.cut, clock)
        complete = True
    finally:
        was_cut = outage.on
        try:
            if was_cut:
                await outage.end(began)
        finally:
            running.cancel()
            watching.cancel()
            await asyncio.gather(running, watching, return_exceptions=True)
        if not complete:
            show(f"stopped; zone {zone} {'is back' if outage.begun else 'was not cut'}")
    return samples, seen


async def _services(api: KubeClient, namespace: str, nodes: Sequence[Obj], held: Held) -> dict[str, Service]:
    workloads = [item for resource in WORKLOADS for item in await api.list(resource, namespace)]
    return services_of(workloads, nodes, held)


async def _held(api: KubeClient, namespace: str) -> Held:
    pods = await api.list("pods", namespace)
    claims = await api.list("persistentvolumeclaims", namespace)
    return held_volumes(pods, claims, await api.list("persistentvolumes"))


async def _ask_first(plan: ZoneDrill) -> None:
    """Make one request of each kind: a drill of what fails anyway would prove nothing.

    Raises:
        OperationError: one failed; says what was answered.
    """
    door = Door.of(plan.url)
    for kind in plan.kinds:
        answer = await ask(door, kind)
        if answer.failure:
            line = answer.excerpt.partition("\n")[0]
            said = f" ({line})" if line and not line.startswith("<") else ""
            raise OperationError(
                f"before anything was cut, {kind.method} http://{door.host}{kind.path} failed: "
                f"{answer.failure}{said}",
                remedy=name_url(door.host),
            )


def find_zone(nodes: Sequence[Obj], wanted: str) -> Cluster:
    """Return the zone of that name, or whose name ends like that, with what else there is.

    Raises:
        UserInputError: there is no such zone.
        OperationError: it is the only one.
    """
    zone_of = zones_of(nodes)
    known = sorted(set(zone_of.values()))
    zone = next((name for name in known if name == wanted or name.rsplit("-", 1)[-1] == wanted), None)
    if zone is None:
        raise UserInputError(f"there is no zone {wanted!r}", remedy=f"The zones are {', '.join(known)}.")
    if len(known) < 2:
        raise OperationError(
            "the cluster has only one zone", remedy="Start one with `leeward cluster start --zones 3`."
        )
    return Cluster(zone_of, frozenset(node for node, each in zone_of.items() if each == zone))


def busiest_zone(nodes: Sequence[Obj], pods: Sequence[Obj]) -> str:
    """Return the zone with most ready Pods, the first by name of several; "" when there are no nodes."""
    zone_of = zones_of(nodes)
    ready = by_zone(observe(0.0, pods, (), Cluster(zone_of, frozenset())))
    return min(sorted(set(zone_of.values())), key=lambda zone: -ready.get(zone, 0), default="")


def refuse_dark(nodes: Sequence[Obj], cluster: Cluster) -> None:
    """Refuse a zone that is lost already.

    Raises:
        OperationError: a node of it has no power.
    """
    inside = [node for node in nodes if node["metadata"]["name"] in cluster.nodes_in]
    dark = sorted(node["metadata"]["name"] for node in inside if NODE_POWER in annotations_of(node))
    if dark:
        raise OperationError(
            f"{', '.join(dark)} of zone {cluster.lost} is without power already",
            remedy=f"`kubectl annotate node {' '.join(dark)} {NODE_POWER}-` brings it back.",
        )


async def _watch(
    api: KubeClient, namespace: str, cluster: Cluster, clock: Clock, began: float, seen: list[Observation]
) -> None:
    """Look at the cluster again and again; a look that fails leaves a gap, which the verdict judges."""
    while True:
        try:
            pods = await api.list("pods", namespace)
            slices = await api.list("endpointslices.discovery.k8s.io", namespace)
        except LeewardError as error:
            logger.warning("the cluster cannot be observed: %s", error)
        else:
            seen.append(observe(clock.monotonic() - began, pods, slices, cluster))
        await clock.sleep(LOOK_SECONDS)


class _Outage:
    """The loss of the zone, and its return.

    Args:
        api: the cluster.
        mode: "power" or "drain".
        cluster: what is lost.
        nodes: all; those of the zone that were cordoned before stay so.
        clock: tells when.

    Raises:
        OperationError: a node of the zone has no power already.
    """

    def __init__(
        self, api: KubeClient, mode: str, cluster: Cluster, nodes: Sequence[Obj], clock: Clock
    ) -> None:
        refuse_dark(nodes, cluster)
        inside = [node for node in nodes if node["metadata"]["name"] in cluster.nodes_in]
        self._api = api
        self._power = mode == "power"
        self._cluster = cluster
        self._clock = clock
        self._nodes = sorted(
            node["metadata"]["name"]
            for node in inside
            if self._power or not node["spec"].get("unschedulable")
        )
        self.on = False
        self.begun = False
        self.cut = 0.0
        self.back = 0.0

    async def begin(self, since: float) -> None:
        """Lose the zone; times count from `since`."""
        self.cut = self._clock.monotonic() - since
        self.on = self.begun = True
        await asyncio.gather(*(self._switch(node, lost=True) for node in self._nodes))
        if not self._power:
            await self._evict_all()

    async def end(self, since: float) -> None:
        """Bring the zone back, every node that can be reached.

        Raises:
            OperationError: a node could not be; says what to do.
        """
        self.back = self._clock.monotonic() - since
        switches: list[Awaitable[None]] = [self._switch(node, lost=False) for node in self._nodes]
        results = await asyncio.gather(*switches, return_exceptions=True)
        self.on = False
        failed = next((result for result in results if isinstance(result, BaseException)), None)
        if failed is not None:
            names = " ".join(self._nodes)
            undo = f"annotate node {names} {NODE_POWER}-" if self._power else f"uncordon {names}"
            raise OperationError(
                f"zone {self._cluster.lost} could not be brought back: {failed}",
                remedy=f"`kubectl {undo}` brings it back.",
            ) from failed

    async def _switch(self, node: str, *, lost: bool) -> None:
        patch: dict[str, Any] = (
            {"metadata": {"annotations": {NODE_POWER: "off" if lost else None}}}
            if self._power
            else {"spec": {"unschedulable": True if lost else None}}
        )
        await self._api.patch("nodes", "", node, patch, patch_type="merge")

    async def _evict_all(self) -> None:
        for pod in await self._api.list("pods"):
            owner = controller_of(pod)
            inside = pod["spec"].get("nodeName") in self._cluster.nodes_in
            if inside and (owner is None or owner["kind"] != "DaemonSet"):
                await _evict(self._api, pod, self._clock)


async def _evict(api: KubeClient, pod: Obj, clock: Clock) -> None:
    """Evict a Pod, waiting while a disruption budget says no."""
    meta = pod["metadata"]
    body = {
        "apiVersion": "policy/v1",
        "kind": "Eviction",
        "metadata": {"name": meta["name"], "namespace": meta["namespace"]},
    }
    path = f"/api/v1/namespaces/{meta['namespace']}/pods/{meta['name']}/eviction"
    for _ in range(60):
        try:
            await api.request("POST", path, body=body)
        except NotFoundError:
            return
        except TooManyRequestsError:
            await clock.sleep(0.5)
            continue
        except StatusError as error:
            logger.warning("%s cannot be evicted: %s", meta["name"], error)
        return


async def _settle(seen: list[Observation], cut: float, clock: Clock) -> None:
    """Go on watching until as many Pods are ready as before the cut, or for a while."""
    before = last_before(seen, cut)
    wanted = sum(sum(zones.values()) for zones in before.ready.values()) if before else 0
    deadline = clock.monotonic() + SETTLE_SECONDS
    while clock.monotonic() < deadline:
        if seen and sum(sum(zones.values()) for zones in seen[-1].ready.values()) >= wanted:
            return
        await clock.sleep(LOOK_SECONDS)
