"""Differences of two objects of upstream's internal types, as its messages show them.

Source: k8s.io/apimachinery/pkg/util/diff (Kubernetes 1.36).
"""

from __future__ import annotations

import difflib
import json
from typing import Any


def struct_diff(old: Any, new: Any) -> str:
    """Return a unified diff, without its head, of the indented JSON of `old` and `new`."""
    before, after = (json.dumps(each, indent=1, ensure_ascii=False).splitlines() for each in (old, new))
    lines = list(difflib.unified_diff(before, after, lineterm="", n=3))[2:]
    return "\n".join(lines) + "\n" if lines else ""
