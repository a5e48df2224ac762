"""Resource quantities ("250m", "1.5Gi", "1e3") as exact numbers.

Source: ``k8s.io/apimachinery/pkg/api/resource`` (Quantity).
"""

from __future__ import annotations

import math
import re
from fractions import Fraction
from functools import lru_cache

_SHAPE = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+))([eE][+-]?\d+|Ki|Mi|Gi|Ti|Pi|Ei|[numkMGTPE]?)")
_SCALE: dict[str, Fraction] = {
    "": Fraction(1),
    **{unit: Fraction(1, 1000**power) for power, unit in enumerate("mun", start=1)},
    **{unit: Fraction(1000**power) for power, unit in enumerate("kMGTPE", start=1)},
    **{f"{unit}i": Fraction(1024**power) for power, unit in enumerate("KMGTPE", start=1)},
}


@lru_cache(maxsize=4096)
def parse_quantity(text: str | int | float) -> Fraction:
    """Return the exact value in base units (cores, bytes).

    Raises:
        ValueError: `text` is no quantity.
    """
    match = _SHAPE.fullmatch(str(text).strip())
    if match is None:
        raise ValueError(f"{text!r} is not a resource quantity")
    number, suffix = match.groups()
    scale = _SCALE.get(suffix)
    return Fraction(number) * (Fraction(f"1{suffix}") if scale is None else scale)


def to_millis(text: str | int | float) -> int:
    """Return thousandths, rounded up (CPU)."""
    return math.ceil(parse_quantity(text) * 1000)


def to_units(text: str | int | float) -> int:
    """Return whole units, rounded up (bytes, counts)."""
    return math.ceil(parse_quantity(text))
