"""Writes the table of strategic-merge keys from the published OpenAPI definitions.

Run: python scripts/generate_merge_keys.py > src/leeward/kube/patch/mergekeys.json

The table maps "Kind" of the root types and internal type names to their fields that matter:
{type: {field: [merge key or "", primitive merge?, type of the items or value]}}.
"""

from __future__ import annotations

import json
from typing import Any

from leeward.cluster.apiserver.schemas import read_definitions


def main() -> None:
    """Print the table."""
    definitions = read_definitions()
    table: dict[str, dict[str, list[Any]]] = {}
    for name, definition in definitions.items():
        for field, schema in (definition.get("properties") or {}).items():
            row = _row(schema)
            if row is not None:
                table.setdefault(name, {})[field] = row
    useful = _useful(table)
    roots = {
        f"{kind['group']}/{kind['version']}/{kind['kind']}": name
        for name, definition in definitions.items()
        for kind in definition.get("x-kubernetes-group-version-kind") or ()
        if name in useful and kind["kind"] not in ("DeleteOptions", "WatchEvent", "Status")
    }
    kept = {name: {f: r for f, r in table[name].items() if r[0] or r[1] or r[2] in useful} for name in useful}
    print(json.dumps({"roots": roots, "types": kept}, sort_keys=True, separators=(",", ":")))


def _row(schema: dict[str, Any]) -> list[Any] | None:
    merges = "merge" in (schema.get("x-kubernetes-patch-strategy") or "")
    reference = schema.get("$ref") or (schema.get("items") or {}).get("$ref")
    reference = reference or next(
        (each["$ref"] for each in schema.get("allOf") or () if "$ref" in each), None
    )
    if not merges and reference is None:
        return None
    key = schema.get("x-kubernetes-patch-merge-key") or ""
    child = reference.rsplit("/", 1)[-1] if reference else ""
    is_list = "items" in schema
    return [key if merges else "", merges and not key, child if merges or not is_list else ""]


def _useful(table: dict[str, dict[str, list[Any]]]) -> set[str]:
    """Return the types below which something merges."""
    useful = {name for name, rows in table.items() if any(row[0] or row[1] for row in rows.values())}
    while True:
        more = {
            name
            for name, rows in table.items()
            if name not in useful and any(row[2] in useful for row in rows.values())
        }
        if not more:
            return useful
        useful |= more


if __name__ == "__main__":
    main()
