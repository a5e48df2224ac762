"""What the APIs of custom and external metrics say, for the autoscaler: asked of the servers behind them.

Each question is one GET in the autoscaler's name, as adapters' own roles expect it. An API that is not
there, does not answer or refuses is an answer, too, in the words of upstream's client.

Source: k8s.io/metrics/pkg/client/{custom_metrics,external_metrics}, NewGenericServerResponse of
k8s.io/apimachinery/pkg/api/errors (Kubernetes 1.36).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

import orjson

from leeward.cluster.apiserver.aggregation.peers import UnansweredError
from leeward.cluster.apiserver.aggregation.registration import API_SERVICES
from leeward.cluster.interface.client import Reader
from leeward.cluster.interface.metrics import (
    CUSTOM_METRICS,
    EXTERNAL_METRICS,
    Answer,
    Described,
    Measurement,
    MetricQuery,
    MetricsApiError,
    not_registered,
)
from leeward.cluster.interface.user import User, service_account_groups
from leeward.kube.objects import Obj, parse_time
from leeward.kube.quantity import to_millis
from leeward.kube.resources import CRDS, custom_resources, group_of, resource_of_kind

if TYPE_CHECKING:
    from leeward.cluster.apiserver.aggregation.aggregator import Aggregator
    from leeward.cluster.interface.metrics import MetricsApis

_log = logging.getLogger(__name__)
AUTOSCALER = User(
    "system:serviceaccount:kube-system:horizontal-pod-autoscaler",
    (*service_account_groups("kube-system"), "system:authenticated"),
)
_VERSIONS = {CUSTOM_METRICS: ("v1beta2", "v1beta1"), EXTERNAL_METRICS: ("v1beta1",)}
_WORDS = {
    401: "the server has asked for the client to provide credentials",
    403: "forbidden",
    404: "the server could not find the requested resource",
    429: "the server has received too many requests and has asked us to try again later",
    503: "the server is currently unable to handle the request",
    504: "the server was unable to return a response in the time allotted",
}
Tell = Callable[[Mapping[MetricQuery, Answer]], None]


class AggregatedMetrics:
    """Implements MetricsApis.

    Args:
        reader: APIServices and CustomResourceDefinitions.
        aggregator: reaches the servers.
    """

    def __init__(self, reader: Reader, aggregator: Aggregator) -> None:
        self._reader = reader
        self._aggregator = aggregator
        self._tasks: set[asyncio.Task[None]] = set()

    def ask(self, queries: Collection[MetricQuery], tell: Tell) -> None:
        """Ask everything at once."""
        task = asyncio.get_running_loop().create_task(self._ask(list(queries), tell), name="ask for metrics")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def stop(self) -> None:
        """Wait for no more answers."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _ask(self, queries: Sequence[MetricQuery], tell: Tell) -> None:
        answers = [asyncio.ensure_future(self._answer(query)) for query in queries]
        await asyncio.gather(*answers, return_exceptions=True)
        tell({query: _outcome(answer) for query, answer in zip(queries, answers, strict=True)})

    async def _answer(self, query: MetricQuery) -> Answer:
        group = EXTERNAL_METRICS if query.kind == "External" else CUSTOM_METRICS
        try:
            api_service = self._api_service(query, group)
            path, shown = self._path(query)
            whole = f"/apis/{group}/{api_service['spec']['version']}/{path}"
            try:
                code, body = await self._aggregator.get(api_service, whole, AUTOSCALER)
            except UnansweredError as error:
                _log.info("%s: %s", whole, error)
                code, body = 503, b""
            if code != 200:
                raise MetricsApiError(_refusal(code, body, shown))
            return _measurements(query, body)
        except MetricsApiError as error:
            return error

    def _api_service(self, query: MetricQuery, group: str) -> Obj:
        """Return the APIService to ask: that of the version that is preferred and known here.

        Raises:
            MetricsApiError: there is none.
        """
        found = [each for each in self._reader.list(API_SERVICES) if each["spec"].get("group") == group]
        if not found:
            raise not_registered(query)
        known = [
            each
            for each in found
            if each["spec"]["version"] in _VERSIONS[group] and each["spec"].get("service")
        ]
        if not known:
            if query.kind == "External":
                raise not_registered(query)
            raise MetricsApiError("no known available metric versions found")
        return max(known, key=lambda each: (each["spec"]["versionPriority"], each["spec"]["version"]))

    def _path(self, query: MetricQuery) -> tuple[str, str]:
        """Return the path below a group version, and how an error names what was asked for.

        Raises:
            MetricsApiError: the kind of the object is not known.
        """
        namespace, metric = quote(query.namespace), quote(query.metric, safe="")
        if query.kind == "External":
            path, parameters = f"namespaces/{namespace}/{metric}", {"labelSelector": query.labels}
            return _with(path, parameters), f"{query.metric}.{EXTERNAL_METRICS}"
        labels = {"metricLabelSelector": query.labels}
        described = query.described
        if described is None:
            path = f"namespaces/{namespace}/pods/*/{metric}"
            shown = f"pods.{CUSTOM_METRICS} *"
            return _with(path, {"labelSelector": query.pods, **labels}), shown
        if described.kind == "Namespace" and not group_of(described.api_version):
            shown = f"metrics.{CUSTOM_METRICS} {query.metric}"
            return _with(f"namespaces/{namespace}/metrics/{metric}", labels), shown
        name = self._resource(described)
        path = f"namespaces/{namespace}/{name}/{quote(described.name, safe='')}/{metric}"
        return _with(path, labels), f"{name}.{CUSTOM_METRICS} {described.name}"

    def _resource(self, described: Described) -> str:
        group = group_of(described.api_version)
        found = resource_of_kind(described.api_version, described.kind)
        if found is None:
            rows = custom_resources(self._reader.list(CRDS))
            found = next((row for row in rows if (row.group, row.kind) == (group, described.kind)), None)
        if found is None:
            kind = f"{described.kind}.{group}" if group else described.kind
            why = f'no matches for kind "{described.kind}" in group "{group}"'
            raise MetricsApiError(f"unable to map kind {kind} to resource: {why}")
        return found.name


