"""When what was applied counts as up."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from leeward.base.clock import VirtualClock
from leeward.delivery.startup import PROOF_SECONDS, Startup
from leeward.kube.objects import Obj
from leeward.kube.wellknown import APP_MANAGED_BY, APP_NAME, APP_PART_OF
from tests.unit.delivery.memory import Memory


class Hasty(VirtualClock):
    """Waiting takes no time."""

    async def sleep(self, seconds: float) -> None:
        self.advance(seconds)
        await asyncio.sleep(0)


def deployment(name: str, *, probed: bool) -> Obj:
    container = {"name": name, "image": name, **({"readinessProbe": {}} if probed else {})}
    labels = {APP_PART_OF: "shop", APP_MANAGED_BY: "leeward", APP_NAME: name}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": "shop", "labels": labels, "uid": name},
        "spec": {"replicas": 1, "template": {"spec": {"containers": [container]}}},
    }


async def seconds_until_up(ready: dict[str, tuple[bool, float]]) -> float:
    """Return how long is waited for services: name → whether it is probed, and when it is ready."""
    api, clock = Memory(), Hasty()
    workloads = [deployment(name, probed=probed) for name, (probed, _) in ready.items()]

    async def apply(obj: Obj) -> None:
        name = obj["metadata"]["name"]
        api.objects["deployments.apps", "shop", name] = obj
        status = {"updatedReplicas": 1, "replicas": 1, "availableReplicas": 1}
        live = {**obj, "status": status}
        put = api.objects.__setitem__
        clock.call_later(ready[name][1], lambda: put(("deployments.apps", "shop", name), live))

    startup: Any = Startup(api, clock, "shop", "shop", workloads, apply=apply, show=lambda _: None)
    await startup.run()
    return clock.monotonic()


@pytest.mark.parametrize(
    ("ready", "least"),
    [
        ({"web": (True, 0.0)}, 0.0),
        ({"worker": (False, 0.0)}, PROOF_SECONDS),
        ({"worker": (False, 0.0), "web": (True, 3.0)}, 3.0),  # it has lived long enough by then
        ({"worker": (False, 2.5), "web": (True, 3.0)}, 2.5 + PROOF_SECONDS),
    ],
)
def test_a_program_without_a_health_check_has_to_live_for_a_while_and_others_not(
    ready: dict[str, tuple[bool, float]], least: float
) -> None:
    assert least <= asyncio.run(seconds_until_up(ready)) < least + 0.5
