"""The namespace controller: a terminating namespace is emptied, then finalized.

Pods and what makes them go first, everything else when the last Pod is gone, so that network policies
and secrets outlive those they protect. Much is deleted bit by bit, so that nothing else has to wait.
As in 1.36, what is left is told only once the Pods are gone (kubernetes/kubernetes issue 138208).

Source: ``pkg/controller/namespace/deletion`` (Kubernetes 1.36, ordered deletion).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence

from leeward.cluster.controllers.framework.controller import ControllerContext, ControllerDescriptor
from leeward.cluster.controllers.namespace.conditions import conditions, unexpected
from leeward.cluster.interface.client import Event
from leeward.kube.conditions import with_condition
from leeward.kube.objects import Obj, ObjectKey, is_terminating, key_of
from leeward.kube.resources import BUILT_IN, CRDS, Resource, custom_resources
from leeward.kube.status import NotFoundError, StatusError

_POLL_SECONDS = 0.25
_A_SECOND = 5000.0  # of what is left, objects that are looked at a second
_AT_ONCE = 64  # deletions a pass
_FIRST = (
    "cronjobs.batch", "jobs.batch", "deployments.apps", "replicasets.apps", "statefulsets.apps",
    "daemonsets.apps", "replicationcontrollers", "pods",
)  # fmt: skip
FINALIZER = "kubernetes"


class NamespaceController:
    """Empties namespaces."""

    def __init__(self, context: ControllerContext) -> None:
        self._client = context.client
        self._clock = context.clock
        known = {each.name: each for each in BUILT_IN}
        self._first = [known[name] for name in _FIRST]

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
        failures: list[str] = []
        left: dict[Resource, list[Obj]] = {}
        more = False
        for resources in (self._first, list(self._others())):
            more = self._delete_some(key.name, resources, failures)
            left = {each: found for each in resources if (found := self._list(each.name, key.name))}
            if left or more:
                break
        if more:
            return 0.0
        failures += unexpected(namespace, left, self._clock.now())
        waits_for_pods = any(each.name == "pods" for each in left)
        namespace = self._report(namespace, conditions({} if waits_for_pods else left, failures))
        if left:
            return max(_POLL_SECONDS, sum(map(len, left.values())) / _A_SECOND)
        self._finalize(namespace)
        return None

    def _others(self) -> Iterator[Resource]:
        for each in (*BUILT_IN, *custom_resources(self._list(CRDS))):
            if each.namespaced and each.name not in _FIRST:
                yield each

    def _list(self, resource: str, namespace: str = "") -> list[Obj]:
        try:
            return self._client.list(resource, namespace)
        except NotFoundError:
            return []

    def _delete_some(self, namespace: str, resources: Sequence[Resource], failures: list[str]) -> bool:
        """Ask for the deletion of some objects; tells whether there are more to ask for."""
        asked = 0
        for resource in resources:
            for obj in self._list(resource.name, namespace):
                if is_terminating(obj):
                    continue
                if asked == _AT_ONCE:
                    return True
                asked += 1
                try:
                    self._delete(resource.name, obj)
                except StatusError as error:
                    failures.append(error.message)
        return False

    def _delete(self, resource: str, obj: Obj) -> None:
        try:
            self._client.delete(resource, *key_of(obj), uid=obj["metadata"]["uid"], propagation="Background")
        except NotFoundError:
            return

    def _report(self, namespace: Obj, told: Iterable[dict[str, str]]) -> Obj:
        new = namespace
        for condition in told:
            new = with_condition(new, condition, self._clock.now())
        return namespace if new is namespace else self._client.update_status("namespaces", new)

    def _finalize(self, namespace: Obj) -> None:
        spec = namespace.get("spec") or {}
        finalizers = [found for found in spec.get("finalizers") or () if found != FINALIZER]
        self._client.finalize_namespace({**namespace, "spec": {**spec, "finalizers": finalizers}})


DESCRIPTOR = ControllerDescriptor(name="namespace-controller", build=NamespaceController)
