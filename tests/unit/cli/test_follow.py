from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any, cast

import pytest

from leeward.cli.follow import LogFollower
from leeward.kube.client import KubeClient
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
