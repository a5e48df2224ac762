"""What differs between a recorded timeline and ours, and what of that the recording requires to be equal.

Names of what one generateName gave are told from one another no more, neither are times; Node cases are
compared with times. ``stability`` says what two recordings had in common: only that has to be equal.

Source: the README of the recorded timelines.
"""

from __future__ import annotations

import difflib
import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from leeward.kube.objects import Obj
from tests.conformance.timelines.projection import IGNORED, NODES
from tests.conformance.timelines.recorder import Timeline

SLACK_SECONDS = 5.0
BURST_SECONDS = 0.25
_NUMBER = re.compile(r"<\d+>")


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was compared."""

    what: str  # "checkpoint", "series", "events", "results" or "totals"
    name: str
    equal: bool
    required: bool
    difference: str = ""
    passing: bool = False  # what differs are only states that something passed through at once


@dataclass(slots=True)
class Report:
    """All of one case."""

    name: str
    group: str
    findings: list[Finding] = field(default_factory=list)

    @property
    def unequal(self) -> list[Finding]:
        """What has to be equal, and is not."""
        return [each for each in self.findings if each.required and not each.equal]

    @property
    def lines(self) -> dict[str, str]:
        """A line for each of them, and what differs."""
        marks = ("", " (states passed through)")
        return {
            f"{self.name}: {each.what} {each.name}{marks[each.passing]}": each.difference
            for each in self.unequal
        }

    def count(self, what: str, *, passing: bool = False) -> tuple[int, int]:
        """Return how many of those that have to be equal are, and how many there are.

        Args:
            what: of which kind.
            passing: what differs only in states passed through counts as equal.
        """
        found = [each for each in self.findings if each.what == what and each.required]
        return sum(each.equal or (passing and each.passing) for each in found), len(found)


def compare(case: Mapping[str, Any], ours: Timeline) -> Report:
    """Compare our timeline of a case with the recorded one."""
    report = Report(case["name"], case["group"])
    if case["group"] == NODES:
        ours = _with_nodes_of(case, ours)
    stability = case.get("stability") or {}
    report.findings += _checkpoints(case, ours, stability.get("checkpoints"))
    report.findings += _series(case, ours, stability.get("series"))
    report.findings.append(_events(case, ours, stability))
    report.findings.append(_results(case, ours))
    totals = case["pod_totals"]
    second = case.get("second_run", {}).get("pod_totals", totals)
    report.findings.append(
        Finding(
            "totals",
            "pods",
            ours.pod_totals in (totals, second),
            second == totals,
            f"{totals} {ours.pod_totals}",
        )
    )
    return report


def _with_nodes_of(case: Mapping[str, Any], ours: Timeline) -> Timeline:
    """Return our timeline with a zone's nodes in the recorded order: which is evicted next is arbitrary."""
    recorded = {key: expand(rows) for key, rows in case["series"].items()}
    names: dict[str, str] = {}
    zones = {_zone(key) for key in recorded if key.startswith("Node/")}
    for zone in zones:
        theirs, our = (_evicted(series, zone) for series in (recorded, ours.series))
        theirs += [name for name in our if name not in theirs]
        our += [name for name in theirs if name not in our]
        names.update(zip(our, theirs, strict=True))
    if all(old == new for old, new in names.items()):
        return ours
    pattern = re.compile("|".join(rf"{re.escape(name)}(?!\d)" for name in names))

    def renamed(value: Any) -> Any:
        if isinstance(value, dict):
            return {renamed(key): renamed(each) for key, each in value.items()}
        if isinstance(value, list):
            return [renamed(each) for each in value]
        return pattern.sub(lambda found: names[found[0]], value) if isinstance(value, str) else value

    return replace(ours, checkpoints=renamed(ours.checkpoints), series=renamed(ours.series))


def _zone(key: str) -> str:
    return key.rstrip("0123456789")


def _evicted(series: Mapping[str, Sequence[Obj]], zone: str) -> list[str]:
    """Return the nodes of a zone that were tainted as unreachable, in that order."""
    found = [
        (row["t"], key.partition("/")[2])
        for key, rows in series.items()
        for row in rows
        if _zone(key) == zone and "node.kubernetes.io/unreachable=:NoExecute" in (row.get("taints") or ())
    ]
    return list(dict.fromkeys(name for _, name in sorted(found)))