def _outcome(answer: asyncio.Future[Answer]) -> Answer:
    """Return an answer; who waits for it is told of a defect, too."""
    error = answer.exception()
    if error is None:
        return answer.result()
    _log.error("an API of metrics could not be asked", exc_info=error)
    return MetricsApiError(f"Internal error occurred: {error}")


def _with(path: str, parameters: Mapping[str, str]) -> str:
    given = urlencode({key: value for key, value in parameters.items() if value})
    return f"{path}?{given}" if given else path


def _refusal(code: int, body: bytes, shown: str) -> str:
    """Return what upstream's client makes of an answer that is none."""
    try:
        status = orjson.loads(body)
    except ValueError:
        status = None
    if isinstance(status, dict) and status.get("kind") == "Status" and status.get("message"):
        return str(status["message"])
    text = body.decode(errors="replace").strip() or "unknown"
    usual = f'an error on the server ("{text}") has prevented the request from succeeding'
    return f"{_WORDS.get(code, usual)} (get {shown})"


def _measurements(query: MetricQuery, body: bytes) -> Sequence[Measurement]:
    """Read a list of metrics.

    Raises:
        MetricsApiError: it is none, or has not the one value that was asked for.
    """
    try:
        items = orjson.loads(body).get("items") or ()
        found = [_measurement(item) for item in items]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise MetricsApiError(f"the server's answer cannot be read: {error}") from None
    if query.kind == "Object" and len(found) != 1:
        what = f"{len(found)} results when we asked for exactly one"
        raise MetricsApiError(f"the custom metrics API server returned {what}")
    return found


def _measurement(item: Mapping[str, Any]) -> Measurement:
    window = item.get("windowSeconds", item.get("window"))
    return Measurement(
        (item.get("describedObject") or {}).get("name") or "",
        to_millis(item["value"]),
        parse_time(item["timestamp"]),
        60.0 if window is None else float(window),
    )


if TYPE_CHECKING:

    def _conforms(apis: AggregatedMetrics) -> MetricsApis:
        return apis
