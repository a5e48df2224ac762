"""Writing status conditions: what changed keeps its time, what did not change keeps its old one."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from leeward.kube.objects import Obj, find_condition, format_time


def with_condition(obj: Obj, condition: Mapping[str, Any], now: datetime) -> Obj:
    """Return `obj` with the condition of that type replaced or added.

    ``lastTransitionTime`` is `now`, or the old one when the status stays the same; an object whose
    condition says the same already is returned as it is.
    """
    status = obj.get("status") or {}
    conditions = list(status.get("conditions") or ())
    old = find_condition(obj, condition["type"])
    since = format_time(now)
    if old is not None:
        if all(old.get(name) == value for name, value in condition.items()):
            return obj
        if old.get("status") == condition["status"]:
            since = old.get("lastTransitionTime") or since
    new = {**condition, "lastTransitionTime": since}
    if old is None:
        conditions.append(new)
    else:
        conditions[conditions.index(old)] = new
    return {**obj, "status": {**status, "conditions": conditions}}
