"""Records Events: one object for what repeats, counted.

Names end in the time, so that a listing is in the order of what happened.

Source: client-go/tools/record/{event,events_cache}.go (names, aggregation), simplified: same object, reason
and message are one Event.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Any

from leeward.base.clock import PassiveClock
from leeward.kube.objects import Obj, format_time

KNOWN = 4096  # Events remembered for counting, as upstream's cache

if TYPE_CHECKING:
    from leeward.cluster.registry.client import RegistryClient


class EventNames:
    """Names that no two Events of a cluster share and that sort by time."""

    def __init__(self, clock: PassiveClock) -> None:
        self._clock = clock
        self._last = 0  # nanoseconds

    def make(self, involved: str) -> str:
        """Return a new name for an Event about the object `involved`."""
        nanoseconds = int(self._clock.now().timestamp() * 1_000_000) * 1000
        self._last = max(nanoseconds, self._last + 1)
        return f"{involved[:200]}.{self._last:x}"


class EventRecorder:
    """Writes Events as one component.

    Args:
        client: writes them.
        component: the reporting component.
        clock: their times.
        names: theirs and of all other recorders.
    """

    def __init__(
        self, client: RegistryClient, component: str, clock: PassiveClock, names: EventNames
    ) -> None:
        self._client = client
        self._new_name = names.make
        self._component = component.rsplit(":", 1)[-1]
        self._clock = clock
        self._names: OrderedDict[tuple[str | None, ...], str] = OrderedDict()

    def record(self, involved: Obj, event_type: str, reason: str, message: str) -> None:
        """Create an Event, or count it on the one that is there."""
        meta = involved["metadata"]
        namespace = meta.get("namespace") or "default"
        now = format_time(self._clock.now())
        key = (namespace, meta["name"], meta.get("uid"), reason, message)
        name = self._names.pop(key, None) or self._new_name(meta["name"])
        self._names[key] = name
        if len(self._names) > KNOWN:
            self._names.popitem(last=False)
        old = self._client.find("events", namespace, name)
        if old is not None:
            self._client.update("events", {**old, "count": old.get("count", 1) + 1, "lastTimestamp": now})
            return
        source: dict[str, Any] = {"component": self._component}
        node = (involved.get("spec") or {}).get("nodeName") if self._component == "kubelet" else None
        if node:
            source["host"] = node
        self._client.create(
            "events",
            {
                "metadata": {"name": name, "namespace": namespace},
                "involvedObject": {
                    "kind": involved.get("kind"),
                    "namespace": meta.get("namespace") or "",
                    "name": meta["name"],
                    "uid": meta.get("uid"),
                    "apiVersion": involved.get("apiVersion"),
                    "resourceVersion": meta.get("resourceVersion"),
                },
                "reason": reason,
                "message": message,
                "source": source,
                "firstTimestamp": now,
                "lastTimestamp": now,
                "count": 1,
                "type": event_type,
                "eventTime": None,
                "reportingComponent": self._component,
                "reportingInstance": node or "",
            },
        )
