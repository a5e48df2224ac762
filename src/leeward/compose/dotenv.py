"""``.env`` files: ``KEY=value`` lines with quotes, comments, ``export``, escapes and variables.

Unquoted and double-quoted values are substituted (the given environment wins over earlier lines);
single-quoted ones are taken as they are. A key without ``=`` takes its value from the environment.

Source: Compose Specification, "Env_file format"; Docker documentation, "Syntax for .env files".
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from leeward.base.diagnostics import Location
from leeward.compose.findings import Findings
from leeward.compose.interpolate import TemplateError, substitute

_KEY = re.compile(r"(?:export[ \t]+)?([\w.\-\[\]]+)[ \t]*(?:([=:])|(?=\r?\n|\Z|#))[ \t]*", re.UNICODE)
_BLANK = re.compile(r"(?:\s+|#[^\n]*)*")
_ESCAPE = re.compile(r'\\([abcfnrtv$"\\]|0[0-7]{0,3})')
_ESCAPES = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", "c": "\\c"}


class Assignment(NamedTuple):
    """One variable of a file; its value is ``text[start:end]``, with quotes."""

    name: str
    start: int
    end: int
    value: str | None  # without quotes and before substitution; None: taken from the environment
    quote: str = ""  # "'", '"' or none


def find_assignments(text: str, *, raw: bool = False) -> list[Assignment]:
    """Return what a file without mistakes defines, in order, and where it stands."""
    if raw:
        return _raw_assignments(text)
    parser = _Parser(text, {}, "", Findings())
    parser.run()
    return parser.assignments


def _raw_assignments(text: str) -> list[Assignment]:
    found, position = [], 0
    for line in text.splitlines(keepends=True):
        content = line.rstrip("\r\n")
        name, equals, value = content.partition("=")
        if content.strip() and not content.lstrip().startswith("#"):
            end = position + len(content)
            found.append(Assignment(name, end - len(value), end, value if equals else None))
        position += len(line)
    return found


def parse_dotenv(
    text: str, environment: Mapping[str, str], file: str, findings: Findings, *, raw: bool = False
) -> dict[str, str]:
    """Return the variables a file defines.

    Args:
        text: its content.
        environment: variables that values may mention and that keys without ``=`` take.
        file: name for locations.
        findings: takes syntax errors, which skip one line.
        raw: take values as they are, without quotes, comments or variables.
    """
    return _parse_raw(text, environment) if raw else _Parser(text, environment, file, findings).run()


def _parse_raw(text: str, environment: Mapping[str, str]) -> dict[str, str]:
    values: dict[str, str] = {}
    for line in text.splitlines():
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        key, equals, value = line.partition("=")
        if equals:
            values[key] = value
        elif key in environment:
            values[key] = environment[key]
    return values


class _Parser:
    """Reads one file; `_position` moves forward over the text."""

    def __init__(self, text: str, environment: Mapping[str, str], file: str, findings: Findings) -> None:
        self._text = text.removeprefix("\ufeff")
        self._environment = environment
        self._file = file
        self._findings = findings
        self._position = 0
        self._values: dict[str, str] = {}
        self.assignments: list[Assignment] = []

    def run(self) -> dict[str, str]:
        while True:
            self._skip(_BLANK)
            if self._position >= len(self._text):
                return self._values
            start = self._position
            match = _KEY.match(self._text, start)
            if match is None:
                self._error(start, f'"{self._rest_of_line().strip()}" is not KEY=value.')
                continue
            self._position = match.end()
            if match[2] is None:
                self._rest_of_line()
                self.assignments.append(Assignment(match[1], match.end(), match.end(), None))
                if match[1] in self._environment:
                    self._values[match[1]] = self._environment[match[1]]
                continue
            self._assign(match[1], start)

    def _assign(self, key: str, start: int) -> None:
        quote = self._text[self._position : self._position + 1]
        quoted = quote in ("'", '"') and quote != ""
        begin = self._position
        if quoted:
            value = self._quoted(quote, start)
            if value is None:
                return
            end = self._position
        else:
            before = self._text[self._position - 1]  # "=", or the blank after it
            value = (before + self._rest_of_line()).partition(" #")[0].removeprefix(before).strip()
            end = begin + len(value)
        self.assignments.append(Assignment(key, begin, end, value, quote if quoted else ""))
        if quote != "'":
            try:
                value = substitute(value, self._lookup, lambda name: self._unset(name, key, start))
            except TemplateError as error:
                self._error(start, f"{key}: {error.message}", error.remedy)
                return
        self._values[key] = value

    def _quoted(self, quote: str, start: int) -> str | None:
        position = self._position + 1
        while position < len(self._text) and self._text[position] != quote:
            position += 2 if self._text[position] == "\\" else 1
        if position >= len(self._text):
            self._error(start, "The quote is never closed.", f"Close it with {quote}.")
            self._position = len(self._text)
            return None
        value = self._text[self._position + 1 : position].replace("\\" + quote, quote)
        self._position = position + 1
        return value if quote == "'" else _ESCAPE.sub(_unescape, value)

    def _lookup(self, name: str) -> str | None:
        return self._environment[name] if name in self._environment else self._values.get(name)

    def _rest_of_line(self) -> str:
        end = self._text.find("\n", self._position)
        end = len(self._text) if end < 0 else end
        line = self._text[self._position : end]
        self._position = end
        return line

    def _skip(self, pattern: re.Pattern[str]) -> None:
        match = pattern.match(self._text, self._position)
        self._position = match.end() if match else self._position

    def _unset(self, name: str, key: str, position: int) -> None:
        self._findings.warning(
            "unset-variable",
            f"{key}: the variable {name} is not set; an empty string is used.",
            at=self._at(position),
            remedy=f"Set it before, or put the value in single quotes if ${name} is part of it.",
        )

    def _at(self, position: int) -> Location:
        return Location(self._file, self._text.count("\n", 0, position) + 1)

    def _error(self, position: int, message: str, remedy: str = "Write one KEY=value a line.") -> None:
        self._findings.error("env-file-syntax", message, at=self._at(position), remedy=remedy)


def _unescape(match: re.Match[str]) -> str:
    code = match[1]
    if code == "$":
        return "$$"
    if code[0] == "0":
        return chr(int(code, 8))
    return _ESCAPES.get(code, code)
