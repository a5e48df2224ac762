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

from leeward.infra import spec
from leeward.settings import config, parts, service, verification
from leeward.settings.base import camel_case, snake_case
from leeward.settings.check import json_schema

ROOT = Path(__file__).resolve().parents[1]
DRAFT = "http://json-schema.org/draft-07/schema#"  # what editors know best
COMPOSE = "https://raw.githubusercontent.com/compose-spec/compose-spec/main/schema/compose-spec.json"
VARIABLE = {"type": "string", "pattern": "\\$", "description": "A value with variables, such as ${NAME}."}
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
    ("Bind", parts.Bind),
    ("On a volume", service.VolumeSettings),
    ("On a network", service.NetworkSettings),
    ("At the top level", service.ProjectSettings),
    ("Size", service.Size),
)
CONFIG_SECTIONS: tuple[tuple[str, type], ...] = (  # of docs/leeward-yaml.md
    ("The file", config.Config),
    ("Environment", config.Environment),
    ("Verification", verification.Verification),
    ("Cluster", config.Cluster),
    ("Embedded", config.Embedded),
    ("Previews", config.Previews),
)
CLUSTER_SECTIONS: tuple[tuple[str, type], ...] = (  # of docs/cluster-yaml.md
    ("The file", spec.ClusterSpec),
    ("NodeGroup", spec.NodeGroup),
    ("Network", spec.Network),
    ("ApiEndpoint", spec.ApiEndpoint),
    ("Principal", spec.Principal),
    ("Logging", spec.Logging),
    ("Encryption", spec.Encryption),
    ("State", spec.State),
    ("Account", spec.Account),
    ("Estimate", spec.Estimate),
)


def outputs() -> dict[Path, str]:
    """Return every generated file and its content."""
    return {
        ROOT / "schemas/x-leeward.json": _json(compose_schema()),
        ROOT / "schemas/leeward.json": _json(config_schema()),
        ROOT / "docs/x-leeward.md": extension_page(),
        ROOT / "docs/leeward-yaml.md": config_page(),
        ROOT / "schemas/cluster.json": _json(cluster_schema()),
        ROOT / "docs/cluster-yaml.md": cluster_page(),
    }


def compose_schema() -> dict[str, Any]:
    """Return the schema of a Compose file with ``x-leeward``: Compose's own, and ours where it has none."""
    definitions: dict[str, Any] = {}

    def having(kind: type) -> dict[str, Any]:
        schema = with_variables(tidy(json_schema(kind)))
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
        "$defs": {"Variable": VARIABLE, **dict(sorted(definitions.items()))},
    }


