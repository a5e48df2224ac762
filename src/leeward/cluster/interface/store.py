"""What a store of Kubernetes objects promises.

Invariants, for every implementation:

* One revision counter for all objects, starting above 0 and growing by one with every write; an
  object's ``metadata.resourceVersion`` is the decimal text of the revision that wrote it.
* A write that returned is durable: it survives ``kill -9`` of the process (in a batch: when that ends).
* Subscribers are called synchronously after the commit, in revision order, each with every event of
  the resources it asked for. A subscriber only takes note (enqueues a key); it never writes.
* What is stored is immutable: readers get the stored dictionary itself and never change it.

Methods are synchronous: reads come from memory, and a write costs tens of microseconds.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from contextlib import AbstractContextManager
from typing import Literal, NamedTuple, Protocol

from leeward.kube.objects import Obj

EventType = Literal["ADDED", "MODIFIED", "DELETED"]


class Event(NamedTuple):
    """One committed write."""

    type: EventType
    resource: str  # "pods", "deployments.apps": plural, then "." and group unless the core group
    object: Obj  # DELETED: the last state, with the revision of the deletion as resourceVersion
    previous: Obj | None  # None when ADDED
    revision: int


Handler = Callable[[Event], None]
Unsubscribe = Callable[[], None]


class Store(Protocol):
    """A revisioned map from (resource, namespace, name) to object."""

    @property
    def revision(self) -> int:
        """The revision of the latest write."""
        ...

    def get(self, resource: str, namespace: str, name: str) -> Obj | None:
        """Return the stored object (shared; do not change it), or None."""
        ...

    def list(self, resource: str, namespace: str = "") -> list[Obj]:
        """Return the objects of `resource` ordered by (namespace, name); all namespaces for ""."""
        ...

    def create(self, resource: str, obj: Obj) -> Obj:
        """Store a new object; returns it with its resourceVersion.

        Raises:
            AlreadyExistsError: the name is taken.
        """
        ...

    def update(self, resource: str, obj: Obj, *, expected: str | None = None) -> Obj:
        """Replace an object; a write that changes nothing keeps the revision and tells nobody.

        Args:
            resource: the resource.
            obj: the new state.
            expected: the resourceVersion the writer started from; None to overwrite.

        Raises:
            ConflictError: `expected` is not the stored one.
            NotFoundError: there is no such object.
        """
        ...

    def delete(self, resource: str, namespace: str, name: str, *, expected: str | None = None) -> Obj:
        """Remove an object; returns its last state.

        Raises:
            ConflictError: `expected` is not the stored one.
            NotFoundError: there is no such object.
        """
        ...

    def subscribe(self, resources: Collection[str] | None, handler: Handler) -> Unsubscribe:
        """Call `handler` with every event of `resources` (None: of all) from now on."""
        ...

    def events_since(self, resource: str, revision: int) -> Iterable[Event]:
        """Return the events of `resource` after `revision`, in order.

        Raises:
            ExpiredError: `revision` is older than the history kept.
        """
        ...

    def batch(self) -> AbstractContextManager[None]:
        """Return a context in which writes need not be durable before its end; cheaper when there are many.

        It never lasts longer than a turn of the event loop, so nobody outside is told of what may be lost.
        """
        ...

    def close(self) -> None:
        """Flush and release; the store is not used afterwards."""
        ...
