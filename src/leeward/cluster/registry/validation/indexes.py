"""Lists of completion indexes, as "0-2,4".

Source: pkg/apis/batch/validation/validation.go validateIndexesFormat,
validateFailedIndexesNotOverlapCompleted (Kubernetes 1.36).
"""

from __future__ import annotations

import json


class IndexListError(ValueError):
    """A list that is none; the message is upstream's."""


def parse_intervals(text: str, completions: int) -> list[tuple[int, int]]:
    """Return intervals, first and last index.

    Raises:
        IndexListError: it is no list of increasing indexes below `completions`.
    """
    found: list[tuple[int, int]] = []
    for part in text.split(",") if text else ():
        first, last = parse_interval(part, completions)
        if found and found[-1][1] >= first:
            raise IndexListError(f"non-increasing order, previous: {found[-1][1]}, current: {first}")
        found.append((first, last))
    return found


def parse_interval(text: str, completions: int) -> tuple[int, int]:
    """Return the first and last index of "4" or "0-2".

    Raises:
        IndexListError: it is none.
    """
    parts = text.split("-")
    if len(parts) > 2:
        raise IndexListError(
            f"the fragment {json.dumps(text)} violates the requirement that an index interval can have at "
            "most two parts separated by '-'"
        )
    first, last = _index(parts[0], completions), _index(parts[-1], completions)
    if len(parts) == 2 and first >= last:
        raise IndexListError(f"non-increasing order, previous: {first}, current: {last}")
    return first, last


def _index(text: str, completions: int) -> int:
    if not (text.isascii() and text.isdigit()):
        raise IndexListError(f"cannot convert string to integer for index: {json.dumps(text)}")
    if int(text) >= completions:
        raise IndexListError(f"too large index: {json.dumps(text)}")
    return int(text)


def overlap(completed: str, failed: str, completions: int) -> int | None:
    """Return the first index that is in both lists; what cannot be read is in none."""
    ones, others = (_readable(text, completions) for text in (completed, failed))
    return min(
        (max(a, c) for a, b in ones for c, d in others if a <= d and c <= b),
        default=None,
    )


def _readable(text: str, completions: int) -> list[tuple[int, int]]:
    found: list[tuple[int, int]] = []
    for part in text.split(",") if text else ():
        try:
            found.append(parse_interval(part, completions))
        except IndexListError:
            continue
    return found
