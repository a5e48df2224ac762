"""Every golden case renders as written down, validates strictly and reads back as the same values."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import kubernetes_validate
import pytest
import yaml

from leeward.compose.load import LoadOptions, load_project
from leeward.render.render import RenderOptions, RenderResult, render
from leeward.render.writers.yaml import to_text

HERE = Path(__file__).parent
CASES = sorted(path.parent.name for path in HERE.glob("*/compose.yaml"))
ENVIRONMENT = {"GREETING": "hello"}


def _render(case: str, environment: str = "local") -> RenderResult:
    options = LoadOptions(working_dir=HERE / case, environment=ENVIRONMENT)
    return render(load_project(options).project, RenderOptions(environment=environment))


@pytest.mark.parametrize("case", CASES)
def test_case_renders_as_written_down(case: str, check_golden: Callable[[Path, str], None]) -> None:
    result = _render(case)
    check_golden(HERE / case / "expected.yaml", to_text(result.objects, result.origins))
    findings = "".join(f"{found.code}: {found}\n" for found in result.diagnostics)
    check_golden(HERE / case / "expected.txt", findings.replace(str(HERE), "…"))


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("environment", ["local", "production"])
def test_case_is_valid_for_the_newest_kubernetes(case: str, environment: str) -> None:
    for obj in _render(case, environment).objects:
        kubernetes_validate.validate(obj, kubernetes_validate.latest_version(), strict=True)


@pytest.mark.parametrize("case", CASES)
def test_written_yaml_reads_back_as_the_same_objects(case: str) -> None:
    objects = _render(case).objects
    assert list(yaml.safe_load_all(to_text(objects))) == objects
