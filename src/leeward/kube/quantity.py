"""Resource quantities ("250m", "1.5Gi", "1e3") as exact numbers.

Source: ``k8s.io/apimachinery/pkg/api/resource`` (Quantity).
"""

from __future__ import annotations

import math
import re
from fractions import Fraction
from functools import lru_cache
from typing import NamedTuple

_SHAPE = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+))([eE][+-]?\d+|Ki|Mi|Gi|Ti|Pi|Ei|[numkMGTPE]?)", re.ASCII)
_NANO = 10**9
_MAX = Fraction((1 << 63) - 1)
_MOST_DIGITS = 5000  # more than a number that is not too long to be read can have
_SCALE: dict[str, Fraction] = {
    "": Fraction(1),
    **{unit: Fraction(1, 1000**power) for power, unit in enumerate("mun", start=1)},
    **{unit: Fraction(1000**power) for power, unit in enumerate("kMGTPE", start=1)},
    **{f"{unit}i": Fraction(1024**power) for power, unit in enumerate("KMGTPE", start=1)},
}


NOT_QUANTITY = "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
_FORM = re.compile(r"([+-]?\d*(?:\.\d*)?)([eEinumkKMGTP]*[-+]?\d*)", re.ASCII)


@lru_cache(maxsize=4096)
def quantity_error(text: str) -> str:
    """Return what is wrong with a quantity, in the words of upstream's parser; "" for nothing."""
    form = _FORM.fullmatch(text.strip())
    if form is None or not form[0]:
        return NOT_QUANTITY
    if _SHAPE.fullmatch(form[0]) is not None:
        return ""
    number = any(digit.isdigit() for digit in form[1])
    return "unable to parse quantity's suffix" if number else "unable to parse numeric part of quantity"


@lru_cache(maxsize=4096)
def parse_quantity(text: str | int | float) -> Fraction:
    """Return the value in base units (cores, bytes): exact to billionths, and 2⁶³-1 for more than that.

    Raises:
        ValueError: `text` is no quantity.
    """
    match = _SHAPE.fullmatch(str(text).strip())
    if match is None:
        raise ValueError(f"{text!r} is not a resource quantity")
    number, suffix = match.groups()
    scale = _SCALE.get(suffix)
    if scale is None:
        exponent = int(suffix[1:])
        # A few characters say numbers that no machine can hold; beyond these bounds only their sign matters.
        scale = Fraction(10) ** max(-_MOST_DIGITS, min(exponent, _MOST_DIGITS))
    value = Fraction(number) * scale
    size = min(Fraction(math.ceil(abs(value) * _NANO), _NANO), _MAX)
    return -size if value < 0 else size


def to_millis(text: str | int | float) -> int:
    """Return thousandths, rounded up (CPU)."""
    return math.ceil(parse_quantity(text) * 1000)


def to_units(text: str | int | float) -> int:
    """Return whole units, rounded up (bytes, counts)."""
    return math.ceil(parse_quantity(text))


_BINARY = tuple((10 * power, f"{unit}i") for power, unit in zip(range(6, 0, -1), "EPTGMK", strict=True))
_DECIMAL = (
    (18, "E"), (15, "P"), (12, "T"), (9, "G"), (6, "M"), (3, "k"), (0, ""), (-3, "m"), (-6, "u"), (-9, "n"),
)  # fmt: skip


class Amount(NamedTuple):
    """A quantity with the family of suffixes it is written with; sums are written as their first part is."""

    value: Fraction
    binary: bool = False

    def plus(self, other: Amount) -> Amount:
        """Return the sum."""
        return Amount(self.value + other.value, self.binary if self.value else other.binary)

    def minus(self, other: Amount) -> Amount:
        """Return the difference."""
        return Amount(self.value - other.value, self.binary if self.value else other.binary)

    def __str__(self) -> str:
        """The canonical form: no fraction, the largest suffix that needs none.

        Source: Quantity.CanonicalizeBytes.
        """
        number = self.value
        if self.binary and number.denominator == 1:
            for power, unit in _BINARY:
                if number and number % (1 << power) == 0:
                    return f"{number // (1 << power)}{unit}"
            return str(number)
        for power, unit in _DECIMAL:
            scaled = number / Fraction(10) ** power
            if scaled.denominator == 1 and (scaled or power == 0):
                return f"{scaled}{unit}"
        return f"{math.ceil(number * 10**9)}n"


ZERO = Amount(Fraction(0))
ONE = Amount(Fraction(1))


@lru_cache(maxsize=4096)
def parse_amount(text: str | int | float) -> Amount:
    """Return a quantity that can be added and written again.

    Raises:
        ValueError: `text` is no quantity.
    """
    return Amount(parse_quantity(text), str(text).strip().endswith("i"))
