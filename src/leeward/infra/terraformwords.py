"""What Terraform says, line by line of its JSON output: what goes on, and what is wrong with a remedy.

Pure. Its own words are kept: a remedy is added where they are known.

Source: "Machine-Readable UI" of the Terraform documentation.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from leeward.base.diagnostics import Diagnostic, Location, Severity
from leeward.infra.plans import shown_address
from leeward.infra.terraformerrors import remedy_for

_KINDS = {
    "apply_start": "start",
    "apply_progress": "going",
    "apply_complete": "done",
    "apply_errored": "failed",
}


@dataclass(frozen=True, slots=True)
class Step:
    """Something that Terraform does to one resource."""

    kind: str  # "start", "going", "done" or "failed"
    about: str  # the address, shortened
    action: str  # "create", "update", "delete"
    seconds: int = 0  # since its start


def parse_line(line: str) -> Step | Diagnostic | None:
    """Return what a line of ``-json`` output tells; None for what is of no interest.

    A line that is not JSON is Terraform's too, before it knows its options; it is not told here.
    """
    try:
        said = json.loads(line)
    except ValueError:
        return None
    if not isinstance(said, dict):
        return None
    if said.get("type") == "diagnostic":
        return told(said.get("diagnostic") or {})
    kind = _KINDS.get(str(said.get("type")))
    return _step(kind, said.get("hook") or {}) if kind else None


def _step(kind: str, hook: Mapping[str, Any]) -> Step:
    resource = hook.get("resource") or {}
    key = resource.get("resource_key")
    module, type_, name = (
        str(resource.get(each) or "") for each in ("module", "resource_type", "resource_name")
    )
    about = shown_address(module, type_, name, "" if key is None else str(key))
    return Step(kind, about, str(hook.get("action") or ""), int(hook.get("elapsed_seconds") or 0))


def told(said: Mapping[str, Any]) -> Diagnostic:
    """Return one of Terraform's diagnostics as one of leeward's; files are as Terraform calls them."""
    place = said.get("range") or {}
    text = " ".join(str(said.get("detail") or "").split())
    summary = " ".join(str(said.get("summary") or "Terraform does not say what is wrong").split())
    message = f"{summary}: {text}" if text and text != summary else summary
    return Diagnostic(
        path=str(said.get("address") or ""),
        location=Location(str(place["filename"]), int((place.get("start") or {}).get("line") or 0))
        if place.get("filename")
        else None,
        code="terraform",
        severity=Severity.ERROR if said.get("severity") == "error" else Severity.WARNING,
        message=message,
        remedy=remedy_for(message),
    )
