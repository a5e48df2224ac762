"""Reads a Dockerfile as far as running without a container engine needs it.

Instructions with their lines, in order; continuation lines, comments, here-documents (kept as text) and
variables are handled. What an instruction does is decided in ``build``.

Source: the Dockerfile reference (docs.docker.com/reference/dockerfile).
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from leeward.base.errors import UserInputError

KNOWN = frozenset(
    (
        "ADD", "ARG", "CMD", "COPY", "ENTRYPOINT", "ENV", "EXPOSE", "FROM", "HEALTHCHECK", "LABEL",
        "MAINTAINER", "ONBUILD", "RUN", "SHELL", "STOPSIGNAL", "USER", "VOLUME", "WORKDIR",
    )
)  # fmt: skip
_VARIABLE = re.compile(r"\\(\$)|\$(?:\{(\w+)(?:(:[-+])([^}]*))?\}|(\w+))")
_HEREDOC = re.compile(r"<<-?\s*([\"']?)(\w+)\1")


@dataclass(frozen=True, slots=True)
class Instruction:
    """One instruction."""

    name: str  # upper case
    flags: Mapping[str, str]  # --from=build → {"from": "build"}
    text: str  # the arguments, continuation lines joined
    line: int  # from 1


def parse(path: Path) -> list[Instruction]:
    """Return the instructions of a Dockerfile.

    Raises:
        UserInputError: it cannot be read, or a line makes no sense; names file and line.
    """
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError as error:
        raise UserInputError(
            f"{path}: cannot be read: {error.strerror}",
            remedy="Check `build.dockerfile` and `build.context`.",
        ) from error
    found: list[Instruction] = []
    index = 0
    while index < len(lines):
        if not lines[index].strip() or lines[index].lstrip().startswith("#"):
            index += 1
            continue
        start = index
        text, index = _logical_line(lines, index)
        found.append(_instruction(path, text, start + 1))
    if not any(each.name == "FROM" for each in found):
        raise UserInputError(
            f"{path}: has no FROM", remedy="Begin with a base image, such as FROM python:3.12."
        )
    return found


def _logical_line(lines: list[str], index: int) -> tuple[str, int]:
    """Join continuation lines, drop comments, skip here-documents; returns text and next index."""
    parts: list[str] = []
    while index < len(lines):
        raw = lines[index].strip()
        index += 1
        if raw.startswith("#") or (not raw and parts):
            continue
        if raw.endswith("\\"):
            parts.append(raw[:-1].rstrip())
            continue
        parts.append(raw)
        break
    text = " ".join(parts).strip()
    for _, word in _HEREDOC.findall(text) if text.split(" ")[0].upper() in ("RUN", "COPY", "ADD") else ():
        while index < len(lines) and lines[index].strip() != word:
            index += 1
        index += 1
    return text, index


def _instruction(path: Path, text: str, line: int) -> Instruction:
    name, _, rest = text.partition(" ")
    if name.upper() not in KNOWN:
        raise UserInputError(
            f"{path}:{line}: unknown instruction {name!r}",
            remedy="See the Dockerfile reference for what exists.",
        )
    flags: dict[str, str] = {}
    rest = rest.strip()
    while rest.startswith("--"):
        flag, _, rest = rest.partition(" ")
        key, _, value = flag[2:].partition("=")
        flags[key] = value
        rest = rest.strip()
    return Instruction(name.upper(), flags, rest, line)


def words(text: str) -> list[str] | None:
    """Return the words of the exec form (a JSON list), or None for the shell form."""
    if not text.startswith("["):
        return None
    try:
        found = json.loads(text)
    except ValueError:
        return None
    return [str(word) for word in found] if isinstance(found, list) else None


def expand(text: str, variables: Mapping[str, str]) -> str:
    """Substitute $NAME, ${NAME}, ${NAME:-default} and ${NAME:+other}."""

    def value(match: re.Match[str]) -> str:
        escaped, braced, operator, other, plain = match.groups()
        if escaped:
            return "$"
        name = braced or plain
        have = variables.get(name, "")
        if operator == ":-":
            return have or expand(other, variables)
        if operator == ":+":
            return expand(other, variables) if have else ""
        return have

    return _VARIABLE.sub(value, text)


def pairs(text: str) -> dict[str, str]:
    """Return the assignments of ENV, LABEL or ARG: ``A=1 B="two words"`` or the old ``A value``."""
    first = text.split(None, 1)
    if first and "=" not in first[0]:
        return {first[0]: first[1] if len(first) > 1 else ""}
    try:
        parts = shlex.split(text)
    except ValueError:
        parts = text.split()
    return {name: value for name, _, value in (part.partition("=") for part in parts)}
