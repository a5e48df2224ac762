from __future__ import annotations

from collections.abc import Callable
from datetime import date

import pytest

from leeward.compose.project import Project
from leeward.render.render import render
from leeward.render.support.levels import Level
from leeward.render.support.report import Entry, Report, report_of
from leeward.render.waivers import apply_waivers
from leeward.settings.waivers import read_waivers

MakeProject = Callable[[str], Project]
TODAY = date(2026, 6, 15)
SHOP = """
    services:
      web.eu:
        image: nginx
        expose: ["80", "81"]
        cpuset: "0"
        networks: {front: {aliases: [www]}}
      db:
        image: postgres
        use_api_socket: true
        logging: {driver: syslog}
    networks:
      front: {attachable: true}
"""


def report(project: Project, waivers: str = "") -> Report:
    placed, problems = read_waivers(waivers, "leeward.waivers.yaml")
    assert problems == ()
    return report_of(project, apply_waivers(render(project).diagnostics, placed, TODAY))


def levels(found: Report, owner: str) -> dict[str, Level]:
    return {entry.key: entry.level for entry in found.entries if entry.owner == owner}


def test_every_key_in_use_has_its_level_under_its_owner(make_project: MakeProject) -> None:
    found = report(make_project(SHOP))
    assert levels(found, "web.eu") == {
        "image": Level.EXACT,
        "expose": Level.EXACT,
        "cpuset": Level.IGNORED,
        "networks.front.aliases": Level.EXACT,
        "services.web.eu": Level.IGNORED,
    }
    assert levels(found, "db") == {
        "image": Level.EXACT,
        "use_api_socket": Level.REFUSED,
        "logging": Level.IGNORED,
    }
    assert levels(found, "networks.front") == {"attachable": Level.IGNORED}


def test_what_a_renderer_says_about_a_key_has_the_key_as_its_rule(make_project: MakeProject) -> None:
    found = report(make_project("services: {web: {image: x, platform: linux/arm64, user: app}}"))
    rules = {entry.key: (entry.rule, entry.level, entry.result) for entry in found.entries}
    assert rules["platform"] == ("services.*.platform", Level.IGNORED, "")
    assert rules["user"] == ("needs-number", Level.IGNORED, "")


def test_of_names_with_dots_the_longest_owns_a_finding(make_project: MakeProject) -> None:
    found = report(
        make_project("services: {web: {image: x}, web.eu: {image: x, cpuset: '0', ports: ['80']}}")
    )
    assert set(levels(found, "web")) == {"image"}
    assert "ports" in levels(found, "web.eu")


def test_services_come_in_the_order_of_the_file_and_before_networks(make_project: MakeProject) -> None:
    owners = [entry.owner for entry in report(make_project(SHOP)).entries]
    assert list(dict.fromkeys(owners)) == ["web.eu", "db", "networks.front"]


def test_every_entry_names_its_line(make_project: MakeProject) -> None:
    lines = {entry.path: entry.location for entry in report(make_project(SHOP)).entries}
    assert str(lines["services.web.eu.cpuset"]) == "compose.yaml:6"


def test_a_key_around_which_something_was_found_does_not_count_as_exact(make_project: MakeProject) -> None:
    found = report(make_project("services: {web: {image: x, ports: ['80:80']}}"))
    assert levels(found, "web") == {"image": Level.EXACT, "ports": Level.APPROXIMATED}


def test_a_key_used_often_counts_once_as_exact(make_project: MakeProject) -> None:
    found = report(make_project("services: {web: {image: x, tmpfs: [/a, /b], expose: ['1', '2']}}"))
    assert found.count(Level.EXACT) == 3


def test_the_summary_counts_what_nobody_has_waived(make_project: MakeProject) -> None:
    text = "- {path: services.db, owner: ops, until: 2027-01-01, reason: known}"
    assert report(make_project(SHOP)).summary().endswith("0 approximated, 4 ignored, 1 refused, 0 waived")
    assert report(make_project(SHOP), text).summary().endswith("3 ignored, 0 refused, 2 waived")


@pytest.mark.parametrize(
    ("line", "fails", "fails_strictly"),
    [
        ("tty: true", False, False),
        ("attach: false", False, False),
        ("links: [db]", False, False),
        ("cpuset: '0'", False, True),
        ("use_api_socket: true", True, True),
    ],
)
def test_it_fails_by_what_is_refused_and_strictly_by_every_warning(
    line: str, fails: bool, fails_strictly: bool, make_project: MakeProject
) -> None:
    project = make_project(f"services: {{web: {{image: x, {line}}}, db: {{image: x}}}}")
    found = report(project)
    assert found.fails(strict=False) is fails
    assert found.fails(strict=True) is fails_strictly
    waived = report(project, "- {path: services.web, owner: ops, until: 2027-01-01, reason: known}")
    assert not [entry for entry in waived.entries if entry.level is not Level.EXACT and not _waived(entry)]
    assert not waived.fails(strict=True) or line == "tty: true"


def _waived(entry: Entry) -> bool:
    return entry.waiver is not None or entry.apart


def test_an_expired_waiver_fails(make_project: MakeProject) -> None:
    text = "- {path: services.web.tty, owner: ops, until: 2026-01-01, reason: known}"
    found = report(make_project("services: {web: {image: x, tty: true}}"), text)
    assert found.fails(strict=False)
    assert found.summary().endswith("0 refused, 0 waived, 1 error")
