"""YAML, written as Go does, with what would be read as no string in double quotes, and read with bounds.

Source: sigs.k8s.io/yaml.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson
import yaml

_MAX_DEPTH = 200  # more than any kind has, less than what Python can follow
_MAX_NODES = 500_000


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        return True


def _string(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    tag = dumper.resolve(yaml.ScalarNode, text, (True, False))  # type: ignore[no-untyped-call]
    plain = tag == "tag:yaml.org,2002:str"
    style = "|" if "\n" in text else None if plain else '"'
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _string)


def dumped(document: Any) -> str:
    """Return a JSON-like document as YAML, its keys in order."""
    text: str = yaml.dump(document, Dumper=_Dumper, default_flow_style=False, sort_keys=True, width=10**9)
    return text


def loaded(data: bytes) -> Any:
    """Return a YAML document as JSON-like values.

    Raises:
        ValueError: it is none, is nested too deeply, or would grow without bounds by its aliases.
    """
    try:
        return orjson.loads(data)  # which is YAML too, and what most clients send
    except orjson.JSONDecodeError:
        pass
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        _check(yaml.parse(data, Loader=loader))
        return yaml.load(data, Loader=loader)
    except yaml.YAMLError as error:
        raise ValueError(getattr(error, "problem", "") or str(error)) from error


def _check(events: Iterator[yaml.Event]) -> None:
    """Walk over a document, counting what its aliases stand for."""
    sizes: dict[str, int] = {}
    open_nodes: list[tuple[str | None, int]] = []  # anchor, and the nodes that were there before
    total = 0
    for event in events:
        if isinstance(event, yaml.AliasEvent):
            total += sizes.get(event.anchor or "", 0)
        elif isinstance(event, yaml.NodeEvent):
            total += 1
        if isinstance(event, yaml.CollectionStartEvent):
            open_nodes.append((event.anchor, total))
        elif isinstance(event, yaml.CollectionEndEvent):
            anchor, before = open_nodes.pop()
            if anchor is not None:
                sizes[anchor] = total - before + 1
        if len(open_nodes) > _MAX_DEPTH:
            raise ValueError("exceeded max depth")
        if total > _MAX_NODES:
            raise ValueError("document contains excessive aliasing")
