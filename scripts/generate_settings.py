"""Writes what editors and readers know about settings: JSON schemas and reference pages, from the models.

Run: python scripts/generate_settings.py
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import yaml

from leeward.settings import parts, service
from leeward.settings.base import camel_case
from leeward.settings.check import json_schema

ROOT = Path(__file__).resolve().parents[1]
DRAFT = "http://json-schema.org/draft-07/schema#"  # what editors know best
COMPOSE = "https://raw.githubusercontent.com/compose-spec/compose-spec/main/schema/compose-spec.json"
SECTIONS: tuple[tuple[str, type], ...] = (  # of docs/x-leeward.md
    ("On a service", service.ServiceSettings),
    ("Tls", parts.Tls),
    ("Autoscale", parts.Autoscale),
    ("Behavior", parts.Behavior),
    ("ScalingRules", parts.ScalingRules),
    ("ScalingPolicy", parts.ScalingPolicy),
    ("Schedule", parts.Schedule),
    ("ServiceAccount", parts.ServiceAccount),
    ("Spread", parts.Spread),
    ("Disruption", parts.Disruption),
    ("Probe", parts.Probe),
    ("Alert", parts.Alert),
    ("External", parts.External),
    ("On a volume", service.VolumeSettings),
    ("On a network", service.NetworkSettings),
    ("At the top level", service.ProjectSettings),
    ("Size", service.Size),
)


def outputs() -> dict[Path, str]:
    """Return every generated file and its content."""
    return {
        ROOT / "schemas/x-leeward.json": _json(compose_schema()),
        ROOT / "docs/x-leeward.md": extension_page(),
    }


def compose_schema() -> dict[str, Any]:
    """Return the schema of a Compose file with ``x-leeward``: Compose's own, and ours where it has none."""
    definitions: dict[str, Any] = {}

    def having(kind: type) -> dict[str, Any]:
        schema = tidy(json_schema(kind))
        definitions.update(schema.pop("$defs", {}))
        definitions[kind.__name__] = schema
        return {"properties": {"x-leeward": {"$ref": f"#/$defs/{kind.__name__}"}}}

    def each(kind: type) -> dict[str, Any]:
        return {"type": ["object", "null"], "additionalProperties": having(kind)}

    root = having(service.ProjectSettings)["properties"]
    tables = {
        "services": each(service.ServiceSettings),
        "volumes": each(service.VolumeSettings),
        "networks": each(service.NetworkSettings),
    }
    return {
        "$schema": DRAFT,
        "title": "Compose file with x-leeward",
        "allOf": [{"$ref": COMPOSE}],
        "properties": {**root, **tables},
        "$defs": dict(sorted(definitions.items())),
    }


def tidy(schema: Any) -> Any:
    """Return `schema` without what only its maker needs: titles, nulls as defaults, markup of docstrings."""
    if isinstance(schema, list):
        return [tidy(each) for each in schema if each != {"type": "null"}]
    if not isinstance(schema, dict):
        return schema
    kept = {}
    for key, value in schema.items():
        if key == "properties":
            kept[key] = {name: tidy(inner) for name, inner in value.items()}
        elif key == "description":
            kept[key] = " ".join(value.replace("``", "`").split())
        elif key == "examples":
            kept[key] = value
        elif not (key == "title" or (key == "default" and value is None)):
            kept[key] = tidy(value)
    if len(kept.get("anyOf", ())) == 1:
        (only,) = kept.pop("anyOf")
        kept = {**only, **kept}
    return kept


def extension_page() -> str:
    """Return docs/x-leeward.md."""
    lines = [EXTENSION_INTRODUCTION]
    for title, kind in SECTIONS:
        lines += section(title, kind)
        if kind is service.Size:
            lines += ["| preset | cpu | memory |", "|---|---|---|"]
            lines += [f"| {name} | {size.cpu} | {size.memory} |" for name, size in service.SIZES.items()]
            lines += [""]
    return "\n".join(lines).rstrip("\n") + "\n"


def section(title: str, kind: type, key_of: Any = camel_case, becomes: str = "becomes") -> Iterator[str]:
    """Yield the lines about one mapping: a table of its keys and an example."""
    schema = tidy(json_schema(kind))
    required = schema.get("required", ())
    yield from (f"## {title}", "", " ".join((kind.__doc__ or "").replace("``", "`").split()), "")
    rows, examples = [], {}
    for field in fields(kind):
        key = key_of(field.name)
        known = schema["properties"][key]
        default = "required" if key in required else _value(known.get("default"))
        cells = [f"`{key}`", type_text(known), default, field.metadata["description"]]
        rows.append([*cells, field.metadata["becomes"]] if becomes else cells)
        if "examples" in field.metadata:
            examples[key] = field.metadata["examples"][0]
    heads = ["key", "type", "default", "meaning", *([becomes] if becomes else [])]
    yield from (_row(heads), "|" + "---|" * len(heads), *map(_row, rows), "")
    if examples:
        yield from ("```yaml", yaml.safe_dump(examples, sort_keys=False, width=100).rstrip(), "```", "")


def type_text(schema: Mapping[str, Any]) -> str:
    """Return what a value may be, for a cell of a table."""
    if "$ref" in schema:
        name = schema["$ref"].rsplit("/", 1)[-1]
        return f"[{name}](#{name.lower()})"
    if "enum" in schema:
        return ", ".join(f"`{word}`" for word in schema["enum"])
    if "anyOf" in schema:
        return " or ".join(dict.fromkeys(type_text(choice) for choice in schema["anyOf"]))
    if schema.get("type") == "array":
        return f"list of {type_text(schema['items'])}"
    if schema.get("type") == "object":
        inner = schema.get("additionalProperties")
        return f"mapping of {type_text(inner)}" if isinstance(inner, dict) else "mapping"
    return {"integer": "whole number", "boolean": "true or false"}.get(schema["type"], schema["type"])


def _value(default: Any) -> str:
    return (
        ""
        if default in (None, "", [], {}) or isinstance(default, dict)
        else f"`{json.dumps(default).strip(chr(34))}`"
    )


def _row(cells: list[str]) -> str:
    return "| " + " | ".join(re.sub(r"\|", r"\\|", cell) for cell in cells) + " |"


def _json(schema: Any) -> str:
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


EXTENSION_INTRODUCTION = """\
# `x-leeward` in Compose files

What Compose has no word for. It may be written on services, volumes, networks and at the top level; an
unknown key is an error, with its line. Docker Compose ignores it. `scripts/generate_settings.py` writes this
page.

A short form stands for the usual case: `tls: true`, `autoscale: 5`, `schedule: "0 3 * * *"`,
`spread: none`, `disruption: 25%`, `hosts: shop.example.com`, `external: db.example.com`,
`serviceAccount: api`. Variables work as everywhere in Compose files, and files that are merged add to lists:
put `!override` before a list to replace it.

## In the editor

`schemas/x-leeward.json` is Compose's own schema with these keys. Editors with the YAML language server
complete and check them when the first line of the Compose file names it, by path or URL:

```yaml
# yaml-language-server: $schema=./schemas/x-leeward.json
```
"""


def main() -> None:
    """Write the files."""
    for path, text in outputs().items():
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
        print(path.relative_to(ROOT))


if __name__ == "__main__":
    main()
