"""The vocabulary in which ``schema`` says what a Compose file may contain.

A shape is checked and applied by ``conform``: short forms are expanded by ``expand`` first, then kinds
are checked and scalars converted.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from leeward.base.diagnostics import Location
from leeward.compose.node import Node


class MalformedError(ValueError):
    """A short form that cannot be read.

    Args:
        message: one sentence.
        remedy: one sentence, imperative.
        location: of the part that is wrong; None: the whole value.
    """

    def __init__(self, message: str, remedy: str = "", location: Location | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy
        self.location = location


class PartlyMalformedError(ValueError):
    """A list in short form of which some elements cannot be read.

    Args:
        errors: one for each of them, with its location.
        rest: the long form of the others.
    """

    def __init__(self, errors: Sequence[MalformedError], rest: Node) -> None:
        super().__init__("; ".join(error.message for error in errors))
        self.errors = tuple(errors)
        self.rest = rest


Expand = Callable[[Node], Node]


@dataclass(frozen=True, slots=True)
class Value:
    """A scalar.

    `kind` is one of: "string"; "text" (any scalar, as a string); "integer"; "number"; "boolean";
    "duration" (seconds); "size" (bytes); "mode" (file mode); "any" (any YAML value, kept as it is).
    """

    kind: str
    choices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Many:
    """A list."""

    item: Shape
    expand: Expand | None = None


@dataclass(frozen=True, slots=True)
class Table:
    """A mapping with free keys."""

    item: Shape
    expand: Expand | None = None
    blank: bool = False  # an entry may have no value
    names: bool = False  # keys must look like names: letters, digits, "." "_" "-"


@dataclass(frozen=True, slots=True)
class Record:
    """A mapping with known keys and ``x-`` extensions."""

    keys: Mapping[str, Shape]
    required: tuple[str, ...] = ()
    expand: Expand | None = None
    retired: Mapping[str, str] = field(default_factory=dict)  # keys of old files: what to do instead


Shape = Value | Many | Table | Record
