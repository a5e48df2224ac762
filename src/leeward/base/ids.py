"""Identity and randomness, injected so that the same seed gives the same bytes.

Source: suffix alphabet of ``k8s.io/apimachinery/pkg/util/rand`` (no vowels, no look-alikes).
"""

from __future__ import annotations

import uuid
from random import Random
from secrets import randbits
from typing import Protocol

SUFFIX_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"


class IdSource(Protocol):
    """Where UIDs and generated name suffixes come from."""

    def uid(self) -> str:
        """Return a new UUID in canonical form."""
        ...

    def suffix(self, length: int = 5) -> str:
        """Return `length` characters for ``generateName``."""
        ...


class SystemIds:
    """Unpredictable ids of the real world."""

    def uid(self) -> str:
        """Return a random UUID."""
        text = f"{randbits(128):032x}"
        variant = "89ab"[int(text[16], 16) & 3]
        return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-{variant}{text[17:20]}-{text[20:]}"

    def suffix(self, length: int = 5) -> str:
        """Return random characters."""
        number, text = randbits(8 * length), ""
        for _ in range(length):
            number, digit = divmod(number, len(SUFFIX_ALPHABET))
            text += SUFFIX_ALPHABET[digit]
        return text


class SeededIds:
    """Reproducible ids for rehearsals and tests.

    Args:
        seed: same seed, same ids, in the order asked for.
    """

    def __init__(self, seed: int = 0) -> None:
        self._random = Random(seed)

    def uid(self) -> str:
        """Return the next UUID of the sequence."""
        return str(uuid.UUID(int=self._random.getrandbits(128), version=4))

    def suffix(self, length: int = 5) -> str:
        """Return the next characters of the sequence."""
        return "".join(self._random.choices(SUFFIX_ALPHABET, k=length))
