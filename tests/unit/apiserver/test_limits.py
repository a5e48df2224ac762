"""Places that requests take while they are worked on."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from leeward.base.clock import SystemClock
from leeward.base.ids import SystemIds
from leeward.cluster.apiserver.limits import InFlight
from leeward.cluster.apiserver.pki import ensure_pki
from leeward.cluster.apiserver.server import ApiServer
from leeward.cluster.registry.registry import Registry
from leeward.cluster.store.memory import MemoryStore


def test_a_timeout_that_nobody_reads_takes_no_place(tmp_path: Path) -> None:
    registry = Registry(MemoryStore(), clock=SystemClock(), ids=SystemIds())
    pki, in_flight = ensure_pki(tmp_path / "pki", SystemClock()), InFlight()
    client = registry.client("admin")
    server = ApiServer(
        client, registry.store, pki=pki, clock=SystemClock(), port=1, in_flight=in_flight, seconds=0
    )
    seen: list[int] = []

    async def receive() -> dict[str, Any]:
        seen.append(in_flight.count)
        return await asyncio.Future()

    async def send(message: Any) -> None:
        seen.append(in_flight.count)
        await asyncio.Future()

    path = b"/api/v1/namespaces/default/configmaps"
    headers = [(b"authorization", f"Bearer {pki.admin_token}".encode())]
    scope = {"type": "http", "method": "POST", "raw_path": path, "query_string": b"", "headers": headers}
    asyncio.run(server(scope, receive, send))

    assert seen == [1, 0]
