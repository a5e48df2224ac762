"""DefaultPreemption: which Pods of lower priority should make way, and on which node.

Pure: answers with a :class:`Plan`; the scheduler carries it out. On every node that rejected the Pod
for a reason that removing Pods can cure, all Pods of lower priority are taken away in thought; when
the Pod fits then, they are put back one by one, the most important first, as long as it still fits.

Source: ``pkg/scheduler/framework/preemption`` and ``plugins/defaultpreemption`` (Kubernetes 1.36).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from leeward.cluster.scheduler.diagnosis import summarize
from leeward.cluster.scheduler.framework import Code, Cycle, Rejection, never
from leeward.cluster.scheduler.nodeinfo import NodeInfo
from leeward.cluster.scheduler.podinfo import PodInfo
from leeward.cluster.scheduler.profile import Feasibility, Nominated, Prepared, Profile, tell
from leeward.kube.objects import Obj, find_condition, labels_of
from leeward.kube.selectors import matches_selector

_NOT_HELPFUL = "Preemption is not helpful for scheduling"
_NO_VICTIMS = "No preemption victims found for incoming pod"
_MIN_PERCENTAGE = 10  # of the nodes that might do: so many candidates are enough,
_MIN_CANDIDATES = 100  # but not fewer than these; both by default
NAME = "DefaultPreemption"
_OFFSET = 2**31  # makes every priority count as more than nothing in a sum


@dataclass(frozen=True, slots=True)
class Candidate:
    """A node and the Pods that would have to go."""

    node: str
    victims: tuple[PodInfo, ...]  # most important first
    violations: int  # of disruption budgets


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do: a candidate, or the reason why there is none."""

    candidate: Candidate | None
    message: str = ""
    keeps_nomination: bool = False  # what was nominated before still holds


def _start(pod: PodInfo) -> str:
    return (pod.pod.get("status") or {}).get("startTime") or "9"


def _by_importance(pods: Sequence[PodInfo]) -> list[PodInfo]:
    return sorted(pods, key=lambda pod: (-pod.priority, _start(pod)))


def eligibility(pod: PodInfo, cycle: Cycle, found: Feasibility) -> str:
    """Return why the Pod may not preempt now, or ""."""
    if pod.spec.get("preemptionPolicy") == "Never":
        return "not eligible due to preemptionPolicy=Never."
    nominated = (pod.pod.get("status") or {}).get("nominatedNodeName")
    node = cycle.nodes.get(nominated) if nominated else None
    if node is None or found.rejections[node.name].code is Code.UNRESOLVABLE:
        return ""
    for other in node.pods.values():
        condition = find_condition(other.pod, "DisruptionTarget") or {}
        if (
            other.terminating
            and other.priority < pod.priority
            and condition.get("status") == "True"
            and condition.get("reason") == "PreemptionByScheduler"
        ):
            return "not eligible due to a terminating pod on the nominated node."
    return ""


def plan(
    profile: Profile, cycle: Cycle, found: Feasibility, budgets: Sequence[Obj], nominated: Nominated
) -> Plan:
    """Decide who makes way for ``cycle.pod``."""
    if profile.preemption is None:
        return Plan(None, keeps_nomination=True)
    if reason := eligibility(cycle.pod, cycle, found):
        return Plan(None, f"preemption: {reason}", keeps_nomination=True)
    if found.hopeless:
        return Plan(None, found.hopeless)
    prepared = profile.prepare(cycle)
    potential = [name for name, no in found.rejections.items() if no.code is Code.UNSCHEDULABLE]
    share = len(potential) * profile.preemption.get("minCandidateNodesPercentage", _MIN_PERCENTAGE) // 100
    enough = max(share, profile.preemption.get("minCandidateNodesAbsolute", _MIN_CANDIDATES))
    candidates: list[Candidate] = []
    reasons = [_NOT_HELPFUL] * (len(found.rejections) - len(potential))
    for name in potential:
        node = cycle.nodes[name]
        if all(template.priority >= cycle.pod.priority for template, _ in node.kins):
            reasons.append(_NO_VICTIMS)
            continue
        dry_run = _DryRun(profile, cycle, prepared, node, nominated(name, cycle.pod))
        outcome = dry_run.victims(budgets)
        if isinstance(outcome, Rejection):
            reasons += outcome.reasons
            continue
        candidates.append(outcome)
        if len(candidates) >= enough:
            break
    if candidates:
        return Plan(min(candidates, key=_cost))
    found.hopeless = f"preemption: 0/{len(cycle.nodes)} nodes are available: {summarize(reasons)}."
    return Plan(None, found.hopeless)


