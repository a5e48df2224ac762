"""The Terraform that leeward writes, by its own judges: fmt, init, validate, test, and checkov.

The sample clusters are those of ``examples/clusters``. checkov is a program of its own environment (its
versions of libraries exclude ours): LEEWARD_CHECKOV, or one on PATH; without it, its test is skipped.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.e2e.infra.terraform import NEEDS_TERRAFORM, TAKES_MINUTES, Terraform, write_repository

pytestmark = NEEDS_TERRAFORM
SAMPLES = {path.parent.name: path for path in sorted(Path("examples/clusters").glob("*/cluster.yaml"))}
CHECKOV = os.environ.get("LEEWARD_CHECKOV") or shutil.which("checkov")


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a repository with all sample clusters."""
    root = tmp_path_factory.mktemp("samples")
    write_repository(root, SAMPLES)
    return root


@pytest.fixture(scope="module")
def judged(repository: Path) -> Iterator[dict[str, Future[str]]]:
    """Return what Terraform says of each cluster by its own values, and of the modules; two at a time."""
    with ThreadPoolExecutor(2) as pool:
        judging = {"tests": pool.submit(_modules, repository / "tests")}
        yield judging | {name: pool.submit(_cluster, repository / "clusters" / name) for name in SAMPLES}


def _modules(directory: Path) -> str:
    terraform = Terraform(directory)
    terraform.init()
    return terraform.ok("test", "-no-color")


def _cluster(directory: Path) -> str:
    terraform = Terraform(directory)
    terraform.init("-backend=false")
    terraform.ok("validate")
    return terraform.ok("test", "-no-color")


def test_five_clusters_that_differ_are_judged() -> None:
    assert sorted(SAMPLES) == ["many-groups", "minimal", "private", "production", "spot"]


def test_everything_is_formatted(repository: Path) -> None:
    assert Terraform(repository).ok("fmt", "-check", "-recursive") == ""


@TAKES_MINUTES
@pytest.mark.timeout(300)
def test_the_modules_keep_their_promises(judged: dict[str, Future[str]]) -> None:
    printed = judged["tests"].result()
    assert "Success!" in printed
    for module in ("access", "addons", "cluster", "keys", "network", "node-groups", "state"):
        assert f"{module}.tftest.hcl... pass" in printed


@pytest.mark.timeout(300)
@TAKES_MINUTES
@pytest.mark.parametrize("name", SAMPLES)
def test_a_sample_cluster_is_valid_and_is_what_its_values_say(
    name: str, judged: dict[str, Future[str]]
) -> None:
    assert "Success! 1 passed" in judged[name].result()


@pytest.mark.timeout(300)
@pytest.mark.skipif(CHECKOV is None, reason="checkov is not installed; LEEWARD_CHECKOV may name it")
def test_checkov_finds_nothing(repository: Path) -> None:
    done = subprocess.run(
        [
            str(CHECKOV),
            "-d",
            ".",
            "--framework",
            "terraform",
            "--output",
            "json",
            "--quiet",
            "--skip-download",
        ],
        cwd=repository,
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    found = json.loads(done.stdout)
    failed = [(each["check_id"], each["resource"]) for each in found["results"]["failed_checks"]]
    assert failed == []
    assert found["summary"]["passed"] > 300  # it has looked at the modules as each cluster calls them
    assert done.returncode == 0
