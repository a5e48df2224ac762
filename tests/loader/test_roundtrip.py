"""A project that is written as Compose YAML or JSON loads to the same project."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leeward.compose.dump import to_text
from leeward.compose.load import LoadOptions, load_project
from leeward.compose.project import Locations, Project, Service

CORPUS = Path(__file__).parents[3] / "shared/data/compose-corpus"
PATTERNS = ("compose.y*ml", "docker-compose*.y*ml", "docker-stack.yml")
FILES = sorted(path for pattern in PATTERNS for path in CORPUS.rglob(pattern))
ANYWHERE = Locations()


def content(project: Project) -> Project:
    """Return `project` without the places it comes from."""
    return replace(project, files=(), locations=ANYWHERE)


def reloaded(project: Project, form: str) -> Project:
    text = to_text(project, form)
    options = LoadOptions(
        working_dir=project.working_dir,
        files=["-"],
        stdin=text,
        profiles=["*"],
        environment={"HOME": "/home/user"},
    )
    return load_project(options).project


@pytest.mark.skipif(not FILES, reason=f"the corpus is not at {CORPUS}")
@pytest.mark.parametrize("form", ["yaml", "json"])
@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(CORPUS)))
def test_every_project_of_the_corpus_is_the_same_after_writing(path: Path, form: str) -> None:
    options = LoadOptions(
        working_dir=path.parent, files=[path.name], profiles=["*"], environment={"HOME": "/home/user"}
    )
    project = load_project(options).project
    assert content(reloaded(project, form)) == content(project)


TEXTS = st.text(st.characters(exclude_categories=["Cs", "Cc"]) | st.sampled_from("$\n{}"), max_size=12)


@given(environment=st.dictionaries(st.from_regex(r"\A[A-Z]{1,5}\Z"), TEXTS), command=st.lists(TEXTS))
def test_any_text_is_the_same_after_writing(environment: dict[str, str], command: list[str]) -> None:
    service = Service(
        name="web", image="x", environment=environment, command=tuple(command), network_mode="none"
    )
    project = Project(name="p", working_dir=Path("/p"), services={"web": service})
    assert content(reloaded(project, "yaml")).services == project.services
