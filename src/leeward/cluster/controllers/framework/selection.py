"""What is made of each Pod that an object selects, made again only for Pods that changed since.

Controllers with a selector (Services, budgets) would otherwise look at all Pods of a namespace for each Pod
that changes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from leeward.cluster.interface.client import Reader
from leeward.kube.objects import Obj, ObjectKey

T = TypeVar("T")


@dataclass(slots=True)
class Selected(Generic[T]):
    """What an object selects."""

    values: dict[str, T] = field(default_factory=dict)  # by the Pod's name
    looked_at: list[Obj] = field(default_factory=list)  # Pods whose value was made this time
    gone: list[str] | None = None  # whose value was dropped; None: everything was made this time


class Selection(Generic[T]):
    """Keeps the values.

    Args:
        reader: where Pods are.
        selects: whether an object selects a Pod.
        view: what is made of an object and a Pod that it selects.
    """

    def __init__(
        self, reader: Reader, selects: Callable[[Obj, Obj], bool], view: Callable[[Obj, Obj], T]
    ) -> None:
        self._reader = reader
        self._selects = selects
        self._view = view
        self._made_for: dict[ObjectKey, tuple[object, ...]] = {}
        self._values: dict[ObjectKey, dict[str, T]] = {}
        self._changed: dict[ObjectKey, dict[str, None]] = {}

    def note(self, key: ObjectKey, pod: str) -> None:
        """A Pod that an object selects, or did, has changed."""
        self._changed.setdefault(key, {})[pod] = None

    def forget(self, key: ObjectKey) -> None:
        """An object is gone."""
        for known in (self._made_for, self._values, self._changed):
            known.pop(key, None)

    def count(self, key: ObjectKey) -> int:
        """Return how many Pods an object selected when it was looked at last."""
        return len(self._values.get(key, ()))

    def of(self, key: ObjectKey, obj: Obj) -> Selected[T]:
        """Return what an object selects now."""
        made_for = (obj["metadata"]["uid"], obj.get("spec"))
        changed = self._changed.pop(key, {})
        if self._made_for.get(key) != made_for:
            pods = [pod for pod in self._reader.list("pods", key.namespace) if self._selects(obj, pod)]
            values = {pod["metadata"]["name"]: self._view(obj, pod) for pod in pods}
            self._made_for[key], self._values[key] = made_for, values
            return Selected(values, pods)
        values = self._values[key]
        looked_at: list[Obj] = []
        gone: list[str] = []
        for name in changed:
            pod = self._reader.find("pods", key.namespace, name)
            if pod is None or not self._selects(obj, pod):
                values.pop(name, None)
                gone.append(name)
            else:
                values[name] = self._view(obj, pod)
                looked_at.append(pod)
        return Selected(values, looked_at, gone)
