"""The Kubernetes API over HTTPS on the loopback interface, inside the cluster's event loop.

Invariants: the socket is bound before :meth:`ApiServer.start` returns, so a taken port is an error
with a remedy and not a dead server; :meth:`ApiServer.stop` ends open watches before connections.

Source: the shape of ``k8s.io/apiserver/pkg/server`` (secure serving, 1.36).
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import socket
import ssl
from collections.abc import Callable, Iterable, Iterator
from functools import cached_property
from random import SystemRandom
from typing import TYPE_CHECKING

import uvicorn

from leeward.base.clock import Clock
from leeward.base.errors import OperationError
from leeward.cluster.apiserver.access import Access
from leeward.cluster.apiserver.aggregation.aggregator import Aggregator
from leeward.cluster.apiserver.aggregation.metricsapis import AggregatedMetrics
from leeward.cluster.apiserver.aggregation.registration import Registration, publish
from leeward.cluster.apiserver.audit import AuditLog
from leeward.cluster.apiserver.authentication import ADMIN, Authenticator
from leeward.cluster.apiserver.certificates import CertificateProtocol, websocket_protocol
from leeward.cluster.apiserver.discovery import VERSION_INFO
from leeward.cluster.apiserver.http import Answer, Receive, Request, Scope, Send, status_response
from leeward.cluster.apiserver.limits import SECONDS, InFlight
from leeward.cluster.apiserver.logs import LogSource
from leeward.cluster.apiserver.metrics import ResourceMetrics, resources
from leeward.cluster.apiserver.monitoring import Monitoring
from leeward.cluster.apiserver.openapi import OpenApi
from leeward.cluster.apiserver.openapipages import OpenApiPages
from leeward.cluster.apiserver.paths import ResourcePath
from leeward.cluster.apiserver.pki import Pki
from leeward.cluster.apiserver.podlogs import PodLogs
from leeward.cluster.apiserver.printers.catalog import printers
from leeward.cluster.apiserver.reads import Reads
from leeward.cluster.apiserver.representations import TableMaker
from leeward.cluster.apiserver.reviews import RESOURCES, Reviews
from leeward.cluster.apiserver.router import Router
from leeward.cluster.apiserver.served import Catalog, Served, SoundDefinitions
from leeward.cluster.apiserver.streaming.portforward import PortForward
from leeward.cluster.apiserver.streaming.remotecommand import RemoteCommands
from leeward.cluster.apiserver.streaming.websocket import MAX_MESSAGE, refusing
from leeward.cluster.apiserver.writes import Writes
from leeward.cluster.authorization.rbac import Rbac
from leeward.cluster.interface.client import TrackingClient
from leeward.cluster.interface.metrics import MetricsSource
from leeward.cluster.interface.runtime import StreamService
from leeward.cluster.interface.store import Event, Store
from leeward.cluster.interface.user import User
from leeward.cluster.registry.tokens import AccountTokens, Tokens
from leeward.kube.objects import Obj, format_time
from leeward.kube.resources import CRDS
from leeward.kube.status import TimeoutStatusError

if TYPE_CHECKING:
    from leeward.cluster.apiserver.aggregation.backends import Backends
    from leeward.cluster.apiserver.streaming.proxy import Proxy
from leeward.kube.status import StatusError

_log = logging.getLogger(__name__)
_HOST = "127.0.0.1"
_LATE = "Timeout: request did not complete within the allotted timeout"
_GRACE_SECONDS = 2


class _Server(uvicorn.Server):
    """uvicorn without its signal handlers: the process belongs to the cluster."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals alone."""
        yield


