"""The scheduler's extension points: what a plugin may decide, and when.

A cycle runs PreEnqueue (may the Pod enter the queue), PreFilter (once per Pod), Filter (per node),
PostFilter (nothing fits: make room), Score with normalisation (per feasible node), Reserve and
PreBind (before the binding is written). A plugin subclasses :class:`Plugin` and overrides the points
it cares about; which ones it overrides is all the framework needs to know.

Invariant: plugins decide from the :class:`Cycle` alone and keep what they computed in ``cycle.state``.

Source: ``k8s.io/kube-scheduler/framework/interface.go`` (Kubernetes 1.36).
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, TypeAlias

from leeward.cluster.interface.client import Client, Reader
from leeward.cluster.scheduler.nodeinfo import NodeInfo
from leeward.cluster.scheduler.podinfo import PodInfo

MAX_SCORE = 100
Events: TypeAlias = Mapping[str, Collection[str]]  # resource -> event types


class Code(enum.Enum):
    """Why a plugin said no, as far as preemption cares."""

    UNSCHEDULABLE = "Unschedulable"  # removing Pods might help
    UNRESOLVABLE = "UnschedulableAndUnresolvable"  # it would not


@dataclass(frozen=True, slots=True)
class Rejection:
    """A plugin's no; None stands for yes."""

    reasons: tuple[str, ...]
    code: Code = Code.UNSCHEDULABLE
    plugin: str = ""


@dataclass(slots=True)
class Cycle:
    """One attempt to place one Pod."""

    pod: PodInfo
    nodes: Mapping[str, NodeInfo]  # every node there is; for what-if questions some are clones
    reader: Reader
    state: dict[str, Any] = field(default_factory=dict)  # by plugin name

    def what_if(self, replaced: NodeInfo) -> Cycle:
        """Return a fresh cycle in which one node is as `replaced`."""
        return Cycle(self.pod, {**self.nodes, replaced.name: replaced}, self.reader)


@dataclass(frozen=True, slots=True)
class PreFilterResult:
    """What a plugin found out about the Pod before looking at nodes."""

    rejection: Rejection | None = None
    node_names: frozenset[str] | None = None  # only these can be feasible; None: any
    skip: bool = False  # the plugin has nothing to filter for this Pod


SKIP = PreFilterResult(skip=True)
PASS = PreFilterResult()


class Plugin:
    """Base of every plugin: says yes to everything."""

    name: ClassVar[str]
    weight: ClassVar[int] = 0  # of its score; 0 when it does not score
    # What may make a Pod it rejected schedulable.
    events: ClassVar[Events] = {}

    def pre_enqueue(self, pod: PodInfo) -> Rejection | None:
        """Say whether the Pod may be tried at all."""
        return None

    def pre_filter(self, cycle: Cycle) -> PreFilterResult:
        """Look at the Pod once."""
        return PASS

    def filter(self, cycle: Cycle, node: NodeInfo) -> Rejection | None:
        """Say whether the Pod may run on `node`."""
        return None

    def scores(self, cycle: Cycle, feasible: Sequence[NodeInfo]) -> Mapping[str, int] | None:
        """Return 0..100 per feasible node, normalised, before the weight; None: no opinion."""
        return None

    def pre_bind(self, cycle: Cycle, node: NodeInfo, client: Client) -> bool:
        """Prepare the binding to `node`; False: it has to wait until :meth:`is_prepared`."""
        return True

    def is_prepared(self, pod: PodInfo, node: NodeInfo, reader: Reader) -> bool | None:
        """Say whether a waiting binding may be written; None: it has failed, try again."""
        return True


@dataclass(frozen=True, slots=True)
class Descriptor:
    """How the catalog lists a plugin."""

    name: str
    make: Callable[[], Plugin]


def reject(*reasons: str) -> Rejection:
    """Return a no that preemption might turn into a yes."""
    return Rejection(reasons)


def never(*reasons: str) -> Rejection:
    """Return a no that removing Pods cannot change."""
    return Rejection(reasons, Code.UNRESOLVABLE)


def normalize(raw: Mapping[str, int], *, reverse: bool = False) -> dict[str, int]:
    """Stretch scores to 0..100 by the largest, as upstream's DefaultNormalizeScore does."""
    largest = max(raw.values(), default=0)
    if largest == 0:
        return dict.fromkeys(raw, MAX_SCORE if reverse else 0)
    scaled = {name: MAX_SCORE * score // largest for name, score in raw.items()}
    return {name: MAX_SCORE - score for name, score in scaled.items()} if reverse else scaled
