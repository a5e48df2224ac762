"""From a request to its handler: health, discovery, OpenAPI and resources.

Invariant: every answer is made here or in a handler, and every failure becomes a Status; an
unexpected one is logged with its traceback and answered with 500.

Source: ``k8s.io/apiserver/pkg/server`` (handler chain, 1.36).
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from leeward.cluster.apiserver import discovery
from leeward.cluster.apiserver.access import Access
from leeward.cluster.apiserver.aggregation.aggregator import Aggregator
from leeward.cluster.apiserver.aggregation.merging import with_groups, with_items
from leeward.cluster.apiserver.apply import field_manager
from leeward.cluster.apiserver.bodies import read_object
from leeward.cluster.apiserver.health import ENDPOINTS, Health
from leeward.cluster.apiserver.http import (
    Answer,
    Request,
    Response,
    json_response,
    status_response,
    text_response,
    warning_headers,
)
from leeward.cluster.apiserver.metrics import GROUP, ResourceMetrics
from leeward.cluster.apiserver.monitoring import MEDIA_TYPE, Monitoring
from leeward.cluster.apiserver.negotiation import wants_aggregated_discovery
from leeward.cluster.apiserver.openapipages import OpenApiPages
from leeward.cluster.apiserver.paths import ResourcePath, parse_resource_path
from leeward.cluster.apiserver.podlogs import PodLogs
from leeward.cluster.apiserver.reads import Reads
from leeward.cluster.apiserver.reviews import RESOURCES, Reviews
from leeward.cluster.apiserver.served import Catalog, Served
from leeward.cluster.apiserver.streaming.portforward import PortForward
from leeward.cluster.apiserver.streaming.remotecommand import RemoteCommands
from leeward.cluster.apiserver.writes import Writes
from leeward.cluster.registry.tokens import Tokens
from leeward.kube.status import (
    BadRequestError,
    MethodNotAllowedError,
    NotFoundError,
    StatusError,
)

_log = logging.getLogger(__name__)
_OPENID, _KEYS = "/.well-known/openid-configuration", "/openid/v1/jwks"
_TOO_DEEP = "Recursion limit reached"  # orjson's words for what nests deeper than it writes

_DEPRECATED = {  # (apiVersion, kind) → the warning that every answer carries
    ("v1", "Endpoints"): "v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice",
    ("v1", "ComponentStatus"): "v1 ComponentStatus is deprecated in v1.19+",
}
_OBJECT_VERBS = {"GET": "get", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}

Handler = Callable[[Request, ResourcePath, Served], Awaitable[Answer]]


class NotImplementedStatusError(StatusError):
    """A part of the Kubernetes API that this server does not serve."""

    code = 501
    reason = "NotImplemented"


class Router:
    """Dispatches requests.

    Args:
        access: who may do what.
        reviews: answers questions about that.
        reads: GET on resources.
        writes: the other verbs.
        logs: container logs; None when there are no containers.
        commands: exec and attach; None likewise.
        ports: port-forwarding; None likewise.
        proxy: passes requests on to Pods and Services.
        metrics: tells what Pods and nodes use; None: nobody does.
        tokens: tells what others check tokens of service accounts with; None: there are none.
        aggregator: knows the APIs that other servers serve.
        catalog: tells what is served now.
        openapi: OpenAPI documents.
        ready: names the checks that fail now; empty when the cluster is ready.
        monitoring: tells what was asked and how long it took.
        address: host and port, for ``/api``.
    """

    def __init__(
        self,
        *,
        access: Access,
        reviews: Reviews,
        reads: Reads,
        writes: Writes,
        logs: PodLogs | None,
        commands: RemoteCommands | None,
        ports: PortForward | None,
        proxy: Handler,
        metrics: ResourceMetrics | None = None,
        tokens: Tokens | None,
        aggregator: Aggregator,
        catalog: Callable[[], Catalog],
        openapi: OpenApiPages,
        ready: Callable[[], Iterable[str]],
        monitoring: Monitoring,
        address: str,
    ) -> None:
        self._access = access
        self._reviews = reviews
        self._reads = reads
        self._writes = writes
        self._logs = logs
        self._commands = commands
        self._ports = ports
        self._proxy = proxy
        self._metrics = metrics
        self._tokens = tokens
        self._aggregator = aggregator
        self._catalog = catalog
        self._openapi = openapi
        self._health = Health(ready)
        self._monitoring = monitoring
        self._address = address

    async def answer(self, request: Request) -> Answer:
        """Return the answer to any request; never raises but for cancellation."""
        try:
            return await self._access.through(request, self._dispatch)
        except StatusError as error:
            return status_response(error)
        except Exception as error:  # noqa: BLE001 - the HTTP edge
            if isinstance(error, RecursionError) or str(error) == _TOO_DEEP:
                text = "the object provided is unrecognized: exceeded max depth"
                return status_response(BadRequestError(text))
            _log.exception("%s %s failed", request.method, request.path)
            return status_response(StatusError(f"Internal error occurred: {error}"))

    async def _dispatch(self, request: Request) -> Answer:
        head = request.path.strip("/").partition("/")[0]
        if head in ("api", "apis"):
            return await self._api(request)
        if head in ENDPOINTS:
            return self._health.answer(request)
        if request.path.rstrip("/") == "/metrics":
            if request.method != "GET":
                raise _method_not_allowed()
            return Response(self._monitoring.text(), content_type=MEDIA_TYPE)
        if request.path.rstrip("/") == "/version":
            if request.method != "GET":
                raise _method_not_allowed()
            return _pretty(discovery.VERSION_INFO)
        if head == "openapi":
            return await self._openapi.answer(request)
        if self._tokens is not None and request.path.rstrip("/") in (_OPENID, _KEYS):
            return self._openid(request, self._tokens)
        if request.path == "/":
            return _pretty({"paths": discovery.root_paths(self._catalog())})
        return text_response("404 page not found\n", status=404)

    @staticmethod
    def _openid(request: Request, tokens: Tokens) -> Response:
        """Answer what others check tokens of service accounts with."""
        if request.method != "GET":
            raise _method_not_allowed()
        cached = [("cache-control", "public, max-age=3600")]
        if request.path.rstrip("/") == _OPENID:
            return json_response(tokens.discovery(), headers=cached)
        answer = json_response(tokens.keys(), headers=cached)
        answer.content_type = "application/jwk-set+json"
        return answer

    async def _api(self, request: Request) -> Answer:
        parts = [part for part in request.path.split("/") if part]
        catalog = self._catalog()
        if len(parts) == 1:
            return self._groups(request, catalog, core=parts[0] == "api")
        if parts[0] == "apis" and len(parts) == 2:
            return self._group(catalog, parts[1])
        remote = self._aggregator.find(parts[1], parts[2]) if parts[0] == "apis" else None
        if remote is not None:
            return await self._aggregator.answer(request, remote)
        path = parse_resource_path(request.path)
        if path is None:
            return text_response("404 page not found\n", status=404)
        if (path.group, path.resource) in RESOURCES:
            return await self._review(request, path)
        if not catalog.has(path.group, path.version):
            return text_response("404 page not found\n", status=404)
        if not path.resource:
            if request.method != "GET":
                raise _method_not_allowed()
            return json_response(discovery.resource_list(catalog, path.group, path.version))
        served = catalog.find(path.group, path.version, path.resource)
        if served is None:
            raise NotFoundError("the server could not find the requested resource", details={})
        return await self._resource(request, path, served)

    def _groups(self, request: Request, catalog: Catalog, *, core: bool) -> Response:
        if wants_aggregated_discovery(request.headers.get("accept", "")):
            document = discovery.aggregated(catalog, core=core)
            if not core and (remotes := self._aggregator.remotes()):
                document["items"] = with_items(document["items"], remotes)
            answer = json_response(document)
            answer.content_type = discovery.AGGREGATED_TYPE
            tag = f'"{hashlib.sha512(answer.body).hexdigest().upper()}"'
            answer.headers = [*answer.headers, ("etag", tag), ("vary", "Accept")]
            if tag == request.headers.get("if-none-match"):
                answer.status, answer.body = 304, b""
            return answer
        return json_response(discovery.api_versions(self._address) if core else self._group_list(catalog))

    def _group_list(self, catalog: Catalog) -> dict[str, Any]:
        document, remotes = discovery.group_list(catalog), self._aggregator.remotes()
        return {**document, "groups": with_groups(document["groups"], remotes)} if remotes else document

    def _group(self, catalog: Catalog, name: str) -> Response:
        found = next((each for each in self._group_list(catalog)["groups"] if each["name"] == name), None)
        if found is None:
            return text_response("404 page not found\n", status=404)
        return json_response({"kind": "APIGroup", "apiVersion": "v1", **found})

    async def _review(self, request: Request, path: ResourcePath) -> Answer:
        if request.method != "POST":
            raise _method_not_allowed()
        kind = RESOURCES[path.group, path.resource]
        body = await read_object(request, kind)
        manager = field_manager(request, "CreateOptions")
        done = self._reviews.answer(path.group, kind, body, request.user, path.namespace, manager)
        return json_response(done, status=201)

    async def _resource(self, request: Request, path: ResourcePath, served: Served) -> Answer:
        handler: Handler | None
        if self._metrics is not None and served.group == GROUP:
            reading = request.method == "GET" and not path.subresource
            handler = (self._metrics.get if path.name else self._metrics.list) if reading else None
        elif path.subresource:
            handler = self._subresource(request, path, served)
        elif path.name:
            handler = self._object(request, path, served)
        else:
            handler = self._collection(request, path, served)
        if handler is None:
            raise _method_not_allowed()
        text = served.deprecation or _DEPRECATED.get((served.api_version, served.kind))
        if text is None:
            return await handler(request, path, served)
        try:
            answer = await handler(request, path, served)
        except StatusError as error:
            answer = status_response(error)
        answer.headers = [*warning_headers([text]), *answer.headers]
        return answer

    def _object(self, request: Request, path: ResourcePath, served: Served) -> Handler | None:
        if _OBJECT_VERBS.get(request.method) not in served.verbs:
            return None
        if request.method == "GET" and path.legacy_watch:
            return self._reads.list
        return {
            "GET": self._reads.get,
            "PUT": self._writes.update,
            "PATCH": self._writes.patch,
            "DELETE": self._writes.delete,
        }.get(request.method)

    def _collection(self, request: Request, path: ResourcePath, served: Served) -> Handler | None:
        if request.method == "GET" and "list" in served.verbs:
            return self._reads.list
        if served.namespaced and not path.namespace:
            return None
        if request.method == "POST" and "create" in served.verbs:
            return self._writes.create
        if request.method == "DELETE" and "deletecollection" in served.verbs:
            return self._writes.delete_collection
        return None

    def _subresource(self, request: Request, path: ResourcePath, served: Served) -> Handler | None:
        found = served.subresource(path.subresource)
        if found is None:
            raise NotFoundError("the server could not find the requested resource", details={})
        if found.name == "proxy" and served.name in ("pods", "services"):
            return self._proxy
        table: dict[tuple[str, str], Handler] = {
            ("binding", "POST"): self._writes.bind,
            ("eviction", "POST"): self._writes.evict,
            ("token", "POST"): self._writes.request_token,
            ("finalize", "PUT"): self._writes.finalize,
            **{
                (name, method): handler
                for name in ("status", "scale", "ephemeralcontainers", "resize", "approval")
                for method, handler in (
                    ("GET", self._reads.get),
                    ("PUT", self._writes.update),
                    ("PATCH", self._writes.patch),
                )
            },
        }
        if self._logs is not None:
            table[("log", "GET")] = self._logs.log
        if self._commands is not None:
            for method in ("GET", "POST"):
                table[("exec", method)] = self._commands.exec
                table[("attach", method)] = self._commands.attach
        if self._ports is not None:
            for method in ("GET", "POST"):
                table[("portforward", method)] = self._ports.forward
        handler = table.get((found.name, request.method))
        if handler is None and found.name not in {name for name, _ in table}:
            raise NotImplementedStatusError(
                f"the subresource {found.name} is not served by this cluster's API"
            )
        return handler


def _method_not_allowed() -> MethodNotAllowedError:
    return MethodNotAllowedError(
        "the server does not allow this method on the requested resource", details={}
    )


def _pretty(document: Any) -> Response:
    import json

    return Response(json.dumps(document, indent=2).encode())
