"""Which parts of a value with variables are secret, and which variables bring secrets. Pure.

The value of a variable whose name says so is secret, and so is the password in a URL. What is written there
is taken out; of a variable that is used there, only a default that is written is taken out.

Source: ``leeward.render.renderers.environment``, which decides what is secret.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from leeward.compose.interpolate import Reference, TemplateError, references, substitute
from leeward.render.renderers.environment import is_secret

URL_PASSWORD = "URL_PASSWORD"  # what a password in the middle of a text is called
_URL = re.compile(r"[a-z][a-z0-9+.-]*://[^/\s:@]*:((?:[^/\s@]+@)*[^/\s@]+)@", re.IGNORECASE)


class Slot(NamedTuple):
    """What is to be taken out of a text: ``text[start:end]``."""

    start: int
    end: int
    base: str  # the variable that shall take its place, if nothing else is called that
    written: str  # with variables
    default: bool = False  # it was the default of the variable `base`


@dataclass(slots=True)
class Concealed:
    """What one text has of secrets."""

    slots: list[Slot] = field(default_factory=list)
    required: dict[str, None] = field(default_factory=dict)  # variables that bring secrets
    optional: dict[str, None] = field(default_factory=dict)  # the same, where the text has something else

    def moved(self, offset: int) -> Concealed:
        """Return the same of a text in which `offset` characters stand before it."""
        slots = [each._replace(start=each.start + offset, end=each.end + offset) for each in self.slots]
        return Concealed(slots, self.required, self.optional)


def is_secret_name(name: str) -> bool:
    """Tell whether the values of a variable are held to be secret whatever they are."""
    return is_secret(name, "x")


def conceal(text: str, name: str | None = None, *, secret: bool = False) -> Concealed:
    """Return what is secret in `text`.

    Args:
        text: a value with variables.
        name: the variable that gets it; None: it is something else, such as a command.
        secret: it is, whatever its name.
    """
    found = Concealed()
    try:
        used = references(text)
    except TemplateError:
        used = []  # loading says what is wrong
    if name is not None and (secret or is_secret_name(name)):
        _conceal_value(text, name, used, found)
    else:
        _conceal_urls(text, name, used, found)
    return found


def variables_in(text: str) -> Iterator[Reference]:
    """Yield every use of a variable in `text`, also those in defaults and messages of others."""
    try:
        used = references(text)
    except TemplateError:
        return
    for each in used:
        yield each
        yield from variables_in(each.word)


def _conceal_value(text: str, name: str, used: Sequence[Reference], found: Concealed) -> None:
    """Conceal a value that is secret as a whole."""
    written = _without(text, used)
    if written or not used or any(_is_alternative(each) for each in used):
        if is_secret("SECRET", _plain(text)) or (used and not text.startswith("/run/secrets/")):
            found.slots.append(Slot(0, len(text), name, text))
        return
    for each in used:
        _conceal_reference(each, 0, found)


def _conceal_reference(used: Reference, offset: int, found: Concealed) -> None:
    """Conceal the default of a variable that brings a secret."""
    if not used.operator.endswith("-"):
        kind = found.optional if used.operator.endswith("+") else found.required
        kind[used.name] = None
        return
    inner = references(used.word)
    if inner and not _without(used.word, inner):
        found.optional[used.name] = None
        for each in inner:
            _conceal_reference(each, offset + _word_start(used), found)
    elif inner or is_secret("SECRET", _plain(used.word)):
        found.slots.append(Slot(offset + used.start, offset + used.end, used.name, used.word, default=True))
    else:
        found.optional[used.name] = None


def _conceal_urls(text: str, name: str | None, used: Sequence[Reference], found: Concealed) -> None:
    """Conceal the passwords of URLs, and what variables with secret names bring."""
    masked = text
    for each in used:
        masked = masked[: each.start] + "x" * (each.end - each.start) + masked[each.end :]
    flowing: set[int] = set()
    for match in _URL.finditer(masked):
        start, end = match.span(1)
        inside = [each for each in used if start <= each.start and each.end <= end]
        if sum(each.end - each.start for each in inside) == end - start:
            flowing |= {each.start for each in inside}
        elif name is not None:
            found.slots[:] = [Slot(0, len(text), name, text)]
            return
        else:
            found.slots.append(Slot(start, end, URL_PASSWORD, text[start:end]))
            flowing |= {-each.start - 1 for each in inside}  # gone with the rest
    for each in used:
        if -each.start - 1 not in flowing:
            _conceal_use(each, flowing=each.start in flowing, found=found)


def _conceal_use(used: Reference, *, flowing: bool, found: Concealed) -> None:
    if flowing or is_secret_name(used.name):
        _conceal_reference(used, 0, found)
        return
    inner = conceal(used.word, used.name)
    if any(slot.start == 0 and slot.end == len(used.word) for slot in inner.slots):
        found.slots.append(Slot(used.start, used.end, used.name, used.word, default=True))
        return
    moved = inner.moved(_word_start(used))
    found.slots += moved.slots
    found.required |= moved.required
    found.optional |= moved.optional


def _word_start(used: Reference) -> int:
    return used.start + len("${") + len(used.name) + len(used.operator)


def _is_alternative(used: Reference) -> bool:
    """Tell whether a text of its own takes the place of the variable."""
    return used.operator.endswith("+") and bool(_without(used.word, references(used.word)))


def _without(text: str, used: Sequence[Reference]) -> str:
    """Return what `text` has beside variables."""
    parts, position = [], 0
    for each in used:
        parts.append(text[position : each.start])
        position = each.end
    return "".join([*parts, text[position:]])


def _plain(text: str) -> str:
    """Return `text` with dollar signs as they are meant."""
    try:
        return substitute(text, lambda name: None)
    except TemplateError:
        return text
