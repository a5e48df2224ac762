"""New Pods for services by a rolling update, as ``kubectl rollout restart`` does, and waiting for them.

The annotation that does it belongs to nobody's release: no drift is seen in it, and a promotion leaves it
there.

Source: kubectl/pkg/polymorphichelpers/objectrestarter.go (Kubernetes 1.36).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import datetime
from typing import Protocol

from leeward.base.clock import Clock, within
from leeward.base.errors import OperationError
from leeward.delivery.api import Finds, Lists, Patches
from leeward.delivery.health import WORKLOADS, Health, judge, restarts_with
from leeward.delivery.oneoff import RESTARTED_AT
from leeward.delivery.services import RESTARTABLE, Service
from leeward.kube.objects import Obj, annotations_of, format_time

_POLL = 0.3  # seconds


class RestartApi(Finds, Lists, Patches, Protocol):
    """What restarting needs of a Kubernetes API."""


def to_restart(services: Iterable[Service], wanted: Collection[str]) -> list[Service]:
    """Return the services whose workloads get new Pods, one a workload.

    Args:
        services: those that are there.
        wanted: their names; none means all. Services that depend on one of them with ``restart: true`` are
            restarted too.
    """
    found: dict[str, Service] = {}
    for each in services:
        if each.kind not in RESTARTABLE:
            continue
        if not wanted or each.name in wanted or restarts_with(each.workload) & set(wanted):
            found.setdefault(each.host, each)
    return list(found.values())


async def restart(api: RestartApi, services: Iterable[Service], now: datetime) -> str:
    """Ask for new Pods; returns the mark that they will have."""
    mark = format_time(now)
    patch = {"spec": {"template": {"metadata": {"annotations": {RESTARTED_AT: mark}}}}}
    for each in services:
        meta = each.workload["metadata"]
        await api.patch(WORKLOADS[each.kind], meta["namespace"], meta["name"], patch)
    return mark


async def wait_until_up(
    api: RestartApi,
    clock: Clock,
    services: Sequence[Service],
    mark: str,
    timeout: float,
    show: Callable[[str], None],
) -> None:
    """Wait until the Pods of services are new, and as many as there should be.

    Args:
        api: the cluster.
        clock: what is waited by.
        services: that were restarted.
        mark: what :func:`restart` returned; what troubles older Pods is about to go.
        timeout: seconds.
        show: gets what is waited for.

    Raises:
        OperationError: a service does not come up, or not in time; what ran before goes on then.
    """
    last: list[Health] = []

    async def wait() -> None:
        while True:
            last[:] = [await _health(api, each, mark) for each in services]
            if hopeless := [each for each in last if each.hopeless]:
                raise _not_up(hopeless)
            waiting = [each for each in last if not each.done]
            if not waiting:
                return
            show(f"waiting for {', '.join(map(_said, waiting))}")
            await clock.sleep(_POLL)

    try:
        await within(clock, timeout, wait())
    except TimeoutError:
        raise _not_up([each for each in last if not each.done], f" after {timeout:.0f} s") from None


def _said(health: Health) -> str:
    problem = f" ({health.problem})" if health.problem else ""
    return f"{health.service} {health.ready}/{health.wanted}{problem}"


def _not_up(services: Iterable[Health], when: str = "") -> OperationError:
    return OperationError(
        f"not up{when}: {', '.join(map(_said, services))}",
        remedy="Pods from before go on, as far as they are not replaced; `leeward logs` says more.",
    )


async def _health(api: RestartApi, service: Service, mark: str) -> Health:
    meta = service.workload["metadata"]
    live: Obj | None = await api.find(WORKLOADS[service.kind], meta["namespace"], meta["name"])
    if live is None:
        return Health(service.host, service.kind, 0, 0, False, "it was deleted", True)
    pods = service.pods(await api.list("pods", meta["namespace"]))
    return judge(live, [pod for pod in pods if annotations_of(pod).get(RESTARTED_AT) == mark])
