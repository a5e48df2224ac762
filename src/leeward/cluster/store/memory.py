"""The store in memory: objects, three indexes, a bounded history, subscribers.

Everything the store promises is kept here; :class:`SQLiteStore` adds durability by overriding
:meth:`MemoryStore._commit`. Objects are kept sorted by key only when listed, as writes are more frequent.
"""

from __future__ import annotations

import builtins
from collections import defaultdict, deque
from collections.abc import Collection, Iterable
from contextlib import AbstractContextManager, nullcontext

from leeward.cluster.interface.store import Event, EventType, Handler, Unsubscribe
from leeward.cluster.store.fieldsets import FieldSets
from leeward.cluster.store.table import Table
from leeward.kube.objects import Obj, ObjectKey, controller_of, key_of
from leeward.kube.status import AlreadyExistsError, ConflictError, ExpiredError, NotFoundError

_Place = tuple[str, str, str]  # of the index: what by, and two values
_OWNER, _ORPHANS, _NODE = "owner", "orphans", "node"
HISTORY = 4096  # events kept per resource, at most
WINDOW = 4 * HISTORY  # revisions; what is older is forgotten as etcd compacts,
_OTHERS = 256  # revisions after which the histories of all resources are looked at
SPARED = 100  # but for so many of each resource: who watches one that is quiet goes on where it was


