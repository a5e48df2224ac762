"""Writes gostructs.json: the Go structs that a Pod template is made of, field by field.

The hash of a template is that of Go's own dump of it, which names every type and field in the order of their
declaration (``podtemplatehash`` beside it).

Run: python scripts/generate_go_structs.py API APIMACHINERY
     checkouts of github.com/kubernetes/api and github.com/kubernetes/apimachinery, at the version to be like
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

ROOT = "v1.PodTemplateSpec"
TARGET = Path(__file__).resolve().parents[1] / "src/leeward/cluster/controllers/framework/gostructs.json"
FILES = (
    (0, "core/v1/types.go", "v1"),
    (1, "pkg/apis/meta/v1/types.go", "v1"),
)
# Types that are no plain structs of JSON fields: the dump has rules of its own for them.
OPAQUE = {"v1.Time", "v1.MicroTime", "resource.Quantity", "intstr.IntOrString", "v1.FieldsV1"}
BASIC = {"string", "bool", "int", "int32", "int64", "float64", "byte", "uint8"}
_STRUCT = re.compile(r"^type (\w+) struct \{\n(.*?)^\}", re.MULTILINE | re.DOTALL)
_NAMED = re.compile(r"^type (\w+) ((?:map|\[\]|\*)?[\w\[\].*]+)$", re.MULTILINE)
_FIELD = re.compile(r'^\t(?:(\w+)\s+)?([\w\[\].*]+)\s+`json:"([^"]*)"', re.MULTILINE)


def qualified(text: str, package: str) -> str:
    """Return a type as Go's reflection prints it: every name with its package."""

    def name(found: re.Match[str]) -> str:
        word = found[0]
        if "." in word:
            return word.replace("metav1.", "v1.")
        return word if word in BASIC or word == "map" else f"{package}.{word}"

    return re.sub(r"[\w.]+", name, text)


def declared(checkouts: list[str]) -> tuple[dict[str, list[list[str]]], dict[str, str]]:
    """Return structs with their fields (Go's name, JSON's name, type), and other named types."""
    structs: dict[str, list[list[str]]] = {}
    named: dict[str, str] = {"types.UID": "string"}
    for which, path, package in FILES:
        text = Path(checkouts[which], path).read_text(encoding="utf-8")
        for name, body in _STRUCT.findall(text):
            fields = []
            for field, kind, tag in _FIELD.findall(body):
                key = tag.split(",")[0]  # "" where a struct is embedded: its fields are those of its parent
                fields.append([field or kind.split(".")[-1], key, qualified(kind, package)])
            structs.setdefault(f"{package}.{name}", fields)
        for name, kind in _NAMED.findall(text):
            named.setdefault(f"{package}.{name}", qualified(kind, package))
    return structs, named


def main() -> int:
    """Read, reduce to what the root reaches, write."""
    if len(sys.argv) != 3:
        sys.stderr.write(__doc__ or "")
        return 2
    structs, named = declared(sys.argv[1:])
    reached: dict[str, list[list[str]]] = {}
    names: dict[str, str] = {}
    pending = {ROOT}
    while pending:
        current = pending.pop()
        if current in structs:
            reached[current] = structs[current]
            inner = " ".join(kind for _, _, kind in structs[current])
        else:
            names[current] = inner = named[current]
        pending |= set(re.findall(r"\w+\.\w+", inner)) - {*reached, *names, *OPAQUE}
    table = {"structs": dict(sorted(reached.items())), "named": dict(sorted(names.items()))}
    TARGET.write_text(json.dumps(table, separators=(",", ":")) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
