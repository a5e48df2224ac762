"""``leeward check``: what it prints, and its exit codes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

Tool = Callable[..., tuple[int, str, str]]
FAITHFUL = "services: {web: {image: nginx, tty: true}}"
WARNED = """\
services:
  web:
    image: nginx
    cpuset: "0"
"""
REFUSED = "services: {web: {image: nginx, use_api_socket: true}}"
WAIVER = "- {path: services.web.cpuset, owner: ops, until: 9999-12-31, reason: known}\n"
EXPIRED = "- {path: services.web.cpuset, owner: ops, until: 2001-12-31, reason: known}\n"


def write(compose: str, waivers: str = "") -> None:
    Path("compose.yaml").write_text(compose, encoding="utf-8")
    if waivers:
        Path("leeward.waivers.yaml").write_text(waivers, encoding="utf-8")


@pytest.mark.parametrize(
    ("compose", "options", "code"),
    [
        (FAITHFUL, (), 0),
        (FAITHFUL, ("--strict",), 0),
        (WARNED, (), 0),
        (WARNED, ("--strict",), 1),
        (REFUSED, (), 1),
        ("services: {web: {imag: nginx}}", (), 2),
    ],
)
@pytest.mark.parametrize("form", ["table", "json", "sarif"])
def test_the_exit_code_says_how_faithful_the_result_is(
    compose: str, options: tuple[str, ...], code: int, form: str, tool: Tool
) -> None:
    write(compose)
    assert tool("check", "--output", form, *options)[0] == code


def test_people_see_by_service_what_is_not_exact_and_a_summary(tool: Tool) -> None:
    write(WARNED)
    _, out, err = tool("check")
    assert err == ""
    assert out.splitlines() == [
        "web  1 key exact",
        "  ignored       cpuset  compose.yaml:4",
        "                The cluster chooses the cores.",
        "                fix: Use the kubelet's static CPU manager policy.",
        "1 exact, 0 approximated, 1 ignored, 0 refused, 0 waived",
    ]


def test_all_lists_exact_keys_with_what_becomes_of_them(tool: Tool) -> None:
    write(FAITHFUL)
    assert tool("check", "--all")[1].splitlines() == [
        "web",
        "  exact         image  compose.yaml:1",
        "                becomes: containers[].image",
        "  exact         tty  compose.yaml:1",
        "                becomes: containers[].tty",
        "2 exact, 0 approximated, 0 ignored, 0 refused, 0 waived",
    ]


def test_a_waived_finding_does_not_fail_and_is_shown_with_its_owner(tool: Tool) -> None:
    write(WARNED, WAIVER)
    code, out, _ = tool("check", "--strict")
    assert code == 0
    assert "  waived        cpuset  compose.yaml:4" in out
    assert "waived by ops until 9999-12-31: known" in out
    assert out.splitlines()[-1].endswith("0 ignored, 0 refused, 1 waived")


def test_an_expired_waiver_fails_with_its_line(tool: Tool) -> None:
    write(WARNED, EXPIRED)
    code, out, _ = tool("check")
    assert code == 1
    assert "error         services.web.cpuset  leeward.waivers.yaml:1" in out


def test_a_waiver_that_matches_nothing_fails_only_strictly(tool: Tool) -> None:
    write(FAITHFUL, WAIVER)
    code, out, _ = tool("check")
    assert code == 0
    assert "The waiver matches no finding." in out
    assert tool("check", "--strict")[0] == 1


def test_waivers_that_cannot_be_read_are_wrong_input(tool: Tool) -> None:
    write(WARNED, "- {path: services.web.cpuset}")
    code, out, _ = tool("check")
    assert code == 2
    assert "leeward.waivers.yaml:1" in out


def test_programs_get_every_key_with_file_and_line(tool: Tool) -> None:
    write(WARNED, WAIVER)
    found = json.loads(tool("check", "--output", "json")[1])
    assert found["summary"] == {"exact": 1, "approximated": 0, "ignored": 0, "refused": 0, "waived": 1}
    assert [(each["rule"], each["file"], each["line"]) for each in found["entries"]] == [
        ("services.*.image", "compose.yaml", 3),
        ("services.*.cpuset", "compose.yaml", 4),
    ]
    assert found["entries"][1]["waiver"]["owner"] == "ops"


def test_the_environment_and_profiles_count(tool: Tool) -> None:
    write("services: {web: {image: nginx, profiles: [extra], ports: ['80:80']}}")
    assert "web" not in tool("check")[1]
    assert "no host name" in tool("check", "--profile", "extra", "--env", "production")[1]
    assert "no host name" not in tool("check", "--profile", "extra")[1]


@pytest.mark.parametrize(("waivers", "code"), [("", 2), (WAIVER, 0), (EXPIRED, 2)])
def test_render_honours_waivers(waivers: str, code: int, tool: Tool) -> None:
    write(WARNED, waivers)
    assert tool("render", "--strict")[0] == code
