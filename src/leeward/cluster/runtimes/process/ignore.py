"""Which files of a build context .dockerignore leaves out, and Docker's file name patterns.

A rule applies to what it matches and to everything below that; the last rule that applies decides.

Source: moby/patternmatcher (patternmatcher.go, ignorefile/ignorefile.go); which excluded directories are
looked into is tonistiigi/fsutil's filter.go.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from leeward.base.errors import UserInputError

_WILD = re.compile(r"[*?\[\\]")


@dataclass(frozen=True, slots=True)
class Rule:
    """One line of .dockerignore."""

    excludes: bool  # False for "!…"
    pattern: str
    regex: re.Pattern[str]

    def applies(self, names: Sequence[str]) -> bool:
        """Tell whether it matches a path or one of the directories it is in."""
        return any(self.regex.fullmatch(name) for name in names)

    def may_apply_below(self, directory: str) -> bool:
        """Tell whether it may match something below `directory`."""
        plain = self.pattern.removesuffix("/**")
        return bool(_WILD.search(plain)) or f"{plain}/".startswith(f"{directory}/")


class Ignore:
    """The rules of one .dockerignore; none for what is not a build context."""

    def __init__(self, rules: Sequence[Rule] = ()) -> None:
        self._rules = rules

    def leaves_out(self, path: str) -> bool:
        """Tell whether a path, relative to the context, is left out."""
        parts = path.split("/")
        names = ["/".join(parts[: end + 1]) for end in range(len(parts))]
        return next((rule.excludes for rule in reversed(self._rules) if rule.applies(names)), False)

    def may_keep_below(self, directory: str) -> bool:
        """Tell whether something in a directory that is left out may be kept nevertheless."""
        return any(not rule.excludes and rule.may_apply_below(directory) for rule in self._rules)


def read_ignore(context: Path, dockerfile: Path) -> Ignore:
    """Return the rules of the Dockerfile's own ignore file or of the context's.

    Raises:
        UserInputError: a pattern makes no sense; names file and line.
    """
    for candidate in (dockerfile.with_name(dockerfile.name + ".dockerignore"), context / ".dockerignore"):
        if candidate.is_file():
            lines = candidate.read_text(encoding="utf-8-sig", errors="replace").split("\n")
            return Ignore(
                [rule for number, line in enumerate(lines, 1) for rule in _rule(candidate, number, line)]
            )
    return Ignore()


def _rule(file: Path, number: int, line: str) -> list[Rule]:
    """Return the rule of a line, or none."""
    text = line.strip()
    if not text or line.startswith("#"):
        return []
    excludes = not text.startswith("!")
    pattern = text if excludes else text[1:].strip()
    pattern = posixpath.normpath(pattern).lstrip("/") if pattern else ""
    try:
        if not pattern and not excludes:
            raise ValueError("nothing follows the exclamation mark")
        return [Rule(excludes, pattern, re.compile(translate(pattern), re.DOTALL))]
    except ValueError as error:
        raise UserInputError(
            f"{file}:{number}: {text} is no pattern: {error}",
            remedy="See the reference of .dockerignore files.",
        ) from error


def translate(pattern: str) -> str:
    """Return the regular expression of a pattern: * and ? stay within a name, ** spans directories.

    Raises:
        ValueError: it makes no sense, such as an open bracket.
    """
    found = ""
    index = 0
    while index < len(pattern):
        if pattern.startswith("**", index):
            index += 3 if pattern.startswith("**/", index) else 2
            found += "(?:.*/)?" if index < len(pattern) else ".*"
            continue
        taken, text = _one(pattern, index)
        found += text
        index += taken
    return found


def _one(pattern: str, index: int) -> tuple[int, str]:
    """Return how many characters of a pattern make one element, and its regular expression."""
    char = pattern[index]
    if char == "*":
        return 1, "[^/]*"
    if char == "?":
        return 1, "[^/]"
    if char == "\\" and index + 1 < len(pattern):
        return 2, re.escape(pattern[index + 1])
    if char == "[":
        bracket = re.compile(r"\[(\^?)((?:\\.|[^\]\\])+)\]").match(pattern, index)
        if bracket is None:
            raise ValueError("a bracket is not closed")
        members = re.sub(r"([\[&~|])", r"\\\1", bracket[2])
        text = f"[{bracket[1]}{members}]"
        try:
            re.compile(text)
        except re.error as error:
            raise ValueError(str(error)) from error
        return len(bracket[0]), text
    return 1, re.escape(char)