class ApiServer:
    """Serves the API.

    Args:
        client: reads and writes under the administrator's identity.
        store: revisions, history and subscriptions.
        pki: certificate, key and token.
        clock: ages, time limits.
        port: on 127.0.0.1; 0 chooses a free one (see :attr:`port`).
        dry_client: answers writes with ``dryRun=All`` without storing; None: they are refused.
        ready: names the checks that fail now; empty when ready.
        pod_logs: finds container logs; None when nothing runs.
        runtime: runs the containers to talk to; None when nothing runs.
        metrics: measures Pods; None: there is no metrics API.
        tokens: checks tokens of service accounts; None: there are none.
        audit: takes note of what is asked; None: nobody does.
        admin: who has the administrator's token.
        in_flight: bounds how many requests are worked on at a time.
        seconds: that a request may take, if it is not one that lasts.
    """

    def __init__(
        self,
        client: TrackingClient,
        store: Store,
        *,
        pki: Pki,
        clock: Clock,
        port: int,
        dry_client: TrackingClient | None = None,
        ready: Callable[[], Iterable[str]] = tuple,
        pod_logs: LogSource | None = None,
        runtime: StreamService | None = None,
        metrics: MetricsSource | None = None,
        tokens: Tokens | None = None,
        audit: AuditLog | None = None,
        admin: User = ADMIN,
        in_flight: InFlight | None = None,
        seconds: float = SECONDS,
    ) -> None:
        self._client = client
        self._store = store
        self._pki = pki
        self.port = port
        self._catalog: Catalog | None = None
        self._sound = SoundDefinitions()
        self._unsubscribe: Callable[[], None] | None = None
        tables = TableMaker(printers())
        self._reads = Reads(client, store, clock, tables)
        self._measured = [] if metrics is None else resources()
        self._in_flight, self._seconds = in_flight or InFlight(), seconds
        rbac = Rbac(client)
        accounts = None if tokens is None else AccountTokens(tokens, client.find)
        authenticator = Authenticator({pki.admin_token: admin}, accounts)
        self._audit = audit
        self._kube_apiserver = kube_apiserver = client.tracked("kube-apiserver", "")
        self._registration = Registration(kube_apiserver)
        self._aggregator = Aggregator(kube_apiserver, self._backends, clock)
        self.metrics_apis = AggregatedMetrics(client, self._aggregator)
        openapi = OpenApi(self.catalog, self._definitions, self._aggregator.documents)
        monitoring = Monitoring(clock, self._knows, self._in_flight, self._count, VERSION_INFO)
        self._router = Router(
            access=Access(authenticator, rbac, audit, self._in_flight, monitoring),
            reviews=Reviews(authenticator, rbac, lambda: format_time(clock.now())),
            reads=self._reads,
            writes=Writes(client, dry_client, self._reads),
            logs=None if pod_logs is None else PodLogs(client, clock, pod_logs),
            commands=None if runtime is None else RemoteCommands(client, runtime),
            ports=None if runtime is None else PortForward(client, runtime),
            proxy=self._forward,
            metrics=None if metrics is None else ResourceMetrics(client, metrics, clock, tables),
            tokens=tokens,
            aggregator=self._aggregator,
            catalog=self.catalog,
            openapi=OpenApiPages(openapi, self._aggregator, clock),
            ready=ready,
            monitoring=monitoring,
            address=f"{_HOST}:{port}",
        )
        self._server: _Server | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def url(self) -> str:
        """Where the API is."""
        return f"https://{_HOST}:{self.port}"

    def catalog(self) -> Catalog:
        """Return what is served now."""
        if self._catalog is None:
            self._catalog = Catalog(self._definitions(), self._measured)
        return self._catalog

    def _knows(self, group: str, version: str, resource: str, subresource: str) -> bool:
        """Tell whether something is served."""
        served = self.catalog().find(group, version, resource)
        if served is None:
            return (group, resource) in RESOURCES
        return not subresource or served.subresource(subresource) is not None

    def _count(self) -> dict[str, int]:
        """Return how many objects there are, by resource."""
        names = {served.name for served in self.catalog().resources}
        counts = {name: len(self._client.list(name)) for name in names}
        return {name: count for name, count in counts.items() if count}

    def _backends(self) -> Backends:
        from leeward.cluster.apiserver.aggregation.backends import Backends

        return Backends(self._client, self._pki, SystemRandom())

    @cached_property
    def _proxy(self) -> Proxy:
        """What brings an HTTP client along, for the first who needs it."""
        from leeward.cluster.apiserver.streaming.proxy import Proxy

        return Proxy(self._client)

    async def _forward(self, request: Request, path: ResourcePath, served: Served) -> Answer:
        """Pass a request on to a Pod or Service."""
        return await self._proxy.forward(request, path, served)

    def _definitions(self) -> list[Obj]:
        return self._sound(self._client.list(CRDS))

    def _definition_changed(self, _event: Event) -> None:
        self._catalog = None
        asyncio.get_running_loop().call_soon(self._register)

    def _register(self) -> None:
        """Let the APIServices of custom resources follow, once who is told of the change has been."""
        try:
            self._registration.follow()
        except StatusError as error:
            _log.warning("APIServices of custom resources: %s", error)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request (ASGI)."""
        if scope["type"] not in ("http", "websocket"):
            return
        request, answer = Request(scope, receive), None
        reply = refusing(send) if request.is_websocket else send
        try:
            async with asyncio.timeout(self._seconds) as request.time:
                answer = await self._router.answer(request)
                await answer.send(reply)
        except TimeoutError:  # who is told half an answer sees the connection close
            self._in_flight.leave(request)
            if answer is None:
                with contextlib.suppress(TimeoutError):  # or does not read what was answered before
                    async with asyncio.timeout(self._seconds):
                        await status_response(TimeoutStatusError(_LATE)).send(reply)
        finally:
            self._in_flight.leave(request)

    async def start(self) -> None:
        """Bind the port and serve; returns when requests are answered.

        Raises:
            OperationError: the port is taken.
        """
        logging.getLogger("uvicorn.error").setLevel(logging.ERROR)  # what any client can cause is below it
        listener = self._bind()
        self.port = listener.getsockname()[1]
        self._unsubscribe = self._store.subscribe([CRDS], self._definition_changed)
        publish(self._kube_apiserver, self._pki)
        self._registration.begin(Catalog(more=self._measured).groups())
        self._aggregator.start()
        config = uvicorn.Config(
            self,
            loop="none",
            http=CertificateProtocol,
            ws=websocket_protocol,  # type: ignore[arg-type] # it is called as a class is
            ws_max_size=MAX_MESSAGE,
            ws_ping_interval=None,  # clients that only write would not answer
            ws_per_message_deflate=False,
            lifespan="off",
            interface="asgi3",
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_keep_alive=90,
            timeout_graceful_shutdown=_GRACE_SECONDS,
            ssl_certfile=str(self._pki.server_certificate),
            ssl_keyfile=str(self._pki.server_key),
            ssl_version=ssl.PROTOCOL_TLS_SERVER,
            ssl_cert_reqs=ssl.CERT_OPTIONAL,
            ssl_ca_certs=str(self._pki.ca_certificate),
        )
        self._server = _Server(config)
        config.load()
        self._server.lifespan = config.lifespan_class(config)
        await self._server.startup(sockets=[listener])
        self._task = asyncio.create_task(self._server.main_loop(), name="apiserver")

    def _bind(self) -> socket.socket:
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((_HOST, self.port))
            listener.listen(512)
        except OSError as error:
            listener.close()
            if error.errno not in (errno.EADDRINUSE, errno.EACCES):
                raise
            why = "is taken by another program" if error.errno == errno.EADDRINUSE else "needs privileges"
            raise OperationError(
                f"the API server's port {self.port} on {_HOST} {why}",
                remedy="Choose another one with --port, or stop what uses it.",
            ) from error
        listener.setblocking(False)
        return listener

    async def stop(self) -> None:
        """End watches, close connections, free the port; idempotent."""
        if self._unsubscribe is not None:
            self._unsubscribe()
            self._unsubscribe = None
        await self.metrics_apis.stop()
        await self._aggregator.stop()
        self._reads.close()
        server, task = self._server, self._task
        self._server = self._task = None
        if server is None or task is None:
            return
        server.should_exit = True
        await task
        await server.shutdown()
        if self._audit is not None:
            self._audit.close()