def _collapsed(value: Any) -> Any:
    """Return a value in which generated names are the same, and lists that have them are ordered."""
    if isinstance(value, dict):
        return {_NUMBER.sub("<n>", key): _collapsed(each) for key, each in value.items()}
    if isinstance(value, list):
        found = [_collapsed(each) for each in value]
        return sorted(found, key=json.dumps) if "<n>" in json.dumps(found) else found
    return _NUMBER.sub("<n>", value) if isinstance(value, str) else value


def _text(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


def _lines(rows: Iterable[Any]) -> list[str]:
    return [_text(row) for row in rows]


def _differ(wanted: Sequence[str], got: Sequence[str]) -> str:
    lines = difflib.unified_diff(wanted, got, lineterm="", n=1)
    return "\n".join(line for line in lines if not line.startswith(("---", "+++")))


def _ignored(key: str) -> bool:
    return key.partition("/")[2] in IGNORED


def _checkpoints(case: Mapping[str, Any], ours: Timeline, stable: Sequence[bool] | None) -> Iterator[Finding]:
    settled = all(_recurs(case, key) for key in case["series"] if _is_of_nodes(key))
    for number, pair in enumerate(zip(case["checkpoints"], ours.checkpoints, strict=True)):
        theirs, our = (_placed(case, one) for one in pair)
        wanted, got = (
            sorted(
                f"{_NUMBER.sub('<n>', key)} {part} {_text(_collapsed(each))}"
                for key, state in one["objects"].items()
                if not _ignored(key)
                for part, each in (state or {"": ""}).items()
            )
            for one in (theirs, our)
        )
        whole = [_whole(one["objects"]) for one in (theirs, our)]
        equal = whole[0] == whole[1]
        name = f"after step {theirs['after_step']}"
        required = stable[number] if stable is not None else settled
        yield Finding("checkpoint", name, equal, required, _differ(wanted, got))


def _placed(case: Mapping[str, Any], checkpoint: Obj) -> Obj:
    """Return a checkpoint; that of a Node case without where the scheduler, among equals, put Pods.

    Of ReplicaSets some Node cases have the generation, and others whether it was observed.
    """
    if case["group"] != NODES:
        return checkpoint
    objects = dict(checkpoint["objects"])
    for key, state in objects.items():
        if state and key.startswith("Pod/") and not _is_of_nodes(key):
            objects[key] = {**state, "node": bool(state.get("node")), "labels": None}
        elif state and key.startswith("ReplicaSet/"):
            status = {**(state.get("status") or {}), "observedGeneration": None}
            objects[key] = {**state, "status": status, "generation": None, "observed": None}
    return {**checkpoint, "objects": objects}


def _whole(objects: Mapping[str, Any]) -> Counter[str]:
    return Counter(
        f"{_NUMBER.sub('<n>', key)} {_text(_collapsed(state))}"
        for key, state in objects.items()
        if not _ignored(key)
    )


def expand(rows: Iterable[Obj]) -> list[Obj]:
    """Return whole states of a series whose later rows have what changed."""
    found: list[Obj] = []
    state: Obj = {}
    for row in rows:
        if row.get("deleted"):
            found.append(dict(row))
            state = {}
            continue
        gone = {key for key, each in row.items() if each is None and key not in _NULLABLE}
        state = {key: each for key, each in {**state, **row}.items() if key not in gone}
        found.append(state)
    return found


_NULLABLE = ("ready", "node", "currentReplicas", "minReplicas")  # null is a value of theirs


def _grouped(series: Mapping[str, Sequence[Obj]]) -> dict[str, list[list[Obj]]]:
    found: dict[str, list[list[Obj]]] = defaultdict(list)
    for key, rows in series.items():
        if not _ignored(key):
            found[_NUMBER.sub("<n>", key)].append(list(rows))
    return found


def _untimed(rows: Iterable[Obj]) -> list[Obj]:
    return [_collapsed({key: each for key, each in row.items() if key != "t"}) for row in rows]


def _is_of_nodes(key: str) -> bool:
    """Tell whether a series of a Node case is one of those that were recorded for their times."""
    return key.startswith(("Node/", "Pod/probe"))


def _recurs(case: Mapping[str, Any], key: str) -> bool:
    """Tell whether a series of a Node case has to be equal: one of two recordings may be a race's outcome."""
    second = case.get("second_run", {}).get("series")
    if not _is_of_nodes(key) or second is None:
        return _is_of_nodes(key)
    first, other = (_untimed(expand(run.get(key, ()))) for run in (case["series"], second))
    return first == other


def _series(case: Mapping[str, Any], ours: Timeline, stable: Mapping[str, bool] | None) -> Iterator[Finding]:
    theirs = _grouped({key: expand(rows) for key, rows in case["series"].items()})
    our = _grouped(ours.series)
    for key in sorted(theirs.keys() | our.keys()):
        if case["group"] == NODES and key.startswith("Node/") and key not in theirs:
            continue  # of Nodes only those are recorded that changed
        wanted = [_lines(_untimed(rows)) for rows in theirs.get(key, ())]
        got = [_lines(_untimed(rows)) for rows in our.get(key, ())]
        equal = sorted(wanted) == sorted(got)
        difference = "" if equal else _unlike(wanted, got)
        if equal and stable is None and _is_of_nodes(key):
            difference = _late(theirs[key][0], our[key][0])
            equal = not difference
        required = _recurs(case, key) if stable is None else stable.get(key, False)
        passing = not equal and _rests(theirs.get(key, ())) == _rests(our.get(key, ()))
        yield Finding("series", key, equal, required, difference, passing)


def _rests(histories: Iterable[Sequence[Obj]]) -> list[list[str]]:
    """Return the states that lasted: how many others come just before depends on who was faster."""
    found = []
    for rows in histories:
        ends = [*(row["t"] for row in rows[1:]), float("inf")]
        lasting = [row for row, end in zip(rows, ends, strict=True) if end - row["t"] >= BURST_SECONDS]
        found.append(_lines(_untimed(lasting)))
    return sorted(found)


def _unlike(wanted: list[list[str]], got: list[list[str]]) -> str:
    """Return how sequences differ that have no equal on the other side."""
    missing = [each for each in wanted if wanted.count(each) > got.count(each)]
    surplus = [each for each in got if got.count(each) > wanted.count(each)]
    pairs = max(len(missing), len(surplus))
    missing += [[]] * (pairs - len(missing))
    surplus += [[]] * (pairs - len(surplus))
    different = {
        _differ(*_without_constants(one, other)): None
        for one, other in zip(sorted(missing), sorted(surplus), strict=True)
    }
    return "\n".join(different)


def _without_constants(*sides: list[str]) -> list[list[str]]:
    """Return rows, to be read by people, without the fields that are the same in all of them."""
    rows = [[json.loads(text) for text in side] for side in sides]
    values: dict[str, set[str]] = defaultdict(set)
    states = [row for side in rows for row in side if "deleted" not in row]
    for key in {key for row in states for key in row}:
        values[key] = {_text(row.get(key)) for row in states}
    changing = {key for key, found in values.items() if len(found) > 1} | {"deleted"}
    return [[_text({key: row[key] for key in row if key in changing}) for row in side] for side in rows]


def _late(wanted: Sequence[Obj], got: Sequence[Obj]) -> str:
    late = [
        f"{one['t']:.1f} s recorded, {other['t']:.1f} s ours: {_text(one)}"
        for one, other in zip(wanted, got, strict=True)
        if abs(one["t"] - other["t"]) > SLACK_SECONDS
    ]
    return "\n".join(late)


def _events(case: Mapping[str, Any], ours: Timeline, stability: Mapping[str, Any]) -> Finding:
    def said(rows: Iterable[Obj]) -> set[str]:
        fields = ("object", "type", "reason", "message", "source")
        return {_NUMBER.sub("<n>", " | ".join(row[key] for key in fields)) for row in rows}

    keys = ("events_only_first_run", "events_only_second_run")
    sometimes = tuple(_NUMBER.sub("<n>", " | ".join(row)) for key in keys for row in stability.get(key, ()))
    wanted, got = (
        {row for row in said(rows) if not row.startswith(sometimes)} for rows in (case["events"], ours.events)
    )
    difference = "\n".join(
        [*(f"-{row}" for row in sorted(wanted - got)), *(f"+{row}" for row in sorted(got - wanted))]
    )
    return Finding("events", "events", not difference, bool(stability), difference)


def _results(case: Mapping[str, Any], ours: Timeline) -> Finding:
    def plain(rows: Iterable[Obj]) -> list[str]:
        return _lines(_collapsed({key: each for key, each in row.items() if key != "t"}) for row in rows)

    wanted, got = plain(case["results"]), plain(ours.results)
    return Finding("results", "API", wanted == got, True, _differ(wanted, got))
