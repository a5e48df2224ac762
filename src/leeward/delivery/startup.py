"""Workloads in the order of ``depends_on``: each is applied when what it waits for holds, until all are."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence

from leeward.base.clock import Clock
from leeward.base.errors import OperationError
from leeward.delivery.api import Api
from leeward.delivery.health import Health, dependencies, dispensable, is_met, is_probed
from leeward.delivery.live import POLL_SECONDS, look
from leeward.kube.objects import Obj, labels_of
from leeward.kube.wellknown import APP_NAME

PROOF_SECONDS = 1.0  # that a program without a health check has to live before it counts as up
Show = Callable[[str], None]


class Startup:
    """Workloads on their way up.

    Args:
        api: where they are looked at.
        clock: when to look again.
        project: the project they belong to, as labels have it.
        namespace: where they run.
        workloads: as desired.
        apply: brings one of them to the cluster.
        show: told what is going on.
        settled: services that count as completed, whatever their workload says.
    """

    def __init__(
        self,
        api: Api,
        clock: Clock,
        project: str,
        namespace: str,
        workloads: Sequence[Obj],
        *,
        apply: Callable[[Obj], Awaitable[object]],
        show: Show,
        settled: frozenset[str] = frozenset(),
    ) -> None:
        self._api = api
        self._clock = clock
        self._project = project
        self._namespace = namespace
        self._apply = apply
        self._show = show
        self._settled = settled
        self._waiting = {obj["metadata"]["name"]: obj for obj in workloads}
        self._applied: dict[str, str] = {}  # workload name → service
        self._optional = dispensable(workloads)
        self._kinds = frozenset(obj["kind"] for obj in workloads)
        self._unprobed = {_service_of(obj) for obj in workloads if not is_probed(obj)}
        self._since: dict[str, float] = {}  # service → since when it is as it should be
        self.health: dict[str, Health] = {}  # by service, of those that were applied

    async def run(self) -> None:
        """Apply each workload when its time has come; returns when all are up.

        Raises:
            OperationError: one cannot come up.
        """
        while True:
            for name, obj in list(self._waiting.items()):
                if self._may_start(obj):
                    await self._apply(obj)
                    self._applied[name] = _service_of(obj)
                    del self._waiting[name]
            began = self._clock.monotonic()
            lost = await self._look()
            finished = all(each.done or each.service in lost for each in self.health.values())
            complete = not self._waiting and len(self.health) == len(set(self._applied.values()))
            if complete and finished and self._is_proven(lost):
                return
            self._show(self._progress())
            took = self._clock.monotonic() - began
            await self._clock.sleep(max(POLL_SECONDS, took))  # looks half of the time, at most

    async def _look(self) -> set[str]:
        """Look how everything is; returns the services that are lost, which nothing requires."""
        services = set(self._applied.values())
        began = self._clock.monotonic()
        seen = await look(self._api, self._namespace, self._project, self._kinds)
        self.health = {each.service: each for each in seen if each.service in services}
        steady = [name for name, each in self.health.items() if each.done]
        self._since = {name: self._since.get(name, began) for name in steady}
        lost = {each.service for each in self.health.values() if each.hopeless} & self._optional
        _stop_if_hopeless(each for each in self.health.values() if each.service not in lost)
        return lost

    def _is_proven(self, lost: set[str]) -> bool:
        """Tell whether every program without a health check has lived for a while."""
        now = self._clock.monotonic()
        return all(now - self._since.get(name, now) >= PROOF_SECONDS for name in self._unprobed - lost)

    def _may_start(self, obj: Obj) -> bool:
        applied = set(self._applied.values())
        return all(
            name in self._settled or is_met(dependency, self.health.get(name), name in applied)
            for name, dependency in dependencies(obj).items()
        )

    def _progress(self) -> str:
        parts = [
            f"{each.service} {each.ready}/{each.wanted}" for each in self.health.values() if not each.done
        ]
        later = sorted(map(_service_of, self._waiting.values()))
        if not parts:
            return f"starting {', '.join(later)}" if later else "all are up; seeing that they stay up"
        return f"waiting for {', '.join(parts)}" + (f"; later {', '.join(later)}" if later else "")

    def unfinished(self) -> str:
        """Say what is not up, and why."""
        late = [each for each in self.health.values() if not each.done]
        parts = [f"{each.service} ({each.problem or _standing(each)})" for each in late]
        parts += [f"{name} (not started)" for name in self._waiting]
        return ", ".join(parts)


def _service_of(obj: Obj) -> str:
    return labels_of(obj).get(APP_NAME) or str(obj["metadata"]["name"])


def _standing(health: Health) -> str:
    if health.ready >= health.wanted:
        return "its new Pods do not get ready, the ones from before are"
    return f"{health.ready} of {health.wanted} ready"


def _stop_if_hopeless(health: Iterable[Health]) -> None:
    for each in health:
        if each.hopeless:
            said = each.problem.startswith("it ends")
            raise OperationError(
                f"service {each.service} does not come up: {each.problem}",
                remedy=f"`leeward logs {each.service}` shows what it said."
                if said
                else "Correct it in the Compose file, then run `leeward up` again.",
            )
