"""Values as people read them: short, printable, in Compose's units, and never a secret. Pure.

Invariant: what looks like a secret (``leeward.render.renderers.environment``) is not in any text made here.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterable
from typing import Any

from leeward.kube.quantity import parse_quantity
from leeward.render.renderers.environment import is_secret

HIDDEN = "(secret)"
_LONGEST = 60  # characters of a value
_DIGITS = 6  # of a digest
_UNITS = (("G", 2**30), ("M", 2**20), ("K", 2**10))
_ASSIGNED = re.compile(r"([A-Za-z_][\w-]*)=('[^']*'|\"[^\"]*\"|[^\s'\"]+)")
_FLAG = re.compile(r"(?<!\S)(--?([A-Za-z][\w-]*)\s+)('[^']*'|[^\s'-]\S*)")
_URL = re.compile(r"[A-Za-z][\w+.-]*://\S+")


def shown(name: str, value: Any) -> str:
    """Return the value of something that is called `name`."""
    text = value if isinstance(value, str) else json.dumps(value, sort_keys=True, ensure_ascii=False)
    return HIDDEN if is_secret(name, text) else plain(text or '""')


def plain(text: str) -> str:
    """Return `text` in one short line of printable characters."""
    line = "".join(each if each.isprintable() else repr(each)[1:-1] for each in text[: 2 * _LONGEST])
    return line if len(line) <= _LONGEST else f"{line[: _LONGEST - 1]}…"


def command(words: Iterable[str]) -> str:
    """Return a command as a shell has it, as rendered objects hold it: ``$$`` stands for a dollar sign."""
    text = shlex.join(word.replace("$$", "$") for word in words)
    text = _ASSIGNED.sub(_without_value, text)
    text = _FLAG.sub(_without_argument, text)
    return plain(_URL.sub(lambda found: shown("", found[0]) if is_secret("", found[0]) else found[0], text))


def _without_value(found: re.Match[str]) -> str:
    return f"{found[1]}={HIDDEN}" if is_secret(_variable(found[1]), found[2].strip("'\"")) else found[0]


def _without_argument(found: re.Match[str]) -> str:
    return f"{found[1]}{HIDDEN}" if is_secret(_variable(found[2]), found[3].strip("'")) else found[0]


def _variable(name: str) -> str:
    return name.replace("-", "_")


def size(quantity: str | int | float) -> str:
    """Return bytes in Compose's units, which are binary: ``512M``."""
    try:
        number = parse_quantity(quantity)
    except ValueError:
        return plain(str(quantity))
    for unit, factor in _UNITS:
        if number and number % factor == 0:
            return f"{number // factor}{unit}"
    return str(number)


def cores(quantity: str | int | float) -> str:
    """Return CPUs as Compose writes them: ``0.5``."""
    try:
        return f"{float(parse_quantity(quantity)):g}"
    except ValueError:
        return plain(str(quantity))


def images(old: str, new: str) -> tuple[str, str]:
    """Return two image references, digests shortened, the second without the name when that is the same."""
    (name, tag), (other, other_tag) = split_image(old), split_image(new)
    is_same = other == name and other_tag not in ("", tag)
    return f"{name}{tag}", other_tag if is_same else f"{other}{other_tag}"


def split_image(reference: str) -> tuple[str, str]:
    """Return the name of an image, and what says which one: ``:1.2`` or ``@3f9a12…``."""
    name, _, digest = reference.partition("@")
    head, slash, last = name.rpartition("/")
    last, colon, tag = last.partition(":")
    short = f"@{digest.rpartition(':')[2][:_DIGITS]}…" if digest else ""
    return head + slash + last, f"{colon}{tag}{short}"
