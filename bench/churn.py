"""What the soak does to a cluster: scales, rolls, deletes, flaps of nodes and zones, short-lived objects.

Everything is chosen by a seeded generator and asked over HTTPS as any client does. What is taken away is
given back: nodes get their power again, replicas stay around their number, what was made for a while is
deleted.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from random import Random
from typing import Any

import aiohttp
import orjson
from api import call

NAMESPACE = "soak"
_CORE, _APPS = f"/api/v1/namespaces/{NAMESPACE}", f"/apis/apps/v1/namespaces/{NAMESPACE}"
_BATCH = f"/apis/batch/v1/namespaces/{NAMESPACE}"
_MERGE = "application/merge-patch+json"
_ZONE = "topology.kubernetes.io/zone"
_POWER = "leeward.dev/power"
_DEPLOYMENTS = 40
_NODE_OFF, _ZONE_OFF = 10.0, 20.0  # seconds without power
_LIFE = 20.0  # seconds of a Service, Job or ConfigMap made on the way


class Churn:
    """Disturbs one cluster.

    Args:
        client: asks it.
        pods: that its Deployments have together.
        random: chooses what happens.
        pace: seconds between two disturbances.
    """

    def __init__(self, client: aiohttp.ClientSession, pods: int, random: Random, pace: float) -> None:
        self._client = client
        self._each = pods // _DEPLOYMENTS
        self._random = random
        self._pace = pace
        self._made = 0
        self._pending: set[asyncio.Task[None]] = set()
        self.done: Counter[str] = Counter()
        self._choices: list[tuple[Callable[[], Awaitable[None]], int]] = [
            (self._scale, 30),
            (self._roll, 8),
            (self._delete_pods, 30),
            (self._node, 15),
            (self._service, 10),
            (self._job, 15),
            (self._config, 10),
        ]

    async def prepare(self) -> None:
        """Make the namespace and the Deployments, each with a Service."""
        await self._post("/api/v1/namespaces", {"metadata": {"name": NAMESPACE}})
        await asyncio.sleep(1)  # its service account is made
        for number in range(_DEPLOYMENTS):
            await self._post(f"{_APPS}/deployments", deployment(f"app-{number}", self._each))
            await self._post(f"{_CORE}/services", service(f"app-{number}", f"app-{number}"))

    async def run(self, seconds: float, zone_seconds: float) -> None:
        """Disturb for so long, with a zone failing every `zone_seconds`."""
        loop = asyncio.get_running_loop()
        end, next_zone = loop.time() + seconds, loop.time() + zone_seconds
        works, weights = zip(*self._choices, strict=True)
        while loop.time() < end:
            work = self._random.choices(works, weights)[0]
            if loop.time() >= next_zone:
                work, next_zone = self._zone, loop.time() + zone_seconds
            self.done[work.__name__.strip("_")] += 1
            await work()
            await asyncio.sleep(self._pace)

    async def settle(self) -> None:
        """Undo what is still to be undone, and give every Deployment its replicas again."""
        await asyncio.gather(*self._pending)
        for node in await self._items("/api/v1/nodes"):
            await self._power([node["metadata"]["name"]], None)
        for number in range(_DEPLOYMENTS):
            await self._patch(f"{_APPS}/deployments/app-{number}", {"spec": {"replicas": self._each}})

    # Disturbances -------------------------------------------------------------------------------------

    async def _scale(self) -> None:
        replicas = self._each + self._random.randint(-self._each // 5, self._each // 5)
        await self._patch(f"{_APPS}/deployments/{self._any()}", {"spec": {"replicas": replicas}})

    async def _roll(self) -> None:
        self._made += 1
        template = {"metadata": {"annotations": {"round": str(self._made)}}}
        await self._patch(f"{_APPS}/deployments/{self._any()}", {"spec": {"template": template}})

    async def _delete_pods(self) -> None:
        pods = await self._items(f"{_CORE}/pods?labelSelector=app={self._any()}")
        for pod in self._random.sample(pods, min(5, len(pods))):
            await self._delete(f"{_CORE}/pods/{pod['metadata']['name']}")

    async def _node(self) -> None:
        nodes = await self._items("/api/v1/nodes")
        name = self._random.choice(nodes)["metadata"]["name"]
        await self._power([name], "off")
        self._later(_NODE_OFF, lambda: self._power([name], None))

    async def _zone(self) -> None:
        nodes = await self._items("/api/v1/nodes")
        zone = self._random.choice(sorted({node["metadata"]["labels"][_ZONE] for node in nodes}))
        names = [each["metadata"]["name"] for each in nodes if each["metadata"]["labels"][_ZONE] == zone]
        await self._power(names, "off")
        self._later(_ZONE_OFF, lambda: self._power(names, None))

    async def _service(self) -> None:
        await self._for_a_while(f"{_CORE}/services", service(self._new("svc"), self._any()))

    async def _job(self) -> None:
        await self._for_a_while(f"{_BATCH}/jobs", job(self._new("job")))

    async def _config(self) -> None:
        made = {"metadata": {"name": self._new("config")}, "data": {"text": "x" * 2000}}
        await self._for_a_while(f"{_CORE}/configmaps", made)

    # Means --------------------------------------------------------------------------------------------

    def _any(self) -> str:
        return f"app-{self._random.randrange(_DEPLOYMENTS)}"

    def _new(self, kind: str) -> str:
        self._made += 1
        return f"{kind}-{self._made}"

    async def _for_a_while(self, path: str, obj: dict[str, Any]) -> None:
        await self._post(path, obj)
        self._later(_LIFE, lambda: self._delete(f"{path}/{obj['metadata']['name']}"))

    def _later(self, seconds: float, work: Callable[[], Awaitable[None]]) -> None:
        async def wait() -> None:
            await asyncio.sleep(seconds)
            await work()

        task = asyncio.create_task(wait())
        self._pending.add(task)
        task.add_done_callback(self._pending.discard)

    async def _power(self, nodes: list[str], power: str | None) -> None:
        for node in nodes:
            await self._patch(f"/api/v1/nodes/{node}", {"metadata": {"annotations": {_POWER: power}}})

    async def _items(self, path: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = orjson.loads(await call(self._client, "GET", path))["items"]
        return found

    async def _post(self, path: str, obj: dict[str, Any]) -> None:
        await call(self._client, "POST", path, orjson.dumps(obj))

    async def _patch(self, path: str, patch: dict[str, Any]) -> None:
        await call(self._client, "PATCH", path, orjson.dumps(patch), _MERGE)

    async def _delete(self, path: str) -> None:
        body = orjson.dumps({"propagationPolicy": "Background"})
        async with self._client.delete(path, data=body) as answer:
            await answer.read()
            if answer.status not in (200, 202, 404):
                raise SystemExit(f"DELETE {path}: {answer.status}")


def deployment(name: str, replicas: int) -> dict[str, Any]:
    """Return a Deployment that is spread over zones."""
    labels = {"app": name}
    spread = {
        "maxSkew": 1,
        "topologyKey": _ZONE,
        "whenUnsatisfiable": "ScheduleAnyway",
        "labelSelector": {"matchLabels": labels},
    }
    requests = {"requests": {"cpu": "50m", "memory": "64Mi"}}
    container = {"name": "web", "image": "registry.example.com/web:1", "resources": requests}
    spec = {
        "terminationGracePeriodSeconds": 2,
        "topologySpreadConstraints": [spread],
        "containers": [container],
    }
    template = {"metadata": {"labels": labels}, "spec": spec}
    return {
        "metadata": {"name": name},
        "spec": {
            "replicas": replicas,
            "revisionHistoryLimit": 2,
            "selector": {"matchLabels": labels},
            "template": template,
        },
    }


def service(name: str, app: str) -> dict[str, Any]:
    """Return a Service of an application's Pods."""
    spec = {"selector": {"app": app}, "ports": [{"name": "http", "port": 80}]}
    return {"metadata": {"name": name}, "spec": spec}


def job(name: str) -> dict[str, Any]:
    """Return a Job of four short Pods, two at a time."""
    container = {"name": "work", "image": "registry.example.com/work:1", "command": ["sleep", "2"]}
    spec = {"restartPolicy": "Never", "containers": [container]}
    return {
        "metadata": {"name": name},
        "spec": {"completions": 4, "parallelism": 2, "template": {"spec": spec}},
    }
