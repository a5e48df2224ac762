from __future__ import annotations

from datetime import date

import pytest

from leeward.base.diagnostics import Diagnostic, Location, Severity
from leeward.render.waivers import apply_waivers
from leeward.settings.waivers import PlacedWaiver, read_waivers

TODAY = date(2026, 6, 15)


def finding(path: str, code: str = "key-ignored") -> Diagnostic:
    return Diagnostic(
        path=path, location=None, code=code, severity=Severity.WARNING, message="It is ignored."
    )


def waivers(text: str) -> tuple[PlacedWaiver, ...]:
    found, problems = read_waivers(text, "leeward.waivers.yaml")
    assert problems == ()
    return found


def waiver(path: str, until: str = "2026-12-31", code: str = "") -> tuple[PlacedWaiver, ...]:
    more = f", code: {code}" if code else ""
    return waivers(f'- {{path: "{path}", owner: ops, until: {until}, reason: known{more}}}')


@pytest.mark.parametrize(
    ("pattern", "path", "matches"),
    [
        ("services.web.ulimits", "services.web.ulimits", True),
        ("services.web", "services.web.ulimits", True),
        ("services.web.volumes", "services.web.volumes[1].bind", True),
        ("services.web.volumes[*]", "services.web.volumes[1].bind", True),
        ("services.*.ulimits", "services.web.ulimits", True),
        ("services.web", "services.website.ulimits", False),
        ("services.web.ulimits", "services.web", False),
        ("services.*.cpuset", "services.web.ulimits", False),
    ],
)
def test_a_waiver_is_for_its_path_and_all_below(pattern: str, path: str, matches: bool) -> None:
    waived = apply_waivers([finding(path)], waiver(pattern), TODAY)
    assert bool(waived.accepted) is matches
    assert len(waived.open) == (0 if matches else 1)
    assert len(waived.unused) == (0 if matches else 1)


def test_a_waiver_with_a_code_is_for_that_finding_only() -> None:
    found = [finding("services.web", "key-ignored"), finding("services.web", "no-host")]
    waived = apply_waivers(found, waiver("services.web", code="no-host"), TODAY)
    assert [item.code for item in waived.open] == ["key-ignored"]


def test_a_waiver_holds_on_its_last_day() -> None:
    assert apply_waivers([finding("a.b")], waiver("a.b", "2026-06-15"), TODAY).accepted


def test_an_expired_waiver_waives_nothing_and_is_an_error_at_its_line() -> None:
    placed = waivers("# accepted\n- {path: a.b, owner: ops, until: 2026-06-14, reason: known}\n")
    waived = apply_waivers([finding("a.b")], placed, TODAY)
    assert len(waived.open) == 1
    assert waived.unused == ()
    assert [(item.code, item.severity) for item in waived.expired] == [("waiver-expired", Severity.ERROR)]
    assert waived.expired[0].location == Location("leeward.waivers.yaml", 2)
    assert "ops" in waived.expired[0].message


def test_a_finding_without_a_path_is_never_waived() -> None:
    assert apply_waivers([finding("")], waiver("*"), TODAY).accepted == {}


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("services: web", 1, "must be a list"),
        ("- {path: a, owner: o, until: 2027-01-01}", 1, '"reason" is required'),
        ("- path: a\n  owner: o\n  until: soon\n  reason: r", 3, '"until" must be a day'),
        (
            "- path: a\n  ower: o\n  owner: o\n  until: 2027-01-01\n  reason: r",
            2,
            '"ower" means nothing in a waiver',
        ),
        ('- {path: "", owner: o, until: 2027-01-01, reason: r}', 1, '"path" must not be empty'),
        ("- {path: a, owner: 5, until: 2027-01-01, reason: r}", 1, '"owner" must be text'),
        ("- just words", 1, "must be a mapping"),
        ("- path: ]", 1, 'a "]" that nothing opens'),
    ],
)
def test_a_mistake_in_the_file_is_told_with_its_line(text: str, line: int, message: str) -> None:
    found, problems = read_waivers(text, "leeward.waivers.yaml")
    assert found == ()
    assert problems[0].severity is Severity.ERROR
    assert message in problems[0].message
    assert problems[0].remedy
    assert problems[0].location is not None
    assert problems[0].location.line == line


def test_an_empty_file_has_no_waivers() -> None:
    assert read_waivers("# nothing yet\n", "leeward.waivers.yaml") == ((), ())
