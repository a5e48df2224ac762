"""Plain values → a settings dataclass, and what is wrong with them in plain words.

pydantic does the checking and is imported on first use. What is wrong is left out and the rest is still read,
so that everything is told at once and later findings do not repeat a mistake in other words.

Invariant: a problem's path names keys as they were written and ends at something that was written.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from leeward.base.diagnostics import Location
from leeward.compose.findings import ValuePath, did_you_mean
from leeward.compose.node import Node, describe
from leeward.settings.base import UNFIT

if TYPE_CHECKING:
    from pydantic import TypeAdapter
    from pydantic_core import ErrorDetails

T = TypeVar("T")
_NOWHERE = Location("", 0)
_WANTED = {
    "dataclass_type": "a mapping",
    "dict_type": "a mapping",
    "tuple_type": "a list",
    "list_type": "a list",
    "string_type": "a string",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
}


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that was written and does not fit."""

    path: ValuePath  # below the value that was checked
    code: str
    message: str
    remedy: str


@dataclass(frozen=True, slots=True)
class Checked(Generic[T]):
    """The settings that could be read, if any, and the problems."""

    settings: T | None
    problems: tuple[Problem, ...]


def check(kind: type[T], written: Any) -> Checked[T]:
    """Return `written` as a `kind`. A key without a value is as if it were not there.

    Args:
        kind: a settings dataclass.
        written: plain values.
    """
    from pydantic import ValidationError

    given = _without_nulls(written if written is not None else {})
    adapter = _adapter(kind)  # type: ignore[arg-type]  # a class is hashable
    try:
        return Checked(adapter.validate_python(given), ())
    except ValidationError as error:
        found = [_problem(each, given, kind) for each in error.errors(include_url=False)]
        problems = tuple(dict.fromkeys(found))
    for bad in ({problem.path for problem in problems}, {problem.path[:1] for problem in problems}):
        try:
            return Checked(adapter.validate_python(_without(given, bad)), problems)
        except ValidationError:
            continue
    return Checked(None, problems)


def written(settings: Any) -> dict[str, Any]:
    """Return the plain values that stand for settings, without what is the default."""
    adapter = _adapter(type(settings))  # type: ignore[arg-type]  # a class is hashable
    found: dict[str, Any] = adapter.dump_python(settings, mode="json", by_alias=True, exclude_defaults=True)
    return found


@cache
def json_schema(kind: type[Any]) -> Mapping[str, Any]:
    """Return the JSON schema (draft 2020-12) of what is written for a `kind`."""
    return _adapter(kind).json_schema(by_alias=True)  # type: ignore[arg-type]  # a class is hashable


@cache
def _adapter(kind: type[Any]) -> TypeAdapter[Any]:
    from pydantic import TypeAdapter

    return TypeAdapter(kind)


def _without_nulls(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _without_nulls(inner) for key, inner in value.items() if inner is not None}
    return [_without_nulls(inner) for inner in value] if isinstance(value, list) else value


def _without(value: Any, paths: set[ValuePath]) -> Any:
    """Return `value` less what is at `paths`."""
    if not paths or () in paths:
        return value

    def below(step: str | int) -> set[ValuePath]:
        return {path[1:] for path in paths if path[0] == step}

    if isinstance(value, dict):
        return {key: _without(inner, below(key)) for key, inner in value.items() if (key,) not in paths}
    return [_without(inner, below(index)) for index, inner in enumerate(value) if (index,) not in paths]


def _problem(error: ErrorDetails, written: Any, kind: type[Any]) -> Problem:
    path, found = _written_part(error["loc"], written)
    if error["loc"] and error["loc"][-1] == "[key]":
        found = path[-1]
    last = str(error["loc"][-1]) if error["loc"] else ""
    if error["type"] == "missing":
        return Problem(path, "missing-setting", f'"{last}" is required here.', f"Add {last}.")
    if error["type"] == "unexpected_keyword_argument":
        schema = json_schema(kind)  # type: ignore[arg-type]  # a class is hashable
        known = _known_keys(schema, error["loc"][:-1])
        remedy = did_you_mean(last, known) or f"Known here: {', '.join(known)}."
        return Problem(path, "unknown-setting", f'"{last}" is not a setting here.', remedy)
    context = error.get("ctx") or {}
    if error["type"] == "literal_error":
        words = re.findall(r"'([^']*)'", context["expected"])
        wanted, remedy = f"one of {', '.join(words)}", did_you_mean(str(found), words)
    else:
        wanted = context["wanted"] if error["type"] == UNFIT else _WANTED.get(error["type"], error["msg"])
        wants_word = wanted == "a string" or context.get("word")
        remedy = "Put it in quotes." if wants_word and isinstance(found, (int, float)) else ""
    what = describe(Node(found, _NOWHERE))
    return Problem(path, "bad-setting", f"It must be {wanted}, but it is {what}.", remedy)


def _written_part(path: tuple[int | str, ...], written: Any) -> tuple[ValuePath, Any]:
    """Return as much of `path` as leads to something that was written, and that."""
    for length, step in enumerate(path):
        inside = isinstance(written, dict) and step in written
        if not inside and not (isinstance(written, list) and isinstance(step, int)):
            return path[:length], written
        written = written[step]
    return path, written


def _known_keys(schema: Mapping[str, Any], path: tuple[int | str, ...]) -> list[str]:
    """Return the keys that a schema knows of the mapping at `path`."""
    definitions = schema.get("$defs") or {}

    def below(found: Mapping[str, Any], steps: tuple[int | str, ...]) -> list[str]:
        if "$ref" in found:
            return below(definitions[found["$ref"].rsplit("/", 1)[-1]], steps)
        if choices := found.get("anyOf"):
            return [key for choice in choices for key in below(choice, steps)]
        if not steps:
            return list(found.get("properties") or ())
        inner = (
            found.get("items") if isinstance(steps[0], int) else (found.get("properties") or {}).get(steps[0])
        )
        others = [found.get("additionalProperties"), *(found.get("patternProperties") or {}).values()]
        return below(inner or next((each for each in others if isinstance(each, dict)), {}), steps[1:])

    return below(schema, path)
