"""``/metrics``: what was asked, how it was answered and how long that took, for Prometheus.

Counting costs a request a few dictionary look-ups; what writes it down is loaded for the first who reads it.
Invariant: labels come from what is served, so that nobody can make the server remember what he invents.

Source: k8s.io/apiserver/pkg/endpoints/metrics (names, labels, buckets; Kubernetes 1.36).
"""

from __future__ import annotations

import asyncio
from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from leeward.base.clock import PassiveClock
from leeward.cluster.apiserver.limits import InFlight, lasts
from leeward.cluster.authorization.attributes import Attributes

if TYPE_CHECKING:
    from prometheus_client.metrics_core import Metric

MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_BUCKETS = (
    0.005, 0.025, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0, 1.25, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0, 15.0,
    20.0, 30.0, 45.0, 60.0,
)  # fmt: skip
_VERBS = {
    "get": "GET", "list": "LIST", "watch": "WATCH", "create": "POST", "update": "PUT", "patch": "PATCH",
    "delete": "DELETE", "deletecollection": "DELETECOLLECTION",
}  # fmt: skip
_CONNECTS = frozenset(("attach", "exec", "proxy", "portforward"))
_LABELS = ("verb", "group", "version", "resource", "subresource", "scope")
_KNOWN = 4096  # kinds of requests whose labels are remembered

Labels = tuple[str, ...]
Knows = Callable[[str, str, str, str], bool]  # group, version, resource, subresource


@dataclass(slots=True)
class _Duration:
    counts: list[int] = field(default_factory=lambda: [0] * (len(_BUCKETS) + 1))
    total: float = 0.0


class Monitoring:
    """Counts requests.

    Args:
        clock: measures them.
        knows: tells what is served.
        in_flight: knows how many are being worked on.
        objects: counts what is stored, by resource.
        version: what ``/version`` says.
    """

    def __init__(
        self,
        clock: PassiveClock,
        knows: Knows,
        in_flight: InFlight,
        objects: Callable[[], Mapping[str, int]],
        version: Mapping[str, str],
    ) -> None:
        self._clock = clock
        self._knows = knows
        self._in_flight = in_flight
        self._objects = objects
        self._version = version
        self._labels: dict[tuple[str, ...], Labels] = {}
        self._requests: dict[tuple[Labels, int], int] = {}
        self._durations: dict[Labels, _Duration] = {}

    def begin(self) -> float:
        """Return when a request began."""
        return self._clock.monotonic()

    def record(self, asked: Attributes, code: int, began: float) -> None:
        """Count a request that was answered, or begun to be if it lasts."""
        labels = self._labels_of(asked)
        key = labels, code
        self._requests[key] = self._requests.get(key, 0) + 1
        if lasts(asked):
            return
        duration = self._durations.get(labels)
        if duration is None:
            duration = self._durations[labels] = _Duration()
        seconds = self._clock.monotonic() - began
        duration.counts[bisect_left(_BUCKETS, seconds)] += 1
        duration.total += seconds

    def _labels_of(self, asked: Attributes) -> Labels:
        scope = (
            "" if asked.path else "resource" if asked.name else "namespace" if asked.namespace else "cluster"
        )
        key = (asked.verb, asked.group, asked.version, asked.resource, asked.subresource, scope)
        labels = self._labels.get(key)
        if labels is None:
            labels = self._labelled(*key)
            if len(self._labels) >= _KNOWN:
                self._labels.clear()
            self._labels[key] = labels
        return labels

    def _labelled(
        self, verb: str, group: str, version: str, resource: str, subresource: str, scope: str
    ) -> Labels:
        shown = "CONNECT" if subresource in _CONNECTS else _VERBS.get(verb, "other")
        if not resource or not self._knows(group, version, resource, subresource):
            return (shown, "", "", "", "", scope)
        return (shown, group, version, resource, subresource, scope)

    def text(self) -> bytes:
        """Return everything in the text format of Prometheus."""
        from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest

        registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        registry.register(self)
        written: bytes = generate_latest(registry)
        return written

    def collect(self) -> Iterator[Metric]:
        """Yield what Prometheus knows as metrics."""
        from prometheus_client.metrics_core import (
            CounterMetricFamily,
            GaugeMetricFamily,
            HistogramMetricFamily,
        )

        counter = CounterMetricFamily(
            "apiserver_request",
            "Requests by verb, resource and code.",
            labels=[*_LABELS, "code", "component"],
        )
        for (labels, code), count in self._requests.items():
            counter.add_metric([*labels, str(code), "apiserver"], count)
        yield counter
        histogram = HistogramMetricFamily(
            "apiserver_request_duration_seconds", "Time that answering took.", labels=[*_LABELS, "component"]
        )
        for labels, duration in self._durations.items():
            histogram.add_metric([*labels, "apiserver"], _cumulated(duration.counts), duration.total)
        yield histogram
        inflight = GaugeMetricFamily(
            "apiserver_current_inflight_requests", "Requests being worked on.", labels=["request_kind"]
        )
        inflight.add_metric(["readOnly"], self._in_flight.reading)
        inflight.add_metric(["mutating"], self._in_flight.changing)
        yield inflight
        objects = GaugeMetricFamily(
            "apiserver_resource_objects", "Objects stored.", labels=["group", "resource"]
        )
        for name, count in sorted(self._objects().items()):
            plural, _, group = name.partition(".")
            objects.add_metric([group, plural], count)
        yield objects
        yield GaugeMetricFamily("leeward_tasks", "Tasks of the event loop.", value=len(asyncio.all_tasks()))
        yield self._build()

    def _build(self) -> Metric:
        from prometheus_client.metrics_core import GaugeMetricFamily

        names = {"gitVersion": "git_version", "major": "major", "minor": "minor", "platform": "platform"}
        labels = {label: self._version[key] for key, label in names.items() if key in self._version}
        build = GaugeMetricFamily("kubernetes_build_info", "What runs here.", labels=list(labels))
        build.add_metric(list(labels.values()), 1)
        return build


def _cumulated(counts: list[int]) -> list[tuple[str, Any]]:
    found, total = [], 0
    for edge, count in zip((*map(str, _BUCKETS), "+Inf"), counts, strict=True):
        total += count
        found.append((edge, total))
    return found
