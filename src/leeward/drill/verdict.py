"""What a drill proves: problems fail it, findings and risks are told. Pure.

* A GET that failed is a problem, whatever else happened.
* A service must stay ready in two other zones; with 2 replicas, or 2 zones left to it, in one. It is held
  to what it had before the cut: a service that was in one other zone only is a finding, not a failure, as
  long as it stays there. One that was ready nowhere else goes down, which is a failure.
* A service with one replica, or one that may be in the lost zone only, is at risk by construction: it is
  told how long it was down, and is a problem when it does not come back: elsewhere before the zone does,
  or, where its volume or its constraints keep it, with the zone.
* A drill in which nothing was asked or seen while the zone was gone proves nothing, and fails.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from leeward.drill.load import Sample
from leeward.drill.observation import (
    Cluster,
    Observation,
    downtime,
    last_before,
    longest_blink,
    other_zones,
    ready_in,
    surviving,
    zones_left,
)
from leeward.drill.services import Service

SAFE_METHODS = frozenset(("GET", "HEAD"))
BLIND_SECONDS = 5.0  # without an observation, after which nobody knows what happened
LATE_SECONDS = 0.1  # a load that is later than this says more about this machine than about the service


@dataclass(frozen=True, slots=True, kw_only=True)
class Drill:
    """What was done, when; seconds since the load began."""

    zone: str
    mode: str
    cut: float
    back: float
    pinned: Mapping[str, list[str]] = field(default_factory=dict)  # service → Pods with a volume in the zone
    services: Mapping[str, Service] = field(default_factory=dict)  # as wanted before the cut


@dataclass(slots=True)
class Verdict:
    """What is to be said; `passed` unless there are problems."""

    problems: list[str] = field(default_factory=list)
    findings: list[str] = field(default_factory=list)
    at_risk: dict[str, str] = field(default_factory=dict)  # service → why, what it cost, what helps


@dataclass(frozen=True, slots=True)
class _Case:
    """One service in a drill."""

    name: str
    service: Service
    drill: Drill
    seen: Sequence[Observation]
    cluster: Cluster
    before: Observation

    @property
    def required(self) -> int:
        """Other zones that it must stay in; 0: it is at risk by construction."""
        return min(2, len(self.service.zones - {self.drill.zone}), self.service.replicas - 1)

    @property
    def was_in(self) -> list[str]:
        """Zones it was ready in before the cut."""
        return ready_in(self.before, self.name)


def judge(drill: Drill, samples: Sequence[Sample], seen: Sequence[Observation], cluster: Cluster) -> Verdict:
    """Judge a drill."""
    found = Verdict()
    found.problems += _load_problems(drill, samples)
    found.findings += _load_findings(samples)
    before = last_before(seen, drill.cut)
    blind = longest_blink(seen, drill.cut, drill.back)
    looked = any(drill.cut <= look.at <= drill.back for look in seen)
    if before is None or not looked or blind > BLIND_SECONDS:
        found.problems.append(
            f"the cluster was not observed for {blind:.1f} s around the loss, so nobody knows what became of "
            "the services: is this machine overloaded, or --duration too short?"
        )
        return found
    cases = [
        _Case(name, service, drill, seen, cluster, before)
        for name, service in sorted(wanted(drill, before, cluster).items())
    ]
    found.findings += _unrehearsed(cases, drill)
    for case in cases:
        if not case.was_in:
            found.findings.append(
                f"no Pod of {case.name} was ready before the cut, so it is not judged; `leeward ps` and "
                f"`leeward logs {case.name}` tell why"
            )
        elif case.required <= 0:
            _judge_risk(case, found)
        else:
            _judge_spread(case, found)
    return found


def wanted(drill: Drill, before: Observation | None, cluster: Cluster) -> dict[str, Service]:
    """Return every service; of Pods without a known workload, as many are wanted as there were."""
    seen = before.ready if before else {}
    unknown = {
        name: Service(sum(zones.values()), cluster.zones)
        for name, zones in seen.items()
        if sum(zones.values())
    }
    return {**unknown, **drill.services}


def _load_problems(drill: Drill, samples: Sequence[Sample]) -> Iterator[str]:
    safe = [sample for sample in samples if sample.method in SAFE_METHODS]
    lost = [sample.failure for sample in safe if sample.failure]
    if lost:
        yield f"{count_of(len(lost), 'GET request')} failed; none may"
    if any(failure.startswith("not sent") for failure in lost):
        yield "this machine ran out of sockets: use a lower --rate"
    if not samples:
        yield "no request was sent"
    elif not any(drill.cut <= sample.due < drill.back for sample in safe):
        yield "no GET fell due while the zone was gone: use a higher --rate or a longer --duration"


def _load_findings(samples: Sequence[Sample]) -> Iterator[str]:
    lags = sorted(sample.lag for sample in samples)
    if lags and (late := lags[int(0.99 * (len(lags) - 1))]) > LATE_SECONDS:
        yield (
            f"1 % of the requests left {late * 1000:.0f} ms late or more, because this machine was busy; the "
            "latencies include that"
        )


def _unrehearsed(cases: Sequence[_Case], drill: Drill) -> Iterator[str]:
    """Tell which services had nothing to lose."""
    if not any(drill.zone in case.was_in for case in cases):
        yield (
            f"nothing ran in zone {drill.zone} before the cut, so little was rehearsed: drill another zone, "
            "or spread the services again with `leeward restart` first"
        )
        return
    absent = [
        case.name
        for case in cases
        if case.was_in
        and drill.zone not in case.was_in
        and drill.zone in case.service.zones
        and case.service.replicas >= len(case.service.zones)
        and not case.service.bound
        and other_zones(case.before, case.name, case.cluster) >= case.required > 0
    ]
    if absent:
        names = " ".join(absent)
        yield (
            f"nothing of {', '.join(absent)} was in zone {drill.zone} before the cut, so losing it was not "
            f"rehearsed there; `leeward restart {names}` spreads again"
        )


def _judge_spread(case: _Case, found: Verdict) -> None:
    name, zone = case.name, case.drill.zone
    least = zones_left(case.seen, case.cluster, case.drill.cut, case.drill.back, [name])[name]
    had = other_zones(case.before, name, case.cluster)
    if had < case.required:
        found.findings.append(
            f"before the cut {name} was in {zones_text(case.was_in)} only: {_spreading(case)}"
        )
    held_to = max(1, min(case.required, had))
    if least < held_to:
        why = (
            f"it was nowhere else before the cut: {_spreading(case)}"
            if not had
            else f"Pods outside zone {zone} were not ready: `leeward ps` and `leeward logs {name}` tell why"
        )
        found.problems.append(
            f"{name} had ready Pods in {least} other {plural(least, 'zone')} at worst while {zone} was gone; "
            f"with {count_of(case.service.replicas, 'replica')} it has to stay in {held_to}; {why}"
        )
    ready, wanted_ready = _total(case.seen[-1], name), _total(case.before, name)
    if ready < wanted_ready:
        found.findings.append(
            f"{name} had {ready} of {wanted_ready} Pods ready at the end, {_since_back(case)}: "
            "`leeward ps` tells why"
        )


def _spreading(case: _Case) -> str:
    if case.service.bound:
        return "its volumes keep its Pods there; new ones need volumes in other zones"
    return f"`leeward restart {case.name}` spreads it again"


def _judge_risk(case: _Case, found: Verdict) -> None:
    drill, name = case.drill, case.name
    down = downtime(case.seen, name, case.cluster, drill.cut, drill.back, abrupt=drill.mode == "power")
    found.at_risk[name] = _risk(case, down)
    last = last_before(case.seen, drill.back)
    tied = name in drill.pinned or not case.service.zones - {drill.zone}
    if not tied and not (last and surviving(last, name, case.cluster)):
        found.problems.append(
            f"{name} was not ready in another zone when {drill.zone} came back, "
            f"{drill.back - drill.cut:.1f} s after the cut: `leeward ps` and `leeward logs {name}` tell why; "
            "a longer --duration gives it more time"
        )
    elif not _total(case.seen[-1], name):
        found.problems.append(
            f"{name} was not ready at the end, {_since_back(case)}: "
            f"`leeward ps` and `leeward logs {name}` tell why"
        )


def _risk(case: _Case, down: float) -> str:
    name, zone, service = case.name, case.drill.zone, case.service
    if service.replicas > 1:
        what = f"may be in zone {zone} only"
        cure = "let its placement take in other zones"
    else:
        what = "has 1 replica"
        cure = f"run at least {min(3, max(2, len(case.cluster.zones)))}"
    if zone in case.was_in:
        cost = f"took it down for {down:.1f} s" if down else "can take it down"
        return f"{name} {what}: losing its zone {cost}; {cure}"
    cost = f"{name} {what}, in {zones_text(case.was_in)}: losing that zone takes it down; {cure}"
    return f"{cost} (it was down for {down:.1f} s in this drill, too)" if down else cost


def _total(look: Observation, service: str) -> int:
    return sum(look.ready.get(service, {}).values())


def _since_back(case: _Case) -> str:
    return f"{case.seen[-1].at - case.drill.back:.1f} s after {case.drill.zone} came back"


def zones_text(zones: Sequence[str]) -> str:
    """Return "zone a", "zones a and b" or "zones a, b and c"."""
    if len(zones) == 1:
        return f"zone {zones[0]}"
    return f"zones {', '.join(zones[:-1])} and {zones[-1]}"


def plural(count: int, noun: str) -> str:
    """Return the noun as it follows a number."""
    return noun if count == 1 else f"{noun}s"


def count_of(count: int, noun: str) -> str:
    """Return a number with its noun."""
    return f"{count} {plural(count, noun)}"
