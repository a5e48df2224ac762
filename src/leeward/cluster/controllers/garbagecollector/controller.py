"""The garbage collector: keys are uids; an object is looked at when it or one of its owners changes.

Invariant: an object is deleted only when every owner it names is certainly absent or waits for it in a
foreground deletion; owners of kinds unknown here count as present.

Source: ``pkg/controller/garbagecollector`` (attemptToDeleteItem, attemptToOrphan; Kubernetes 1.36).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any

from leeward.cluster.controllers.framework.controller import ControllerContext, ControllerDescriptor
from leeward.cluster.controllers.garbagecollector.graph import Graph, Node, Reference, is_same, node_of
from leeward.cluster.interface.client import Event, Propagation
from leeward.kube.objects import Obj, ObjectKey, without_finalizer
from leeward.kube.resources import BUILT_IN, CRDS, Resource, custom_resources, group_of
from leeward.kube.status import NotFoundError
from leeward.kube.wellknown import FINALIZER_FOREGROUND, FINALIZER_ORPHAN

_IGNORED = ("events", "events.events.k8s.io", "leases.coordination.k8s.io")


def _key(uid: str) -> ObjectKey:
    return ObjectKey("", uid)


class GarbageCollector:
    """Follows owner references."""

    def __init__(self, context: ControllerContext) -> None:
        self._client = context.client
        self._graph = Graph()
        self._kinds = {(found.group, found.kind): found for found in BUILT_IN}
        self._told: set[tuple[str, str]] = set()  # (uid, uid of an owner out of reach)

    @property
    def resources(self) -> Collection[str]:
        return [found.name for found in self._known() if found.name not in _IGNORED and self._serves(found)]

    def _known(self) -> Sequence[Resource]:
        try:
            definitions = self._client.list(CRDS)
        except NotFoundError:
            definitions = []
        return (*BUILT_IN, *custom_resources(definitions))

    def _serves(self, resource: Resource) -> bool:
        try:
            self._client.list(resource.name)
        except NotFoundError:
            return False
        return True

    # -- events: keep the graph, name who is concerned

    def keys_for(self, event: Event) -> Iterable[ObjectKey]:
        if event.type == "MODIFIED" and event.previous is not None and is_same(event.object, event.previous):
            return ()
        node = node_of(event.resource, event.object)
        old = self._graph.get(node.uid)
        if event.type == "DELETED":
            self._graph.drop(node.uid)
            if self._told:
                self._told = {known for known in self._told if node.uid not in known}
            concerned = [found.uid for found in self._graph.dependents(node.uid)]
            return [_key(uid) for uid in (*concerned, *self._waiting(node.owners))]
        if old == node:
            return ()
        self._graph.put(node)
        to_see = node.waiting_foreground or node.waiting_orphan or not self._graph.is_certain(node)
        owners = (*old.owners, *node.owners) if old else node.owners
        return [_key(uid) for uid in ((node.uid,) if to_see else ())] + [
            _key(uid) for uid in self._waiting(owners)
        ]

    def _waiting(self, owners: Iterable[Reference]) -> list[str]:
        """Return the owners that wait for their dependents to go."""
        found: dict[str, None] = {}
        for owner in owners:
            node = self._graph.get(owner.uid)
            if node is not None and node.waiting_foreground:
                found[node.uid] = None
        return sorted(found)

    # -- work

    def sync(self, key: ObjectKey) -> float | None:
        """Look at one object."""
        node = self._graph.get(key.name)
        if node is None:
            return None
        obj = self._client.find(node.resource, *node.key)
        if obj is None or obj["metadata"]["uid"] != node.uid:
            return None
        if node.waiting_orphan:
            return self._orphan(node, obj)
        if node.waiting_foreground:
            self._process_foreground(node, obj)
        elif node.owners and not node.terminating:
            self._tell_of_strangers(node, obj)
            self._attempt_to_delete(node, obj)
        return None

    def _orphan(self, node: Node, obj: Obj) -> float | None:
        """Set what an object owns free, and let it go when its controller has seen that."""
        dependents = self._graph.dependents(node.uid)
        for dependent in dependents:
            self._drop_references(dependent, {node.uid})
        if dependents:
            return 0.0
        self._remove_finalizer(node, obj, FINALIZER_ORPHAN)
        return None

    def _process_foreground(self, node: Node, obj: Obj) -> None:
        dependents = self._graph.dependents(node.uid)
        if not any(found.blocks(node.uid) for found in dependents):
            self._remove_finalizer(node, obj, FINALIZER_FOREGROUND)
            return
        for dependent in dependents:
            found = self._client.find(dependent.resource, *dependent.key)
            if found is None:
                continue
            if dependent.blocks(node.uid) and self._graph.waits(dependent, node.uid):
                self._unblock(dependent, found, node.uid)
            elif not dependent.terminating:
                self._attempt_to_delete(dependent, found)

    def _unblock(self, node: Node, obj: Obj, uid: str) -> None:
        """Let an owner not wait for an object that waits for it."""
        references = [
            {**each, "blockOwnerDeletion": False} if each["uid"] == uid else each
            for each in obj["metadata"]["ownerReferences"]
        ]
        metadata = {**obj["metadata"], "ownerReferences": references}
        self._client.update(node.resource, {**obj, "metadata": metadata})

    def _remove_finalizer(self, node: Node, obj: Obj, finalizer: str) -> None:
        current = self._client.find(node.resource, *node.key) or obj
        self._client.update(node.resource, without_finalizer(current, finalizer))

    def _drop_references(self, node: Node, uids: Collection[str]) -> None:
        obj = self._client.find(node.resource, *node.key)
        if obj is None or obj["metadata"]["uid"] != node.uid:
            return
        references = [
            found for found in obj["metadata"].get("ownerReferences") or () if found["uid"] not in uids
        ]
        metadata = {**obj["metadata"], "ownerReferences": references}
        if not references:
            del metadata["ownerReferences"]
        self._client.update(node.resource, {**obj, "metadata": metadata})

    def _tell_of_strangers(self, node: Node, obj: Obj) -> None:
        """Tell of owners in another namespace, which are none; of each once."""
        for reference in obj["metadata"].get("ownerReferences") or ():
            owner = self._graph.get(reference["uid"])
            known = (node.uid, reference["uid"])
            if owner is None or self._graph.reaches(node, owner) or known in self._told:
                continue
            self._told.add(known)
            namespace = node.key.namespace
            named = (
                f"[{reference['apiVersion']}/{reference['kind']}, namespace: {namespace}, "
                f"name: {reference['name']}, uid: {reference['uid']}]"
            )
            message = f'ownerRef {named} does not exist in namespace "{namespace}"'
            self._client.record(obj, event_type="Warning", reason="OwnerRefInvalidNamespace", message=message)

    def _attempt_to_delete(self, node: Node, obj: Obj) -> None:
        solid, dangling, waiting = self._classify(obj)
        if solid:
            if dangling or waiting:
                self._drop_references(node, {*dangling, *waiting})
            return
        propagation: Propagation = "Background"
        finalizers = obj["metadata"].get("finalizers") or ()
        dependents = self._graph.dependents(node.uid) if waiting else []
        if dependents:
            propagation = "Foreground"
            if any(found.waiting_foreground for found in dependents):
                self._unblock_owners(node)
        elif FINALIZER_ORPHAN in finalizers:
            propagation = "Orphan"
        elif FINALIZER_FOREGROUND in finalizers:
            propagation = "Foreground"
        try:
            self._client.delete(node.resource, *node.key, uid=node.uid, propagation=propagation)
        except NotFoundError:
            return

    def _unblock_owners(self, node: Node) -> None:
        """Let an object block its owners no more: it may be that they wait for one another in a circle."""
        obj = self._client.find(node.resource, *node.key)
        if obj is None or obj["metadata"]["uid"] != node.uid:
            return
        references = [
            {**each, "blockOwnerDeletion": False} for each in obj["metadata"].get("ownerReferences") or ()
        ]
        self._client.update(
            node.resource, {**obj, "metadata": {**obj["metadata"], "ownerReferences": references}}
        )

    def _classify(self, obj: Obj) -> tuple[list[str], list[str], list[str]]:
        """Return the uids of owners that are there, absent, and waiting for their dependents."""
        solid: list[str] = []
        dangling: list[str] = []
        waiting: list[str] = []
        for reference in obj["metadata"].get("ownerReferences") or ():
            exists, owner = self._owner(reference, obj)
            if not exists:
                dangling.append(reference["uid"])
            elif owner is not None and node_of("", owner).waiting_foreground:
                waiting.append(reference["uid"])
            else:
                solid.append(reference["uid"])
        return solid, dangling, waiting

    def _owner(self, reference: dict[str, Any], obj: Obj) -> tuple[bool, Obj | None]:
        """Return whether an owner may exist, and it, if it is known."""
        place = (group_of(reference["apiVersion"]), reference["kind"])
        kind = self._kinds.get(place) or next(
            (found for found in self._known() if (found.group, found.kind) == place), None
        )
        if kind is None:
            return True, None
        namespace = obj["metadata"].get("namespace") or ""
        if kind.namespaced and not namespace:
            return True, None  # a cluster-scoped object cannot have an owner in a namespace: leave it alone
        try:
            owner = self._client.find(kind.name, namespace if kind.namespaced else "", reference["name"])
        except NotFoundError:
            return True, None
        exists = owner is not None and owner["metadata"]["uid"] == reference["uid"]
        return exists, owner if exists else None


DESCRIPTOR = ControllerDescriptor(name="garbage-collector-controller", build=GarbageCollector)
