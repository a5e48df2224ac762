"""What a drill sees of the cluster, and what follows from it. Pure.

An observation is taken every fraction of a second; the report compares those before, during and after
the loss.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from leeward.drill.services import service_of
from leeward.kube.objects import Obj, controller_of, is_condition_true, is_terminating, labels_of
from leeward.kube.wellknown import ZONE

Zones = dict[str, int]  # zone → Pods


@dataclass(frozen=True, slots=True)
class Observation:
    """One look at the cluster."""

    at: float  # seconds since the load began
    ready: dict[str, Zones]  # service → zone → ready Pods
    endpoints_on: frozenset[str]  # nodes that some ready endpoint is on
    pending: frozenset[str]  # Pods without a node

    @property
    def has_ready(self) -> bool:
        """Any Pod is ready."""
        return any(any(zones.values()) for zones in self.ready.values())


@dataclass(frozen=True, slots=True)
class Cluster:
    """What does not change during a drill."""

    zone_of: dict[str, str]  # node → zone
    nodes_in: frozenset[str]  # nodes of the zone that is lost

    @property
    def lost(self) -> str:
        """The zone that is lost."""
        return self.zone_of[min(self.nodes_in)]

    @property
    def zones(self) -> frozenset[str]:
        """All zones."""
        return frozenset(self.zone_of.values())


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
        zones = ready.setdefault(service_of(pod), {})
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
    return sum(count for zone, count in look.ready.get(service, {}).items() if zone != cluster.lost)


def other_zones(look: Observation, service: str, cluster: Cluster) -> int:
    """Return the number of zones but the lost one with a ready Pod of `service`."""
    return sum(1 for zone, pods in look.ready.get(service, {}).items() if pods and zone != cluster.lost)


def zones_left(
    seen: Sequence[Observation], cluster: Cluster, since: float, until: float, services: Iterable[str] = ()
) -> dict[str, int]:
    """Return, a service, the smallest number of other zones with a ready Pod between two times.

    Args:
        seen: the observations.
        cluster: the zones.
        since: seconds.
        until: seconds.
        services: those that count even when nothing is seen of them.
    """
    looks = [look for look in seen if since <= look.at <= until]
    names = {*services, *(name for look in looks for name in look.ready)}
    return {name: min(other_zones(look, name, cluster) for look in looks) for name in sorted(names) if looks}


def downtime(
    seen: Sequence[Observation], service: str, cluster: Cluster, cut: float, back: float, *, abrupt: bool
) -> float:
    """Return the seconds from the cut on in which no Pod of `service` was ready.

    Args:
        seen: the observations.
        service: its name.
        cluster: the zones.
        cut: when the zone was lost.
        back: when it came back.
        abrupt: Pods in the lost zone are dead at once, whatever the API still says of them.
    """

    def serves(look: Observation, at: float) -> bool:
        dead = abrupt and cut <= at < back
        return bool(surviving(look, service, cluster) if dead else sum(look.ready.get(service, {}).values()))

    before = last_before(seen, cut)
    spans = pairwise([(cut, before), *((look.at, look) for look in seen if look.at >= cut)])
    return sum(end - start for (start, look), (end, _) in spans if look is None or not serves(look, start))


def longest_blink(seen: Sequence[Observation], since: float, until: float) -> float:
    """Return the longest time between two times in which nothing was observed."""
    moments = [since, *(look.at for look in seen if since <= look.at <= until), until]
    return max(end - start for start, end in pairwise(moments))


def last_before(seen: Sequence[Observation], moment: float) -> Observation | None:
    """Return the last observation before `moment`."""
    return next((look for look in reversed(seen) if look.at < moment), None)


def ready_in(look: Observation | None, service: str) -> list[str]:
    """Return the zones with ready Pods of `service`."""
    return sorted(zone for zone, count in (look.ready.get(service, {}) if look else {}).items() if count)


def by_zone(look: Observation | None) -> Zones:
    """Return the ready Pods of all services by zone."""
    total: Counter[str] = Counter()
    for zones in look.ready.values() if look else ():
        total.update(zones)
    return dict(sorted(total.items()))
