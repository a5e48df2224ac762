"""The report of a drill: what customers saw, what the cluster did, the verdict. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from leeward.drill.load import Sample
from leeward.drill.observation import (
    Cluster,
    Observation,
    Zones,
    by_zone,
    last_before,
    left_rotation,
    ready_in,
    replaced,
    zones_left,
)
from leeward.drill.verdict import SAFE_METHODS, Drill, count_of, judge, wanted


@dataclass(frozen=True, slots=True)
class Phase:
    """Requests that fell due in one phase; latencies in milliseconds, None without samples."""

    requests: int
    p50_ms: float | None
    p99_ms: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Everything a drill found out; times in seconds from the cut, None: it did not happen."""

    zone: str
    mode: str
    requests: int
    failures: dict[str, int]  # "GET timeout" → count
    phases: dict[str, Phase]  # before, during, after
    left_rotation: float | None
    replaced: float | None
    pods: dict[str, Zones]  # before, during, after → zone → ready Pods
    zones_left: dict[str, int]  # service → other zones with a ready Pod, at worst
    pinned: Mapping[str, list[str]] = field(default_factory=dict)  # service → Pods with a volume in the zone
    at_risk: Mapping[str, str] = field(default_factory=dict)  # service → what its loss costs, and the cure
    findings: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        """No GET failed and every service stayed in the other zones, as far as it could."""
        return not self.problems

    def to_json(self) -> dict[str, Any]:
        """Return the report as JSON."""
        return {**asdict(self), "passed": self.passed}


def make_report(
    drill: Drill, samples: Sequence[Sample], seen: Sequence[Observation], cluster: Cluster
) -> Report:
    """Judge a drill."""
    failures = Counter(f"{sample.method} {sample.failure}" for sample in samples if sample.failure)
    spans = {
        "before": (0.0, drill.cut),
        "during": (drill.cut, drill.back),
        "after": (drill.back, float("inf")),
    }
    left = left_rotation(seen, cluster, drill.cut)
    services = wanted(drill, last_before(seen, drill.cut), cluster)
    staying = {name for name, service in services.items() if service.everywhere} | set(drill.pinned)
    grown = replaced(seen, cluster, drill.cut, frozenset(staying))
    verdict = judge(drill, samples, seen, cluster)
    return Report(
        zone=drill.zone,
        mode=drill.mode,
        requests=len(samples),
        failures=dict(sorted(failures.items())),
        phases={name: _phase(samples, *span) for name, span in spans.items()},
        left_rotation=left,
        replaced=grown,
        pods={
            "before": by_zone(last_before(seen, drill.cut)),
            "during": by_zone(last_before(seen, drill.back)),
            "after": by_zone(seen[-1] if seen else None),
        },
        zones_left=zones_left(seen, cluster, drill.cut, drill.back, services),
        pinned=drill.pinned,
        at_risk=verdict.at_risk,
        findings=(*verdict.findings, *_not_replaced(grown, services.keys() - staying, drill, seen)),
        problems=tuple(verdict.problems),
    )


def _not_replaced(
    grown: float | None, movable: Iterable[str], drill: Drill, seen: Sequence[Observation]
) -> list[str]:
    """Tell that Pods were lost and no others took their place in time."""
    before = last_before(seen, drill.cut)
    lost = sorted(name for name in movable if drill.zone in ready_in(before, name))
    if not lost or (grown is not None and grown <= drill.back - drill.cut):
        return []
    return [
        f"not all that zone {drill.zone} had of {', '.join(lost)} was replaced in the "
        f"{drill.back - drill.cut:.1f} s it was gone: `leeward ps` tells why; "
        "a longer --duration gives more time"
    ]


def _phase(samples: Sequence[Sample], since: float, until: float) -> Phase:
    latencies = sorted(s.latency * 1000 for s in samples if since <= s.due < until and not s.failure)
    count = sum(1 for sample in samples if since <= sample.due < until)
    return Phase(count, _quantile(latencies, 0.50), _quantile(latencies, 0.99))


def _quantile(ordered: Sequence[float], share: float) -> float | None:
    if not ordered:
        return None
    return round(ordered[min(len(ordered) - 1, int(share * len(ordered)))], 1)


def to_lines(report: Report) -> list[str]:
    """Return the report as lines for people."""
    lines = [f"requests            {report.requests}"]
    if report.failures:
        lines += [f"failed              {count} x {kind}" for kind, count in report.failures.items()]
        if any(not kind.startswith(tuple(SAFE_METHODS)) for kind in report.failures):
            lines.append(
                "                    (a POST in flight on a machine that dies cannot be repeated for the"
            )
            lines.append(
                "                    customer: the ingress does not know whether it was carried out)"
            )
    else:
        lines.append("failed              0")
    for name, phase in report.phases.items():
        p50, p99 = _ms(phase.p50_ms), _ms(phase.p99_ms)
        lines.append(f"latency {name:<11} p50 {p50}, p99 {p99} ({phase.requests} requests)")
    lines.append(f"out of rotation     {_seconds(report.left_rotation)} after the cut")
    lines.append(f"replacements ready  {_seconds(report.replaced)} after the cut")
    for name, zones in report.pods.items():
        counts = ", ".join(f"{zone}: {count}" for zone, count in zones.items())
        lines.append(f"Pods {name:<14} {counts or 'none'}")
    for service, volumes in sorted(report.pinned.items()):
        lines.append(f"pinned              {service}: {', '.join(volumes)} stays in the zone with its volume")
    lines += [f"at risk             {risk}" for _, risk in sorted(report.at_risk.items())]
    lines += [f"finding             {finding}" for finding in report.findings]
    lines += [f"problem             {problem}" for problem in report.problems]
    lines.append(f"verdict             {_verdict(report)}")
    return lines


def _verdict(report: Report) -> str:
    if not report.passed:
        return "FAILED"
    notes = [
        *([f"{count_of(len(report.at_risk), 'service')} at risk"] if report.at_risk else []),
        *([count_of(len(report.findings), "finding")] if report.findings else []),
    ]
    return f"PASSED{', with ' if notes else ''}{' and '.join(notes)}"


def _ms(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f} ms"


def _seconds(value: float | None) -> str:
    return "not" if value is None else f"{value:.1f} s"
