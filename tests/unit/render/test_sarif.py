"""What a code review needs of a SARIF log: the structure that the standard and GitHub require.

Source: OASIS SARIF 2.1.0; GitHub documentation, "SARIF support for code scanning".
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date
from typing import Any
from urllib.parse import urlsplit

import pytest
from jsonschema import Draft202012Validator

from leeward.base.diagnostics import Diagnostic, Location, Severity
from leeward.compose.project import Project
from leeward.render.render import render
from leeward.render.support.report import report_of, report_of_failure
from leeward.render.support.sarif import to_sarif
from leeward.render.waivers import apply_waivers
from leeward.settings.waivers import read_waivers

TEXT = {"type": "object", "required": ["text"], "properties": {"text": {"type": "string", "minLength": 1}}}
LEVEL = {"enum": ["none", "note", "warning", "error"]}
RULE = {
    "type": "object",
    "required": ["id", "shortDescription", "fullDescription", "help", "defaultConfiguration"],
    "properties": {
        "id": {"type": "string", "minLength": 1},
        "name": {"type": "string", "pattern": "^[A-Za-z_]+$"},
        "shortDescription": TEXT,
        "fullDescription": TEXT,
        "help": TEXT,
        "defaultConfiguration": {"type": "object", "properties": {"level": LEVEL}},
        "properties": {"type": "object", "properties": {"tags": {"type": "array", "uniqueItems": True}}},
    },
}
LOCATION = {
    "type": "object",
    "required": ["physicalLocation"],
    "properties": {
        "physicalLocation": {
            "type": "object",
            "required": ["artifactLocation", "region"],
            "properties": {
                "artifactLocation": {
                    "type": "object",
                    "required": ["uri"],
                    "properties": {"uri": {"type": "string", "pattern": "^[^ \\\\]+$"}},
                },
                "region": {
                    "type": "object",
                    "required": ["startLine"],
                    "properties": {"startLine": {"type": "integer", "minimum": 1}},
                },
            },
        },
        "logicalLocations": {"type": "array", "items": {"required": ["fullyQualifiedName"]}},
    },
}
RESULT = {
    "type": "object",
    "required": ["ruleId", "ruleIndex", "level", "message", "locations", "partialFingerprints"],
    "properties": {
        "ruleIndex": {"type": "integer", "minimum": 0},
        "level": LEVEL,
        "message": TEXT,
        "locations": {"type": "array", "minItems": 1, "items": LOCATION},
        "partialFingerprints": {"type": "object", "additionalProperties": {"type": "string"}},
        "suppressions": {
            "type": "array",
            "minItems": 1,
            "items": {
                "required": ["kind", "justification"],
                "properties": {
                    "kind": {"enum": ["inSource", "external"]},
                    "status": {"enum": ["accepted", "underReview", "rejected"]},
                },
            },
        },
    },
}
DRIVER = {
    "type": "object",
    "required": ["name", "version", "rules"],
    "properties": {"rules": {"type": "array", "items": RULE, "uniqueItems": True}},
}
RUN = {
    "type": "object",
    "required": ["tool", "results"],
    "properties": {
        "tool": {"type": "object", "required": ["driver"], "properties": {"driver": DRIVER}},
        "results": {"type": "array", "items": RESULT},
        "columnKind": {"enum": ["utf16CodeUnits", "unicodeCodePoints"]},
    },
}
LOG = {
    "type": "object",
    "required": ["$schema", "version", "runs"],
    "properties": {"version": {"const": "2.1.0"}, "runs": {"type": "array", "minItems": 1, "items": RUN}},
}


@pytest.fixture
def log(make_project: Callable[[str], Project]) -> dict[str, Any]:
    """Return the log of a project with something of everything."""
    project = make_project(
        """
        services:
          web: {image: nginx, cpuset: "0", use_api_socket: true, ports: ["80:80"]}
          db:
            image: postgres
            cpuset: "1"
        """
    )
    placed, _ = read_waivers(
        "- {path: services.db, owner: ops, until: 2027-01-01, reason: It is a test.}\n"
        "- {path: services.none, owner: ops, until: 2027-01-01, reason: It is gone.}",
        "leeward.waivers.yaml",
    )
    waived = apply_waivers(render(project).diagnostics, placed, date(2026, 6, 15))
    return to_sarif(report_of(project, waived), "1.2.3")


def test_a_log_has_the_structure_of_the_standard(log: dict[str, Any]) -> None:
    assert [error.message for error in Draft202012Validator(LOG).iter_errors(log)] == []
    assert json.loads(json.dumps(log)) == log


def test_every_result_points_to_its_rule(log: dict[str, Any]) -> None:
    run = log["runs"][0]
    rules = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
    assert len(rules) == len(set(rules))
    assert all(rules[result["ruleIndex"]] == result["ruleId"] for result in run["results"])
    assert set(rules) == {result["ruleId"] for result in run["results"]}


def test_places_are_relative_uris_with_a_line(log: dict[str, Any]) -> None:
    places = [result["locations"][0]["physicalLocation"] for result in log["runs"][0]["results"]]
    for place in places:
        uri = urlsplit(place["artifactLocation"]["uri"])
        assert (uri.scheme, uri.netloc) == ("", "")
        assert not uri.path.startswith("/")
    assert ("compose.yaml", 6) in {
        (place["artifactLocation"]["uri"], place["region"]["startLine"]) for place in places
    }


def test_waived_results_are_suppressed_and_say_by_whom(log: dict[str, Any]) -> None:
    suppressed = [result for result in log["runs"][0]["results"] if "suppressions" in result]
    assert [result["ruleId"] for result in suppressed] == ["services.*.cpuset"]
    assert suppressed[0]["suppressions"][0]["justification"] == "ops, until 2027-01-01: It is a test."


def test_keys_that_are_exact_are_no_results(log: dict[str, Any]) -> None:
    assert not [r for r in log["runs"][0]["results"] if r["ruleId"] == "services.*.image"]


@pytest.mark.parametrize(
    ("location", "uri"),
    [
        (Location("my files/compose.yaml", 3), "my%20files/compose.yaml"),
        (Location("/srv/shop/compose.yaml", 0), "file:///srv/shop/compose.yaml"),
        (None, "compose.yaml"),
    ],
)
def test_files_that_cannot_be_loaded_have_a_log_too(location: Location | None, uri: str) -> None:
    found = Diagnostic(
        path="", location=location, code="file-not-found", severity=Severity.ERROR, message="It is gone."
    )
    log = to_sarif(report_of_failure([found]), "1.2.3")
    assert [error.message for error in Draft202012Validator(LOG).iter_errors(log)] == []
    place = log["runs"][0]["results"][0]["locations"][0]["physicalLocation"]
    assert place["artifactLocation"]["uri"] == uri
