"""Connections to Kubernetes API servers: addresses, TLS and errors, for both kinds of client.

Source: ``k8s.io/client-go/rest`` (URL layout, Status decoding).
"""

from __future__ import annotations

import contextlib
import os
import ssl
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any

import httpx
import orjson

from leeward.base.errors import OperationError
from leeward.kube.kubeconfig import Access
from leeward.kube.status import StatusError, error_from_status

PATCH_TYPES: Mapping[str, str] = {
    "json": "application/json-patch+json",
    "merge": "application/merge-patch+json",
    "strategic": "application/strategic-merge-patch+json",
    "apply": "application/apply-patch+yaml",
}
USER_AGENT = "leeward"
_PASSING = frozenset((429, 500, 502, 503, 504))


@dataclass(frozen=True, slots=True)
class Location:
    """Where a resource is served."""

    group: str
    version: str
    plural: str
    kind: str
    namespaced: bool

    @property
    def root(self) -> str:
        """``/api/v1`` or ``/apis/<group>/<version>``."""
        return f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"

    def path(self, namespace: str = "", name: str = "", subresource: str = "") -> str:
        """Return the path of a collection, object or subresource."""
        parts = [self.root]
        if self.namespaced and namespace:
            parts += ["namespaces", namespace]
        parts += [part for part in (self.plural, name, subresource) if part]
        return "/".join(parts)


def ssl_context(access: Access) -> ssl.SSLContext:
    """Return the TLS settings of a kubeconfig context."""
    context = ssl.create_default_context(cadata=access.ca_pem)
    if access.insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if access.client_certificate_pem and access.client_key_pem:
        # The ssl module takes client certificates from files only: 0600, gone at once.
        handle, path = tempfile.mkstemp(prefix="leeward-", suffix=".pem")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(access.client_certificate_pem + b"\n" + access.client_key_pem)
            context.load_cert_chain(path)
        finally:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)
    return context


def connection_arguments(access: Access, timeout_seconds: float) -> dict[str, Any]:
    """Return the keyword arguments of :class:`httpx.Client` and :class:`httpx.AsyncClient`.

    Raises:
        OperationError: the context uses a credential plug-in.
    """
    if access.exec and not access.token:
        raise OperationError(
            f"the kubeconfig's user needs the credential plug-in {access.exec.get('command')!r}",
            remedy="Use a context with a token or a client certificate, such as a service account's.",
        )
    headers = {"user-agent": USER_AGENT, "accept": "application/json"}
    if access.token:
        headers["authorization"] = f"Bearer {access.token}"
    auth = None
    if access.username and not access.token:
        auth = httpx.BasicAuth(access.username, access.password or "")
    return {
        "base_url": access.server,
        "headers": headers,
        "auth": auth,
        "verify": ssl_context(access) if access.server.startswith("https") else False,
        "timeout": httpx.Timeout(timeout_seconds, connect=min(timeout_seconds, 10.0)),
        "trust_env": False,
    }


class UnreachableError(OperationError):
    """The server does not answer, or the connection was lost before it did."""


def date_of(headers: Mapping[str, str]) -> datetime | None:
    """Return when a server answered, by its own clock, as far as it says."""
    try:
        found = parsedate_to_datetime(headers.get("date", ""))
    except ValueError:
        return None
    return found if found.tzinfo is not None else None


def may_pass(error: Exception) -> bool:
    """Tell whether the same request may succeed later: the server is busy, or does not answer."""
    if isinstance(error, StatusError):
        return error.code in _PASSING
    return isinstance(error, UnreachableError)


def unreachable(access: Access, error: httpx.HTTPError) -> UnreachableError:
    """Return the error for a server that does not answer."""
    return UnreachableError(
        f"cannot reach the Kubernetes API at {access.server}: {str(error) or type(error).__name__}",
        remedy="Check that the cluster is running: `leeward cluster status`.",
    )


def raise_for_status(response: httpx.Response, body: bytes) -> None:
    """Raise the StatusError of a failed response.

    Raises:
        StatusError: the response is a failure.
    """
    if response.status_code < 400:
        return
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        document = None
    if isinstance(document, dict) and document.get("kind") == "Status":
        raise error_from_status(document)
    text = body.decode("utf-8", "replace").strip() or response.reason_phrase
    raise error_from_status({"message": text, "code": response.status_code})


def parse_stream_line(line: str) -> tuple[str, Any]:
    """Return (type, object) of one line of a watch.

    Raises:
        StatusError: the line is an ERROR event, such as an expired resourceVersion.
    """
    event = orjson.loads(line)
    if event["type"] == "ERROR":
        status = event["object"]
        raise error_from_status(status) if status.get("kind") == "Status" else StatusError(str(status))
    return event["type"], event["object"]
