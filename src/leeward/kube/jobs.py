"""What several parts ask of a Job."""

from __future__ import annotations

from typing import Any

from leeward.kube.objects import Obj


def finished_condition(job: Obj) -> dict[str, Any] | None:
    """Return the condition that says that the Job has ended, if it has."""
    conditions = (job.get("status") or {}).get("conditions") or ()
    return next(
        (c for c in conditions if c["type"] in ("Complete", "Failed") and c["status"] == "True"), None
    )
