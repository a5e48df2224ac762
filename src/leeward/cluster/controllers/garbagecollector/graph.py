"""Who owns whom, by uid, as of the latest event.

Source: ``pkg/controller/garbagecollector/graph.go`` (Kubernetes 1.36).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from leeward.kube.objects import Obj, ObjectKey, is_terminating, key_of
from leeward.kube.wellknown import FINALIZER_FOREGROUND, FINALIZER_ORPHAN


@dataclass(frozen=True, slots=True)
class Node:
    """What the graph keeps of an object."""

    uid: str
    resource: str
    key: ObjectKey
    owners: tuple[str, ...]  # uids
    blocking: frozenset[str]  # uids of the owners whose deletion it blocks
    waiting_foreground: bool  # terminating, waits for its dependents
    waiting_orphan: bool  # terminating, sets its dependents free first
    terminating: bool


def node_of(resource: str, obj: Obj) -> Node:
    """Return the graph's view of an object."""
    meta = obj["metadata"]
    references: list[dict[str, Any]] = meta.get("ownerReferences") or []
    finalizers = meta.get("finalizers") or ()
    terminating = is_terminating(obj)
    return Node(
        uid=meta["uid"],
        resource=resource,
        key=key_of(obj),
        owners=tuple(found["uid"] for found in references),
        blocking=frozenset(found["uid"] for found in references if found.get("blockOwnerDeletion")),
        waiting_foreground=terminating and FINALIZER_FOREGROUND in finalizers,
        waiting_orphan=terminating and FINALIZER_ORPHAN in finalizers,
        terminating=terminating,
    )


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
            left += [found for found in self.dependents(each.uid) if each.uid in found.blocking]
        return False

    def put(self, node: Node) -> None:
        """Take an object's new state."""
        self._unlink(node.uid)
        self._nodes[node.uid] = node
        for owner in node.owners:
            self._dependents.setdefault(owner, {})[node.uid] = None

    def drop(self, uid: str) -> Node | None:
        """Forget an object; what it owned stays linked to its uid."""
        self._unlink(uid)
        return self._nodes.pop(uid, None)

    def _unlink(self, uid: str) -> None:
        old = self._nodes.get(uid)
        owners: Iterable[str] = old.owners if old else ()
        for owner in owners:
            linked = self._dependents.get(owner)
            if linked is not None:
                linked.pop(uid, None)
                if not linked:
                    del self._dependents[owner]
