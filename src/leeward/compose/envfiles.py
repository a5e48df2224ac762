"""The files a service takes its environment and labels from.

Files are read in order, later ones win, and what the service says itself wins over all of them.

Source: Compose Specification, "env_file" and "label_file".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from leeward.compose.dotenv import parse_dotenv
from leeward.compose.findings import Findings, ValuePath
from leeward.compose.node import Node
from leeward.compose.source import Sources


def complete_environment(
    service: Node, path: ValuePath, environment: Mapping[str, str], sources: Sources, findings: Findings
) -> dict[str, str | None]:
    """Return the environment of `service`: its ``env_file`` under its ``environment``."""
    values: dict[str, str] = {}
    entries = service.get("env_file")
    for index, entry in enumerate(entries.elements() if entries is not None else []):
        where = (*path, "env_file", index)
        file = entry.text("path") or ""
        required = entry.get("required")
        style = entry.text("format")
        if style not in (None, "raw"):
            findings.error(
                "invalid-value",
                f'There is no format "{style}".',
                path=where,
                at=entry.location,
                remedy="Leave format out, or write raw.",
            )
        if required is not None and required.value is False and not sources.exists(file):
            continue
        text = sources.read(
            file,
            "environment file",
            at=entry.location,
            within=where,
            remedy="Create it, or write {path: …, required: false}.",
        )
        if text is not None:
            known = {**values, **environment}
            shown = sources.shown(file)
            values.update(parse_dotenv(text, known, shown, findings, raw=style == "raw"))
    return {**values, **_table(service, "environment")}


def complete_labels(service: Node, path: ValuePath, sources: Sources, findings: Findings) -> dict[str, str]:
    """Return the labels of `service`: its ``label_file`` under its ``labels``."""
    values: dict[str, str] = {}
    files = service.get("label_file")
    for index, entry in enumerate(files.elements() if files is not None else []):
        file = str(entry.value)
        text = sources.read(file, "label file", at=entry.location, within=(*path, "label_file", index))
        if text is not None:
            values.update(parse_dotenv(text, {}, sources.shown(file), findings))
    return {**values, **{key: value or "" for key, value in _table(service, "labels").items()}}


def _table(service: Node, key: str) -> dict[str, Any]:
    table = service.get(key)
    return {name: node.value for name, node in table.items().items()} if table is not None else {}
