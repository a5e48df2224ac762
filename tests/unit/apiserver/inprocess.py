"""A whole API server that is asked without sockets."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import orjson

from leeward.base.clock import SystemClock
from leeward.base.ids import SystemIds
from leeward.cluster.apiserver.pki import ensure_pki
from leeward.cluster.apiserver.server import ApiServer
from leeward.cluster.registry.admission.plugin import AdmissionOptions
from leeward.cluster.registry.registry import Registry
from leeward.cluster.store.memory import MemoryStore


class InProcess:
    """A server with a namespace "default"; who asks is of system:masters unless somebody is named."""

    def __init__(self, directory: Path, ready: Callable[[], Iterable[str]] = tuple) -> None:
        options = AdmissionOptions(disabled=("ServiceAccount",))
        self.registry = Registry(MemoryStore(), clock=SystemClock(), ids=SystemIds(), options=options)
        self.admin = self.registry.client("admin")
        self.admin.create("namespaces", {"metadata": {"name": "default"}})
        self._pki = ensure_pki(directory / "pki", SystemClock())
        self._server = ApiServer(
            self.admin,
            self.registry.store,
            pki=self._pki,
            clock=SystemClock(),
            port=1,
            dry_client=self.registry.client("admin", dry_run=True),
            ready=ready,
        )

    def ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        user: str = "",
        groups: tuple[str, ...] = ("system:masters",),
        kind: str = "application/json",
    ) -> tuple[int, bytes]:
        """Return status and body of an answer."""
        sent: list[Any] = []

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": b"" if body is None else orjson.dumps(body)}

        async def send(message: Any) -> None:
            sent.append(message)

        where, _, query = path.partition("?")
        headers = [("authorization", f"Bearer {self._pki.admin_token}"), ("content-type", kind)]
        if user:
            headers += [("impersonate-user", user), *(("impersonate-group", group) for group in groups)]
        scope = {
            "type": "http", "method": method, "path": where, "raw_path": where.encode(),
            "query_string": query.encode(), "client": ("127.0.0.1", 1),
            "headers": [(key.encode(), value.encode()) for key, value in headers],
        }  # fmt: skip
        asyncio.run(self._server(scope, receive, send))
        return sent[0]["status"], b"".join(each["body"] for each in sent[1:])
