"""How components of the cluster read and write objects: in process, through the front door.

A :class:`Client` is given to each controller, the scheduler, each kubelet and the network by
``cluster.build``, under that component's own identity. Reads come straight from the store's memory;
writes go through the same defaulting, validation and admission as a request over HTTPS. All methods
are synchronous, and a read that follows a write sees it: there are no stale caches, so controllers
need no expectations.

Errors are :class:`leeward.kube.status.StatusError` subclasses, as over the wire.
"""

from __future__ import annotations

import builtins
from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import Any, Literal, Protocol

from leeward.cluster.interface.store import Event, Handler, Unsubscribe
from leeward.cluster.interface.user import User
from leeward.kube.objects import Obj
from leeward.kube.status import ConflictError

PatchType = Literal["json", "merge", "strategic"]
Propagation = Literal["Background", "Foreground", "Orphan"]


class WaitingError(ConflictError):
    """A write waits for admission webhooks, which are being asked.

    It goes on as a task. In process, where nobody can wait, that is a reason to try again later like others.

    Args:
        outcome: the result of the write, in time.
    """

    def __init__(self, outcome: Awaitable[Any]) -> None:
        super().__init__("admission webhooks are being asked; please try again")
        self.outcome = outcome


__all__ = [
    "Client",
    "Event",
    "Handler",
    "PatchType",
    "Propagation",
    "Reader",
    "TrackingClient",
    "Unsubscribe",
    "WaitingError",
]


class Reader(Protocol):
    """The read side. Returned objects are shared: never change them."""

    def get(self, resource: str, namespace: str, name: str) -> Obj:
        """Return one object.

        Raises:
            NotFoundError: it is not there.
        """
        ...

    def find(self, resource: str, namespace: str, name: str) -> Obj | None:
        """Return one object, or None."""
        ...

    def list(self, resource: str, namespace: str = "") -> builtins.list[Obj]:
        """Return all objects of `resource`, ordered by (namespace, name); all namespaces for ""."""
        ...

    def controlled_by(self, resource: str, uid: str) -> builtins.list[Obj]:
        """Return the objects of `resource` whose controller reference has `uid` (indexed)."""
        ...

    def uncontrolled(self, resource: str, namespace: str) -> builtins.list[Obj]:
        """Return the objects of `resource` in a namespace that have no controller reference (indexed)."""
        ...

    def pods_on(self, node: str) -> builtins.list[Obj]:
        """Return the Pods with ``spec.nodeName`` == `node` (indexed)."""
        ...

    def watch(self, resources: Collection[str] | None, handler: Handler) -> Unsubscribe:
        """Call `handler` with every event from now on, synchronously; it only takes note."""
        ...


class Client(Reader, Protocol):
    """Reads and writes under one identity."""

    def create(self, resource: str, obj: Obj) -> Obj:
        """Create an object (``metadata.generateName`` works); returns what was stored."""
        ...

    def update(self, resource: str, obj: Obj) -> Obj:
        """Replace all but status; ``metadata.resourceVersion``, when set, must be the stored one."""
        ...

    def update_status(self, resource: str, obj: Obj) -> Obj:
        """Replace only ``status``, through the status subresource."""
        ...

    def patch(
        self,
        resource: str,
        namespace: str,
        name: str,
        patch: Any,
        *,
        patch_type: PatchType = "strategic",
        subresource: str = "",
    ) -> Obj:
        """Patch an object or its ``status`` or ``scale`` subresource."""
        ...

    def delete(
        self,
        resource: str,
        namespace: str,
        name: str,
        *,
        uid: str | None = None,
        grace_period_seconds: int | None = None,
        propagation: Propagation | None = None,
    ) -> object:
        """Delete, honouring finalizers and, for Pods, the grace period (0: remove at once)."""
        ...

    def bind(self, namespace: str, pod: str, node: str) -> None:
        """Assign a Pod to a node through the ``binding`` subresource."""
        ...

    def evict(self, namespace: str, pod: str, *, grace_period_seconds: int | None = None) -> None:
        """Evict through the ``eviction`` subresource.

        Raises:
            TooManyRequestsError: a PodDisruptionBudget forbids it now.
        """
        ...

    def request_token(self, namespace: str, account: str, request: Obj) -> Obj:
        """Return a TokenRequest with a token of a service account in its status."""
        ...

    def secret_token(self, account: Obj, secret: Obj) -> str:
        """Return a token of a service account that lasts as long as the Secret it is kept in."""
        ...

    def finalize_namespace(self, obj: Obj) -> Obj:
        """Replace ``spec.finalizers`` of a namespace through the ``finalize`` subresource."""
        ...

    def record(
        self,
        involved: Obj,
        *,
        event_type: Literal["Normal", "Warning"],
        reason: str,
        message: str,
        action: str = "",
        related: Obj | None = None,
    ) -> None:
        """Record an Event about `involved`; repeats are counted on one Event; never raises.

        Args:
            involved: whom it is about, as last read.
            event_type: whether something is wrong.
            reason: one word.
            message: the rest.
            action: what was done or tried; the Event is then one of events.k8s.io, as the scheduler's are:
                repeats are its series, and what is told of a newer state of `involved` is no repeat.
            related: who else has to do with it.
        """
        ...


