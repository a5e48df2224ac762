"""What verifies a release, as it is written: its forms, and what is told of every mistake."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from leeward.compose.findings import Findings
from leeward.compose.source import Sources
from leeward.settings.configfile import ConfigFile, read_config
from leeward.settings.verification import Verification, holds_status, parse_target

Read = Callable[[str], ConfigFile]


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """Read a text as the `verify` of an environment, on line 4."""
    (tmp_path / "compose.yaml").write_text("services: {}\n", encoding="utf-8")

    def make(text: str) -> ConfigFile:
        path = tmp_path / "leeward.yaml"
        path.write_text(f"environments:\n  qa:\n    verify:\n    - {text}\n", encoding="utf-8")
        findings = Findings()
        return read_config(str(path), Sources(tmp_path, findings), findings)

    return make


@pytest.mark.parametrize(
    ("text", "kind", "seconds", "wanted"),
    [
        ("smoke", "run", 600.0, Verification(run="smoke")),
        ("{run: smoke, timeout: 30s}", "run", 30.0, Verification(run="smoke", timeout=30.0)),
        ("{http: /healthz}", "http", 120.0, Verification(http="/healthz")),
        (
            "{http: '/h?deep=1', service: web, port: 8080, host: shop.example.com, status: [200, 300-399], "
            "contains: ok, timeout: 1m, for: 10s}",
            "http",
            60.0,
            Verification(
                http="/h?deep=1", service="web", port=8080, host="shop.example.com",
                status=("200", "300-399"), contains="ok", timeout=60.0, for_=10.0,
            ),
        ),
        (
            "{http: 'https://shop.example.com/', status: 302}", "http", 120.0,
            Verification(http="https://shop.example.com/", status=("302",)),
        ),
        ("{drill: zone}", "drill", 30.0, Verification(drill="zone")),
        (
            "{drill: zone, zone: b, http: /, service: web, rate: 20, for: 1m}", "drill", 60.0,
            Verification(drill="zone", zone="b", http="/", service="web", rate=20, for_=60.0),
        ),
    ],
)  # fmt: skip
def test_the_three_kinds_are_read(
    text: str, kind: str, seconds: float, wanted: Verification, read: Read
) -> None:
    file = read(text)
    assert file.diagnostics == ()
    (found,) = file.config.environments["qa"].verify
    assert (found, found.kind, found.seconds) == (wanted, kind, seconds)


_TARGET = "a path such as /healthz, or a URL such as https://shop.example.com/healthz"


@pytest.mark.parametrize(
    ("text", "path", "message"),
    [
        ("{}", "", "A verification is exactly one of run, http and drill."),
        ("{timeout: 10s}", "", "A verification is exactly one of run, http and drill."),
        ("{run: smoke, http: /}", "", "A verification is exactly one of run, http and drill."),
        ("{run: smoke, drill: zone}", "", "A verification is exactly one of run, http and drill."),
        ("{run: smoke, contains: ok}", ".contains", "contains means nothing with run."),
        ("{http: /, rate: 10}", ".rate", "rate means nothing with http."),
        ("{drill: zone, status: 204}", ".status", "status means nothing with drill."),
        ("{http: 'http://x/', service: web}", ".service", "A URL says where it goes; service is for paths."),
        ("{drill: zone, http: 'https://x/'}", ".http", "A drill requests paths and http:// URLs only."),
        ("{drill: zone, for: 2h}", ".for", "A drill takes from one second to one hour."),
        ("{http: /, for: 2m}", ".for", "It could never be done in time."),
        ("{run: smoke, timeout: 0s}", ".timeout", "It could never be done in time."),
        ("{drill: node}", ".drill", 'It must be one of zone, but it is "node".'),
        ("{http: healthz}", ".http", f'It must be {_TARGET}, but it is "healthz".'),
        ("{http: 'ftp://x/'}", ".http", f'It must be {_TARGET}, but it is "ftp://x/".'),
        ("{http: /, port: 0}", ".port", "It must be a whole number from 1 to 65535, but it is the number 0."),
        (
            "{http: /, status: 99}", ".status",
            'It must be a status such as 200, a range such as "200-299", or a list of these, but it is the '
            "number 99.",
        ),
        (
            "{http: /, status: 299-200}", ".status",
            'It must be a status such as 200, a range such as "200-299", or a list of these, but it is '
            '"299-200".',
        ),
    ],
)  # fmt: skip
def test_a_mistake_is_told_at_its_line(text: str, path: str, message: str, read: Read) -> None:
    (found,) = read(text).diagnostics
    assert (found.path, found.message) == (f"environments.qa.verify[0]{path}", message)
    assert str(found.location) == "leeward.yaml:4"
    assert found.remedy or "It must be" in message


@pytest.mark.parametrize(
    "target",
    [
        "/../../../secrets/x",
        "/%2e%2e/secrets",
        "/a/./b",
        "/a\\..\\b",
        "//evil.example.com/",
        "http:///healthz",
        "http://user:password@shop/",
        "http://shop:0/",
        "/with space",
        "/line\nbreak",
        "/page#part",
        "",
    ],
)
def test_what_could_lead_elsewhere_is_not_requested(target: str) -> None:
    with pytest.raises(ValueError, match=r"a path|a URL"):
        parse_target(target)


def test_statuses_and_ranges_hold_what_is_in_them() -> None:
    wanted = ("200", "300-302")
    assert [each for each in range(100, 600) if holds_status(wanted, each)] == [200, 300, 301, 302]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("registry.example.com/team", ""),
        ("http://registry.local:5000", ""),
        ("localhost:5000/a/b-c", ""),
        ("docker.io/team", ""),
        ("team", "It must be a registry"),
        ("registry.example.com/Team", "It must be a registry"),
        ("ftp://registry.example.com", "It must be a registry"),
        ("registry.example.com/web:1.2", "It must be a registry"),
    ],
)
def test_a_registry_is_named_with_its_host(text: str, message: str, tmp_path: Path) -> None:
    path, findings = tmp_path / "leeward.yaml", Findings()
    path.write_text(textwrap.dedent(f"app: shop\nregistry: {text}\n"), encoding="utf-8")
    file = read_config(str(path), Sources(tmp_path, findings), findings)
    assert [each.message.startswith(message) for each in file.diagnostics] == ([True] if message else [])
    assert file.config.registry == (None if message else text)
