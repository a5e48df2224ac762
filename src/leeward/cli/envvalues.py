"""Values as people give them to ``leeward env set``: written, from a file, typed unseen, or piped."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import typer

from leeward.base.errors import UserInputError

_WAYS = "Write NAME=value, NAME=@FILE, NAME=- for standard input, or NAME to be asked."
Read = Callable[[str], bytes | None]  # where a value is → the value; None: that is a file
MASK = "••••••••"


def parse_values(arguments: Sequence[str], read: Read = lambda where: None) -> dict[str, bytes]:
    """Return name → value.

    ``NAME=@@x`` is the value ``@x``. Files are taken as they are; of what is piped, the last line end is not
    part of the value.

    Args:
        arguments: of the command line.
        read: gets what is neither a file nor written.

    Raises:
        UserInputError: an argument is no assignment, a file cannot be read, or nobody can be asked.
    """
    from leeward.delivery.environments.variables import check_name

    found: dict[str, bytes] = {}
    piped = [text for text in arguments if text.endswith("=-") and text.count("=") == 1]
    if len(piped) > 1:
        raise UserInputError("only one value can come from standard input", remedy=_WAYS)
    for text in arguments:
        name, equals, value = text.partition("=")
        if not name:
            raise UserInputError(f"{text!r} has no name before the =", remedy=_WAYS)
        check_name(name)
        if name in found:
            raise UserInputError(f"{name} is given twice", remedy="Remove one of them.")
        found[name] = _value(name, value, read) if equals else _ask(name)
    return found


def _value(name: str, written: str, read: Read) -> bytes:
    if written == "-":
        return sys.stdin.buffer.read().removesuffix(b"\n").removesuffix(b"\r")
    if written.startswith("@@"):
        return written[1:].encode()
    if not written.startswith("@"):
        return written.encode("utf-8", "surrogateescape")
    if (found := read(written[1:])) is not None:
        return found
    try:
        return Path(written[1:]).read_bytes()
    except OSError as error:
        raise UserInputError(
            f"{name}: {written[1:]} cannot be read: {error.strerror}",
            remedy=f"Correct its name; a value that begins with @ is written {name}=@{written}.",
        ) from error


def _ask(name: str) -> bytes:
    if not sys.stdin.isatty():
        raise UserInputError(
            f"{name} has no value, and there is no terminal to ask on",
            remedy=f"{name}=- takes it from standard input.",
        )
    typed: str = typer.prompt(f"Value of {name}", hide_input=True, err=True)
    return typed.encode()


def shown_value(value: bytes) -> str:
    """Return a value for people to see."""
    try:
        return value.decode()
    except UnicodeDecodeError:
        return f"<{len(value)} bytes>"
