"""Records Events: one object for what repeats, counted.

Names end in the time, so that a listing is in the order of what happened.

Source: client-go/tools/record/{event,events_cache}.go (names, aggregation), simplified: same object, reason
and message are one Event; client-go/tools/events/event_broadcaster.go for those with an action, whose series
are written at each repeat.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from leeward.base.clock import PassiveClock
from leeward.kube.objects import Obj, format_micro_time, format_time, parse_time

KNOWN = 4096  # Events remembered for counting, as upstream's cache
SERIES_ENDS = timedelta(minutes=6)

if TYPE_CHECKING:
    from leeward.cluster.registry.client import RegistryClient


@dataclass(frozen=True, slots=True)
class Fact:
    """What an Event tells."""

    involved: Obj
    event_type: str
    reason: str
    message: str
    action: str = ""  # for Events of events.k8s.io
    related: Obj | None = None


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

    def record(self, fact: Fact) -> None:
        """Create an Event, or count it on the one that is there."""
        meta, moment = fact.involved["metadata"], self._clock.now()
        namespace = meta.get("namespace") or "default"
        key = self._key(fact)
        name = self._names.pop(key, None) or self._new_name(meta["name"])
        old = self._client.find("events", namespace, name)
        if old is not None and fact.action and _is_over(old, moment):
            name, old = self._new_name(meta["name"]), None
        self._names[key] = name
        if len(self._names) > KNOWN:
            self._names.popitem(last=False)
        if old is not None:
            self._client.update("events", {**old, **_repeated(old, moment)})
            return
        event = {
            "metadata": {"name": name, "namespace": namespace},
            "involvedObject": _reference(fact.involved),
            "reason": fact.reason,
            "message": fact.message,
            "type": fact.event_type,
            "reportingComponent": self._component,
        }
        if fact.related is not None:
            event["related"] = _reference(fact.related)
        about = self._action(fact, moment) if fact.action else self._occurrence(fact, moment)
        self._client.create("events", {**event, **about})

    @staticmethod
    def _key(fact: Fact) -> tuple[str | None, ...]:
        """Return what repeats have in common."""
        meta = fact.involved["metadata"]
        key = (meta.get("namespace"), meta["name"], meta.get("uid"), fact.reason)
        if not fact.action:
            return (*key, fact.message)
        other = (fact.related or {"metadata": {}})["metadata"].get("uid")
        return (*key, fact.event_type, fact.action, meta.get("resourceVersion"), other)

    def _occurrence(self, fact: Fact, moment: datetime) -> Obj:
        """Return what an Event of the core group says of when and whence."""
        source: dict[str, Any] = {"component": self._component}
        spec = fact.involved.get("spec") or {}
        node = spec.get("nodeName") if self._component == "kubelet" else None
        if node:
            source["host"] = node
        now = format_time(moment)
        return {
            "source": source,
            "firstTimestamp": now,
            "lastTimestamp": now,
            "count": 1,
            "eventTime": None,
            "reportingInstance": node or "",
        }

    def _action(self, fact: Fact, moment: datetime) -> Obj:
        """Return what an Event of events.k8s.io says of when and what."""
        return {
            "eventTime": format_micro_time(moment),
            "action": fact.action,
            "reportingInstance": self._component,
        }


def _is_over(event: Obj, moment: datetime) -> bool:
    """Tell whether nothing was added to a series for so long that the next is another one."""
    last = (event.get("series") or {}).get("lastObservedTime") or event["eventTime"]
    return moment - parse_time(last) > SERIES_ENDS


def _repeated(event: Obj, moment: datetime) -> Obj:
    """Return what changes of an Event that happens again."""
    if not event.get("action"):
        return {"count": event.get("count", 1) + 1, "lastTimestamp": format_time(moment)}
    count = (event.get("series") or {}).get("count", 1) + 1
    return {"series": {"count": count, "lastObservedTime": format_micro_time(moment)}}


def _reference(obj: Obj) -> Obj:
    meta = obj["metadata"]
    return {
        "kind": obj.get("kind"),
        "namespace": meta.get("namespace") or "",
        "name": meta["name"],
        "uid": meta.get("uid"),
        "apiVersion": obj.get("apiVersion"),
        "resourceVersion": meta.get("resourceVersion"),
    }
