"""What ``-e`` and ``-u`` of ``leeward exec`` and ``leeward run`` mean, as with Docker Compose."""

from __future__ import annotations

import os
from collections.abc import Sequence

from leeward.base.errors import UserInputError
from leeward.settings.base import LARGEST


def variables_of(texts: Sequence[str] | None) -> dict[str, str]:
    """Return the variables of ``NAME=VALUE``, or of ``NAME`` alone with the value that it has in the shell.

    Raises:
        UserInputError: there is no name, or no value.
    """
    found: dict[str, str] = {}
    for text in texts or ():
        name, sign, value = text.partition("=")
        if not name or name.startswith("-") or any(each.isspace() for each in name):
            raise UserInputError(f"-e {text!r} is no variable", remedy="Write it: -e NAME=VALUE.")
        if not sign and name not in os.environ:
            raise UserInputError(f"-e {name}: it is not set here", remedy=f"Write a value: -e {name}=VALUE.")
        found[name] = value if sign else os.environ[name]
    return found


def user_of(text: str) -> tuple[int | None, int | None]:
    """Return the user and group of ``UID`` or ``UID:GID``; None for those not given.

    Raises:
        UserInputError: they are no numbers, and Kubernetes knows no names.
    """
    if not text:
        return None, None
    user, sign, group = text.partition(":")
    if not _is_id(user) or (sign and not _is_id(group)):
        raise UserInputError(
            f"--user {text!r} is no number of a user",
            remedy="Kubernetes knows users by number: --user 1000:1000.",
        )
    return int(user), int(group) if sign else None


def _is_id(text: str) -> bool:
    return text.isdecimal() and len(text) <= len(str(LARGEST)) and int(text) <= LARGEST
