"""``leeward.waivers.yaml``: findings that somebody has accepted, until a day.

The file lies next to the Compose file and is committed with it: a list of entries, each with the path of a
finding, who answers for it, until when, and why.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from leeward.base.diagnostics import Diagnostic, Location
from leeward.compose.findings import Findings, ValuePath, did_you_mean
from leeward.compose.node import Node, describe, plain
from leeward.compose.syntax import parse_documents

_EXAMPLE = "{path: services.web.ulimits, owner: ops, until: 2027-03-31, reason: …}"

Sentence = Annotated[str, Field(min_length=1)]


class Waiver(BaseModel):
    """One accepted finding."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    path: Sentence  # "services.web.ulimits" and all below; "*" stands for a name, "[*]" for an index
    code: str | None = None  # of the finding; None: every one at that path
    owner: Sentence
    until: Annotated[date, Field(strict=False)]  # the last day on which it holds
    reason: Sentence


@dataclass(frozen=True, slots=True)
class PlacedWaiver:
    """A waiver and its line."""

    waiver: Waiver
    location: Location


def read_waivers(text: str, file: str) -> tuple[tuple[PlacedWaiver, ...], tuple[Diagnostic, ...]]:
    """Return the waivers of a file's text, and what is wrong with it.

    Args:
        text: YAML.
        file: name of the file for people.
    """
    findings = Findings()
    found: list[PlacedWaiver] = []
    for document in parse_documents(text, file, findings):
        if document.value is None:
            continue
        if not isinstance(document.value, list):
            findings.error(
                "invalid-waiver",
                f"Waivers must be a list, not {describe(document)}.",
                at=document.location,
                remedy=f"Begin each entry with a hyphen: - {_EXAMPLE}",
            )
            continue
        for index, node in enumerate(document.value):
            waiver = _waiver(node, index, findings)
            found += [PlacedWaiver(waiver, node.location)] if waiver else []
    return tuple(found), findings.diagnostics


def _waiver(node: Node, index: int, findings: Findings) -> Waiver | None:
    try:
        return Waiver.model_validate(plain(node))
    except ValidationError as failure:
        for error in failure.errors(include_url=False):
            _report(error, node, (index, *error["loc"]), findings)
        return None


def _report(error: Any, node: Node, path: ValuePath, findings: Findings) -> None:
    key = str(path[-1]) if len(path) > 1 else ""
    at = node.get(key)
    message, remedy = {
        "missing": (f'"{key}" is required.', f"Write {_EXAMPLE}"),
        "extra_forbidden": (
            f'"{key}" means nothing in a waiver.',
            did_you_mean(key, Waiver.model_fields) or "Remove it.",
        ),
        "date_from_datetime_parsing": (f'"{key}" must be a day.', "Write it like 2027-03-31."),
        "string_too_short": (f'"{key}" must not be empty.', f"Write {_EXAMPLE}"),
        "string_type": (f'"{key}" must be text.', f"Write {_EXAMPLE}"),
        "model_type": (f"A waiver must be a mapping, not {describe(node)}.", f"Write {_EXAMPLE}"),
    }.get(error["type"], (f"{error['msg']}.", f"Write {_EXAMPLE}"))
    findings.error(
        "invalid-waiver", message, path=path, at=at.location if at else node.location, remedy=remedy
    )
