"""A release of the example, made with the command line and read with kubectl.

What is built for an embedded cluster stays beside it; for another one it is pushed to a registry, which is
for ``test_images.py``.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.live import NEEDS_KUBECTL, Kubectl, Leeward

pytestmark = [
    pytest.mark.e2e,
    NEEDS_KUBECTL,
    pytest.mark.skipif(
        "LEEWARD_TEST_KUBECONFIG" in os.environ, reason="what is built here stays beside an embedded cluster"
    ),
]
EXAMPLE = Path(__file__).resolve().parents[3] / "examples" / "storefront"


@pytest.fixture
def tool(tmp_path: Path) -> Iterator[Leeward]:
    """Copy the example, and start a cluster for it."""
    directory = tmp_path / "storefront"
    shutil.copytree(EXAMPLE, directory)
    leeward = Leeward(tmp_path / "home", directory)
    leeward.ok("init")
    leeward.ok("cluster", "start", "--runtime", "simulated")
    yield leeward
    leeward.run("cluster", "delete", "--yes")


def test_a_release_is_made_shown_and_brought_to_another_place(tool: Leeward) -> None:
    made = json.loads(tool.ok("release", "create", "--version", "1.1", "-o", "json"))
    again = json.loads(tool.ok("release", "create", "--version", "1.1", "-o", "json"))
    assert (made["new"], again["new"], again["id"]) == (True, False, made["id"])

    kubectl = Kubectl(tool.home / "local" / "kubeconfig", "leeward-storefront")
    listed = kubectl.ok("get", "releases").splitlines()
    assert listed[1].split()[:2] == [made["id"], "1.1"]
    changed = kubectl.fails("patch", "release", made["id"], "--type=merge", "-p", '{"spec":{"version":"2"}}')
    assert "what was written stays as it is" in changed

    page = tool.directory / "app" / "web.py"
    page.write_text(page.read_text() + "\n")
    assert (
        f"1.1 is the version of {made['id']} already"
        in tool.run("release", "create", "--version", "1.1").stderr
    )

    tool.ok("release", "export", "1.1", "release.json")
    kubectl.ok("delete", "release", made["id"])
    assert f"release {made['id']} (1.1) is new" in tool.ok("release", "import", "release.json")
    shown = json.loads(tool.ok("release", "show", made["id"], "-o", "json"))
    assert shown["digest"] == made["digest"]
    assert "config/api-token.txt" not in shown["content"]["files"]


def test_a_copy_of_the_project_gives_the_same_release(tool: Leeward, tmp_path: Path) -> None:
    made = json.loads(tool.ok("release", "create", "-o", "json"))
    copy = tmp_path / "elsewhere" / "shop"
    shutil.copytree(tool.directory, copy)

    done = tool.ok("release", "create", "-o", "json", cwd=copy)
    assert json.loads(done)["id"] == made["id"]
