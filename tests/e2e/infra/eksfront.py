"""What EKS puts before the API of a cluster: it asks STS who sends a token, and lets that identity in.

A stand-in for ``aws-iam-authenticator``: a token is a request to STS that was signed and not sent; it is sent
here, with the name of the cluster that it must be for, to the STS that it names, once. Who is known there is
let in as the administrator of the cluster behind; everybody else gets 401.
"""

from __future__ import annotations

import base64
import re
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx

from leeward.base.clock import SystemClock
from leeward.cluster.apiserver.pki import ensure_pki
from leeward.kube.http import connection_arguments
from leeward.kube.kubeconfig import Access
from tests.tlsway import PassingHandler, serving

_PREFIX = "Bearer k8s-aws-v1."


@dataclass
class EksFront:
    """The API of one cluster, and who has come."""

    cluster: str  # its name in EKS
    sts: str  # where tokens may lead
    port: int = 0
    ca_data: str = ""  # base64
    identities: list[str] = field(default_factory=list)  # ARNs, one a request
    refused: list[str] = field(default_factory=list)  # why
    names: set[str | None] = field(default_factory=set)  # that clients asked TLS for
    known: dict[str, str] = field(default_factory=dict)  # token → ARN

    def identity(self, header: str) -> str | None:
        """Return the ARN of whoever sends a token; None, and why, when nobody is known by it."""
        if header not in self.known and (found := self._ask(header)) is not None:
            self.known[header] = found
        return self.known.get(header)

    def _ask(self, header: str) -> str | None:
        if not header.startswith(_PREFIX):
            return self._refuse("no token of EKS")
        encoded = header.removeprefix(_PREFIX)
        url = base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)).decode()
        parts = urlsplit(url)
        query = parse_qs(parts.query)
        if f"{parts.scheme}://{parts.netloc}" != self.sts or query.get("Action") != ["GetCallerIdentity"]:
            return self._refuse(f"a token that leads to {parts.netloc}")
        if "x-k8s-aws-id" not in query["X-Amz-SignedHeaders"][0].split(";"):
            return self._refuse("a token for every cluster")
        signed = f"AWS4-HMAC-SHA256 Credential={query['X-Amz-Credential'][0]}"  # moto looks for STS there
        headers = {"x-k8s-aws-id": self.cluster, "authorization": signed}
        answer = httpx.get(url, headers=headers, trust_env=False)
        found = re.search("<Arn>(.*)</Arn>", answer.text)
        return found[1] if answer.status_code == 200 and found else self._refuse(answer.text)

    def _refuse(self, why: str) -> str | None:
        self.refused.append(why)
        return None


@contextmanager
def before(upstream: Access, cluster: str, sts: str, directory: Path) -> Iterator[EksFront]:
    """Serve until the end, before a cluster that is reached as its administrator; keys are in `directory`."""
    pki = ensure_pki(directory, SystemClock())
    state = EksFront(cluster, sts)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pki.server_certificate, pki.server_key)
    context.sni_callback = lambda _socket, name, _context: state.names.add(name)
    state.ca_data = base64.b64encode(pki.ca_certificate.read_bytes()).decode("ascii")
    with httpx.Client(**connection_arguments(upstream, 60.0)) as client:
        handler = type("Handler", (_Handler,), {"state": state, "client": client})
        with serving(handler, context) as state.port:
            yield state


class _Handler(PassingHandler):
    state: EksFront

    def serve(self, body: bytes) -> None:
        who = self.state.identity(self.headers.get("authorization") or "")
        if who is None:
            self.answer(401, {}, b"Unauthorized")
            return
        self.state.identities.append(who)
        answer = self.forward(body)
        self.answer(answer.status_code, answer.headers, answer.content)
