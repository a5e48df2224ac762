"""Writes down what happens in the namespace of a case: states, Events, how many Pods there are."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from leeward.cluster.interface.client import Event
from leeward.kube.objects import Obj, is_terminating, key_of
from leeward.kube.pods import is_active
from tests.conformance.timelines.projection import Names, Shape, is_projected, is_ready_pod, project
from tests.conformance.timelines.world import NAMESPACE, World


@dataclass(slots=True)
class Timeline:
    """What was recorded, or is to be compared with it; names are replaced."""

    checkpoints: list[Obj] = field(default_factory=list)  # after_step, objects
    series: dict[str, list[Obj]] = field(default_factory=dict)  # key → whole states with a time t
    events: list[Obj] = field(default_factory=list)
    results: list[Obj] = field(default_factory=list)  # a step: t, and what was not plain success
    pod_totals: Obj = field(default_factory=dict)


class Recorder:
    """Follows a world.

    Args:
        world: with its namespace not yet open.
        shape: of its objects.
        names: learns the names that appear.
    """

    def __init__(self, world: World, shape: Shape, names: Names) -> None:
        self._world = world
        self._shape = shape
        self._names = names
        self._begin = world.clock.monotonic()
        self._series: dict[tuple[str, str], list[tuple[float, Obj | None]]] = {}
        self._live: dict[tuple[str, str], Obj] = {}
        self._events: list[Obj] = []
        self._said: set[tuple[str, ...]] = set()
        self._most, self._fewest, self._full = 0, -1, False
        self.deleted: dict[str, float] = {}  # Pod uid → when its deletion was asked for
        self.changed = self._begin  # when something of the namespace changed last
        for node in world.client.list("nodes"):  # of which only changes are recorded
            if is_projected(node, shape):
                key = ("Node", node["metadata"]["name"])
                self._live[key] = node
                self._series[key] = [(-1.0, project(node, shape))]
        world.client.watch(None, self._note)

    def start(self) -> None:
        """The first step begins now."""
        self._begin = self._world.clock.monotonic()

    @property
    def seconds(self) -> float:
        return self._world.clock.monotonic() - self._begin

    def _note(self, event: Event) -> None:
        obj = event.object
        if event.resource == "events":
            about_node = obj["involvedObject"].get("kind") == "Node"
            if key_of(obj).namespace == NAMESPACE or (about_node and self._shape.of_nodes):
                self._hear(obj)
            return
        if not is_projected(obj, self._shape):
            return
        key = (obj["kind"], obj["metadata"]["name"])
        self._names.meet(obj)
        if obj["kind"] == "Pod" and is_terminating(obj):
            self.deleted.setdefault(obj["metadata"]["uid"], self.seconds)
        if event.type == "DELETED":
            self._live.pop(key, None)
        else:
            self._live[key] = obj
        state = None if event.type == "DELETED" else project(obj, self._shape)
        rows = self._series.setdefault(key, [])
        if not rows or rows[-1][1] != state:
            rows.append((self.seconds, state))
            if obj["kind"] != "Node":
                self.changed = self._world.clock.monotonic()
        self._count()

    def _count(self) -> None:
        pods = [obj for (kind, _), obj in self._live.items() if kind == "Pod"]
        ready = sum(1 for pod in pods if is_ready_pod(pod) and is_active(pod))
        active = sum(1 for pod in pods if is_active(pod))
        self._most = max(self._most, active)
        self._full = self._full or (active > 0 and ready == active)
        if self._full:
            self._fewest = ready if self._fewest < 0 else min(self._fewest, ready)

    def _hear(self, event: Obj) -> None:
        about = event["involvedObject"]
        row = {
            "message": event.get("message", ""),
            "object": f"{about.get('kind')}/{about.get('name')}",
            "reason": event.get("reason", ""),
            "source": (event.get("source") or {}).get("component") or event.get("reportingComponent", ""),
            "type": event.get("type", ""),
        }
        if (said := tuple(row.values())) not in self._said:
            self._said.add(said)
            self._events.append({"t": self.seconds, **row})

    def live(self, kind: str) -> list[Obj]:
        """Return what is there of a kind, in the order of its appearance."""
        return [obj for (each, _), obj in self._live.items() if each == kind]

    def look(self) -> Obj:
        """Return all objects, as a checkpoint has them."""
        found = {f"{kind}/{name}": project(obj, self._shape) for (kind, name), obj in self._live.items()}
        shown: Obj = self._names.hide(found)
        return shown

    def series(self) -> dict[str, list[Obj]]:
        """Return the whole states of every object, with times."""
        found: dict[str, list[Obj]] = {}
        for (kind, name), noted in self._series.items():
            rows = [row for row in noted if row[0] >= 0 or kind != "Node"]
            if not rows:
                continue
            key: str = self._names.hide(f"{kind}/{name}")
            shown: list[Any] = self._names.hide([state for _, state in rows])
            found.setdefault(key, []).extend(
                {"t": at, **({"deleted": True} if state is None else state)}
                for (at, _), state in zip(rows, shown, strict=True)
            )
        return found

    def events(self) -> list[Obj]:
        """Return the Events, first things first."""
        found: list[Obj] = self._names.hide(self._events)
        return found

    def totals(self) -> Obj:
        """Return how many Pods there were."""
        return {
            "max_active": self._most,
            "min_ready_after_first_full": None if self._fewest < 0 else self._fewest,
        }
