"""Laws that hold for any Compose project: of substitution, of merging, and of writing a project again.

Projects are put together from the smallest forms of single keys, which ``tests/keys`` has for all of them.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

from leeward.base.errors import DiagnosticsError
from leeward.compose.dump import to_text
from leeward.compose.interpolate import TemplateError, substitute
from leeward.compose.load import LoadOptions, load_project
from leeward.compose.project import Locations, Project
from leeward.render.render import render
from tests.keys.case import Case, read_cases

CASES = [
    case
    for file in sorted((Path(__file__).parents[1] / "keys" / "cases").glob("*.yaml"))
    for case in read_cases(file)
    if not case.error
]
PARTS = st.lists(st.sampled_from(CASES), min_size=1, max_size=6, unique_by=id)
SETTINGS = settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.filter_too_much])
NAMES = st.sampled_from(["A", "B_C", "set", "EMPTY"])
WORDS = st.text("ab $", max_size=4).map(lambda text: text.replace("$", "$$"))
VALUES = {"set": "value", "EMPTY": ""}


def write(root: Path, cases: list[Case]) -> list[str]:
    """Write one Compose file a case, and what they need; returns the names."""
    names = []
    for number, case in enumerate(cases):
        for name, text in case.files.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(text, encoding="utf-8")
        names.append(f"{number}.yaml")
        (root / names[-1]).write_text(yaml.safe_dump(case.compose(), sort_keys=False), encoding="utf-8")
    return names


def load(root: Path, files: list[str], text: str | None = None) -> Project | None:
    """Return the project, or None where what was put together contradicts itself."""
    try:
        return load_project(
            LoadOptions(
                working_dir=root, files=files, stdin=text, profiles=["*"], environment={"HOME": "/home/user"}
            )
        ).project
    except DiagnosticsError:
        return None


def content(project: Project) -> Project:
    return Project(
        **{
            name: getattr(project, name)
            for name in Project.__dataclass_fields__
            if name not in ("files", "locations")
        },
        locations=ANYWHERE,
    )


ANYWHERE = Locations()


@SETTINGS
@given(PARTS)
@example([case for case in CASES if case.path == ("jobs",)])
def test_any_project_that_loads_is_the_same_after_writing(cases: list[Case]) -> None:
    with tempfile.TemporaryDirectory() as directory:
        root = Path(directory).resolve()
        project = load(root, write(root, cases))
        assume(project is not None)
        assert project is not None
        again = load(root, ["-"], to_text(project, "yaml"))
        assert again is not None
        assert content(again) == content(project)
        assert to_text(again, "yaml") == to_text(project, "yaml")


@SETTINGS
@given(PARTS)
def test_any_project_that_loads_renders_the_same_objects_twice(cases: list[Case]) -> None:
    with tempfile.TemporaryDirectory() as directory:
        root = Path(directory).resolve()
        project = load(root, write(root, cases))
        assume(project is not None)
        assert project is not None
        assert render(project).objects == render(project).objects


@SETTINGS
@given(PARTS)
def test_a_file_given_twice_or_followed_by_an_empty_one_changes_nothing(cases: list[Case]) -> None:
    with tempfile.TemporaryDirectory() as directory:
        root = Path(directory).resolve()
        names = write(root, cases)
        (root / "empty.yaml").write_text("# nothing\n")
        project = load(root, names)
        assume(project is not None)
        for files in ([*names, "empty.yaml"], ["empty.yaml", *names]):
            again = load(root, files)
            assert again is not None
            assert project is not None
            assert content(again) == content(project)


@given(
    st.dictionaries(st.sampled_from("abc"), st.integers(0, 3), min_size=1),
    st.dictionaries(st.sampled_from("abcd"), st.integers(4, 7)),
)
def test_what_is_overridden_is_only_what_the_later_file_says(
    one: dict[str, int], other: dict[str, int]
) -> None:
    def environment(over: str) -> Mapping[str, Any] | None:
        with tempfile.TemporaryDirectory() as directory:
            root = Path(directory)
            base = {"services": {"web": {"image": "x", "environment": one}}}
            (root / "0.yaml").write_text(yaml.safe_dump(base))
            (root / "1.yaml").write_text(over)
            project = load(root, ["0.yaml", "1.yaml"])
            assert project is not None
            return project.services["web"].environment

    text = yaml.safe_dump(other, default_flow_style=True).strip()
    both = {key: str(value) for key, value in {**one, **other}.items()}
    assert environment(f"services: {{web: {{environment: {text}}}}}\n") == both
    assert environment(f"services: {{web: {{environment: !override {text}}}}}\n") == {
        key: str(value) for key, value in other.items()
    }
    assert environment("services: {web: {environment: !reset null}}\n") == {}


@given(st.text("ab{}:-?+.", max_size=12))
def test_text_without_a_dollar_is_not_changed(text: str) -> None:
    assert substitute(text, VALUES.get) == text


@given(NAMES, st.sampled_from([":-", "-", ":?", "?", ":+", "+"]), WORDS)
def test_every_operator_does_what_the_specification_says(name: str, operator: str, word: str) -> None:
    value = VALUES.get(name)
    present = value is not None and not (value == "" and operator.startswith(":"))
    literal = word.replace("$$", "$")
    try:
        found: str | None = substitute(f"${{{name}{operator}{word}}}", VALUES.get)
    except TemplateError:
        found = None
    expected = {
        "-": value if present else literal,
        "?": value if present else None,
        "+": literal if present else "",
    }[operator[-1]]
    assert found == expected


@given(NAMES, NAMES, WORDS)
def test_a_default_may_have_variables_of_its_own(one: str, other: str, word: str) -> None:
    nested = substitute(f"${{{one}:-${{{other}:-{word}}}}}", VALUES.get)
    assert nested == (VALUES.get(one) or VALUES.get(other) or word.replace("$$", "$"))
