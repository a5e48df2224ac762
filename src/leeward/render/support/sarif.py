"""The fidelity report as SARIF, for code review.

A result's rule is the key of the support table, else the code of the finding. Waived results are suppressed
and say by whom. Places are URIs relative to where leeward was called, which has to be the root of the
repository for a review to show them.

Source: OASIS SARIF 2.1.0; GitHub documentation, "SARIF support for code scanning".
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import PurePath
from typing import Any
from urllib.parse import quote

from leeward.base.diagnostics import Severity
from leeward.render.support.levels import Level
from leeward.render.support.report import Entry, Report

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
_LEVELS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.NOTE: "note"}
_ROOT = "%SRCROOT%"
_NOWHERE = "compose.yaml"  # of findings about no file: a review wants a place for everything


def to_sarif(report: Report, version: str) -> dict[str, Any]:
    """Return the report as a SARIF log with one run.

    Args:
        report: exact keys in it are no results.
        version: leeward's.
    """
    entries = [each for each in report.entries if each.level is not Level.EXACT]
    rules = {rule["id"]: rule for rule in map(_rule, _first_of_each(entries))}
    indexes = {name: index for index, name in enumerate(rules)}
    driver = {"name": "leeward", "version": version, "rules": list(rules.values())}
    run = {
        "tool": {"driver": driver},
        "columnKind": "utf16CodeUnits",
        "originalUriBaseIds": {_ROOT: {"description": {"text": "The root of the repository."}}},
        "results": [_result(each, indexes[each.rule]) for each in entries],
    }
    return {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}


def _first_of_each(entries: Iterable[Entry]) -> list[Entry]:
    first: dict[str, Entry] = {}
    for each in entries:
        first.setdefault(each.rule, each)
    return [first[rule] for rule in sorted(first)]


def _rule(entry: Entry) -> dict[str, Any]:
    help_text = " ".join(filter(None, (entry.reason, entry.remedy)))
    return {
        "id": entry.rule,
        "name": "".join(
            word.capitalize() for word in entry.rule.replace("*", "").replace(".", "-").split("-")
        ),
        "shortDescription": {"text": f"{entry.rule} is {entry.level}"},
        "fullDescription": {"text": entry.reason or entry.rule},
        "help": {"text": help_text or entry.rule},
        "defaultConfiguration": {"level": _LEVELS[entry.severity]},
        "properties": {"tags": ["compose", "kubernetes", str(entry.level)]},
    }


def _result(entry: Entry, rule_index: int) -> dict[str, Any]:
    text = " ".join(filter(None, (f"{entry.path}:" if entry.path else "", entry.reason, entry.remedy)))
    result = {
        "ruleId": entry.rule,
        "ruleIndex": rule_index,
        "level": _LEVELS[entry.severity],
        "message": {"text": text},
        "locations": [_location(entry)],
        "partialFingerprints": {"leewardPath/v1": f"{entry.rule}:{entry.path}"},
    }
    if entry.waiver is not None:
        waiver = entry.waiver
        justification = f"{waiver.owner}, until {waiver.until.isoformat()}: {waiver.reason}"
        result["suppressions"] = [{"kind": "external", "status": "accepted", "justification": justification}]
    return result


def _location(entry: Entry) -> dict[str, Any]:
    place = entry.location
    file = PurePath(place.file if place else _NOWHERE)
    artifact = (
        {"uri": file.as_uri()} if file.is_absolute() else {"uri": quote(file.as_posix()), "uriBaseId": _ROOT}
    )
    physical = {"artifactLocation": artifact, "region": {"startLine": max(place.line if place else 1, 1)}}
    logical = [{"fullyQualifiedName": entry.path}] if entry.path else []
    return {"physicalLocation": physical, **({"logicalLocations": logical} if logical else {})}