def with_variables(schema: Any) -> Any:
    """Return `schema` such that a variable may stand wherever a narrower scalar is wanted."""
    if isinstance(schema, list):
        return [with_variables(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    about = {key: schema[key] for key in ("description", "default", "examples") if key in schema}
    rest = {key: with_variables(value) for key, value in schema.items() if key not in about}
    if (
        schema.get("type") in ("integer", "boolean")
        or "enum" in schema
        or isinstance(schema.get("pattern"), str)
    ):
        rest = {"anyOf": [rest, {"$ref": "#/$defs/Variable"}]}
    return {**about, **rest}


def config_schema() -> dict[str, Any]:
    """Return the schema of ``leeward.yaml``."""
    return {"$schema": DRAFT, "title": "leeward.yaml", **tidy(json_schema(config.Config))}


def cluster_schema() -> dict[str, Any]:
    """Return the schema of ``cluster.yaml``."""
    return {"$schema": DRAFT, "title": "cluster.yaml", **tidy(json_schema(spec.ClusterSpec))}


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
        elif not (key == "title" or (key == "default" and _is_no_default(value, schema))):
            kept[key] = tidy(value)
    if len(kept.get("anyOf", ())) == 1:
        (only,) = kept.pop("anyOf")
        kept = {**only, **kept}
    return kept


def _is_no_default(value: Any, schema: Mapping[str, Any]) -> bool:
    """Tell whether nobody could write `value`: it is nothing, or what a string has been turned into."""
    return value is None or (isinstance(value, float) and schema.get("type") == "string")


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


def config_page() -> str:
    """Return docs/leeward-yaml.md."""
    lines = [CONFIG_INTRODUCTION]
    for title, kind in CONFIG_SECTIONS:
        lines += section(title, kind, snake_case, becomes="")
    return "\n".join(lines).rstrip("\n") + "\n"


def cluster_page() -> str:
    """Return docs/cluster-yaml.md."""
    lines = [CLUSTER_INTRODUCTION]
    for title, kind in CLUSTER_SECTIONS:
        lines += section(title, kind, snake_case, becomes="")
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
        return f"list of {type_text(schema['items'])}" if "items" in schema else "list"
    if schema.get("type") == "object":
        others = (schema.get("additionalProperties"), *(schema.get("patternProperties") or {}).values())
        inner = next((each for each in others if isinstance(each, dict)), None)
        return f"mapping of {type_text(inner)}" if isinstance(inner, dict) else "mapping"
    kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    return " or ".join(
        {"integer": "whole number", "boolean": "true or false"}.get(kind, kind) for kind in kinds
    )


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


CLUSTER_INTRODUCTION = """\
# `cluster.yaml`

A cluster on Amazon EKS: what is different from one cluster to the next, and nothing else. `leeward infra add
NAME --region REGION` writes a first one into `clusters/NAME/`, `leeward infra render` makes Terraform of it,
and `leeward infra clone` replicates it. `scripts/generate_settings.py` writes this page.

```yaml
name: prod-use1
region: us-east-1
kubernetes: "1.35"
node_groups:
  general: {types: [m7i.large, m6i.large], min: 1, desired: 2, max: 4}   # in each of three zones
access:
  cloudops: {roles: arn:aws:iam::111122223333:role/CloudOps, cluster: admin}
  developers: arn:aws:iam::111122223333:role/Developers
environments: [production, demo]
```

That is a private cluster in three zones: nodes in private subnets with a NAT gateway in each zone, encrypted,
logged, with the add-ons it needs and the roles of those that come later.

* The order of zones, groups and keys means nothing: `cluster.lock.json` beside it keeps which zone has which
  addresses. It belongs into version control.
* `name`, `region` and `network.cidr` are for life. Everything else may be changed; `leeward infra plan` says
  what would be replaced.
* Every mistake is told at once, with its line.

## In the editor

```yaml
# yaml-language-server: $schema=../../schemas/cluster.json
```
"""


CONFIG_INTRODUCTION = """\
# `leeward.yaml`

The environments of an application and the clusters they are on. It lies next to the Compose file, is found
from the directories below, and is not needed: `leeward up` wants only a Compose file. `leeward init` writes a
first one with comments. `scripts/generate_settings.py` writes this page.

```yaml
app: storefront
compose: [compose.yaml]
environments:
  ci: {access: {developers: admin}}
  qa: {cluster: staging, from: ci, compose: [compose.qa.yaml], verify: [smoke-tests]}
  uat: {cluster: staging, from: qa, approvals: 1}
  production: {cluster: production, from: uat, approvals: 2, soak: 2h}
clusters:
  staging: {context: eks-staging}
  production: {context: eks-production}
```

* `leeward render --env qa` lays the Compose files of `qa` over those of the application, with its variables,
  profiles and namespace. An environment that is not written here is an error that lists those that are.
* Without `--env` the environment is `local`, which needs no entry: the application's Compose files and, as
  with Docker Compose, the override file next to them. Other environments have exactly the files written here.
* `from` is the way of a release. It takes over nothing: what environments share belongs into the Compose
  files.
* The command line wins: `-f` takes the place of all files, `-p` that of `app`, `--profile` adds. Variables of
  the shell win over `variables`, these over `env_file`, which takes the place of `.env`.
* `previews` is what `leeward up --preview NAME` goes by: `docs/ci.md`.
* Every mistake is told at once, with its line, before anything is rendered.

## In the editor

`schemas/leeward.json` describes the file. Editors with the YAML language server complete and check it when
its first line names the schema, by path or URL:

```yaml
# yaml-language-server: $schema=./schemas/leeward.json
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
