"""The namespace controller: a terminating namespace is emptied, then finalized.

Pods and what makes them go first, everything else when the last Pod is gone, so that network policies
and secrets outlive those they protect.

Source: ``pkg/controller/namespace/deletion`` (Kubernetes 1.36, ordered deletion).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence

from leeward.cluster.controllers.framework.controller import ControllerContext, ControllerDescriptor
from leeward.cluster.interface.client import Event
from leeward.kube.conditions import with_condition
from leeward.kube.objects import Obj, ObjectKey, is_terminating, key_of
from leeward.kube.resources import BUILT_IN, CRDS, custom_resources
from leeward.kube.status import NotFoundError

_POLL_SECONDS = 0.25
_FIRST = (
    "cronjobs.batch", "jobs.batch", "deployments.apps", "replicasets.apps", "statefulsets.apps",
    "daemonsets.apps", "replicationcontrollers", "pods",
)  # fmt: skip
FINALIZER = "kubernetes"


_FINE = (
    (
        "NamespaceDeletionDiscoveryFailure",
        "ResourcesDiscovered",
        "All resources successfully discovered",
    ),
    (
        "NamespaceDeletionGroupVersionParsingFailure",
        "ParsedGroupVersions",
        "All legacy kube types successfully parsed",
    ),
    (
        "NamespaceDeletionContentFailure",
        "ContentDeleted",
        "All content successfully deleted, may be waiting on finalization",
    ),
)


def conditions(left: Mapping[str, Sequence[Obj]]) -> list[dict[str, str]]:
    """Return what a terminating namespace says about the objects left of each resource."""
    parts = [
        f"{name if '.' in name else name + '.'} has {len(objects)} resource instances"
        for name, objects in sorted(left.items())
    ]
    finalizers = Counter(
        finalizer
        for objects in left.values()
        for obj in objects
        for finalizer in obj["metadata"].get("finalizers") or ()
    )
    held = [f"{name} in {count} resource instances" for name, count in sorted(finalizers.items())]
    remaining = {
        "type": "NamespaceContentRemaining",
        "status": "True" if parts else "False",
        "reason": "SomeResourcesRemain" if parts else "ContentRemoved",
        "message": f"Some resources are remaining: {', '.join(parts)}"
        if parts
        else "All content successfully removed",
    }
    finalizing = {
        "type": "NamespaceFinalizersRemaining",
        "status": "True" if held else "False",
        "reason": "SomeFinalizersRemain" if held else "ContentHasNoFinalizers",
        "message": f"Some content in the namespace has finalizers remaining: {', '.join(held)}"
        if held
        else "All content-preserving finalizers finished",
    }
    fine = [
        {"type": kind, "status": "False", "reason": reason, "message": message}
        for kind, reason, message in _FINE
    ]
    return [*fine, remaining, finalizing]


class NamespaceController:
    """Empties namespaces."""

    def __init__(self, context: ControllerContext) -> None:
        self._client = context.client
        self._clock = context.clock

    @property
    def resources(self) -> Collection[str]:
        return ("namespaces",)

    def keys_for(self, event: Event) -> Iterable[ObjectKey]:
        return [key_of(event.object)] if is_terminating(event.object) else ()

    def sync(self, key: ObjectKey) -> float | None:
        """Delete what is in the namespace; returns when to look again while something is left."""
        namespace = self._client.find("namespaces", "", key.name)
        if namespace is None or not is_terminating(namespace):
            return None
        left = self._empty(key.name, _FIRST)
        if not left:
            definitions = self._client.list(CRDS) if self._knows(CRDS) else []
            rest = (*BUILT_IN, *custom_resources(definitions))
            names = [found.name for found in rest if found.namespaced and found.name not in _FIRST]
            left = self._empty(key.name, names)
        if left:
            self._report(namespace, left)
            return _POLL_SECONDS
        self._finalize(namespace)
        return None

    def _knows(self, resource: str) -> bool:
        try:
            self._client.list(resource)
        except NotFoundError:
            return False
        return True

    def _empty(self, namespace: str, resources: Sequence[str]) -> dict[str, list[Obj]]:
        """Ask for deletion of all objects; returns those that are still there."""
        left: dict[str, list[Obj]] = {}
        for resource in resources:
            if not self._knows(resource):
                continue
            for obj in self._client.list(resource, namespace):
                if not is_terminating(obj):
                    self._delete(resource, obj)
            if objects := self._client.list(resource, namespace):
                left[resource] = objects
        return left

    def _delete(self, resource: str, obj: Obj) -> None:
        try:
            self._client.delete(resource, *key_of(obj), uid=obj["metadata"]["uid"], propagation="Background")
        except NotFoundError:
            return

    def _report(self, namespace: Obj, left: Mapping[str, Sequence[Obj]]) -> None:
        new = namespace
        for condition in conditions(left):
            new = with_condition(new, condition, self._clock.now())
        if new is not namespace:
            self._client.update_status("namespaces", new)

    def _finalize(self, namespace: Obj) -> None:
        spec = namespace.get("spec") or {}
        finalizers = [found for found in spec.get("finalizers") or () if found != FINALIZER]
        self._client.finalize_namespace({**namespace, "spec": {**spec, "finalizers": finalizers}})


DESCRIPTOR = ControllerDescriptor(name="namespace-controller", build=NamespaceController)
