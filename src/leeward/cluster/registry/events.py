"""Records Events: one object for what repeats, counted.

Source: client-go/tools/record/events_cache.go (aggregation), simplified: same object, reason and message
are one Event.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from leeward.base.clock import PassiveClock
from leeward.kube.objects import Obj, format_time

if TYPE_CHECKING:
    from leeward.cluster.registry.client import RegistryClient


class EventRecorder:
    """Writes Events as one component.

    Args:
        client: writes them.
        component: the reporting component.
        clock: their times.
    """

    def __init__(self, client: RegistryClient, component: str, clock: PassiveClock) -> None:
        self._client = client
        self._component = component.rsplit(":", 1)[-1]
        self._clock = clock

    def record(self, involved: Obj, event_type: str, reason: str, message: str) -> None:
        """Create an Event, or count it on the one that is there."""
        meta = involved["metadata"]
        namespace = meta.get("namespace") or "default"
        now = format_time(self._clock.now())
        key = f"{meta.get('uid')}\0{reason}\0{message}\0{self._component}"
        name = f"{meta['name'][:200]}.{hashlib.sha256(key.encode()).hexdigest()[:16]}"
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
