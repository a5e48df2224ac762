"""Logs of several Pods at once, each line with the name of its Pod in a colour of its own.

A Pod's first container and what runs before it are its service's; another container is that of the service of
its name. A log whose connection is lost is followed again; what was said about then may be told twice.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

from leeward.base.clock import Clock, SystemClock
from leeward.base.errors import LeewardError
from leeward.cli import output
from leeward.kube.client import KubeClient
from leeward.kube.http import UnreachableError
from leeward.kube.objects import Obj, labels_of
from leeward.kube.wellknown import APP_NAME

_COLOURS = ("36", "33", "32", "35", "34", "96", "93", "92", "95", "94")
_LOOK_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class _Container:
    """A container of a Pod, and the service that it is of."""

    pod: Obj
    name: str
    service: str

    @property
    def title(self) -> str:
        """What its lines begin with."""
        pod: str = self.pod["metadata"]["name"]
        return pod if self.name == self.pod["spec"]["containers"][0]["name"] else f"{pod}/{self.name}"

    @property
    def restarts(self) -> int:
        """How often it was started again."""
        return int(self._status.get("restartCount", 0))

    @property
    def has_started(self) -> bool:
        """Whether there is anything to print."""
        state = self._status.get("state") or {}
        return "running" in state or "terminated" in state

    @property
    def _status(self) -> Obj:
        status = self.pod.get("status") or {}
        all_of_them = [*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())]
        return next((each for each in all_of_them if each["name"] == self.name), {})


def _containers(pod: Obj, services: Sequence[str]) -> list[_Container]:
    """Return the containers of `pod` that are of one of `services`."""
    owner, spec = labels_of(pod).get(APP_NAME) or "", pod["spec"]
    before, (first, *others) = spec.get("initContainers") or (), spec["containers"]
    found = [_Container(pod, each["name"], owner) for each in (*before, first) if not _is_sidecar(each)]
    beside = [*filter(_is_sidecar, before), *others]
    found += [_Container(pod, each["name"], each["name"]) for each in beside]
    return [each for each in found if each.service in services]


def _is_sidecar(container: Obj) -> bool:
    return container.get("restartPolicy") == "Always"


class LogFollower:
    """Prints the logs of all Pods of some services, of new Pods too.

    Args:
        api: the cluster.
        namespace: where.
        services: whose Pods.
        since_seconds: how far back; None for everything.
        timestamps: print when each line was written.
        clock: when to look again.
    """

    def __init__(
        self,
        api: KubeClient,
        namespace: str,
        services: Sequence[str],
        *,
        since_seconds: int | None = None,
        tail: int | None = None,
        timestamps: bool = False,
        clock: Clock | None = None,
    ) -> None:
        self._api = api
        self._namespace = namespace
        self._services = list(services)
        self._since = since_seconds
        self._tail = tail
        self._timestamps = timestamps
        self._clock = clock or SystemClock()
        self._width = 0

    async def containers(self) -> list[_Container]:
        """Return the containers of the services, in the order they start in their Pods."""
        pods = await self._api.list("pods", self._namespace)
        found = [each for pod in pods for each in _containers(pod, self._services)]
        self._width = max([self._width, *(len(each.title) for each in found)])
        return found

    async def once(self) -> None:
        """Print what is there."""
        for container in await self.containers():
            with contextlib.suppress(LeewardError, OSError):  # it has not started, or is gone
                async for line in self._lines(container, self._since, self._tail, follow=False):
                    self._say(container, line)

    async def forever(self) -> None:
        """Print what is there and what comes, until cancelled."""
        seen: set[tuple[str, str, int]] = set()
        async with asyncio.TaskGroup() as group:
            while True:
                for each in await self.containers():
                    key = (each.pod["metadata"]["uid"], each.name, each.restarts)
                    if key not in seen and each.has_started:
                        seen.add(key)
                        group.create_task(self._follow(each))
                await self._clock.sleep(_LOOK_SECONDS)

    async def _follow(self, container: _Container) -> None:
        """Print what a container says until it ends."""
        since, tail = self._since, self._tail
        heard = self._clock.monotonic()
        while True:
            try:
                async for line in self._lines(container, since, tail, follow=True):
                    self._say(container, line)
                    heard = self._clock.monotonic()
            except UnreachableError:  # if that is for good, looking for new Pods tells
                await self._clock.sleep(_LOOK_SECONDS)
                since, tail = math.ceil(self._clock.monotonic() - heard), None
            except (LeewardError, OSError):
                return  # it has not started, or is gone
            else:
                return

    def _lines(
        self, container: _Container, since: int | None, tail: int | None, *, follow: bool
    ) -> AsyncIterator[str]:
        return self._api.logs(
            self._namespace,
            container.pod["metadata"]["name"],
            container=container.name,
            follow=follow,
            since_seconds=since,
            tail_lines=tail,
            timestamps=self._timestamps,
        )

    def _say(self, container: _Container, line: str) -> None:
        colour = _COLOURS[self._services.index(container.service) % len(_COLOURS)]
        output.say(f"{output.paint(f'{container.title:<{self._width}} |', colour)} {line}")


async def follow_project(api: KubeClient, namespace: str, services: Sequence[str]) -> None:
    """Follow the logs of all services until cancelled."""
    await LogFollower(api, namespace, services).forever()
