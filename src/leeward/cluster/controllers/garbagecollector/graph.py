"""Who owns whom, by uid, as of the latest event.

Source: ``pkg/controller/garbagecollector/graph.go`` (Kubernetes 1.36).
"""

from __future__ import annotations

from typing import Any, NamedTuple

from leeward.kube.objects import Obj, ObjectKey, is_terminating, key_of
from leeward.kube.wellknown import FINALIZER_FOREGROUND, FINALIZER_ORPHAN


class Reference(NamedTuple):
    """Whom an object names as an owner."""

    uid: str
    kind: str
    name: str
    blocks: bool  # the owner's deletion, when that waits for its dependents


class Node(NamedTuple):
    """What the graph keeps of an object."""

    uid: str
    resource: str
    kind: str
    key: ObjectKey
    owners: tuple[Reference, ...]
    waiting_foreground: bool  # terminating, waits for its dependents
    waiting_orphan: bool  # terminating, sets its dependents free first
    terminating: bool

    def blocks(self, owner: str) -> bool:
        """Tell whether it blocks the deletion of an owner (by uid)."""
        return any(each.uid == owner and each.blocks for each in self.owners)


def node_of(resource: str, obj: Obj) -> Node:
    """Return the graph's view of an object."""
    meta = obj["metadata"]
    references: list[dict[str, Any]] = meta.get("ownerReferences") or []
    finalizers = meta.get("finalizers") or ()
    terminating = is_terminating(obj)
    return Node(
        meta["uid"],
        resource,
        obj.get("kind") or "",
        key_of(obj),
        tuple(
            Reference(found["uid"], found["kind"], found["name"], bool(found.get("blockOwnerDeletion")))
            for found in references
        ),
        terminating and FINALIZER_FOREGROUND in finalizers,
        terminating and FINALIZER_ORPHAN in finalizers,
        terminating,
    )


def is_same(obj: Obj, before: Obj) -> bool:
    """Tell whether a change of an object is none for the graph."""
    new, old = obj["metadata"], before["metadata"]
    fields = ("ownerReferences", "finalizers", "deletionTimestamp", "uid")
    return all(new.get(field) == old.get(field) for field in fields)


class Graph:
    """Objects and the edges between them."""

    def __init__(self) -> None:
        self._nodes: dict[str, Node] = {}
        self._dependents: dict[str, dict[str, None]] = {}  # owner uid -> dependents' uids, in order

    def get(self, uid: str) -> Node | None:
        """Return an object that exists, or None."""
        return self._nodes.get(uid)

    def dependents(self, uid: str) -> list[Node]:
        """Return what names `uid` as an owner."""
        return [self._nodes[found] for found in self._dependents.get(uid, ())]

    def waits(self, node: Node, uid: str) -> bool:
        """Tell whether an object on its way out waits for another one, over others that wait, too."""
        seen, left = set[str](), [node]
        while left:
            each = left.pop()
            if not each.waiting_foreground or each.uid in seen:
                continue
            if each.uid == uid:
                return True
            seen.add(each.uid)
            left += [found for found in self.dependents(each.uid) if found.blocks(each.uid)]
        return False

    def put(self, node: Node) -> None:
        """Take an object's new state."""
        self._unlink(node.uid)
        self._nodes[node.uid] = node
        for owner in node.owners:
            self._dependents.setdefault(owner.uid, {})[node.uid] = None

    def is_certain(self, node: Node) -> bool:
        """Tell whether all owners that a node names are there, as it names them, and within its reach."""
        for reference in node.owners:
            owner = self._nodes.get(reference.uid)
            if owner is None or not self.reaches(node, owner):
                return False
            if (owner.kind, owner.key.name) != (reference.kind, reference.name):
                return False
        return True

    @staticmethod
    def reaches(node: Node, owner: Node) -> bool:
        """Tell whether `owner` may own `node`: it is in the same namespace, or in none."""
        return owner.key.namespace in ("", node.key.namespace)

    def drop(self, uid: str) -> Node | None:
        """Forget an object; what it owned stays linked to its uid."""
        self._unlink(uid)
        return self._nodes.pop(uid, None)

    def _unlink(self, uid: str) -> None:
        old = self._nodes.get(uid)
        for owner in old.owners if old else ():
            linked = self._dependents.get(owner.uid)
            if linked is not None:
                linked.pop(uid, None)
                if not linked:
                    del self._dependents[owner.uid]
