"""JSON for programs: one ``v1/List``, indented, in the same order as the YAML."""

from __future__ import annotations

import json
from collections.abc import Iterable

from leeward.kube.objects import Obj


def to_text(objects: Iterable[Obj]) -> str:
    """Return `objects` as one List, ending in a newline."""
    wrapped = {"apiVersion": "v1", "kind": "List", "items": list(objects)}
    return json.dumps(wrapped, indent=2, ensure_ascii=False) + "\n"
