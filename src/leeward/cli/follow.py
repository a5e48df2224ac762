"""Logs of several Pods at once, each line with the name of its Pod in a colour of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from leeward.base.errors import LeewardError
from leeward.cli import output
from leeward.kube.client import KubeClient
from leeward.kube.objects import Obj, labels_of
from leeward.kube.wellknown import APP_NAME

_COLOURS = ("36", "33", "32", "35", "34", "96", "93", "92", "95", "94")
_LOOK_SECONDS = 1.0


class LogFollower:
    """Prints the logs of all Pods of some services, of new Pods too.

    Args:
        api: the cluster.
        namespace: where.
        services: whose Pods.
        since_seconds: how far back; None for everything.
        timestamps: print when each line was written.
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
    ) -> None:
        self._api = api
        self._namespace = namespace
        self._services = list(services)
        self._since = since_seconds
        self._tail = tail
        self._timestamps = timestamps
        self._width = 0

    async def pods(self) -> list[Obj]:
        """Return the Pods of the services."""
        pods = await self._api.list("pods", self._namespace)
        found = [pod for pod in pods if labels_of(pod).get(APP_NAME) in self._services]
        self._width = max([self._width, *(len(pod["metadata"]["name"]) for pod in found)])
        return found

    async def once(self) -> None:
        """Print what is there."""
        for pod in await self.pods():
            await self._print(pod, follow=False)

    async def forever(self) -> None:
        """Print what is there and what comes, until cancelled."""
        seen: set[tuple[str, int]] = set()
        async with asyncio.TaskGroup() as group:
            while True:
                for pod in await self.pods():
                    key = (pod["metadata"]["uid"], _restarts(pod))
                    if key not in seen and _has_started(pod):
                        seen.add(key)
                        group.create_task(self._print(pod, follow=True))
                await asyncio.sleep(_LOOK_SECONDS)

    async def _print(self, pod: Obj, *, follow: bool) -> None:
        service = labels_of(pod).get(APP_NAME) or ""
        colour = _COLOURS[self._services.index(service) % len(_COLOURS)]
        name = pod["metadata"]["name"]
        try:
            async for line in self._api.logs(
                self._namespace,
                name,
                container=pod["spec"]["containers"][0]["name"],
                follow=follow,
                since_seconds=self._since,
                tail_lines=self._tail,
                timestamps=self._timestamps,
            ):
                output.say(f"{output.paint(f'{name:<{self._width}} |', colour)} {line}")
        except (LeewardError, OSError):
            return  # it has not started, or is gone


def _restarts(pod: Obj) -> int:
    statuses = (pod.get("status") or {}).get("containerStatuses") or [{}]
    return int(statuses[0].get("restartCount", 0))


def _has_started(pod: Obj) -> bool:
    statuses = (pod.get("status") or {}).get("containerStatuses") or [{}]
    state = statuses[0].get("state") or {}
    return "running" in state or "terminated" in state


async def follow_project(api: KubeClient, namespace: str, services: Sequence[str]) -> None:
    """Follow the logs of all services until cancelled."""
    await LogFollower(api, namespace, services).forever()
