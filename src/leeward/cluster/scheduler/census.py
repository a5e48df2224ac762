"""Which Pods run where, by kin: what plugins that look at the Pods of all nodes count from.

The cache keeps it with every Pod that comes and goes. To learn how many Pods a selector selects in each
zone, a plugin asks of every kin once whether it is selected, and adds up its nodes; nodes without such Pods,
and the number of Pods, do not matter. From then on it is told of each Pod (:meth:`Plugin.update`).

Invariant: the sums of :attr:`NodeInfo.kins` over all nodes, also those that are not there.

Source: stands for the rescans of ``pkg/scheduler/framework/plugins/{podtopologyspread,interpodaffinity}``.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from leeward.cluster.scheduler.nodeinfo import bump
from leeward.cluster.scheduler.podinfo import Kin

Places = Mapping[str, int]  # node -> Pods


class Census:
    """Counts of Pods by namespace, kin and node."""

    def __init__(self) -> None:
        self._namespaces: dict[str, dict[Kin, dict[str, int]]] = {}
        self._with_terms: dict[Kin, dict[str, int]] = {}

    def count(self, kin: Kin, node: str, sign: int) -> None:
        """Note that a Pod came (1) or went (-1)."""
        template = kin[0]
        kins = self._namespaces.setdefault(template.namespace, {})
        places = kins.setdefault(kin, {})
        bump(places, node, sign)
        if not places:
            del kins[kin]
            self._with_terms.pop(kin, None)
            if not kins:
                del self._namespaces[template.namespace]
        elif template.has_terms:
            self._with_terms[kin] = places

    def within(self, namespaces: Collection[str] | None) -> Iterator[tuple[Kin, Places]]:
        """Iterate over the kins of some namespaces; None: of all."""
        for namespace in self._namespaces if namespaces is None else namespaces:
            yield from self._namespaces.get(namespace, {}).items()

    def with_terms(self) -> Iterator[tuple[Kin, Places]]:
        """Iterate over the kins that have affinity or anti-affinity terms."""
        return iter(self._with_terms.items())
