"""Numbers between a least and a most, of 64 bits: what is more counts as the most there is.

Source: github.com/google/cel-go/checker/cost.go.
"""

from __future__ import annotations

import math
from typing import NamedTuple

MOST = 2**64 - 1
TRAVERSAL = 0.1  # of a character
REGEX = 0.25  # of a character of a pattern


def _scaled(number: int, factor: float) -> int:
    return min(math.ceil(float(number) * factor), MOST)


class Range(NamedTuple):
    """A cost or a size."""

    least: int
    most: int

    def plus(self, other: Range) -> Range:
        """Return the sum."""
        return Range(min(self.least + other.least, MOST), min(self.most + other.most, MOST))

    def times(self, other: Range) -> Range:
        """Return the product."""
        return Range(min(self.least * other.least, MOST), min(self.most * other.most, MOST))

    def scaled(self, factor: float) -> Range:
        """Return the product with a factor, rounded up."""
        return Range(_scaled(self.least, factor), _scaled(self.most, factor))

    def union(self, other: Range) -> Range:
        """Return what has both in it."""
        return Range(min(self.least, other.least), max(self.most, other.most))


NOTHING, ONE, UNKNOWN = Range(0, 0), Range(1, 1), Range(0, MOST)


def fixed(number: int) -> Range:
    """Return a range of one number."""
    return Range(number, number)
