"""Who owns the fields of new Pods that are made of one template: found once for all of them.

The Pods of a ReplicaSet differ in their names alone, which nobody owns. Ten thousand of them share one set
of fields, in time and in memory.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any

import orjson

from leeward.kube.objects import Obj

_KEPT = 256  # templates
Entries = list[dict[str, Any]]


class PodOwners:
    """Remembers ``managedFields`` of new Pods by what these are made of."""

    def __init__(self) -> None:
        self._known: OrderedDict[bytes, Entries] = OrderedDict()

    def entries(self, pod: Obj, who: Sequence[str], time: str, make: Callable[[], Obj]) -> Entries:
        """Return the managers of a new Pod.

        Args:
            pod: as it is created.
            who: creates it.
            time: when.
            make: returns it with its managers.
        """
        meta = dict(pod["metadata"])
        meta.pop("name", None)
        key = orjson.dumps((who, meta, pod.get("spec")))
        known = self._known.get(key)
        if known is None:
            known = make()["metadata"].get("managedFields") or []
            if len(self._known) >= _KEPT:
                self._known.popitem(last=False)
        elif not known or known[0]["time"] == time:
            return known
        else:
            known = [{**entry, "time": time} for entry in known]
        self._known[key] = known
        return known
