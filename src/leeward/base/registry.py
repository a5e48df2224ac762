"""One small table type for every extension point."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Generic, TypeVar

T = TypeVar("T")


class Registry(Generic[T]):
    """Names mapped to factories or descriptors, kept in registration order.

    A registry is an ordinary value: a function builds it, the composition root passes it on. There
    is no global instance, and importing a module registers nothing.

    Args:
        what: singular noun for error messages, such as ``"scheduler plugin"``.
    """

    def __init__(self, what: str) -> None:
        self._what = what
        self._entries: dict[str, T] = {}

    def register(self, name: str, entry: T) -> None:
        """Add `entry`.

        Raises:
            ValueError: `name` is taken. Overriding is never silent.
        """
        if name in self._entries:
            raise ValueError(f"{self._what} {name!r} is registered twice")
        self._entries[name] = entry

    def get(self, name: str) -> T:
        """Return the entry called `name`.

        Raises:
            LookupError: there is none; the message lists the known names.
        """
        if name not in self._entries:
            known = ", ".join(sorted(self._entries)) or "none"
            raise LookupError(f"no {self._what} {name!r}; known: {known}")
        return self._entries[name]

    def items(self) -> Iterator[tuple[str, T]]:
        """Iterate over (name, entry) in registration order."""
        return iter(self._entries.items())
