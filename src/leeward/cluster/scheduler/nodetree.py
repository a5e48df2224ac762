"""The order of nodes: zones take turns, each with its nodes in the order in which they came.

Where nodes are equally good the first one wins, so this order spreads Pods over zones.

Source: ``pkg/scheduler/backend/cache/node_tree.go`` (Kubernetes 1.36).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import zip_longest

from leeward.kube.wellknown import REGION, ZONE

_Zone = tuple[str, str]


class NodeTree:
    """Names of nodes by region and zone."""

    def __init__(self) -> None:
        self._zones: dict[_Zone, dict[str, None]] = {}
        self._places: dict[str, _Zone] = {}

    def put(self, name: str, labels: Mapping[str, str]) -> bool:
        """Take a node in, or to another zone; tells whether the order is another one now."""
        zone = (labels.get(REGION, ""), labels.get(ZONE, ""))
        if self._places.get(name) == zone:
            return False
        self.remove(name)
        self._places[name] = zone
        self._zones.setdefault(zone, {})[name] = None
        return True

    def remove(self, name: str) -> None:
        """Forget a node; harmless when it is not known."""
        zone = self._places.pop(name, None)
        if zone is not None:
            del self._zones[zone][name]
            if not self._zones[zone]:
                del self._zones[zone]

    def __iter__(self) -> Iterator[str]:
        for turn in zip_longest(*self._zones.values()):
            yield from (name for name in turn if name is not None)