class MemoryStore:
    """Implements Store, and the indexes that controllers and kubelets live on."""

    def __init__(self) -> None:
        self._revision = 1
        self._oldest = 1  # events after this revision are all in the history, but for what was cut
        self._tables: defaultdict[str, Table] = defaultdict(Table)
        self._history: defaultdict[str, deque[Event]] = defaultdict(deque)
        self._cut: dict[str, int] = {}  # resource → newest revision dropped from its history
        self._handlers: dict[str | None, builtins.list[Handler]] = {}
        self._fields = FieldSets()
        self._indexes: defaultdict[_Place, Table] = defaultdict(Table)

    @property
    def revision(self) -> int:
        """The revision of the latest write."""
        return self._revision

    def get(self, resource: str, namespace: str, name: str) -> Obj | None:
        """Return the stored object or None."""
        return self._tables[resource].objects.get(ObjectKey(namespace, name))

    def list(self, resource: str, namespace: str = "") -> builtins.list[Obj]:
        """Return objects ordered by key."""
        table = self._tables[resource]
        return [*table.of_namespace(namespace)] if namespace else table.values()

    def controlled_by(self, resource: str, uid: str) -> builtins.list[Obj]:
        """Return the objects whose controller reference has `uid`, ordered by key."""
        found = self._indexes.get((_OWNER, resource, uid))
        return found.values() if found else []

    def uncontrolled(self, resource: str, namespace: str) -> builtins.list[Obj]:
        """Return the objects of a namespace that have no controller reference, ordered by key."""
        found = self._indexes.get((_ORPHANS, resource, namespace))
        return found.values() if found else []

    def pods_on(self, node: str) -> builtins.list[Obj]:
        """Return the Pods bound to `node`, ordered by key."""
        found = self._indexes.get((_NODE, node, ""))
        return found.values() if found else []

    def create(self, resource: str, obj: Obj) -> Obj:
        """Store a new object."""
        key = key_of(obj)
        if key in self._tables[resource].objects:
            raise AlreadyExistsError(
                f'{resource} "{key.name}" already exists', details=_details(resource, key)
            )
        return self._write("ADDED", resource, key, obj, None)

    def update(self, resource: str, obj: Obj, *, expected: str | None = None) -> Obj:
        """Replace an object."""
        key = key_of(obj)
        old = self._current(resource, key, expected)
        if _same(obj, old):
            return old
        return self._write("MODIFIED", resource, key, obj, old)

    def delete(self, resource: str, namespace: str, name: str, *, expected: str | None = None) -> Obj:
        """Remove an object."""
        key = ObjectKey(namespace, name)
        old = self._current(resource, key, expected)
        return self._write("DELETED", resource, key, old, old)

    def subscribe(self, resources: Collection[str] | None, handler: Handler) -> Unsubscribe:
        """Call `handler` with every event from now on."""
        names: Iterable[str | None] = [None] if resources is None else list(resources)
        for name in names:
            self._handlers.setdefault(name, []).append(handler)

        def unsubscribe() -> None:
            for name in names:
                if handler in self._handlers.get(name, ()):
                    self._handlers[name] = [each for each in self._handlers[name] if each is not handler]

        return unsubscribe

    def events_since(self, resource: str, revision: int) -> Iterable[Event]:
        """Return the events after `revision`."""
        if revision < max(self._oldest, self._cut.get(resource, 0)):
            oldest = max(self._oldest, self._cut.get(resource, 0))
            raise ExpiredError(f"too old resource version: {revision} ({oldest})")
        return [event for event in self._history[resource] if event.revision > revision]

    def batch(self) -> AbstractContextManager[None]:
        """Nothing to gather."""
        return nullcontext()

    def close(self) -> None:
        """Nothing to release."""

    def _current(self, resource: str, key: ObjectKey, expected: str | None) -> Obj:
        old = self._tables[resource].objects.get(key)
        if old is None:
            raise NotFoundError(f'{resource} "{key.name}" not found', details=_details(resource, key))
        if expected is not None and expected != old["metadata"]["resourceVersion"]:
            raise ConflictError(
                f'Operation cannot be fulfilled on {resource} "{key.name}": the object has been modified; '
                "please apply your changes to the latest version and try again",
                details=_details(resource, key),
            )
        return old

    def _write(self, kind: EventType, resource: str, key: ObjectKey, obj: Obj, old: Obj | None) -> Obj:
        revision = self._revision + 1
        stored = {**obj, "metadata": {**obj["metadata"], "resourceVersion": str(revision)}}
        stored = self._fields.shared(stored)
        self._commit(resource, key, None if kind == "DELETED" else stored, revision)
        self._revision = revision
        self._keep(resource, key, None if kind == "DELETED" else stored, old)
        event = Event(kind, resource, stored, old, revision)
        self._remember(event)
        for handler in (*self._handlers.get(resource, ()), *self._handlers.get(None, ())):
            handler(event)
        return stored

    def _remember(self, event: Event) -> None:
        """Put an event into the history, and forget those that are too many or too old."""
        self._history[event.resource].append(event)
        self._forget(event.resource)
        if event.revision % _OTHERS == 0:  # those that are silent
            for resource in self._history:
                self._forget(resource)

    def _forget(self, resource: str) -> None:
        history, old = self._history[resource], self._revision - WINDOW
        while len(history) > HISTORY or (len(history) > SPARED and history[0].revision <= old):
            self._cut[resource] = history.popleft().revision

    def _commit(self, resource: str, key: ObjectKey, obj: Obj | None, revision: int) -> None:
        """Make a write durable before anyone sees it; None: a deletion."""

    def _keep(self, resource: str, key: ObjectKey, new: Obj | None, old: Obj | None) -> None:
        """Change table and indexes."""
        table = self._tables[resource]
        if new is None:
            table.remove(key)
        else:
            table.put(key, new)
        before = () if old is None else _places(resource, key, old)
        after = () if new is None else _places(resource, key, new)
        for place in before:
            if place not in after and (entry := self._indexes.get(place)) is not None:
                entry.remove(key)
                if not entry:
                    del self._indexes[place]
        if new is not None:
            for place in after:
                self._indexes[place].put(key, new)


def _places(resource: str, key: ObjectKey, obj: Obj) -> tuple[_Place, ...]:
    """Return the entries of the index that an object belongs to."""
    owner = controller_of(obj)
    first = (_OWNER, resource, owner["uid"]) if owner else (_ORPHANS, resource, key.namespace)
    if resource == "pods" and (node := obj.get("spec", {}).get("nodeName")):
        return first, (_NODE, node, "")
    return (first,)


def _same(new: Obj, old: Obj) -> bool:
    """Tell whether two states differ in nothing but the revision."""
    if {**new, "metadata": None} != {**old, "metadata": None}:
        return False
    version = old["metadata"]["resourceVersion"]
    return bool({**new["metadata"], "resourceVersion": version} == old["metadata"])


def _details(resource: str, key: ObjectKey) -> dict[str, str]:
    plural, _, group = resource.partition(".")
    return {"name": key.name, **({"group": group} if group else {}), "kind": plural}
