"""Collects what is wrong with the files, so that the user sees everything at once.

``damaged`` tells later stages that part of the tree was dropped because of an error: checks that would
only repeat the same mistake in other words are then skipped.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from leeward.base.diagnostics import Diagnostic, Location, Severity
from leeward.base.errors import DiagnosticsError

ValuePath = tuple[str | int, ...]


def path_text(path: ValuePath) -> str:
    """Return `path` as a user would write it, such as ``services.web.ports[0]``."""
    text = ""
    for step in path:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return text


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return ``Did you mean "…"?`` for the nearest of `known`, or the empty string."""
    names = {name.lower(): name for name in known}
    near = difflib.get_close_matches(word.lower(), list(names), n=1, cutoff=0.6)
    return f'Did you mean "{names[near[0]]}"?' if near else ""


class Findings:
    """An ordered list of diagnostics without repetitions."""

    def __init__(self) -> None:
        self._found: dict[Diagnostic, None] = {}
        self.damaged = False

    def error(
        self,
        code: str,
        message: str,
        *,
        path: ValuePath = (),
        at: Location | None = None,
        remedy: str = "",
        damages: bool = False,
    ) -> None:
        """Add an error; `damages`: part of the tree is missing from here on."""
        self._add(Severity.ERROR, code, message, path, at, remedy)
        self.damaged = self.damaged or damages

    def warning(
        self, code: str, message: str, *, path: ValuePath = (), at: Location | None = None, remedy: str = ""
    ) -> None:
        """Add a warning."""
        self._add(Severity.WARNING, code, message, path, at, remedy)

    def note(
        self, code: str, message: str, *, path: ValuePath = (), at: Location | None = None, remedy: str = ""
    ) -> None:
        """Add a note."""
        self._add(Severity.NOTE, code, message, path, at, remedy)

    @property
    def diagnostics(self) -> tuple[Diagnostic, ...]:
        """Everything found, in order."""
        return tuple(self._found)

    @property
    def failed(self) -> bool:
        """Whether anything found is an error."""
        return any(found.severity is Severity.ERROR for found in self._found)

    def raise_errors(self) -> None:
        """Stop here when there are errors.

        Raises:
            DiagnosticsError: with all of them, in the order of the files and their lines.
        """
        errors = [found for found in self._found if found.severity is Severity.ERROR]
        if not errors:
            return
        files: dict[str, int] = {}
        for found in errors:
            files.setdefault(found.location.file if found.location else "", len(files))

        def place(found: Diagnostic) -> tuple[int, int]:
            where = found.location
            return (files[where.file], where.line) if where else (files[""], 0)

        raise DiagnosticsError(sorted(errors, key=place))

    def _add(
        self,
        severity: Severity,
        code: str,
        message: str,
        path: ValuePath,
        at: Location | None,
        remedy: str,
    ) -> None:
        found = Diagnostic(
            path=path_text(path), location=at, code=code, severity=severity, message=message, remedy=remedy
        )
        self._found[found] = None
