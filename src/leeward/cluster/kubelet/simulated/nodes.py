"""The nodes of the simulated fleet: they register, renew their leases, and may lose their power.

Invariant: a large fleet renews each lease more seldom, all of them ``_RENEWALS`` times a second, though none
more seldom than upstream's; :func:`fleet_timing` lets the node lifecycle controller wait accordingly.
"""

from __future__ import annotations

from dataclasses import replace

from leeward.base.clock import Clock, Timer
from leeward.cluster.config import ClusterConfig, Timing
from leeward.cluster.interface.client import Client, Event
from leeward.cluster.kubelet.registration import Registration
from leeward.kube.nodes import is_without_power

_RENEWALS = 100.0  # leases a second
_UPSTREAM = Timing(lease_renew_seconds=10.0, lease_duration_seconds=40, node_monitor_grace_seconds=50.0)
_TURNS = 20  # in which all leases are renewed once


def fleet_timing(timing: Timing, nodes: int) -> Timing:
    """Return a timing with which `nodes` nodes are no burden: at most as slow as upstream's."""
    period = nodes / _RENEWALS
    if period <= timing.lease_renew_seconds:
        return timing
    period = min(period, _UPSTREAM.lease_renew_seconds)
    return replace(
        timing,
        lease_renew_seconds=period,
        lease_duration_seconds=round(4 * period),
        node_monitor_grace_seconds=5 * period,
    )


class SimulatedNodes:
    """Plays the nodes' part of the kubelets.

    Args:
        client: reads, and makes writes durable together.
        clock: paces.
        config: the nodes.
        registration: writes.
    """

    def __init__(
        self, client: Client, clock: Clock, config: ClusterConfig, registration: Registration
    ) -> None:
        self._client = client
        self._clock = clock
        self._period = config.timing.lease_renew_seconds
        self._registration = registration
        self._shapes = {shape.name: shape for shape in config.nodes}
        self._on: dict[str, bool] = {}
        self._timer: Timer | None = None
        self._turn = 0

    def is_on(self, node: str | None) -> bool:
        """Tell whether `node` is one of these and has power."""
        return node is not None and self._on.get(node, False)

    def start(self) -> None:
        """Register all nodes."""
        with self._client.batch():
            for name in self._shapes:
                node = self._client.find("nodes", "", name)
                self._on[name] = node is None or not is_without_power(node)
                if self._on[name]:
                    self._join(name)
        self._arm()

    def stop(self) -> None:
        """Renew nothing any more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def note(self, event: Event) -> bool | None:
        """Take note of a change of a node; returns its power if that changed."""
        name = event.object["metadata"]["name"]
        if name not in self._shapes:
            return None
        if event.type == "DELETED":
            self._on[name] = True  # it registers again with its next heartbeat
            return None
        power = not is_without_power(event.object)
        if power == self._on[name]:
            return None
        self._on[name] = power
        if power:
            self._clock.call_later(0.0, lambda: self._join(name))
        return power

    def _join(self, name: str) -> None:
        if self._on[name]:
            self._registration.heartbeat(self._shapes[name])
            self._registration.join(self._shapes[name])

    def _arm(self) -> None:
        self._timer = self._clock.call_later(self._period / _TURNS, self._run_turn)

    def _run_turn(self) -> None:
        """Renew a part of the leases."""
        self._arm()
        names = list(self._shapes)[self._turn :: _TURNS]
        self._turn = (self._turn + 1) % _TURNS
        with self._client.batch():
            for name in names:
                if self._on[name]:
                    self._registration.heartbeat(self._shapes[name])
