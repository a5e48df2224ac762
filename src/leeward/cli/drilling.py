"""A drill as a verification: a zone of the embedded cluster is lost under load, and customers notice nothing.

It can only be done on a cluster that leeward runs on this machine: its nodes have a plug to pull, and its
ingress is here. Everything that is against it is told before anything is applied.

Invariant: whatever happens, short of ``kill -9``, the zone is brought back; after that, too, as what is told
of a zone without power says.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from leeward.base.errors import LeewardError, OperationError
from leeward.cli import clusters
from leeward.cli.interrupts import end_on_sigterm
from leeward.delivery.environments.verifications import in_words, to_object
from leeward.delivery.identity import may_i
from leeward.delivery.promotion.verification import Attempt, Obstacle
from leeward.drill.frontdoor import find_front_door
from leeward.drill.observation import zones_of
from leeward.drill.report import Report, to_lines
from leeward.drill.request import Door, RequestKind
from leeward.drill.zone import ZoneDrill, busiest_zone, find_zone, refuse_dark, run_zone_drill
from leeward.kube.kubeconfig import load_access
from leeward.settings.verification import is_url

if TYPE_CHECKING:
    from leeward.cluster.statedir import StateDir
    from leeward.delivery.api import Creates
    from leeward.delivery.environments.environment import Environment
    from leeward.delivery.environments.verifications import Verification
    from leeward.delivery.promotion.httpcheck import Served
    from leeward.kube.client import KubeClient

_SIMULATED = "simulated"
_REMEDY = "Leave the drill out of `verify` of this environment, then: leeward env apply."


@dataclass(frozen=True, slots=True)
class ClusterDrills:
    """Makes drills on the cluster of an environment; fulfils ``Drills`` of ``delivery``."""

    api: KubeClient

    def check(self, wanted: Verification, environment: Environment, served: Served | None) -> DrillCheck:
        """Return one.

        Raises:
            UserInputError: it cannot be requested.
        """
        if is_url(wanted.http or "/"):
            Door.of(wanted.http)
        return DrillCheck(self.api, wanted, environment.namespace, served.name if served else "")


@dataclass(frozen=True, slots=True)
class DrillCheck:
    """One drill; fulfils ``Verifier`` of ``delivery``."""

    api: KubeClient
    wanted: Verification
    namespace: str
    service: str  # whose path is requested; "" for a URL, or whatever answers
    disrupts = True

    @property
    def title(self) -> str:
        """What is lost, and under what load."""
        return f"{in_words(self.wanted)} ({self.wanted.rate:g} requests/s)"

    @property
    def terms(self) -> Sequence[Any]:
        """All of it."""
        return ["drill", to_object(self.wanted), self.service]

    async def obstacle(self, api: Creates) -> Obstacle | None:
        """Return why the zone cannot be lost: another cluster, no right to do so, or it is lost already."""
        state = _state_of(self.api.access.server)
        if state is None:
            return Obstacle(
                "a drill takes a zone away, which can be done only to a cluster of leeward's on this machine",
                _REMEDY,
            )
        if state.load()["runtime"] == _SIMULATED:
            return Obstacle("nothing answers requests on a simulated cluster", _REMEDY)
        if not await may_i(api, "patch", "nodes"):
            return Obstacle(
                "you may not take power from nodes of the cluster",
                f"Let an administrator of the cluster promote. {_REMEDY}",
            )
        try:
            nodes = await self.api.list("nodes")
            find_zone(nodes, self.wanted.zone or busiest_zone(nodes, ()))
            for zone in sorted(set(zones_of(nodes).values())):  # one at a time may be lost
                refuse_dark(nodes, find_zone(nodes, zone))
        except LeewardError as error:
            return Obstacle(str(error), getattr(error, "remedy", "") or _REMEDY)
        return None

    async def verify(self, attempt: Attempt) -> None:
        """Lose the zone and bring it back.

        Raises:
            OperationError: customers noticed, or a service did not stay; says what.
        """
        end_on_sigterm()
        wanted = self.wanted
        nodes = await self.api.list("nodes")
        zone = wanted.zone or busiest_zone(nodes, await self.api.list("pods", self.namespace))
        url = await self._url()
        plan = ZoneDrill(
            zone=zone,
            namespace=self.namespace,
            url=url,
            kinds=[RequestKind("GET", Door.of(url).path)],
            rate=wanted.rate,
            duration=wanted.timeout,
            cut=wanted.timeout * 0.25,
            back=wanted.timeout * 2 / 3,
        )
        report = await run_zone_drill(self.api, plan, attempt.clock, attempt.show)
        judge(report, self.title)
        attempt.show(f"drill passed: {report.requests} requests, none failed, while {report.zone} was lost")

    async def _url(self) -> str:
        if is_url(self.wanted.http or "/"):
            return self.wanted.http
        state = _state_of(self.api.access.server)
        if state is None:
            raise OperationError("the cluster does not run on this machine any more")
        port = state.load()["ingressPort"]
        if not self.service:
            return await find_front_door(self.api, self.namespace, port)
        return f"http://{self.service}.{self.namespace}.localhost:{port}{self.wanted.http or '/'}"


def judge(report: Report, title: str) -> None:
    """Refuse a drill that was not passed.

    Raises:
        OperationError: with what was wrong, and the rest of the report.
    """
    if report.passed:
        return
    more = [line for line in to_lines(report) if not line.startswith(("problem", "verdict"))]
    raise OperationError(
        "\n    ".join((f"{title} failed: {'; '.join(report.problems)}", *more)),
        remedy="`leeward drill zone` rehearses it again; a longer `for` in leeward.yaml gives it more time.",
    )


def _state_of(server: str) -> StateDir | None:
    """Return the cluster on this machine that serves the Kubernetes API at a URL, if one does."""
    for name in clusters.running_names():
        state = clusters.state_of(name)
        try:
            if load_access(state.kubeconfig).server == server:
                return state
        except LeewardError:  # it is being made, or somebody else's
            continue
    return None
