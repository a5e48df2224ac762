"""Records Events: one object for what repeats, counted.

Names end in the time, so that a listing is in the order of what happened.

What is told of one object for one reason in ever other words becomes one Event after the tenth; a component
that says too much of one object is not heard for a while.

Source: client-go/tools/record/{event,events_cache}.go (names, aggregation, spam filter);
client-go/tools/events/event_broadcaster.go for those with an action, whose series are written at each repeat.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeVar

from leeward.base.clock import PassiveClock
from leeward.kube.objects import Obj, ObjectKey, format_micro_time, format_time, parse_time

KNOWN = 4096  # Events remembered for counting, as upstream's cache
SERIES_ENDS = timedelta(minutes=6)
DIFFERENT = 10  # messages about the same before they are combined
COMBINED_WITHIN = timedelta(minutes=10)
BURST = 25  # Events about one object
SECONDS_PER_EVENT = 300.0  # after that
COMBINED = "(combined from similar events): "

T = TypeVar("T")

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


@dataclass(slots=True)
class _Similar:
    """What was told of one object for one reason."""

    last: datetime
    messages: dict[str, None]


@dataclass(slots=True)
class _Allowance:
    """How many Events about one object may still be written."""

    left: float
    since: datetime

    def at(self, moment: datetime) -> float:
        gained = (moment - self.since).total_seconds() / SECONDS_PER_EVENT
        return min(float(BURST), self.left + gained)


class Memory(OrderedDict[tuple[str | None, ...], T]):
    """Remembers what was used last: no more than upstream does, and nothing that has become worthless."""

    def keep(self, key: tuple[str | None, ...], value: T, is_worthless: Callable[[T], bool]) -> None:
        """Remember `value` as the latest, and let go of the oldest as far as they are worthless."""
        self.pop(key, None)
        self[key] = value
        while len(self) > 1 and (len(self) > KNOWN or is_worthless(next(iter(self.values())))):
            self.popitem(last=False)


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
        self._names: Memory[ObjectKey] = Memory()
        self._similar: Memory[_Similar] = Memory()
        self._allowed: Memory[_Allowance] = Memory()

    def record(self, fact: Fact) -> None:
        """Create an Event, or count it on the one that is there."""
        meta, moment = fact.involved["metadata"], self._clock.now()
        namespace = meta.get("namespace") or "default"
        key = self._key(fact)
        if not fact.action:
            if not self._is_allowed(meta, moment):
                return
            fact, key = self._combined(fact, key, moment)
        place = self._names.get(key) or ObjectKey(namespace, self._new_name(meta["name"]))
        old = self._client.find("events", *place)
        if old is not None and fact.action and _is_over(old, moment):
            place, old = ObjectKey(namespace, self._new_name(meta["name"])), None
        self._names.keep(key, place, lambda other: self._client.find("events", *other) is None)
        if old is not None:
            self._client.update("events", {**old, **_repeated(old, fact, moment)})
            return
        event = {
            "metadata": {"name": place.name, "namespace": namespace},
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

    def _is_allowed(self, meta: Obj, moment: datetime) -> bool:
        """Take one from the allowance of an object, which fills up again with time."""
        key = (meta.get("namespace"), meta["name"], meta.get("uid"))
        known = self._allowed.get(key) or _Allowance(BURST, moment)
        left = known.at(moment)
        rest = _Allowance(left - 1 if left >= 1 else left, moment)
        self._allowed.keep(key, rest, lambda other: other.at(moment) == BURST)
        return left >= 1

    def _combined(
        self, fact: Fact, key: tuple[str | None, ...], moment: datetime
    ) -> tuple[Fact, tuple[str | None, ...]]:
        """Return a fact, and what its repeats have in common: less, when there are many like it."""
        group = (*key[:-1], fact.event_type)
        known = self._similar.get(group)
        if known is None or moment - known.last > COMBINED_WITHIN:
            known = _Similar(moment, {})
        known.last = moment
        known.messages.setdefault(fact.message)
        self._similar.keep(group, known, lambda other: moment - other.last > COMBINED_WITHIN)
        if len(known.messages) < DIFFERENT:
            return fact, key
        known.messages.popitem()
        return replace(fact, message=f"{COMBINED}{fact.message}"), group

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


def _repeated(event: Obj, fact: Fact, moment: datetime) -> Obj:
    """Return what changes of an Event that happens again."""
    if not event.get("action"):
        count = event.get("count", 1) + 1
        return {"count": count, "lastTimestamp": format_time(moment), "message": fact.message}
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
