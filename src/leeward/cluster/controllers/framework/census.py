"""What a controller of many Pods asks of each of them, worked out once for each state of a Pod.

Invariant: objects are never changed in place, so what was found out of one holds as long as it is that one.

Source: pkg/controller/controller_utils.go (FilterActivePods), pkg/api/v1/pod/util.go (Kubernetes 1.36).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from leeward.kube.objects import Obj, find_condition, is_terminating, labels_of
from leeward.kube.pods import is_active, is_finished
from leeward.kube.selectors import matches_labels, matches_selector

_About = tuple[Obj, dict[str, str]]  # selector and labels that the facts are about


class Facts(NamedTuple):
    """Of one state of a Pod."""

    pod: Obj
    selected: bool  # by its owner
    labelled: bool  # with all labels of its owner's template
    active: bool
    leaving: bool  # it is being deleted and has not ended
    ready_since: str | None  # None: it is not ready; "": nobody knows since when


class Census:
    """Remembers the facts of the Pods of each owner."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[_About, dict[str, Facts]]] = {}  # by uid of the owner; by name

    def take(self, owner: Obj, selector: Obj, pods: Iterable[Obj]) -> list[Facts]:
        """Return the facts of `pods`, in their order.

        Args:
            owner: the ReplicaSet or the like.
            selector: of the owner.
            pods: all that it controls.
        """
        uid = owner["metadata"]["uid"]
        labels = (owner["spec"]["template"].get("metadata") or {}).get("labels") or {}
        before = self._known.get(uid)
        known = before[1] if before is not None and before[0] == (selector, labels) else {}
        found: dict[str, Facts] = {}
        for pod in pods:
            name = pod["metadata"]["name"]
            facts = known.get(name)
            if facts is None or facts.pod is not pod:
                facts = _facts(pod, selector, labels)
            found[name] = facts
        self._known[uid] = (selector, labels), found
        return list(found.values())

    def forget(self, uid: str) -> None:
        """An owner is gone."""
        self._known.pop(uid, None)


def _facts(pod: Obj, selector: Obj, labels: dict[str, str]) -> Facts:
    ready = find_condition(pod, "Ready")
    since = (ready.get("lastTransitionTime") or "") if ready and ready.get("status") == "True" else None
    has = labels_of(pod)
    return Facts(
        pod,
        matches_selector(selector, has),
        matches_labels(labels, has),
        is_active(pod),
        is_terminating(pod) and not is_finished(pod),
        since,
    )
