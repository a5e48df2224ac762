"""The durable store against a model of it, over random writes, watches and crashes (Hypothesis).

The model is a dictionary and a list of events. After every step the store has exactly the model's objects, no
subscriber has lost, repeated or reordered an event, and a watch from any revision of the history gives the
rest of it. A crash reopens a copy of the files of an open store: nothing acknowledged may be missing.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from leeward.cluster.interface.store import Event, Unsubscribe
from leeward.cluster.store.sqlite import SQLiteStore
from leeward.kube.objects import Obj
from leeward.kube.status import AlreadyExistsError, ConflictError, ExpiredError, NotFoundError

RESOURCES = ("configmaps", "pods")
resources = st.sampled_from(RESOURCES)
namespaces = st.sampled_from(("a", "b"))
names = st.sampled_from(("x", "y", "z"))
Key = tuple[str, str, str]


class Watcher:
    """A subscriber and what it must have seen."""

    def __init__(self, store: SQLiteStore, wanted: frozenset[str] | None) -> None:
        self.wanted = wanted
        self.seen: list[Event] = []
        self.due: list[tuple[str, str, int]] = []
        self.stop: Unsubscribe = store.subscribe(wanted, self.seen.append)


class StoreMachine(RuleBasedStateMachine):
    """Writes, watches and crashes."""

    @initialize()
    def open(self) -> None:
        self.directory = Path(tempfile.mkdtemp())
        self.generation = 0
        self.store = SQLiteStore(self.directory / "0.db")
        self.objects: dict[Key, Obj] = {}
        self.history: list[tuple[str, str, int]] = []  # type, resource, revision
        self.began = self.newest = self.store.revision
        self.watchers: list[Watcher] = []

    def _noted(self, kind: str, resource: str, revision: int) -> None:
        assert revision == self.newest + 1
        self.newest = revision
        self.history.append((kind, resource, revision))
        for watcher in self.watchers:
            if watcher.wanted is None or resource in watcher.wanted:
                watcher.due.append((kind, resource, revision))

    @rule(resource=resources, namespace=namespaces, name=names, value=st.integers(0, 2))
    def create(self, resource: str, namespace: str, name: str, value: int) -> None:
        obj = {"metadata": {"namespace": namespace, "name": name}, "value": value}
        if (resource, namespace, name) in self.objects:
            with pytest.raises(AlreadyExistsError):
                self.store.create(resource, obj)
            return
        made = self.store.create(resource, obj)
        self.objects[resource, namespace, name] = made
        self._noted("ADDED", resource, int(made["metadata"]["resourceVersion"]))

    @rule(resource=resources, namespace=namespaces, name=names, value=st.integers(0, 2), stale=st.booleans())
    def update(self, resource: str, namespace: str, name: str, value: int, stale: bool) -> None:
        old = self.objects.get((resource, namespace, name))
        if old is None:
            with pytest.raises(NotFoundError):
                self.store.update(resource, {"metadata": {"namespace": namespace, "name": name}})
            return
        version = old["metadata"]["resourceVersion"]
        if stale:
            with pytest.raises(ConflictError):
                self.store.update(resource, {**old, "value": value}, expected=str(int(version) - 1))
            return
        made = self.store.update(resource, {**old, "value": value}, expected=version)
        if value == old["value"]:
            assert made == old
            return
        self.objects[resource, namespace, name] = made
        self._noted("MODIFIED", resource, int(made["metadata"]["resourceVersion"]))

    @rule(resource=resources, namespace=namespaces, name=names)
    def delete(self, resource: str, namespace: str, name: str) -> None:
        if (resource, namespace, name) not in self.objects:
            with pytest.raises(NotFoundError):
                self.store.delete(resource, namespace, name)
            return
        gone = self.store.delete(resource, namespace, name)
        assert gone["value"] == self.objects.pop((resource, namespace, name))["value"]
        self._noted("DELETED", resource, int(gone["metadata"]["resourceVersion"]))

    @rule(wanted=st.one_of(st.none(), st.frozensets(resources)))
    def watch(self, wanted: frozenset[str] | None) -> None:
        self.watchers.append(Watcher(self.store, wanted))

    @rule(which=st.integers(0, 9))
    def unwatch(self, which: int) -> None:
        if self.watchers:
            self.watchers.pop(which % len(self.watchers)).stop()

    @rule(resource=resources, back=st.integers(0, 12))
    def watch_from(self, resource: str, back: int) -> None:
        revision = self.newest - back
        if revision < self.began:
            with pytest.raises(ExpiredError):
                list(self.store.events_since(resource, revision))
            return
        found = [
            (event.type, event.resource, event.revision)
            for event in self.store.events_since(resource, revision)
        ]
        assert found == [each for each in self.history if each[1] == resource and each[2] > revision]

    @rule()
    def crash(self) -> None:
        """Reopen what a kill -9 leaves; the open store is closed only after its files were copied."""
        before, self.generation = self.generation, self.generation + 1
        for suffix in ("", "-wal"):
            path = self.directory / f"{before}.db{suffix}"
            if path.exists():
                shutil.copy(path, self.directory / f"{self.generation}.db{suffix}")
        self.store.close()
        self.store = SQLiteStore(self.directory / f"{self.generation}.db")
        assert self.store.revision >= self.newest
        self.began = self.newest = self.store.revision
        self.history, self.watchers = [], []

    @invariant()
    def objects_are_those_of_the_model(self) -> None:
        if not hasattr(self, "store"):
            return
        for resource in RESOURCES:
            wanted: list[Any] = [obj for key, obj in sorted(self.objects.items()) if key[0] == resource]
            assert self.store.list(resource) == wanted
            assert self.store.list(resource, "a") == [o for o in wanted if o["metadata"]["namespace"] == "a"]
        assert self.store.revision == self.newest

    @invariant()
    def no_watcher_lost_repeated_or_reordered_an_event(self) -> None:
        for watcher in getattr(self, "watchers", ()):
            assert [(event.type, event.resource, event.revision) for event in watcher.seen] == watcher.due

    def teardown(self) -> None:
        if hasattr(self, "store"):
            self.store.close()
            shutil.rmtree(self.directory)


StoreMachine.TestCase.settings = settings(max_examples=40, stateful_step_count=40, deadline=None)
TestStoreModel = StoreMachine.TestCase
