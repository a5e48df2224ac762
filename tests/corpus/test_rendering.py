"""Real projects render to objects that Kubernetes takes."""

from __future__ import annotations

from pathlib import Path

import kubernetes_validate
import pytest

from leeward.compose.load import LoadOptions, load_project
from leeward.render.render import render

CORPUS = Path(__file__).resolve().parents[3] / "shared" / "data" / "compose-corpus"
CORPUS_FILES = sorted(CORPUS.rglob("*compose*.y*ml"))


@pytest.mark.skipif(not CORPUS_FILES, reason="the corpus of real Compose projects is not on this machine")
@pytest.mark.parametrize("path", CORPUS_FILES, ids=lambda path: path.parent.name)
def test_every_object_of_a_real_project_is_valid_for_the_newest_kubernetes(path: Path) -> None:
    project = load_project(LoadOptions(working_dir=path.parent, files=[path.name])).project
    for obj in render(project).objects:
        kubernetes_validate.validate(obj, kubernetes_validate.latest_version(), strict=True)
