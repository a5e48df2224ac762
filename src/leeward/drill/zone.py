"""The live zone drill: load on the front door, a zone cut, everything watched, the zone brought back.

Works through the Kubernetes API alone: mode "power" annotates nodes of an embedded cluster, mode "drain"
cordons and evicts, which works on any cluster.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from leeward.base.clock import Clock
from leeward.base.errors import OperationError, UserInputError
from leeward.drill.load import Load, RequestKind
from leeward.drill.observation import Cluster, Observation, observe, zones_of
from leeward.drill.report import Drill, Report, make_report
from leeward.kube.client import KubeClient
from leeward.kube.objects import Obj, controller_of, labels_of
from leeward.kube.status import NotFoundError, StatusError, TooManyRequestsError
from leeward.kube.wellknown import APP_NAME, NODE_POWER, ZONE

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
        OperationError: it is the only one.
    """
    cluster = _cluster(await api.list("nodes"), plan.zone)
    zone = cluster.zone_of[min(cluster.nodes_in)]
    load = Load(plan.url, plan.kinds, rate=plan.rate, duration=plan.duration, clock=clock)
    seen: list[Observation] = []
    began = clock.monotonic()
    pinned = await _pinned(api, plan.namespace, zone)
    watching = asyncio.ensure_future(_watch(api, plan.namespace, cluster, clock, began, seen))
    running = asyncio.ensure_future(load.run())
    switched = False
    try:
        show(f"{plan.rate:g} requests/s to {plan.url}")
        await clock.sleep(began + plan.cut - clock.monotonic())
        show(f"cutting zone {zone} ({', '.join(sorted(cluster.nodes_in))})")
        cut = clock.monotonic() - began
        switched = True
        await _lose(api, plan, cluster, clock)
        await clock.sleep(began + plan.back - clock.monotonic())
        show(f"bringing zone {zone} back")
        back = clock.monotonic() - began
        await _restore(api, plan, cluster)
        switched = False
        samples = await running
        await _settle(seen, cut, clock)
    finally:
        running.cancel()
        watching.cancel()
        await asyncio.gather(running, watching, return_exceptions=True)
        if switched:
            await _restore(api, plan, cluster)
    done = Drill(zone=zone, mode=plan.mode, cut=cut, back=back, pinned=pinned)
    return make_report(done, samples, seen, cluster)


def _cluster(nodes: Sequence[Obj], wanted: str) -> Cluster:
    zone_of = zones_of(nodes)
    known = sorted(set(zone_of.values()))
    zone = next((name for name in known if name == wanted or name.rsplit("-", 1)[-1] == wanted), None)
    if zone is None:
        raise UserInputError(f"there is no zone {wanted!r}", remedy=f"The zones are {', '.join(known)}.")
    if len(known) < 2:
        raise OperationError("the cluster has only one zone", remedy="Start one with `--zones 3`.")
    return Cluster(zone_of, frozenset(node for node, each in zone_of.items() if each == zone))


async def _watch(
    api: KubeClient, namespace: str, cluster: Cluster, clock: Clock, began: float, seen: list[Observation]
) -> None:
    """Look at the cluster again and again."""
    while True:
        pods = await api.list("pods", namespace)
        slices = await api.list("endpointslices.discovery.k8s.io", namespace)
        seen.append(observe(clock.monotonic() - began, pods, slices, cluster))
        await clock.sleep(LOOK_SECONDS)


async def _pinned(api: KubeClient, namespace: str, zone: str) -> dict[str, list[str]]:
    """Return, a service, the claims whose volume is in the zone: their Pods cannot go elsewhere."""
    volumes = {volume["metadata"]["name"]: volume for volume in await api.list("persistentvolumes")}
    held = {
        claim["metadata"]["name"]
        for claim in await api.list("persistentvolumeclaims", namespace)
        if _zone_of_volume(volumes.get(claim["spec"].get("volumeName", ""))) == zone
    }
    found: dict[str, list[str]] = {}
    for pod in await api.list("pods", namespace):
        owner = controller_of(pod)
        for volume in pod["spec"].get("volumes") or ():
            name = (volume.get("persistentVolumeClaim") or {}).get("claimName")
            if name in held and owner is not None:
                service = labels_of(pod).get(APP_NAME) or owner["name"]
                found.setdefault(service, []).append(pod["metadata"]["name"])
    return found


def _zone_of_volume(volume: Obj | None) -> str:
    required = (((volume or {}).get("spec") or {}).get("nodeAffinity") or {}).get("required") or {}
    for term in required.get("nodeSelectorTerms") or ():
        for rule in term.get("matchExpressions") or ():
            if rule["key"] == ZONE and rule.get("values"):
                return str(rule["values"][0])
    return ""


async def _lose(api: KubeClient, plan: ZoneDrill, cluster: Cluster, clock: Clock) -> None:
    if plan.mode == "power":
        await asyncio.gather(*(_annotate(api, node, "off") for node in sorted(cluster.nodes_in)))
        return
    for node in sorted(cluster.nodes_in):
        await api.patch("nodes", "", node, {"spec": {"unschedulable": True}})
    for pod in await api.list("pods"):
        owner = controller_of(pod)
        if pod["spec"].get("nodeName") in cluster.nodes_in and (
            owner is None or owner["kind"] != "DaemonSet"
        ):
            await _evict(api, pod, clock)


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


async def _restore(api: KubeClient, plan: ZoneDrill, cluster: Cluster) -> None:
    for node in sorted(cluster.nodes_in):
        if plan.mode == "power":
            await _annotate(api, node, None)
        else:
            await api.patch("nodes", "", node, {"spec": {"unschedulable": None}})


async def _annotate(api: KubeClient, node: str, value: str | None) -> None:
    patch: dict[str, Any] = {"metadata": {"annotations": {NODE_POWER: value}}}
    await api.patch("nodes", "", node, patch, patch_type="merge")


async def _settle(seen: list[Observation], cut: float, clock: Clock) -> None:
    """Go on watching until as many Pods are ready as before the cut, or for a while."""
    before = next((look for look in reversed(seen) if look.at < cut), None)
    wanted = sum(sum(zones.values()) for zones in before.ready.values()) if before else 0
    deadline = clock.monotonic() + SETTLE_SECONDS
    while clock.monotonic() < deadline:
        if seen and sum(sum(zones.values()) for zones in seen[-1].ready.values()) >= wanted:
            return
        await clock.sleep(LOOK_SECONDS)
