"""The resource metrics API, ``metrics.k8s.io/v1beta1``: what Pods and nodes use.

A node uses what its Pods use: the machine's own programs belong to no node. A node that is not Ready is
left out.

Source: kubernetes-sigs/metrics-server pkg/api (v0.9.0), k8s.io/metrics/pkg/apis/metrics/v1beta1.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from fractions import Fraction
from typing import Any

from leeward.base.clock import PassiveClock
from leeward.cluster.apiserver.http import Answer, Request, Response
from leeward.cluster.apiserver.negotiation import Representation, negotiate, respond
from leeward.cluster.apiserver.options import read_list_options
from leeward.cluster.apiserver.paths import ResourcePath
from leeward.cluster.apiserver.printers.table import Cell, Column, Printer
from leeward.cluster.apiserver.representations import TableMaker, partial, partial_list
from leeward.cluster.apiserver.selection import make_matcher
from leeward.cluster.apiserver.served import Served
from leeward.cluster.interface.client import Reader
from leeward.cluster.interface.metrics import MetricsSource, PodUsage, Usage
from leeward.kube.objects import Obj, ObjectKey, format_time, is_condition_true, key_of
from leeward.kube.quantity import Amount, parse_quantity
from leeward.kube.status import MethodNotAllowedError, NotFoundError

GROUP = "metrics.k8s.io"
API_VERSION = f"{GROUP}/v1beta1"
_META = "io.k8s.apimachinery.pkg.apis.meta.v1"
_QUANTITIES = {
    "type": "object",
    "additionalProperties": {"$ref": "#/$defs/io.k8s.apimachinery.pkg.api.resource.Quantity"},
}


def _schema(kind: str, part: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    text = {"type": "string"}
    return {
        "type": "object",
        "description": f"What a {kind} uses, on the average of a window of time.",
        "properties": {
            "apiVersion": text,
            "kind": text,
            "metadata": {"$ref": f"#/$defs/{_META}.ObjectMeta"},
            "timestamp": {"$ref": f"#/$defs/{_META}.Time", "description": "When the window ends."},
            "window": {**text, "description": "How long the window is."},
            part: schema,
        },
        "required": ["timestamp", "window", part],
    }


_CONTAINER = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "usage": _QUANTITIES},
    "required": ["name", "usage"],
}


def resources() -> list[Served]:
    """Return the resources of the group."""
    rows = (
        ("nodes", "NodeMetrics", False, _schema("node", "usage", _QUANTITIES)),
        ("pods", "PodMetrics", True, _schema("Pod", "containers", {"type": "array", "items": _CONTAINER})),
    )
    return [
        Served(
            name=f"{plural}.{GROUP}",
            group=GROUP,
            version="v1beta1",
            plural=plural,
            singular="",
            kind=kind,
            list_kind=f"{kind}List",
            namespaced=namespaced,
            short_names=(),
            categories=(),
            subresources=(),
            verbs=("get", "list"),
            schema=schema,
        )
        for plural, kind, namespaced, schema in rows
    ]


class ResourceMetrics:
    """Serves the group.

    Args:
        reader: Pods and nodes.
        source: measures Pods.
        clock: when an answer is made.
        tables: makes Tables.
    """

    def __init__(
        self, reader: Reader, source: MetricsSource, clock: PassiveClock, tables: TableMaker
    ) -> None:
        self._reader = reader
        self._source = source
        self._clock = clock
        self._tables = tables

    async def get(self, request: Request, path: ResourcePath, served: Served) -> Answer:
        """Answer GET on what one Pod or node uses."""
        representation = negotiate(request.headers.get("accept", ""))
        obj = self._reader.get(served.plural, path.namespace, path.name)
        found = await self._measured(served, [obj])
        if not found:
            resource = served.kind.lower()
            name = f"{path.namespace}/{path.name}" if served.namespaced else path.name
            raise NotFoundError(
                f'{resource}.{GROUP} "{name}" not found',
                details={"name": name, "group": GROUP, "kind": resource},
            )
        return self._answer(request, representation, served, found, alone=True)

    async def list(self, request: Request, path: ResourcePath, served: Served) -> Answer:
        """Answer GET on what Pods or nodes use."""
        if request.query.flag("watch") or path.legacy_watch:
            raise MethodNotAllowedError(f'watch is not supported on resources of kind "{served.name}"')
        representation = negotiate(request.headers.get("accept", ""))
        options = read_list_options(request.query, watch=False)
        matcher = make_matcher(options.label_selector, options.field_selector, served.plural)
        items = self._reader.list(served.plural, path.namespace)
        items = items if matcher is None else [each for each in items if matcher(each)]
        found = await self._measured(served, items)
        return self._answer(request, representation, served, found, alone=False)

    async def _measured(self, served: Served, objects: Sequence[Obj]) -> Sequence[Obj]:
        """Return the metrics of Pods or nodes, for those that have some."""
        if served.namespaced:
            usage = await self._source.ask(objects)
            now = self._clock.now()
            return [_pod(each, usage[key_of(each)], now) for each in objects if key_of(each) in usage]
        ready = [each for each in objects if is_condition_true(each, "Ready")]
        pods = {each["metadata"]["name"]: self._reader.pods_on(each["metadata"]["name"]) for each in ready}
        usage = await self._source.ask([pod for found in pods.values() for pod in found])
        now = self._clock.now()
        return [_node(each, _of(pods[each["metadata"]["name"]], usage), now) for each in ready]

    def _answer(
        self,
        request: Request,
        representation: Representation,
        served: Served,
        found: Sequence[Obj],
        *,
        alone: bool,
    ) -> Response:
        pretty = request.query.flag("pretty")
        if representation.transform == "Table":
            include = request.query.text("includeObject", "Metadata")
            table = self._tables.make(
                served.name, found, {}, self._clock.now(), include=include, printer=_PRINTER
            )
            return respond(table, representation, pretty=pretty)
        if alone:
            (shown,) = found
            shown = partial(shown, representation.version) if representation.transform else shown
            return respond(shown, representation, pretty=pretty)
        if representation.transform:
            return respond(partial_list(found, {}, representation.version), representation, pretty=pretty)
        listed = {
            "kind": served.list_kind,
            "apiVersion": API_VERSION,
            "metadata": {},
            "items": [{k: v for k, v in each.items() if k not in ("kind", "apiVersion")} for each in found],
        }
        return respond(listed, representation, pretty=pretty)


def _of(pods: Iterable[Obj], usage: Mapping[ObjectKey, PodUsage]) -> list[PodUsage]:
    return [usage[key_of(pod)] for pod in pods if key_of(pod) in usage]


def _metadata(obj: Obj, now: datetime) -> Obj:
    meta = obj["metadata"]
    kept = {key: meta[key] for key in ("name", "namespace", "labels") if meta.get(key)}
    return {**kept, "creationTimestamp": format_time(now)}


def _quantities(usage: Usage) -> dict[str, str]:
    return {
        "cpu": str(Amount(Fraction(usage.cpu_nanocores, 10**9))),
        "memory": str(Amount(Fraction(usage.memory_bytes), binary=True)),
    }


def _pod(pod: Obj, usage: PodUsage, now: datetime) -> Obj:
    """Return the PodMetrics of a Pod."""
    return {
        "kind": "PodMetrics",
        "apiVersion": API_VERSION,
        "metadata": _metadata(pod, now),
        "timestamp": format_time(usage.timestamp),
        "window": duration(usage.window),
        "containers": [{"name": name, "usage": _quantities(each)} for name, each in usage.containers.items()],
    }


def _node(node: Obj, pods: Sequence[PodUsage], now: datetime) -> Obj:
    """Return the NodeMetrics of a node: the sum of its Pods."""
    used = [each for pod in pods for each in pod.containers.values()]
    total = Usage(sum(each.cpu_nanocores for each in used), sum(each.memory_bytes for each in used))
    return {
        "kind": "NodeMetrics",
        "apiVersion": API_VERSION,
        "metadata": _metadata(node, now),
        "timestamp": format_time(min((pod.timestamp for pod in pods), default=now)),
        "window": duration(max((pod.window for pod in pods), default=0.0)),
        "usage": _quantities(total),
    }


def duration(seconds: float) -> str:
    """Return up to some minutes as Go writes them, to the millisecond: "15.02s", "1m0s"."""
    minutes, rest = divmod(round(seconds * 1000), 60_000)
    return f"{minutes}m{rest / 1000:g}s" if minutes else f"{rest / 1000:g}s"


def _row(obj: Obj, now: datetime) -> Sequence[Cell | None]:
    containers = obj.get("containers")
    used = [obj["usage"]] if containers is None else [each["usage"] for each in containers]
    cpu = sum(parse_quantity(each["cpu"]) for each in used)
    memory = sum(parse_quantity(each["memory"]) for each in used)
    sums = [str(Amount(Fraction(cpu))), str(Amount(Fraction(memory), binary=True))]
    return [obj["metadata"]["name"], *sums, obj["window"]]


_PRINTER = Printer(
    (
        Column("Name", description="Name of the resource"),
        Column("cpu", format="quantity"),
        Column("memory", format="quantity"),
        Column("Window", format="duration"),
    ),
    _row,
)
