"""Kubernetes' JSONPath without its templates: one path, such as ``.spec.ports[*].port``.

Fields (``.name``, ``['name']``), positions and slices (``[0]``, ``[-1]``, ``[0:2]``), ``[*]``, recursion
(``..name``) and filters that compare (``[?(@.type=="Ready")]``).

Source: k8s.io/client-go/util/jsonpath (Kubernetes 1.36).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from typing import Any

Step = Callable[[Any], Iterable[Any]]

_TOKEN = re.compile(
    r"""\.\.(?P<deep>[\w$-]+) | \[['"](?P<quoted>[^'"]*)['"]\] | \[\?\((?P<filter>.*?)\)\]
      | \[(?P<every>\*)\] | \.(?P<all>\*) | \[(?P<slice>-?\d*:-?\d*)\] | \[(?P<index>-?\d+)\]
      | \.(?P<name>(?:\\.|[^.\[\]])+)""",
    re.VERBOSE,
)
_FILTER = re.compile(r"\s*@(?P<path>[^=!<>\s]*)\s*(?:(?P<how>==|!=|<=|>=|<|>)\s*(?P<value>.+?))?\s*")
_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "==": lambda a, b: bool(a == b),
    "!=": lambda a, b: bool(a != b),
    "<": lambda a, b: bool(a < b),
    "<=": lambda a, b: bool(a <= b),
    ">": lambda a, b: bool(a > b),
    ">=": lambda a, b: bool(a >= b),
}


def find(value: Any, path: str) -> list[Any]:
    """Return all that `path` finds in a JSON value.

    Raises:
        ValueError: it is no path.
    """
    found = [value]
    for step in _steps(path):
        found = [inner for each in found for inner in step(each)]
    return found


@lru_cache(maxsize=1024)
def _steps(path: str) -> tuple[Step, ...]:
    steps: list[Step] = []
    at = 0
    text = path.strip().removeprefix("$")
    while at < len(text):
        token = _TOKEN.match(text, at)
        if token is None:
            raise ValueError(f"{path!r} cannot be read as a JSONPath from {text[at:]!r}")
        steps.append(_step(str(token.lastgroup), str(token[str(token.lastgroup)])))
        at = token.end()
    return tuple(steps)


def _step(kind: str, text: str) -> Step:
    if kind in ("name", "quoted"):
        name = re.sub(r"\\(.)", r"\1", text) if kind == "name" else text
        return lambda value: [value[name]] if isinstance(value, dict) and name in value else []
    if kind in ("every", "all"):
        return _members
    if kind == "index":
        at = int(text)
        return lambda value: [value[at]] if isinstance(value, list) and -len(value) <= at < len(value) else []
    if kind == "slice":
        first, last = (int(each) if each else None for each in text.split(":"))
        return lambda value: value[first:last] if isinstance(value, list) else []
    if kind == "deep":
        return lambda value: _deep(value, text)
    return _filter(text)


def _members(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


def _deep(value: Any, name: str) -> Iterator[Any]:
    if isinstance(value, dict) and name in value:
        yield value[name]
    for each in _members(value):
        yield from _deep(each, name)


def _filter(text: str) -> Step:
    found = _FILTER.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} cannot be read as a filter")
    path, how, wanted = found["path"], found["how"], found["value"]

    def keep(each: Any) -> bool:
        values = find(each, path)
        if not how:
            return bool(values)
        return any(_compared(value, how, wanted) for value in values)

    return lambda value: [each for each in _members(value) if keep(each)]


def _compared(value: Any, how: str, wanted: str) -> bool:
    literal: Any = wanted[1:-1] if wanted[:1] in ("'", '"') else {"true": True, "false": False}.get(wanted)
    try:
        return _COMPARE[how](value, float(wanted) if literal is None else literal)
    except (TypeError, ValueError):
        return False
