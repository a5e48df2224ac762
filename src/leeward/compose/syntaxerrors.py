"""What YAML parsers say, in words for people: what is wrong, at which line, and what to do.

Source: the problems that libyaml reports (scanner.c, parser.c, 0.2.5).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

import yaml

from leeward.base.diagnostics import Location
from leeward.compose.findings import Findings

_CONFLICT = ("<<<<<<<", "=======", ">>>>>>>")
_ALIAS = re.compile(r"\*([^\s,\]}]+)")


class _Place(NamedTuple):
    """Where the parser stopped."""

    problem: str
    line: int  # 0 for the first
    text: str  # of that line
    before: str  # the line above
    column: int
    opened: int | None  # the line where what is not finished begins


class _Explanation(NamedTuple):
    message: str
    remedy: str
    line: int | None = None  # instead of where the parser stopped


def _tab(place: _Place) -> _Explanation | None:
    if "\t" not in place.text[: len(place.text) - len(place.text.lstrip())]:
        return None
    return _Explanation("The line is indented with a tab.", "Indent with spaces, not tabs.")


def _conflict(place: _Place) -> _Explanation | None:
    for line, text in ((place.line - 1, place.before), (place.line, place.text)):
        if text.startswith(_CONFLICT):
            message = "The file has the markers of a merge conflict."
            return _Explanation(message, "Resolve the conflict and remove them.", line)
    return None


def _alias(place: _Place) -> _Explanation | None:
    if "undefined alias" not in place.problem:
        return None
    found = _ALIAS.search(place.text, place.column)
    name = found[1] if found else "…"
    return _Explanation(f'There is no anchor "{name}".', f'Write "&{name}" further up, or correct the name.')


def _quote(place: _Place) -> _Explanation | None:
    if "unexpected end of stream" not in place.problem:
        return None
    return _Explanation("The quote is never closed.", "Close it.", place.opened)


def _start(place: _Place) -> _Explanation | None:
    if "cannot start any token" not in place.problem:
        return None
    letter = place.text[place.column : place.column + 1]
    return _Explanation(f'A value cannot start with "{letter}".', "Put the value in quotes.")


def _colon(place: _Place) -> _Explanation | None:
    if "mapping values are not allowed" not in place.problem:
        return None
    remedy = "Put the value in quotes if the colon belongs to it; else check the indentation."
    return _Explanation('There is a ": " where no key can be.', remedy)


def _bracket(place: _Place) -> _Explanation | None:
    found = re.search(r"expected ',' or '([\]}])'", place.problem)
    if found is None:
        return None
    opener = "[" if found[1] == "]" else "{"
    return _Explanation(f'The "{opener}" is never closed.', f'Close it with "{found[1]}".', place.opened)


def _unfinished(place: _Place) -> _Explanation | None:
    if "expected node content" not in place.problem:
        return None
    letter = place.text[place.column : place.column + 1]
    if letter and letter in "]}":
        return _Explanation(
            f'There is a "{letter}" that nothing opens.', "Remove it, or put the value in quotes."
        )
    return _Explanation("The value ends too early.", 'Close the brackets that are open, with "]" or "}".')


def _alignment(place: _Place) -> _Explanation | None:
    if "expected key" not in place.problem and "expected ':'" not in place.problem:
        return None
    message = "The line does not fit what is above it."
    return _Explanation(message, "Align it with the lines it belongs to, and check the quotes above it.")


def _depth(place: _Place) -> _Explanation | None:
    if "maximum nesting depth" not in place.problem:
        return None
    return _Explanation("Values are nested too deeply.", "Write fewer levels.")


_EXPLAIN: tuple[Callable[[_Place], _Explanation | None], ...] = (
    _tab, _conflict, _alias, _quote, _start, _colon, _bracket, _unfinished, _alignment, _depth,
)  # fmt: skip


def report_syntax(error: yaml.MarkedYAMLError, text: str | bytes, file: str, findings: Findings) -> None:
    """Report what keeps `text` from being YAML."""
    mark = error.problem_mark or error.context_mark
    problem = (error.problem or "syntax error").rstrip(".")
    if mark is None:
        explained = None
    else:
        lines = _readable(text).splitlines()
        at = [lines[index] if 0 <= index < len(lines) else "" for index in (mark.line, mark.line - 1)]
        opened = error.context_mark.line if error.context_mark is not None else None
        place = _Place(problem, mark.line, at[0], at[1], mark.column, opened)
        explained = next((found for explain in _EXPLAIN if (found := explain(place)) is not None), None)
    if explained is None:
        context = f"{error.context}: " if error.context else ""
        remedy = "Check the indentation and quotes around this line."
        explained = _Explanation(f"This is not valid YAML: {context}{problem}.", remedy)
    line = explained.line if explained.line is not None else mark.line if mark is not None else -1
    findings.error(
        "yaml-syntax", explained.message, at=Location(file, line + 1), remedy=explained.remedy, damages=True
    )


def report_unreadable(error: yaml.YAMLError, text: str | bytes, file: str, findings: Findings) -> None:
    """Report a character that no YAML may have."""
    readable = _readable(text)
    bad = yaml.reader.Reader.NON_PRINTABLE.search(readable)
    reason = f"U+{ord(bad[0]):04X}" if bad else str(error).splitlines()[0]
    line = readable.count("\n", 0, bad.start()) + 1 if bad else 0
    findings.error(
        "yaml-syntax",
        f"A Compose file cannot have the character {reason}.",
        at=Location(file, line),
        remedy="Remove it, and save the file as UTF-8.",
        damages=True,
    )


def _readable(text: str | bytes) -> str:
    return text if isinstance(text, str) else text.decode("utf-8", "replace")
