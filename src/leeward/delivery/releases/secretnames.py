"""What variables are called that take the place of secrets. Pure.

A secret keeps the name that it has in the files. Where one name stands for different values, or a variable
of that name is used for something else, the name of the service comes before it. What ``.env`` says of a
variable is its value, whatever defaults the files have.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from typing import NamedTuple

from leeward.base.errors import UserInputError
from leeward.delivery.releases.concealing import URL_PASSWORD

_SHARED = "SHARED"  # instead of a service, where none is known
_OWN = "\0"  # written nowhere else


class Named(NamedTuple):
    """A secret that needs a name."""

    base: str
    written: str  # two that say the same may have one name
    service: str  # "": none is known
    default: bool = False  # it was the default of the variable `base`
    fixed: bool = False  # its file has no variables: it can have no other name
    own: bool = False  # it is the value of the variable `base`, as .env has it
    place: str = ""  # for messages


def variable_name(text: str) -> str:
    """Return `text` as the name of a variable."""
    name = re.sub(r"[^A-Za-z0-9_]", "_", text)
    return name if name[:1].isalpha() or name[:1] == "_" else f"_{name}"


def choose_names(secrets: Sequence[Named], used: Collection[str]) -> list[str]:
    """Return a name for each of `secrets`.

    Args:
        secrets: in the order of the files.
        used: variables that the files use, also in other ways.

    Raises:
        UserInputError: what cannot have another name would need one.
    """
    owned = {each.base for each in secrets if each.own}
    secrets = [
        each._replace(written=_OWN, default=True)
        if each.base in owned and (each.own or each.default)
        else each
        for each in secrets
    ]
    taken: dict[str, str] = {}  # name → what it stands for
    for each in secrets:
        if each.fixed and taken.setdefault(each.base, each.written) != each.written:
            raise UserInputError(
                f"{each.place}: {each.base} has another value in another file without variables",
                remedy="Leave out `format: raw`, or rename one of the two.",
            )
    written: dict[tuple[str, bool], set[str]] = {}
    for each in secrets:
        written.setdefault((each.base, each.default), set()).add(each.written)
    names = []
    for each in secrets:
        name = each.base if each.fixed else variable_name(each.base)
        if not each.fixed:
            if not _is_free(each, written, used, taken):
                name = variable_name(f"{each.service or _SHARED}_{each.base}").upper()
                name = _unlike(name, each.written, taken, used)
            taken[name] = each.written
        names.append(name)
    return names


def _is_free(
    secret: Named,
    written: dict[tuple[str, bool], set[str]],
    used: Collection[str],
    taken: dict[str, str],
) -> bool:
    """Tell whether a secret may have the name that it has."""
    if secret.base == URL_PASSWORD or taken.get(variable_name(secret.base), secret.written) != secret.written:
        return False
    if len(written[secret.base, secret.default]) > 1:
        return False
    return secret.default or secret.base not in used


def _unlike(name: str, written: str, taken: dict[str, str], used: Collection[str]) -> str:
    """Return `name`, with a number where that stands for something else."""
    number, chosen = 1, name
    while chosen in used or taken.get(chosen, written) != written:
        number += 1
        chosen = f"{name}_{number}"
    return chosen
