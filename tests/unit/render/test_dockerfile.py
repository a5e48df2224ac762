from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from leeward.compose.project import Healthcheck
from leeward.render.dockerfile import parse_dockerfile
from leeward.render.files import MemoryFiles


@pytest.mark.parametrize(
    ("text", "test"),
    [
        ("FROM x\nHEALTHCHECK CMD curl -f localhost\n", ("CMD-SHELL", "curl -f localhost")),
        ('FROM x\nhealthcheck --retries=2 cmd ["a", "b c"]\n', ("CMD", "a", "b c")),
        (
            "FROM x\nHEALTHCHECK --interval=5s \\\n  # why\n  CMD ok \\\n  --flag=1\n",
            ("CMD-SHELL", "ok    --flag=1"),
        ),
        ("FROM x AS base\nHEALTHCHECK CMD one\nFROM base\n", ("CMD-SHELL", "one")),
    ],
)
def test_the_check_of_the_last_stage_is_found(text: str, test: tuple[str, ...]) -> None:
    found = parse_dockerfile(text).healthcheck
    assert found is not None
    assert found.test == test


@pytest.mark.parametrize(
    "text",
    [
        "",
        "FROM x\n",
        "FROM x\nHEALTHCHECK CMD a\nHEALTHCHECK NONE\n",
        "FROM x AS a\nHEALTHCHECK CMD a\nFROM y\n",
    ],
)
def test_an_image_without_a_check_has_none(text: str) -> None:
    assert parse_dockerfile(text).healthcheck is None


def test_a_target_ends_the_reading_and_timings_are_seconds() -> None:
    check = "HEALTHCHECK --interval=1m30s --timeout=500ms --retries=4 CMD a"
    text = f"FROM x AS dev\n{check}\nFROM y\nHEALTHCHECK CMD b\n"
    assert parse_dockerfile(text, "dev").healthcheck == Healthcheck(
        test=("CMD-SHELL", "a"), interval=90.0, timeout=0.5, retries=4
    )


def test_a_built_service_has_the_check_of_its_dockerfile_with_its_own_timings(
    render_text: Callable[..., Any], tmp_path: Path
) -> None:
    files = MemoryFiles(
        {f"{tmp_path}/Dockerfile": b"FROM x\nHEALTHCHECK --interval=5s --timeout=3s CMD ok\n"}
    )
    result = render_text("services: {a: {build: ., healthcheck: {interval: 7s}}}", files=files)
    probe = result.container("Deployment", "a")["readinessProbe"]
    assert (probe["exec"]["command"], probe["periodSeconds"], probe["timeoutSeconds"]) == (
        ["/bin/sh", "-c", "ok"], 7, 3,
    )  # fmt: skip
    assert result.diagnostics == []


@pytest.mark.parametrize(
    ("text", "user"),
    [
        ("FROM x\n", None),
        ("FROM x\nUSER 1000\n", "1000"),
        ("FROM x\nUSER 1000:2000\nUSER root\n", "0"),
        ("FROM x\nUSER node\n", "node"),
        ("FROM docker.io/library/node:22-alpine\nUSER node\n", "1000"),
        ("FROM node AS build\nFROM gcr.io/distroless/static:nonroot\n", "65532"),
        ("FROM grafana/grafana@sha256:0\n", "472"),
        ("FROM grafana/grafana\nUSER root\n", "0"),
        ("FROM x\nRUN adduser -D -u 1001 app\nUSER app\n", "1001"),
        ("FROM x\nRUN addgroup -S g && adduser -S next -u 1001 && true\nUSER next\n", "1001"),
        ("FROM x\nRUN useradd --uid=1002 -m app; ls\nUSER app:app\n", "1002:app"),
        ("FROM x AS base\nRUN useradd -u 7 app\nFROM base\nUSER app\n", "7"),
        ('FROM x\nARG UID=10001\nRUN adduser --home "/no" --uid "${UID}" app\nUSER app\n', "10001"),
        ("ARG UID=3\nFROM x\nARG UID\nUSER $UID\n", "3"),
        ("FROM x\nENV UID=4 GID=5\nUSER ${UID}:${GID}\n", "4:5"),
        ("FROM x\nENV OWNER app\nRUN useradd -u 6 $OWNER\nUSER ${OWNER:-other}\n", "6"),
        ("FROM x\nUSER ${NOBODY:-8}\n", "8"),
        ("FROM x\nUSER $UNKNOWN\n", "$UNKNOWN"),
        ("ARG BASE=grafana/grafana\nFROM ${BASE}:11\n", "472"),
        ("FROM mcr.microsoft.com/dotnet/aspnet:9.0\nUSER $APP_UID\n", "1654"),
        ("FROM x AS base\nUSER 5\nFROM y\nRUN true\n", None),
    ],
)
def test_the_user_is_the_last_one_of_the_stage_with_its_number_where_the_file_shows_it(
    text: str, user: str | None
) -> None:
    assert parse_dockerfile(text).user == user


def test_build_arguments_win_over_what_the_file_says() -> None:
    text = "FROM x\nARG UID=1\nUSER $UID\n"
    assert parse_dockerfile(text, arguments={"UID": "2"}).user == "2"


@pytest.mark.parametrize(
    ("build", "missing"),
    [
        ("./app", None),
        ("{context: app, dockerfile: docker/prod.Dockerfile}", "app/docker/prod.Dockerfile"),
        ("./ap", "ap"),
        ("{context: empty, dockerfile_inline: FROM scratch}", None),
        ("{context: empty}", "empty/Dockerfile"),
        ("https://example.com/shop.git", None),
    ],
)
def test_what_an_image_is_built_from_and_is_not_there_is_a_warning(
    build: str, missing: str | None, render_text: Callable[..., Any], tmp_path: Path
) -> None:
    files = MemoryFiles({f"{tmp_path}/app/Dockerfile": b"FROM x", f"{tmp_path}/empty/README": b""})
    result = render_text(f"services: {{a: {{build: {build}}}}}", files=files)
    found = [each.message for each in result.diagnostics if each.code == "missing-build"]
    assert found == ([f"There is no {missing}: the image cannot be built."] if missing else [])
