from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any, cast

import pytest

from leeward.base.clock import VirtualClock
from leeward.cli.follow import LogFollower
from leeward.kube.client import KubeClient
from leeward.kube.http import UnreachableError
from leeward.kube.objects import Obj


class _Api:
    """Pods whose containers each said one thing."""

    def __init__(self, *pods: Obj) -> None:
        self._pods = pods

    async def list(self, resource: str, namespace: str) -> list[Obj]:
        return list(self._pods)

    async def logs(self, namespace: str, name: str, *, container: str, **options: Any) -> AsyncIterator[str]:
        yield f"I am {container}"


def _pod(name: str, service: str, *containers: str, init: tuple[str, ...] = ()) -> Obj:
    return {
        "metadata": {"name": name, "uid": name, "labels": {"app.kubernetes.io/name": service}},
        "spec": {
            "containers": [{"name": each} for each in containers],
            "initContainers": [{"name": each} for each in init],
        },
    }


@pytest.mark.parametrize(
    ("services", "lines"),
    [
        (["vpn"], ["vpn-0 | I am vpn"]),
        (["tool"], ["vpn-0/tool | I am tool"]),
        (
            ["vpn-pre-start"],
            ["job-1/pre-start-0 | I am pre-start-0", "job-1             | I am pre-start-1"],
        ),
    ],
)
def test_every_container_speaks_for_its_service(
    services: list[str], lines: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    api = _Api(
        _pod("vpn-0", "vpn", "vpn", "tool"),
        _pod("job-1", "vpn-pre-start", "pre-start-1", init=("pre-start-0",)),
    )
    asyncio.run(LogFollower(cast(KubeClient, api), "shop", services).once())
    assert capsys.readouterr().out.splitlines() == lines


def test_a_log_whose_connection_is_lost_is_followed_again_from_what_was_heard_last(
    capsys: pytest.CaptureFixture[str],
) -> None:
    asked: list[tuple[int | None, int | None]] = []
    clock = VirtualClock()

    class Losing(_Api):
        async def logs(
            self, namespace: str, name: str, *, container: str, **options: Any
        ) -> AsyncIterator[str]:
            asked.append((options["since_seconds"], options["tail_lines"]))
            yield f"line {len(asked)}"
            if len(asked) == 1:
                await clock.sleep(60.0)
                raise UnreachableError("reset by peer")

    pod = _pod("web-0", "web", "web")
    pod["status"] = {"containerStatuses": [{"name": "web", "state": {"running": {}}}]}
    follower = LogFollower(cast(KubeClient, Losing(pod)), "shop", ["web"], tail=5, clock=clock)

    async def work() -> None:
        following = asyncio.ensure_future(follower.forever())
        while clock.monotonic() < 120.0:
            for _ in range(20):
                await asyncio.sleep(0)
            clock.advance(1.0)
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)

    asyncio.run(work())
    assert capsys.readouterr().out.splitlines() == ["web-0 | line 1", "web-0 | line 2"]
    assert asked == [(None, 5), (61, None)]
