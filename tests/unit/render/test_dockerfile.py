from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from leeward.compose.project import Healthcheck
from leeward.render.dockerfile import parse_healthcheck
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
    found = parse_healthcheck(text)
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
    assert parse_healthcheck(text) is None


def test_a_target_ends_the_reading_and_timings_are_seconds() -> None:
    check = "HEALTHCHECK --interval=1m30s --timeout=500ms --retries=4 CMD a"
    text = f"FROM x AS dev\n{check}\nFROM y\nHEALTHCHECK CMD b\n"
    assert parse_healthcheck(text, "dev") == Healthcheck(
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
