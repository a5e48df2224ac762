"""What Pods use, for whoever asks: the metrics API and the autoscaler.

Source: ``k8s.io/metrics/pkg/apis/metrics`` (PodMetrics).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple, Protocol

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
