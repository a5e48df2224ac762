"""Write the compact field table with which the API server decodes protobuf bodies.

Usage: ``python scripts/make_protobuf_table.py FIELDS.json`` where FIELDS.json lists message → [name,
number, label, type]. Marks what JSON shows inline (embedded structs) by asking the OpenAPI schemas, and
keeps the stable groups that leeward serves.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from leeward.cluster.apiserver.protobuf import TABLE_FILE, definition_name
from leeward.kube.definitions import read_definitions

_PACKAGES = (
    "k8s.io.apimachinery.pkg.",
    "k8s.io.apiextensions_apiserver.pkg.apis.apiextensions.v1.",
    "k8s.io.kube_aggregator.pkg.apis.apiregistration.v1.",
    *(
        f"k8s.io.api.{name}."
        for name in (
            "admissionregistration.v1",
            "apps.v1",
            "authentication.v1",
            "authorization.v1",
            "autoscaling.v1",
            "autoscaling.v2",
            "batch.v1",
            "certificates.v1",
            "coordination.v1",
            "core.v1",
            "discovery.v1",
            "events.v1",
            "flowcontrol.v1",
            "networking.v1",
            "node.v1",
            "policy.v1",
            "rbac.v1",
            "resource.v1",
            "scheduling.v1",
            "storage.v1",
        )
    ),
)


def _entry(field: list[Any], schema: dict[str, Any] | None) -> list[Any]:
    name, number, label, kind = field
    flags = "r" if label == "repeated" else ""
    properties = (schema or {}).get("properties") or {}
    if properties and name not in properties:
        same = next((found for found in properties if _plain(found) == name.lower()), None)
        if same is not None:
            name = same
        elif "." in kind and not kind.startswith("map<"):
            flags += "i"
    if name in ((schema or {}).get("required") or ()):
        flags += "q"
    return [number, name, kind, flags]


def _plain(name: str) -> str:
    """Return a name as Go would have it, in lower case; ``$ref`` and ``x-kubernetes-…`` are none."""
    return name.lstrip("$").replace("-", "").lower()


def main(source: Path) -> None:
    """Write the table."""
    messages: dict[str, list[list[Any]]] = json.loads(source.read_text())["messages"]
    definitions = read_definitions()
    table = {
        name: [_entry(field, definitions.get(definition_name(name))) for field in fields]
        for name, fields in sorted(messages.items())
        if name.startswith(_PACKAGES)
    }
    lines = ",\n".join(
        f"{json.dumps(name)}:{json.dumps(rows, separators=(',', ':'))}" for name, rows in table.items()
    )
    TABLE_FILE.write_text(f"{{\n{lines}\n}}\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
