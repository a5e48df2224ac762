"""Regular expressions of other people, as Go has them: matched by RE2, in linear time.

Invariant: the library is loaded with the first expression; who has none does not pay for it.

Source: github.com/google/re2 (syntax), Go's regexp/syntax (the words of its errors).
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

# What RE2 calls a mistake → what Go calls it.
_WORDS = {
    "missing )": "missing closing )",
    "missing ]": "missing closing ]",
    "bad repetition operator": "invalid nested repetition operator",
    "no argument for repetition operator": "missing argument to repetition operator",
    "invalid repetition size": "invalid repeat count",
    "invalid perl operator": "invalid or unsupported Perl syntax",
    "invalid named capture group": "invalid named capture",
    "trailing \\": "trailing backslash at end of expression",
}


@lru_cache(maxsize=1024)
def _compiled(pattern: str) -> Any:
    import re2

    options = re2.Options()
    options.log_errors = False
    try:
        return re2.compile(pattern, options)
    except re2.error as error:
        given = error.args[0] if error.args else ""
        text = given.decode() if isinstance(given, bytes) else str(given)
        raise ValueError(_in_words_of_go(text)) from None


def _in_words_of_go(text: str) -> str:
    what, _, where = text.partition(": ")
    return f"error parsing regexp: {_WORDS.get(what, what)}: `{where}`"


def mistake(pattern: str) -> str:
    """Return what is wrong with a pattern, in Go's words; "": nothing."""
    try:
        _compiled(pattern)
    except ValueError as error:
        return str(error)
    return ""


def matches(pattern: str, text: str) -> bool:
    """Tell whether a pattern is found in a text.

    Raises:
        ValueError: it is no pattern.
    """
    return _compiled(pattern).search(text) is not None


def find_all(pattern: str, text: str, limit: int = -1) -> list[str]:
    """Return what a pattern finds in a text, at most `limit` times; no empty match next to another.

    Raises:
        ValueError: it is no pattern.
    """
    found: list[str] = []
    end = -1
    for match in _compiled(pattern).finditer(text):
        if len(found) == limit:
            break
        if match.start() != match.end() or match.start() != end:
            found.append(match.group(0))
        end = match.end()
    return found
