"""The scheduler's extension points: what a plugin may decide, and when.

A cycle runs PreEnqueue (may the Pod enter the queue), PreFilter (once per Pod), Filter (per node),
PostFilter (nothing fits: make room), PreScore, Score (per feasible node) with normalisation, and PreBind
(before the binding is written). A plugin subclasses :class:`Plugin` and overrides the points
it cares about; which ones it overrides is all the framework needs to know.

Invariant: plugins decide from the :class:`Cycle` alone and keep what they computed in ``cycle.state``.

Source: ``k8s.io/kube-scheduler/framework/interface.go`` (Kubernetes 1.36).
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, ClassVar, TypeAlias

from leeward.cluster.interface.client import Client, Reader
from leeward.cluster.interface.store import Event
from leeward.cluster.scheduler.census import Census
from leeward.cluster.scheduler.nodeinfo import NodeInfo
from leeward.cluster.scheduler.podinfo import Kin, PodInfo

MAX_SCORE = 100
Args: TypeAlias = Mapping[str, Any]  # of a plugin, in the words of KubeSchedulerConfiguration
Likes: TypeAlias = Sequence[tuple[NodeInfo, int]]  # a node, and how many are like it in every way
Events: TypeAlias = Mapping[str, Collection[str]]  # resource -> event types


NO_ARGS: Args = MappingProxyType({})


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


class CycleState:
    """What a plugin keeps during a cycle."""

    def clone(self) -> CycleState:
        """Return a copy for a what-if question; itself when :meth:`Plugin.update` does not change it."""
        return self


@dataclass(slots=True)
class Cycle:
    """One attempt to place one Pod."""

    pod: PodInfo
    nodes: Mapping[str, NodeInfo]  # every node there is
    census: Census  # of the Pods on them
    reader: Reader
    hosts_differ: bool = True  # no two nodes have the same hostname
    images: Mapping[str, int] = field(default_factory=dict)  # how many nodes have each
    topologies: dict[tuple[str, ...], Mapping[str, str]] = field(default_factory=dict)  # see domains()
    state: dict[str, Any] = field(default_factory=dict)  # CycleState by plugin name

    def domains(self, key: str, together: Sequence[str] = ()) -> Mapping[str, str]:
        """Return the values of a topology key by node, of the nodes that have this key and some others."""
        keys = (key, *together)
        found = self.topologies.get(keys)
        if found is None:
            found = self.topologies[keys] = {
                name: node.labels[key]
                for name, node in self.nodes.items()
                if all(each in node.labels for each in keys)
            }
        return found

    def clone(self) -> Cycle:
        """Return a copy for a what-if question: plugins may be told of Pods that come and go."""
        state = {name: found.clone() for name, found in self.state.items()}
        return replace(self, state=state)


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
    weight: int = 0  # of its score; 0 when it does not score
    # What may make a Pod it rejected schedulable; of Pods, those that are assigned to nodes.
    events: ClassVar[Events] = {}
    # Whether its answers for a node depend on Pods of other nodes; if not, they hold until the node changes,
    # for all Pods of a template that may share them.
    looks_around: ClassVar[bool] = False

    # How long a binding may wait for what the plugin prepares, in seconds.
    bind_timeout: float = 0.0

    def __init__(self, args: Args = NO_ARGS) -> None:
        """Take what a profile has for the plugin in ``pluginConfig``."""

    def pre_enqueue(self, pod: PodInfo) -> Rejection | None:
        """Say whether the Pod may be tried at all."""
        return None

    def shares(self, pod: PodInfo) -> bool:
        """Say whether its answers hold for all Pods of the Pod's template (upstream's SignPod)."""
        return True

    def wakes(self, pod: PodInfo, event: Event) -> bool:
        """Say whether one of its events may make a Pod it rejected schedulable (upstream's QueueingHint)."""
        return True

    def pre_filter(self, cycle: Cycle) -> PreFilterResult:
        """Look at the Pod once."""
        return PASS

    def update(self, cycle: Cycle, other: Kin, node: NodeInfo, sign: int) -> None:
        """Take note that a Pod of a kin came to `node` (1) or went (-1), as if :meth:`pre_filter` saw it.

        Upstream's PreFilterExtensions, AddPod and RemovePod.
        """

    def filter(self, cycle: Cycle, node: NodeInfo) -> Rejection | None:
        """Say whether the Pod may run on `node`."""
        return None

    def keys(self, cycle: Cycle) -> Collection[str]:
        """Return by which topology keys a plugin that looks around tells nodes apart."""
        return ()

    def digest(self, cycle: Cycle, node: NodeInfo) -> Hashable:
        """Return what nodes have in common that a plugin which looks around filters and scores alike.

        It changes only with the node, with a Pod that comes to it or goes, and with :meth:`keys`.
        """
        return None

    def pre_score(self, cycle: Cycle, feasible: Likes) -> bool:
        """Prepare to score `feasible`; False: no opinion."""
        return True

    def score(self, cycle: Cycle, node: NodeInfo) -> int:
        """Return the score of `node`, 0..100 unless :meth:`normalize` makes it so."""
        return 0

    def normalize(self, cycle: Cycle, raw: Sequence[int]) -> Sequence[int]:
        """Return the scores 0..100 of all feasible nodes."""
        return raw

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
    make: Callable[[Args], Plugin]


def reject(*reasons: str) -> Rejection:
    """Return a no that preemption might turn into a yes."""
    return Rejection(reasons)


def never(*reasons: str) -> Rejection:
    """Return a no that removing Pods cannot change."""
    return Rejection(reasons, Code.UNRESOLVABLE)


def stretch(raw: Sequence[int], *, reverse: bool = False) -> list[int]:
    """Stretch scores to 0..100 by the largest, as upstream's DefaultNormalizeScore does."""
    largest = max(raw, default=0)
    if largest == 0:
        return [MAX_SCORE if reverse else 0] * len(raw)
    scaled = [MAX_SCORE * score // largest for score in raw]
    return [MAX_SCORE - score for score in scaled] if reverse else scaled


def overrides(plugin: Plugin, point: str) -> bool:
    """Tell whether a plugin cares about an extension point."""
    return getattr(type(plugin), point) is not getattr(Plugin, point)
