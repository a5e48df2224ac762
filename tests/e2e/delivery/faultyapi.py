"""A way to a Kubernetes API that fails when told to: TLS on both sides, each request passed on or not.

What asks through it is a client like any other, in this process or another one. A rule sees every request
and says what becomes of it; without one, everything passes. Writes are numbered, so that a test can name the
one that matters: dry runs, reviews and renewals of a lease change nothing that counts, and have no number.
"""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx

from leeward.base.clock import SystemClock
from leeward.cluster.apiserver.pki import ensure_pki
from leeward.kube.http import connection_arguments
from leeward.kube.kubeconfig import Access
from tests.tlsway import PassingHandler, serving

_LINGER_NOT = struct.pack("ii", 1, 0)  # close sends a reset


@dataclass(frozen=True, slots=True)
class Asked:
    """One request."""

    number: int  # of the write, from 1; 0 for what writes nothing
    method: str
    path: str
    query: dict[str, list[str]]
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What becomes of a request instead of the right thing."""

    forwarded: bool = False  # the cluster does it all the same
    status: int = 0  # what is answered; 0: nothing, the connection is reset
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    cut: bool = False  # the cluster's answer ends in the middle
    then: Callable[[], object] = lambda: None  # done before anything is answered


Rule = Callable[[Asked], Fault | None]


@dataclass
class FaultyApi:
    """The way of one person to a cluster, and what happened on it."""

    upstream: Access
    access: Access  # of who goes through here
    rule: Rule | None = None
    asked: list[Asked] = field(default_factory=list)
    leased: bool = False
    writes: int = 0

    def begin(self, rule: Rule | None = None) -> None:
        """Count from 1 again, and follow another rule."""
        self.rule, self.writes, self.leased, self.asked = rule, 0, False, []


@contextmanager
def going_through(upstream: Access, directory: Path) -> Iterator[FaultyApi]:
    """Serve until the end; keys are kept in `directory`."""
    pki = ensure_pki(directory, SystemClock())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pki.server_certificate, pki.server_key)
    state = FaultyApi(upstream, replace(upstream, ca_pem=pki.ca_certificate.read_text()))
    with httpx.Client(**connection_arguments(upstream, 60.0)) as client:
        handler = type("Handler", (_Handler,), {"state": state, "client": client, "lock": threading.Lock()})
        with serving(handler, context) as port:
            state.access = replace(state.access, server=f"https://127.0.0.1:{port}")
            yield state


class _Handler(PassingHandler):
    state: FaultyApi
    lock: threading.Lock

    def serve(self, body: bytes) -> None:
        with self.lock:
            asked = self._note(body)
            fault = self.state.rule(asked) if self.state.rule is not None else None
        if fault is None or fault.cut:
            answer = self.forward(body)
            half = None if fault is None else len(answer.content) // 2
            self.answer(answer.status_code, answer.headers, answer.content, sent=half)
            if fault is not None:
                self._reset()
            return
        if fault.forwarded:
            self.forward(body)
        fault.then()
        if fault.status:
            self.answer(fault.status, fault.headers, fault.body)
        else:
            self._reset()

    def _note(self, body: bytes) -> Asked:
        url = urlsplit(self.path)
        query, state = parse_qs(url.query), self.state
        counts = self.command != "GET" and "dryRun" not in query and not url.path.endswith("reviews")
        if counts and "/leases/" in url.path and self.command == "PUT":
            renews = bool(json.loads(body)["spec"].get("holderIdentity")) and state.leased
            state.leased, counts = True, not renews
        state.leased = state.leased or (counts and url.path.endswith("/leases"))
        state.writes += counts
        asked = Asked(state.writes if counts else 0, self.command, url.path, query, body)
        state.asked.append(asked)
        return asked

    def _reset(self) -> None:
        """End the connection as a machine does that lost it: no goodbye of TLS, a reset of TCP."""
        self.close_connection = True
        with contextlib.suppress(OSError):
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_NOT)
