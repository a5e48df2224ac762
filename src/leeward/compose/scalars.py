"""How plain YAML scalars, durations and sizes are read.

Compose files are YAML 1.2 with a few remains of 1.1: ``yes``, ``on`` and ``12:30`` are strings, ``0644``
is octal. Sizes are binary (``1k`` is 1024 bytes); durations combine units (``1m30s``).

Source: resolution of gopkg.in/yaml.v3; ``units.RAMInBytes`` of docker/go-units; Compose Specification,
"Specifying durations" and "Specifying byte values".
"""

from __future__ import annotations

import re

_INTEGER = re.compile(
    r"[-+]?(0b_*[01][01_]*|0o_*[0-7][0-7_]*|0[0-7_]*|0x_*[0-9a-fA-F][0-9a-fA-F_]*|[1-9][0-9_]*)\Z"
)
_LONGEST_NUMBER = 400  # characters; what is longer is text, and no float either
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?\Z")
_WORDS: dict[str, bool | float | None] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), float("nan")),
    **dict.fromkeys((".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"), float("inf")),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), float("-inf")),
}
_DURATION_UNITS = {
    "ns": 1e-9,
    "us": 1e-6,
    "µs": 1e-6,
    "ms": 1e-3,
    "s": 1.0,
    "m": 60.0,
    "h": 3600.0,
    "d": 86400.0,
    "w": 604800.0,
}
_DURATION_PART = re.compile(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)(ns|us|µs|ms|s|m|h|d|w)")
_SIZE = re.compile(r"([0-9]+(?:\.[0-9]+)?) ?([kmgtp]?)i?b?\Z", re.IGNORECASE)


def resolve_plain(text: str) -> str | int | float | bool | None:
    """Return the value of an unquoted scalar."""
    if text in _WORDS:
        return _WORDS[text]
    if text[0] not in "-+.0123456789" or len(text) > _LONGEST_NUMBER:
        return text
    if _INTEGER.match(text):
        return parse_integer(text)
    return float(text) if _FLOAT.match(text) else text


def parse_integer(text: str) -> int:
    """Return the value of an integer as YAML writes them: decimal, 0x, 0o, 0b or octal with a leading 0."""
    digits = text.replace("_", "")
    sign = -1 if digits.startswith("-") else 1
    digits = digits.lstrip("+-")
    if len(digits) > 1 and digits[0] == "0" and digits[1] in "01234567":
        return sign * int(digits, 8)
    return sign * int(digits, 0)


def parse_duration(text: str) -> float | None:
    """Return seconds for a duration such as ``1m30s``; None when it is not one."""
    if text == "0":
        return 0.0
    seconds, position = 0.0, 0
    for part in _DURATION_PART.finditer(text):
        if part.start() != position:
            return None
        seconds += float(part[1]) * _DURATION_UNITS[part[2]]
        position = part.end()
    return round(seconds, 9) if text and position == len(text) else None


def parse_size(text: str) -> int | None:
    """Return bytes for a size such as ``512m`` or ``1.5 GiB``; None when it is not one."""
    if text == "-1":
        return -1
    if (match := _SIZE.match(text.strip())) is None:
        return None
    return int(float(match[1]) * 1024 ** " kmgtp".index(match[2].lower() or " "))


def scalar_text(value: str | int | float | bool) -> str:
    """Return `value` as Compose turns it into a string (``true``, ``1.5``, ``100``)."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e21:
        return str(int(value))
    return str(value)
