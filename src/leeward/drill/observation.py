"""What a drill sees of the cluster, and what follows from it. Pure.

An observation is taken every fraction of a second; the report compares those before, during and after
the loss.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from leeward.kube.objects import Obj, controller_of, is_condition_true, is_terminating, labels_of
from leeward.kube.wellknown import APP_NAME, ZONE

Zones = dict[str, int]  # zone → Pods


@dataclass(frozen=True, slots=True)
class Observation:
    """One look at the cluster."""

    at: float  # seconds since the load began
    ready: dict[str, Zones]  # service → zone → ready Pods
    endpoints_on: frozenset[str]  # nodes that some ready endpoint is on
    pending: frozenset[str]  # Pods without a node


@dataclass(frozen=True, slots=True)
class Cluster:
    """What does not change during a drill."""

    zone_of: dict[str, str]  # node → zone
    nodes_in: frozenset[str]  # nodes of the zone that is lost
    jobs: frozenset[str] = field(default_factory=frozenset)


def zones_of(nodes: Iterable[Obj]) -> dict[str, str]:
    """Return node → zone."""
    return {node["metadata"]["name"]: labels_of(node).get(ZONE, "") for node in nodes}


def observe(at: float, pods: Iterable[Obj], slices: Iterable[Obj], cluster: Cluster) -> Observation:
    """Count ready Pods by service and zone, leaving out Pods of Jobs.

    A Pod on a lost node counts as ready only while the API says so, as a client of it would believe.
    """
    ready: dict[str, Zones] = {}
    pending: set[str] = set()
    for pod in pods:
        owner = controller_of(pod)
        if owner is None or owner["kind"] == "Job" or is_terminating(pod):
            continue
        service = labels_of(pod).get(APP_NAME) or owner["name"]
        zones = ready.setdefault(service, {})
        node = pod["spec"].get("nodeName")
        if not node:
            pending.add(pod["metadata"]["name"])
        elif is_condition_true(pod, "Ready"):
            zone = cluster.zone_of.get(node, "")
            zones[zone] = zones.get(zone, 0) + 1
    endpoints = frozenset(
        endpoint.get("nodeName") or ""
        for item in slices
        for endpoint in item.get("endpoints") or ()
        if _serves(endpoint.get("conditions") or {})
    )
    return Observation(at, ready, endpoints, frozenset(pending))


def _serves(conditions: Obj) -> bool:
    """Tell whether an endpoint can take traffic, also of a Service that publishes unready addresses."""
    return bool(conditions.get("ready", True) and conditions.get("serving", True))


def left_rotation(seen: Sequence[Observation], cluster: Cluster, cut: float) -> float | None:
    """Return seconds from the cut until no ready endpoint was on a lost node; None: never."""
    after = (look for look in seen if look.at >= cut)
    return next((look.at - cut for look in after if not look.endpoints_on & cluster.nodes_in), None)


def replaced(
    seen: Sequence[Observation], cluster: Cluster, cut: float, pinned: frozenset[str]
) -> float | None:
    """Return seconds from the cut until every unpinned service was whole in the zones left; None: never."""
    before = last_before(seen, cut)
    if before is None:
        return None
    wanted = {
        service: sum(zones.values()) for service, zones in before.ready.items() if service not in pinned
    }
    for look in seen:
        if look.at < cut:
            continue
        left = {name: surviving(look, name, cluster) for name in wanted}
        if all(left[name] >= count for name, count in wanted.items()):
            return look.at - cut
    return None


def surviving(look: Observation, service: str, cluster: Cluster) -> int:
    """Return the ready Pods of `service` outside the lost zone."""
    lost = {cluster.zone_of[node] for node in cluster.nodes_in}
    return sum(count for zone, count in look.ready.get(service, {}).items() if zone not in lost)


def zones_left(seen: Sequence[Observation], cluster: Cluster, since: float, until: float) -> dict[str, int]:
    """Return, a service, the smallest number of other zones with a ready Pod between two times."""
    lost = {cluster.zone_of[node] for node in cluster.nodes_in}
    least: dict[str, int] = {}
    for look in seen:
        if since <= look.at <= until:
            for service, zones in look.ready.items():
                count = sum(1 for zone, pods in zones.items() if pods and zone not in lost)
                least[service] = min(least.get(service, count), count)
    return least


def last_before(seen: Sequence[Observation], moment: float) -> Observation | None:
    """Return the last observation before `moment`."""
    return next((look for look in reversed(seen) if look.at < moment), None)


def by_zone(look: Observation | None) -> Zones:
    """Return the ready Pods of all services by zone."""
    total: Counter[str] = Counter()
    for zones in look.ready.values() if look else ():
        total.update(zones)
    return dict(sorted(total.items()))