Fit = Callable[[Obj], Obj]


class TrackingClient(Client, Protocol):
    """What the API server needs besides: who writes is remembered, and what it is told."""

    @property
    def warnings(self) -> Sequence[str]:
        """What the writes of this client, if it is a tracked one, were warned about so far."""
        ...

    def patch(
        self,
        resource: str,
        namespace: str,
        name: str,
        patch: Any,
        *,
        patch_type: PatchType = "strategic",
        subresource: str = "",
        fit: Fit | None = None,
    ) -> Obj:
        """Patch as other clients do; `fit` turns the patched object into one of its type, or refuses it."""
        ...

    def delete(
        self,
        resource: str,
        namespace: str,
        name: str,
        *,
        uid: str | None = None,
        grace_period_seconds: int | None = None,
        propagation: Propagation | None = None,
    ) -> Obj:
        """Delete as other clients do; returns the last state of the object, or its new one if it stays."""
        ...

    def shown(self, resource: str, objects: Sequence[Obj], api_version: str) -> Sequence[Obj]:
        """Return stored objects in a version of a custom resource that a webhook converts.

        Raises:
            WaitingError: the webhook has to be asked.
            StatusError: it cannot be done.
        """
        ...

    def connect(self, resource: str, namespace: str, name: str, subresource: str, asked: Obj) -> Obj:
        """Ask admission whether somebody may talk to an object through a subresource such as ``exec``.

        Args:
            resource: of what kind the object is.
            namespace: where it is.
            name: as in the URL; the proxies' has a scheme and a port.
            subresource: through which.
            asked: what for, an object such as PodExecOptions.

        Returns:
            What admission made of `asked`.

        Raises:
            WaitingError: webhooks are being asked.
            StatusError: it is refused.
        """
        ...

    def tracked(self, manager: str, api_version: str, user: User | None = None) -> TrackingClient:
        """Return a client whose writes are remembered in ``metadata.managedFields``.

        Args:
            manager: the field manager.
            api_version: of the objects it sends.
            user: who writes, instead of the client's own identity.
        """
        ...

    def apply(
        self,
        resource: str,
        config: Obj,
        *,
        namespace: str = "",
        force: bool = False,
        subresource: str = "",
        fit: Fit | None = None,
    ) -> tuple[Obj, bool]:
        """Apply a configuration (server-side apply); returns the object and whether it was made.

        Args:
            resource: of what kind.
            config: what is wanted; it may leave its namespace to the next argument.
            namespace: where.
            force: take fields from others.
            subresource: "" for the object, "status" or "scale" for a part of it.
            fit: refuses a result that is not of its type.

        Raises:
            ConflictError: others own fields that would change, and `force` is not given.
        """
        ...
