"""What ``promote``, ``approve``, ``rollback`` and ``drift`` share: planning, telling, asking, doing."""

from __future__ import annotations

import os
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from leeward.base.clock import SystemClock
from leeward.base.errors import OperationError
from leeward.base.ids import SystemIds
from leeward.cli import output
from leeward.cli.drilling import ClusterDrills
from leeward.cli.hubaccess import open_environment
from leeward.delivery import records
from leeward.delivery.clustertime import ClusterClock
from leeward.delivery.environments.environment import find_environment
from leeward.delivery.identity import who_am_i
from leeward.delivery.promotion.planning import Plan, Wish, plan_promotion
from leeward.delivery.releases.bundle import bundle_of
from leeward.delivery.releases.kept import add_release, find_release, list_releases

if TYPE_CHECKING:
    from leeward.cli.hub import Application
    from leeward.delivery.environments.environment import Environment
    from leeward.delivery.promotion.promoter import Holder
    from leeward.kube.client import KubeClient
    from leeward.kube.objects import Obj


@dataclass(frozen=True, slots=True)
class Place:
    """An environment, its cluster and that of the environment that releases come from."""

    application: Application
    api: KubeClient
    environment: Environment
    origin: KubeClient | None  # None when it is the same cluster
    who: str
    clock: ClusterClock

    async def plan(self, release: Obj, **more: object) -> Plan:
        """Decide what a release comes to here; `more` are fields of :class:`Wish`."""
        wish = Wish(
            app=self.application.name,
            environment=self.environment.name,
            release=release,
            by=self.who,
            **more,  # type: ignore[arg-type]  # named by callers in this package
        )
        drills = ClusterDrills(self.api)
        return await plan_promotion(self.api, self.origin, wish, self.clock.now(), drills)

    async def release(self, called: str | None) -> Obj:
        """Return a release by what it is called; without that, the one that is next here.

        It is copied from the cluster of the environment before, when this one does not have it yet.

        Raises:
            OperationError: there is none.
        """
        if called is None:
            called = await self._next()
        try:
            return await find_release(self.api, self.application.name, called)
        except OperationError:
            if self.origin is None:
                raise
        found = await find_release(self.origin, self.application.name, called)
        bundle_of(found)  # refuses what is damaged
        meta = {key: found["metadata"][key] for key in ("name", "namespace", "labels")}
        spec = {**found["spec"], "copiedBy": self.who}
        copied, _ = await add_release(
            self.api, self.application.name, {**found, "metadata": meta, "spec": spec}
        )
        return copied

    async def _next(self) -> str:
        before = self.environment.origin
        if before:
            there = await find_environment(self.origin or self.api, self.application.name, before)
            if there.release:
                return there.release
            raise OperationError(
                f"{before}, where releases for {self.environment.name} come from, runs none yet",
                remedy=f"Promote one there first: leeward promote --to {before}",
            )
        every = await list_releases(self.api, self.application.name)
        if not every:
            raise OperationError(
                f"{self.application.name} has no release yet",
                remedy="Make one with `leeward release create`.",
            )
        return str(every[0]["metadata"]["name"])


@asynccontextmanager
async def opened(application: Application, name: str) -> AsyncIterator[Place]:
    """Connect to what a promotion into an environment needs.

    Raises:
        UserInputError: there is no such environment.
        OperationError: its cluster cannot be reached, or does not know it.
    """
    async with AsyncExitStack() as stack:
        api, environment = await stack.enter_async_context(open_environment(application, name))
        origin = None
        if environment.origin and environment.origin_cluster:
            origin = await stack.enter_async_context(application.connect(environment.origin))
        who = await who_am_i(api)
        yield Place(application, api, environment, origin, who, ClusterClock(api, SystemClock()))


def tell(plan: Plan, release: Obj) -> None:
    """Print what would become of a release, and what is against it."""
    request = plan.request
    place = f"namespace {plan.environment.namespace}, as {request.by}"
    output.say(f"{describe(release)} → {plan.environment.name} ({place})")
    for line in request.summary:
        output.say(f"  {line}")
    for note in plan.verdict.notes:
        output.note(f"note: {note}")
    for line in plan.exposed:
        output.note(f"warning: {line}; give it to the service as a variable or a Compose secret")
    for heading, lines in (
        ("changed by hand, will be put back:", plan.standing.put_back),
        ("of others, will be taken over:", plan.standing.taken),
    ):
        if lines:
            output.say("\n".join((f"  {heading}", *(f"    {line}" for line in lines))))
    if request.checks:
        output.say(f"  then verified by: {', '.join(each.title for each in request.checks)}")


def describe(release: Obj) -> str:
    """Return a release as people know it: ``storefront-3f9a12bc45de (1.2)``."""
    version = release["spec"].get("version")
    return f"{release['metadata']['name']}{f' ({version})' if version else ''}"


def stop_at_gates(plan: Plan) -> None:
    """Refuse what may not enter, before anything is written.

    Raises:
        OperationError: with every reason.
    """
    blocked = plan.blocked
    if blocked:
        reasons = "".join(f"\n  {each.message}\n    {each.remedy}" for each in blocked)
        raise OperationError(f"{plan.request.release} may not enter {plan.environment.name}:{reasons}")


def holder(who: str) -> Holder:
    """Return who works on an environment: this process, and whether others of this machine are dead."""
    from leeward.delivery.promotion.promoter import Holder

    here = _this_machine()
    identity = "/".join((who.replace("/", "_"), here, str(os.getpid()), SystemIds().suffix()))
    return Holder(identity, lambda other: _is_dead(other, here))


def _this_machine() -> str:
    """Return what no two places have in which process ids mean the same: this boot, this space of ids."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{socket.gethostname()}:{boot}:{os.stat('/proc/self/ns/pid').st_ino}"
    except OSError:
        return ""  # then nobody is known to be dead


def _is_dead(identity: str, here: str) -> bool:
    """Tell whether a process of this machine that held a lease has ended."""
    parts = identity.split("/")
    if not here or len(parts) != 4 or parts[1] != here or not parts[2].isdecimal():
        return False
    try:
        os.kill(int(parts[2]), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return int(parts[2]) == os.getpid()  # an earlier process that had our number


async def release_before(api: KubeClient, environment: Environment) -> str:
    """Return the release that was good in an environment before the one that runs, rollbacks left out.

    Raises:
        OperationError: there is none.
    """
    chain: list[Obj] = []
    name = environment.promotion
    if name and environment.release:
        after = records.promotion_name(environment.name, records.number_of(name) + 1)
        unfinished = await api.find(records.PROMOTIONS, environment.hub, after)
        if unfinished is not None and (unfinished.get("status") or {}).get("phase", "Running") == "Running":
            return environment.release  # what did not end is undone
    while name and len(chain) < 50:
        found = await api.find(records.PROMOTIONS, environment.hub, name)
        if found is None:
            break
        chain.append(found["spec"])
        name = found["spec"].get("previous", "")
    stack: list[str] = []
    for spec in reversed(chain):
        release = spec["release"]
        if release in stack:
            del stack[stack.index(release) + 1 :]
        else:
            stack.append(release)
    if len(stack) < 2:
        raise OperationError(
            f"{environment.name} has run nothing before what it runs now",
            remedy=f"Say which release: leeward rollback {environment.name} --to RELEASE",
        )
    return stack[-2]
