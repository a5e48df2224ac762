"""What .dockerignore leaves out of a build."""

from __future__ import annotations

from pathlib import Path

import pytest

from leeward.base.errors import UserInputError
from leeward.cluster.runtimes.process.copying import Origin
from leeward.cluster.runtimes.process.ignore import read_ignore


def kept(directory: Path, rules: str, *paths: str) -> set[str]:
    """Return the files that are copied of a context with `paths`."""
    for path in paths:
        (directory / path).parent.mkdir(parents=True, exist_ok=True)
        (directory / path).touch()
    (directory / ".dockerignore").write_text(rules)
    origin = Origin(str(directory), read_ignore(directory, directory / "Dockerfile"))
    return {path for path in origin.walk("") if not origin.is_directory(path)} - {".dockerignore"}


FILES = ("a.md", "src/top.py", "src/b.md", "src/deep/c.py", "src/deep/d.md", "xsrc")


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        ("*\n!src/top.py\n", {"src/top.py"}),
        ("*\n!src\n", {"src/top.py", "src/b.md", "src/deep/c.py", "src/deep/d.md"}),
        ("*\n!src\nsrc/deep\n", {"src/top.py", "src/b.md"}),
        ("*\n!**/*.py\n", {"src/top.py", "src/deep/c.py"}),
        ("*\n!src/**/c.py\n", {"src/deep/c.py"}),
        ("*.md\n", {"src/top.py", "src/b.md", "src/deep/c.py", "src/deep/d.md", "xsrc"}),
        ("*/*.md\n", {"a.md", "src/top.py", "src/deep/c.py", "src/deep/d.md", "xsrc"}),
        ("**/*.md\n", {"src/top.py", "src/deep/c.py", "xsrc"}),
        ("src/**\n", {"a.md", "xsrc"}),
        ("**/deep\n", {"a.md", "src/top.py", "src/b.md", "xsrc"}),
        ("deep\n", set(FILES)),
        ("/src/\n", {"a.md", "xsrc"}),
        ("src/../a.md\n", set(FILES) - {"a.md"}),
        ("?src\n", set(FILES) - {"xsrc"}),
        ("[^x].md\n", set(FILES) - {"a.md"}),
        ("\\a.md\n", set(FILES) - {"a.md"}),
        ("**\n", set()),
        ("# a.md\n\n  \n/\n", set(FILES)),
        ("!a.md\n*.md\n", set(FILES) - {"a.md"}),
        ("\ufeffxsrc\r\na.md\r\n", set(FILES) - {"xsrc", "a.md"}),
    ],
)
def test_the_last_rule_that_applies_to_a_file_or_its_directories_decides(
    tmp_path: Path, rules: str, expected: set[str]
) -> None:
    assert kept(tmp_path, rules, *FILES) == expected


def test_the_dockerfiles_own_ignore_file_comes_first(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile.dockerignore").write_text("a\nDockerfile*\n")

    assert kept(tmp_path, "b\n", "a", "b") == {"b"}


def test_an_excluded_directory_without_exceptions_is_not_looked_into(tmp_path: Path) -> None:
    kept(tmp_path, "node_modules\n!src\n!node_modules2/x\n", "node_modules/a")

    ignore = read_ignore(tmp_path, tmp_path / "Dockerfile")

    assert ignore.may_keep_below("node_modules") is False
    assert ignore.may_keep_below("node_modules2") is True


@pytest.mark.parametrize(
    ("line", "reason"), [("a[", "bracket"), ("!", "exclamation"), ("[z-a]", "bad character")]
)
def test_a_pattern_that_makes_no_sense_is_told_with_its_line(tmp_path: Path, line: str, reason: str) -> None:
    with pytest.raises(UserInputError, match=rf"\.dockerignore:2: .* is no pattern: .*{reason}"):
        kept(tmp_path, f"a\n{line}\n")
