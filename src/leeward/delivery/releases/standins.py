"""What stands for the value of a variable that is not known: found again wherever it gets to. Pure."""

from __future__ import annotations

from collections.abc import Iterator

_BEGIN, _END = "secret://:", "@leeward"


def stand_in(name: str) -> str:
    """Return what stands for the value of a variable: as secret as any value."""
    return f"{_BEGIN}{name}{_END}"


def stand_ins(text: str) -> Iterator[str]:
    """Yield the names of the variables whose stand-ins are in a text."""
    for part in text.split(_BEGIN)[1:]:
        name, marked, _ = part.partition(_END)
        if marked:
            yield name
