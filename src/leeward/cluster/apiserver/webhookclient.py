"""Admission webhooks over HTTPS.

A failure is told in the words of Go's HTTP client, which people search for. Connections are not kept: a
webhook may be any ready endpoint of its Service, each time another.

Source: k8s.io/apiserver/pkg/util/webhook/client.go, net/http (Kubernetes 1.36).
"""

from __future__ import annotations

import asyncio
import ssl
from functools import lru_cache
from urllib.parse import urlsplit

import httpx
import orjson

from leeward.cluster.registry.admission.webhooks.calls import HookCall, Outcome

_MAX_RESPONSE = 1 << 26  # bytes; a list is converted in one piece
_HEADERS = {
    "content-type": "application/json",
    "accept": "application/json, */*",
    "user-agent": "kube-apiserver-admission",
}


async def ask_over_https(call: HookCall) -> Outcome:
    """Ask a webhook."""
    try:
        response = await asyncio.wait_for(_post(call), call.timeout)
    except (TimeoutError, httpx.TimeoutException):
        return Outcome(failure=f'Post "{call.url}": context deadline exceeded')
    except (httpx.HTTPError, httpx.InvalidURL, ssl.SSLError, OSError, ValueError) as error:
        return Outcome(failure=f'Post "{call.url}": {_told(call, error)}')
    if not 200 <= response.status_code < 300:
        return Outcome(failure=_refused(response))
    try:
        return Outcome(document=orjson.loads(response.content[:_MAX_RESPONSE]))
    except orjson.JSONDecodeError as error:
        return Outcome(failure=f"couldn't get version/kind; json parse error: {error}")


async def _post(call: HookCall) -> httpx.Response:
    parts = urlsplit(call.url)
    url, extensions, host = call.url, dict[str, str](), parts.netloc
    if call.address is not None:  # the certificate is for the Service's name
        address, port = call.address
        shown = f"[{address}]" if ":" in address else address
        url = parts._replace(netloc=f"{shown}:{port}").geturl()
        extensions["sni_hostname"] = parts.hostname or ""
    transport = httpx.AsyncHTTPTransport(verify=_context(call.certificates), retries=0, trust_env=False)
    async with httpx.AsyncClient(transport=transport, timeout=call.timeout, trust_env=False) as client:
        return await client.post(
            url,
            content=orjson.dumps(call.review),
            headers={**_HEADERS, "host": host},
            extensions=extensions,
            follow_redirects=False,
        )


@lru_cache(maxsize=64)
def _context(certificates: str) -> ssl.SSLContext:
    context = ssl.create_default_context(cadata=certificates or None)
    context.verify_flags &= ~getattr(ssl, "VERIFY_X509_STRICT", 0)
    return context


def _told(call: HookCall, error: Exception) -> str:
    """Return a failure to connect as Go tells it."""
    parts = urlsplit(call.url)
    address, port = call.address or (parts.hostname or "", parts.port or 443)
    where = f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return f"tls: failed to verify certificate: x509: {_certificate_problem(cause)}"
        if isinstance(cause, ConnectionRefusedError):
            return f"dial tcp {where}: connect: connection refused"
        cause = cause.__cause__ or cause.__context__
    text = str(error)
    if "Name or service not known" in text or "nodename nor servname" in text or "getaddrinfo" in text:
        return f"dial tcp: lookup {address}: no such host"
    if "All connection attempts failed" in text:
        return f"dial tcp {where}: connect: connection refused"
    if isinstance(error, httpx.RemoteProtocolError):
        return "EOF"
    return text or type(error).__name__


def _certificate_problem(error: ssl.SSLCertVerificationError) -> str:
    if "Hostname mismatch" in str(error) or "IP address mismatch" in str(error):
        return error.verify_message or "certificate is not valid for this name"
    if "expired" in str(error):
        return "certificate has expired or is not yet valid"
    return "certificate signed by unknown authority"


def _refused(response: httpx.Response) -> str:
    """Return an answer that is none as client-go tells it."""
    if response.status_code == 404:
        return "the server could not find the requested resource"
    text = response.text.strip()[:256]
    if response.status_code >= 500:
        return f'an error on the server ("{text or "unknown"}") has prevented the request from succeeding'
    return f"the server rejected our request for an unknown reason ({text})"
