"""``.env`` files: ``KEY=value`` lines with quotes, comments, ``export``, escapes and variables.

Unquoted and double-quoted values are substituted (the given environment wins over earlier lines);
single-quoted ones are taken as they are. A key without ``=`` takes its value from the environment.

Source: Compose Specification, "Env_file format"; Docker documentation, "Syntax for .env files".
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from leeward.base.diagnostics import Location
from leeward.compose.findings import Findings
from leeward.compose.interpolate import TemplateError, substitute

_KEY = re.compile(r"(?:export[ \t]+)?([\w.\-\[\]]+)[ \t]*(?:([=:])|(?=\r?\n|\Z|#))[ \t]*", re.UNICODE)
_BLANK = re.compile(r"(?:\s+|#[^\n]*)*")
_ESCAPE = re.compile(r'\\([abcfnrtv$"\\]|0[0-7]{0,3})')
_ESCAPES = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", "c": "\\c"}


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
                if match[1] in self._environment:
                    self._values[match[1]] = self._environment[match[1]]
                continue
            self._assign(match[1], start)

    def _assign(self, key: str, start: int) -> None:
        quote = self._text[self._position : self._position + 1]
        quoted = quote in ("'", '"') and quote != ""
        if quoted:
            value = self._quoted(quote, start)
            if value is None:
                return
        else:
            before = self._text[self._position - 1]  # "=", or the blank after it
            value = (before + self._rest_of_line()).partition(" #")[0].removeprefix(before).strip()
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
