"""What went into environments, read without reading all of it.

Promotions and releases are large. The API server makes tables of them, from which names and versions are
taken; only what is shown is read whole.

Source: kubernetes.io/docs/reference/using-api/api-concepts, "Receiving resources as Tables".
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, Protocol

from leeward.delivery.api import Finds
from leeward.delivery.records import PROMOTIONS, RELEASES
from leeward.kube.http import Location
from leeward.kube.objects import Obj, parse_time

_TABLE = {"accept": "application/json;as=Table;v=v1;g=meta.k8s.io"}
_PAGE = "500"


class PastApi(Finds, Protocol):
    """What reading the past needs of a Kubernetes API."""

    async def locate(self, resource: str) -> Location:
        """Return where a resource is served."""
        ...

    async def request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Any:
        """Send one request."""
        ...


async def newest_promotions(api: PastApi, hub: str, environment: str, limit: int) -> list[Obj]:
    """Return the newest promotions of an environment, newest first, at most `limit`."""
    cells = await _table(api, PROMOTIONS, hub)
    names = [row["Name"] for row in cells if row.get("Environment") == environment]
    names = sorted(names, key=_number, reverse=True)[:limit]
    found = await asyncio.gather(*(api.find(PROMOTIONS, hub, name) for name in names))
    return [obj for obj in found if obj is not None]


async def versions_of(api: PastApi, hub: str) -> dict[str, str]:
    """Return release → version of the releases in a hub."""
    return {row["Name"]: row.get("Version") or "" for row in await _table(api, RELEASES, hub)}


def _number(name: str) -> int:
    digits = name.rpartition("-")[2]
    return int(digits) if digits.isdecimal() else 0


def seconds_taken(promotion: Obj) -> float | None:
    """Return how long a promotion took; None while it is under way."""
    status = promotion.get("status") or {}
    try:
        return (parse_time(status["finishedAt"]) - parse_time(status["startedAt"])).total_seconds()
    except (KeyError, ValueError):
        return None


async def _table(api: PastApi, resource: str, namespace: str) -> list[dict[str, Any]]:
    """Return the rows of a table, by column."""
    path = (await api.locate(resource)).path(namespace)
    params, rows = {"includeObject": "None", "limit": _PAGE}, list[dict[str, Any]]()
    while True:
        page = await api.request("GET", path, params=params, headers=_TABLE)
        columns = [column["name"] for column in page["columnDefinitions"]]
        rows += [dict(zip(columns, row["cells"], strict=True)) for row in page.get("rows") or ()]
        following = page["metadata"].get("continue")
        if not following:
            return rows
        params = {**params, "continue": following}
