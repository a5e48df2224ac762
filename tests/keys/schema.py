"""The keys of the Compose Specification, from its published JSON schema.

The schema is the copy that check-jsonschema brings along.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from typing import Any

from leeward.compose.shapes import Many, Record, Shape, Table, Value


@cache
def keys_of_the_specification() -> tuple[str, ...]:
    """Return every key as ``services.*.ports.*.target``: ``*`` is an index or a name."""
    text = (files("check_jsonschema") / "builtin_schemas/vendor/compose-spec.json").read_text("utf-8")
    schema = json.loads(text)
    return tuple(dict.fromkeys(_keys(schema, schema, "", ())))


def _keys(whole: Any, part: Any, path: str, above: tuple[int, ...]) -> Iterator[str]:
    while "$ref" in part:
        target = whole
        for step in part["$ref"].removeprefix("#/").split("/"):
            target = target[step]
        part = target
    if id(part) in above:
        return
    above = (*above, id(part))
    for combined in ("oneOf", "anyOf", "allOf"):
        for choice in part.get(combined, ()):
            yield from _keys(whole, choice, path, above)
    for name, inner in part.get("properties", {}).items():
        yield f"{path}{name}"
        yield from _keys(whole, inner, f"{path}{name}.", above)
    free = [inner for name, inner in part.get("patternProperties", {}).items() if name != "^x-"]
    for inner in (*free, part.get("additionalProperties"), part.get("items")):
        if isinstance(inner, dict):
            yield from _keys(whole, inner, f"{path}*.", above)


def keys_of_the_loader(shape: Shape, path: str = "") -> Iterator[str]:
    """Yield every key that a shape of ``compose.schema`` knows; ``**`` after a key whose inside is free."""
    if isinstance(shape, Record):
        for name, inner in shape.keys.items():
            yield f"{path}{name}"
            yield from keys_of_the_loader(inner, f"{path}{name}.")
    elif isinstance(shape, (Many, Table)):
        yield from keys_of_the_loader(shape.item, f"{path}*.")
    elif isinstance(shape, Value) and shape.kind == "any":
        yield f"{path}**"
