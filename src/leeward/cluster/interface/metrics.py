"""What Pods use, for whoever asks, and what the APIs of custom and external metrics know.

Source: ``k8s.io/metrics/pkg/apis`` (metrics, custom_metrics, external_metrics; Kubernetes 1.36).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, NamedTuple, Protocol

from leeward.kube.objects import Obj, ObjectKey


class Usage(NamedTuple):
    """What a container uses."""

    cpu_nanocores: int  # on the average of a window
    memory_bytes: int  # at its end


@dataclass(frozen=True, slots=True)
class PodUsage:
    """What the running containers of a Pod use."""

    timestamp: datetime  # the end of the window
    window: float  # seconds
    containers: Mapping[str, Usage]  # by name, in the order of the Pod's status


class MetricsSource(Protocol):
    """Measures Pods when somebody asks.

    A Pod is left out while it does not run, and while one of its containers has no window yet.
    """

    def known(self, pods: Iterable[Obj]) -> Mapping[ObjectKey, PodUsage]:
        """Measure now; windows begin where somebody asked before. Controllers use it: it does not wait."""
        ...

    async def ask(self, pods: Iterable[Obj]) -> Mapping[ObjectKey, PodUsage]:
        """Measure, and wait for a short window where there is none."""
        ...


CUSTOM_METRICS, EXTERNAL_METRICS = "custom.metrics.k8s.io", "external.metrics.k8s.io"


class Described(NamedTuple):
    """The object that a custom metric is about."""

    api_version: str
    kind: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricQuery:
    """One question to the API of custom metrics, or, of kind External, to that of external metrics."""

    kind: Literal["Pods", "Object", "External"]
    namespace: str
    metric: str
    labels: str = ""  # selector of the metric's own labels
    pods: str = ""  # selector of Pods; only for kind Pods
    described: Described | None = None  # only for kind Object


class Measurement(NamedTuple):
    """One value of a metric."""

    name: str  # of the object it is about; "" for an external one
    millis: int  # thousandths, rounded up
    timestamp: datetime
    window: float = 60.0  # seconds


class MetricsApiError(Exception):
    """An API of metrics gives no answer; the text is what upstream's client says."""


Answer = Sequence[Measurement] | MetricsApiError


class MetricsApis(Protocol):
    """The APIs of metrics that other servers serve."""

    def ask(
        self, queries: Collection[MetricQuery], tell: Callable[[Mapping[MetricQuery, Answer]], None]
    ) -> None:
        """Ask everything; calls `tell` once with all answers, now or later on the event loop."""
        ...


def not_registered(query: MetricQuery) -> MetricsApiError:
    """Return what is said where nobody serves the API that a question is for."""
    if query.kind == "External":
        what = f"(get {query.metric}.{EXTERNAL_METRICS})"
        return MetricsApiError(f"the server could not find the requested resource {what}")
    return MetricsApiError(f"no custom metrics API ({CUSTOM_METRICS}) registered")
