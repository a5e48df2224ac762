"""What a controller is: resources it watches, keys it works on, one synchronous pass over a key.

A controller is a pure plan and a thin ``sync`` that carries it out. It is synchronous because the
in-process :class:`Client` is: a read that follows a write sees it, so there are no expectations to keep.

Source: the shape of pkg/controller (Kubernetes 1.36); cmd/kube-controller-manager ControllerDescriptor.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, runtime_checkable

from cryptography import x509

from leeward.base.clock import Clock
from leeward.base.ids import IdSource
from leeward.cluster.config import Timing
from leeward.cluster.interface.client import Client, Event
from leeward.cluster.interface.metrics import MetricsApis, MetricsSource
from leeward.kube.objects import ObjectKey, controller_of, key_of

SignRequest = Callable[[x509.CertificateSigningRequest, Collection[str], int], bytes]
"""(what is asked for, usages as Kubernetes names them, for how many seconds) → the certificate in PEM"""


MANY = 100  # objects
LONGEST_SECONDS = 2.0
SELECTED_A_SECOND = 1000.0  # of what a selector selects; upstream's clients make 20 writes, of 100 Pods each


class Controller(Protocol):
    """Brings one kind's observed state towards its spec."""

    @property
    def resources(self) -> Collection[str]:
        """The resources whose events matter."""
        ...

    def keys_for(self, event: Event) -> Iterable[ObjectKey]:
        """Return the keys to sync because of `event`; cheap, and never writes."""
        ...

    def sync(self, key: ObjectKey) -> float | None:
        """Reconcile one key; idempotent.

        Returns:
            Seconds after which to sync again without an event; None to wait for one.

        Raises:
            StatusError: any API failure; the manager tries again with back-off.
        """
        ...


@runtime_checkable
class Collecting(Protocol):
    """A controller that looks at some changes together with what follows soon."""

    def delay(self, key: ObjectKey, event: Event, rested: float) -> float:
        """Return seconds that `key` may wait because of `event`, 0 to sync it at once; cheap.

        Args:
            key: what is to be synced.
            event: why.
            rested: seconds since it was synced last; LONGEST_SECONDS and more are the same.
        """
        ...


def collected(size: int, a_second: float, rested: float) -> float:
    """Return seconds after which many objects are looked at again; 0 for up to MANY, and for a first change.

    Args:
        size: how many there are.
        a_second: how many may be looked at a second.
        rested: seconds since they were looked at last.
    """
    return max(min(size / a_second, LONGEST_SECONDS) - rested, 0.0) if size > MANY else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ControllerContext:
    """Everything a controller may touch."""

    client: Client  # its own identity
    clock: Clock
    ids: IdSource
    timing: Timing = field(default_factory=Timing)
    metrics: MetricsSource | None = None  # None: nothing is measured
    metrics_apis: MetricsApis | None = None  # None: nobody serves any
    root_ca: str = ""  # PEM, for the kube-root-ca.crt ConfigMaps
    volumes_dir: Path = Path("volumes")  # where local persistent volumes are made
    make_volume: Callable[[Path], None] = lambda path: None
    remove_volume: Callable[[Path], None] = lambda path: None
    sign: SignRequest | None = None  # None: this cluster signs nothing


@dataclass(frozen=True, slots=True, kw_only=True)
class ControllerDescriptor:
    """One row of the catalog."""

    name: str  # upstream's name, such as "replicaset-controller"
    build: Callable[[ControllerContext], Controller]
    component: str = ""  # who its Events come from, where upstream does not use the name

    @property
    def user(self) -> str:
        """Return who its client is."""
        return f"system:controller:{self.component or self.name}"


def owner_key(event: Event, kind: str) -> Iterable[ObjectKey]:
    """Return the keys of the `kind` that controls the event's object, now or before."""
    found: list[ObjectKey] = []
    for obj in (event.object, event.previous):
        reference = controller_of(obj) if obj else None
        if obj and reference and reference["kind"] == kind:
            key = ObjectKey(obj["metadata"].get("namespace") or "", reference["name"])
            if key not in found:
                found.append(key)
    return found


def own_or_owner_key(event: Event, resource: str, kind: str) -> Iterable[ObjectKey]:
    """Return the key of a primary object, or of the `kind` that controls a dependent."""
    return [key_of(event.object)] if event.resource == resource else owner_key(event, kind)