def _cost(candidate: Candidate) -> tuple[int, int, int, int, str]:
    victims = candidate.victims
    highest = max(victim.priority for victim in victims)
    earliest = min(_start(victim) for victim in victims if victim.priority == highest)
    return (
        candidate.violations,
        highest,
        sum(victim.priority + _OFFSET for victim in victims),
        len(victims),
        _descending(earliest),
    )


def _descending(text: str) -> str:
    """Return a text that sorts the other way round."""
    return "".join(chr(0x10FFFF - ord(char)) for char in text)


class _DryRun:
    """What would be on one node, if others left it."""

    def __init__(
        self, profile: Profile, cycle: Cycle, prepared: Prepared, node: NodeInfo, nominated: Sequence[PodInfo]
    ) -> None:
        self._profile = profile
        self._cycle = cycle.clone()
        self._prepared = prepared
        self._node = node.clone()
        self._nominated = nominated

    def _check(self) -> Rejection | None:
        return self._profile.check(self._cycle, self._prepared, self._node, self._nominated)

    def _remove(self, pod: PodInfo) -> None:
        self._node.remove(pod.uid)
        tell(self._prepared.filters, self._cycle, pod, self._node, -1)

    def _add(self, pod: PodInfo) -> None:
        self._node.add(pod)
        tell(self._prepared.filters, self._cycle, pod, self._node, 1)

    def victims(self, budgets: Sequence[Obj]) -> Candidate | Rejection:
        """Return who has to go so that the Pod fits, or why that does not help."""
        priority = self._cycle.pod.priority
        potential = [pod for pod in self._node.pods.values() if pod.priority < priority]
        for pod in potential:
            self._remove(pod)
        if no := self._check():
            return no
        violating, harmless = _split(_by_importance(potential), budgets)
        victims: list[PodInfo] = []
        violations = 0
        for pod in (*violating, *harmless):
            self._add(pod)
            if self._check():
                self._remove(pod)
                victims.append(pod)
                violations += pod in violating
        if not victims:
            return never(f'expected at least one victim pod on node "{self._node.name}"')
        return Candidate(self._node.name, tuple(_by_importance(victims)), violations)


def _split(pods: Sequence[PodInfo], budgets: Sequence[Obj]) -> tuple[list[PodInfo], list[PodInfo]]:
    """Return the Pods whose loss would violate a disruption budget, and the others."""
    room = [(budget.get("status") or {}).get("disruptionsAllowed") or 0 for budget in budgets]
    violating: list[PodInfo] = []
    harmless: list[PodInfo] = []
    for pod in pods:
        violates = False
        for position, budget in enumerate(budgets):
            if budget["metadata"]["namespace"] != pod.namespace or not labels_of(pod.pod):
                continue
            selector = budget["spec"].get("selector") or {}
            if not any(selector.values()) or not matches_selector(selector, pod.labels):
                continue  # here, upstream takes an empty selector for one of nothing
            disrupted = (budget.get("status") or {}).get("disruptedPods") or {}
            if pod.key.name in disrupted:
                continue
            room[position] -= 1
            violates = violates or room[position] < 0
        (violating if violates else harmless).append(pod)
    return violating, harmless
