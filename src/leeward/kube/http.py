"""Connections to Kubernetes API servers: addresses, TLS and errors, for both kinds of client.

Source: ``k8s.io/client-go/rest`` (URL layout, Status decoding) and
``k8s.io/apimachinery/pkg/api/validation/path`` (names that would be paths).
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import os
import ssl
import tempfile
from collections.abc import AsyncGenerator, Generator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import quote

import httpx
import orjson

from leeward.base.errors import OperationError
from leeward.kube.credentials import Credential
from leeward.kube.kubeconfig import Access
from leeward.kube.status import NotFoundError, StatusError, error_from_status

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

    def path(self, namespace: str = "") -> str:
        """Return the path of a collection."""
        inside = f"/namespaces/{quote(namespace, safe='')}" if self.namespaced and namespace else ""
        return f"{self.root}{inside}/{self.plural}"

    def object_path(self, namespace: str, name: str, subresource: str = "") -> str:
        """Return the path of an object, or of a subresource of it.

        Raises:
            NotFoundError: nothing can have that name, which would make it the path of something else.
        """
        if name in ("", ".", "..") or "/" in name or "%" in name:
            raise NotFoundError(f'{self.plural} "{name}" not found')
        inside = f"/{subresource}" if subresource else ""
        return f"{self.path(namespace)}/{quote(name, safe=':')}{inside}"


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


def with_current_credentials(access: Access) -> Access:
    """Return `access` with what its credentials are now, as if they were for good; may block.

    Raises:
        OperationError: there are none, or they are a plug-in's that nobody runs.
    """
    if access.credentials is not None:
        found = access.credentials.current()
        return replace(
            access,
            credentials=None,
            exec=None,
            token=found.token,
            client_certificate_pem=found.certificate_pem,
            client_key_pem=found.key_pem,
        )
    if access.exec and not access.token:
        raise OperationError(
            f"the kubeconfig's user needs the credential plug-in {access.exec.get('command')!r}",
            remedy="Use a context with a token or a client certificate, such as a service account's.",
        )
    return access


def connection_arguments(access: Access, timeout_seconds: float) -> dict[str, Any]:
    """Return the keyword arguments of :class:`httpx.Client` and :class:`httpx.AsyncClient`.

    Raises:
        OperationError: there are no credentials, or they are a plug-in's that nobody runs.
    """
    now = with_current_credentials(access)
    headers = {"user-agent": USER_AGENT, "accept": "application/json"}
    if access.credentials is None:
        headers.update(authorization(now))
    known = access.credentials is not None or access.server_name is not None
    return {
        "base_url": access.server,
        "headers": headers,
        "auth": _Identity(access) if known else None,
        "verify": ssl_context(now) if access.server.startswith("https") else False,
        "timeout": httpx.Timeout(timeout_seconds, connect=min(timeout_seconds, 10.0)),
        "trust_env": False,
        "proxy": access.proxy,
    }


def authorization(access: Access) -> dict[str, str]:
    """Return the header that says who asks, where a token or a password does."""
    if access.token:
        return {"authorization": f"Bearer {access.token}"}
    if access.username:
        pair = base64.b64encode(f"{access.username}:{access.password or ''}".encode()).decode("ascii")
        return {"authorization": f"Basic {pair}"}
    return {}


class _Identity(httpx.Auth):
    """Says in every request who asks, and which name the server's certificate has.

    A request that is answered with 401 did nothing: it is sent once more, with a new credential. Client
    certificates stay those of the connection.
    """

    def __init__(self, access: Access) -> None:
        self._cache = access.credentials
        self._server_name = access.server_name

    def sync_auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        credential = self._cache.current() if self._cache else None
        self._sign(request, credential)
        answer = yield request
        if answer.status_code == 401 and self._cache and credential:
            self._sign(request, self._cache.instead_of(credential))
            yield request

    async def async_auth_flow(self, request: httpx.Request) -> AsyncGenerator[httpx.Request, httpx.Response]:
        credential = await self._current()
        self._sign(request, credential)
        answer = yield request
        if answer.status_code == 401 and self._cache and credential:
            self._sign(request, await asyncio.to_thread(self._cache.instead_of, credential))
            yield request

    async def _current(self) -> Credential | None:
        if self._cache is None:
            return None
        return self._cache.kept() or await asyncio.to_thread(self._cache.current)

    def _sign(self, request: httpx.Request, credential: Credential | None) -> None:
        if credential is not None and credential.token:
            request.headers["authorization"] = f"Bearer {credential.token}"
        if self._server_name is not None:
            request.extensions = {**request.extensions, "sni_hostname": self._server_name}


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
        remedy=access.remedy or "Check that the cluster is running: `leeward cluster status`.",
    )


def unreadable(access: Access) -> OperationError:
    """Return the error for a server that answers something else than a Kubernetes API would."""
    return OperationError(
        f"what answers at {access.server} is no Kubernetes API",
        remedy="Correct the server of the cluster in the kubeconfig.",
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
        raise _waiting(error_from_status(document), response)
    text = body.decode("utf-8", "replace").strip() or response.reason_phrase
    raise _waiting(error_from_status({"message": text, "code": response.status_code}), response)


def _waiting(error: StatusError, response: httpx.Response) -> StatusError:
    """Return an error that knows how long the server wants to be left alone."""
    wanted = response.headers.get("retry-after", "")
    if error.retry_after is None and wanted.isdecimal():
        error.retry_after = int(wanted)
    return error


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
