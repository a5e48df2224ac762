"""What Go says about text that is no JSON.

Source: Go's encoding/json, scanner.go.
"""

from __future__ import annotations

import json
import re

_BLANK = re.compile(r"[ \t\r\n]*")
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_END = "unexpected end of JSON input"
_HEX = frozenset("0123456789abcdefABCDEF")


class _SyntaxError(Exception):
    pass


def json_error(data: bytes) -> str:
    """Return what is wrong with a text; "" when it is JSON."""
    text = data.decode("utf-8", "surrogateescape")
    scanner = _Scanner(text)
    try:
        scanner.value()
        scanner.blank()
        if scanner.at < len(text):
            raise scanner.wrong("after top-level value")
    except _SyntaxError as error:
        return str(error)
    except RecursionError:
        return "exceeded max depth"
    return ""


def _shown(char: str) -> str:
    """Return a character as Go quotes it; of a broken one the byte, as if that were the character."""
    if "\udc80" <= char <= "\udcff":
        char = chr(ord(char) - 0xDC00)
        return char if char.isprintable() else f"\\u{ord(char):04x}"
    return json.dumps(char, ensure_ascii=False)[1:-1]


class _Scanner:
    """Walks a text; `at` is where it stands."""

    def __init__(self, text: str) -> None:
        self._text = text
        self.at = 0

    def blank(self) -> None:
        """Skip what says nothing."""
        found = _BLANK.match(self._text, self.at)
        self.at = found.end() if found else self.at

    def wrong(self, where: str) -> _SyntaxError:
        """Return the error about the character here."""
        if self.at >= len(self._text):
            return _SyntaxError(_END)
        char = self._text[self.at]
        shown = {"'": "\\'", '"': '"'}.get(char) or _shown(char)
        return _SyntaxError(f"invalid character '{shown}' {where}")

    def value(self) -> None:
        """Walk over a value."""
        self.blank()
        char = self._text[self.at : self.at + 1]
        if char == "{":
            self._object()
        elif char == "[":
            self._array()
        elif char == '"':
            self._string()
        elif char in "tfn" and char:
            self._literal({"t": "true", "f": "false", "n": "null"}[char])
        elif char.isdigit() or char == "-":
            self._number()
        else:
            raise self.wrong("looking for beginning of value")

    def _take(self, char: str) -> bool:
        if self._text[self.at : self.at + 1] != char:
            return False
        self.at += 1
        return True

    def _object(self) -> None:
        self.at += 1
        self.blank()
        if self._take("}"):
            return
        while True:
            self.blank()
            if self._text[self.at : self.at + 1] != '"':
                raise self.wrong("looking for beginning of object key string")
            self._string()
            self.blank()
            if not self._take(":"):
                raise self.wrong("after object key")
            self.value()
            self.blank()
            if self._take("}"):
                return
            if not self._take(","):
                raise self.wrong("after object key:value pair")

    def _array(self) -> None:
        self.at += 1
        self.blank()
        if self._take("]"):
            return
        while True:
            self.value()
            self.blank()
            if self._take("]"):
                return
            if not self._take(","):
                raise self.wrong("after array element")

    def _string(self) -> None:
        self.at += 1
        while not self._take('"'):
            char = self._text[self.at : self.at + 1]
            if not char or char < " ":
                raise self.wrong("in string literal")
            self.at += 1
            if char == "\\":
                self._escape()

    def _escape(self) -> None:
        if self._take("u"):
            for _ in range(4):
                if self._text[self.at : self.at + 1] not in _HEX:
                    raise self.wrong("in \\u hexadecimal character escape")
                self.at += 1
        elif self._text[self.at : self.at + 1] and self._text[self.at] in 'bfnrt\\/"':
            self.at += 1
        else:
            raise self.wrong("in string escape code")

    def _literal(self, word: str) -> None:
        for char in word:
            if not self._take(char):
                raise self.wrong(f"in literal {word} (expecting '{char}')")

    def _number(self) -> None:
        found = _NUMBER.match(self._text, self.at)
        if found is None:
            self.at += 1
            raise self.wrong("in numeric literal")
        self.at = found.end()
        if self._take("."):
            raise self.wrong("after decimal point in numeric literal")
        if self._take("e") or self._take("E"):
            self.at += self._text[self.at : self.at + 1] in ("+", "-")
            raise self.wrong("in exponent of numeric literal")
