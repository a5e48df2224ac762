"""What is wrong with base64, as Go tells it.

Source: encoding/base64 (``Encoding.decodeQuantum``), standard alphabet with padding.
"""

from __future__ import annotations

import base64
import binascii
import string

_ALPHABET = frozenset(string.ascii_letters + string.digits + "+/")
_IGNORED = "\r\n"


def base64_error(text: str) -> str:
    """Return what Go says of `text` as base64; "" when it is."""
    try:
        base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        position = _corrupt(text)
        return "" if position is None else f"illegal base64 data at input byte {position}"
    return ""


def _corrupt(text: str) -> int | None:
    """Return the place that Go names; None: it reads all."""
    read = 0  # of the four characters of a group
    for index, char in enumerate(text):
        if char in _ALPHABET:
            read = (read + 1) % 4
        elif char == "=":
            return _padding(text, index, read)
        elif char not in _IGNORED:
            return len(text[:index].encode())
    return len(text) - read if read else None


def _padding(text: str, index: int, read: int) -> int | None:
    """Return the place in what ends with the padding that begins at `index`."""
    if read < 2:
        return index
    after = _skipped(text, index + 1)
    if read == 2:
        if after == len(text):
            return len(text)
        if text[after] != "=":
            return after - 1
        after = _skipped(text, after + 1)
    return after if after < len(text) else None


def _skipped(text: str, index: int) -> int:
    while index < len(text) and text[index] in _IGNORED:
        index += 1
    return index
