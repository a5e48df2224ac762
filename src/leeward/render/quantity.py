"""Compose's numbers as Kubernetes quantities and seconds, in the unit a reviewer reads fastest.

Source: ``k8s.io/apimachinery/pkg/api/resource`` (canonical form).
"""

from __future__ import annotations

import math

_BINARY = (("Gi", 2**30), ("Mi", 2**20), ("Ki", 2**10))


def memory(size: int) -> str:
    """Return `size` bytes as a quantity: the largest binary unit that divides it."""
    for unit, factor in _BINARY:
        if size and size % factor == 0:
            return f"{size // factor}{unit}"
    return str(size)


def cpu(cores: float) -> str:
    """Return `cores` as a quantity, rounded up to thousandths of a core."""
    millis = math.ceil(round(cores * 1000, 3))
    return str(millis // 1000) if millis % 1000 == 0 else f"{millis}m"


def whole_seconds(seconds: float, *, least: int = 1) -> int:
    """Return `seconds` rounded up, at least `least`: probes know no fractions."""
    return max(least, math.ceil(round(seconds, 6)))
