"""The errors leeward raises on purpose.

Every deliberate error derives from :class:`LeewardError`; anything else that escapes is a bug in
leeward and is reported as one. Exit codes are the command line's public interface: 0 done, 1 failed,
2 wrong usage or wrong input.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from leeward.base.diagnostics import Diagnostic


class LeewardError(Exception):
    """Root of the deliberate errors. Catch it only at an edge: CLI, HTTP, worker loop."""

    exit_code: ClassVar[int] = 1


class OperationError(LeewardError):
    """Something that was rightly asked for could not be done; the message says what to do."""

    def __init__(self, message: str, *, remedy: str = "") -> None:
        super().__init__(message)
        self.remedy = remedy  # one sentence, imperative; "" when the message says it all


class UserInputError(LeewardError):
    """Something the user wrote is wrong; the message names file, path and remedy."""

    exit_code: ClassVar[int] = 2

    def __init__(self, message: str, *, remedy: str = "") -> None:
        super().__init__(message)
        self.remedy = remedy


class DiagnosticsError(UserInputError):
    """Several findings of severity error, collected so that the user sees all of them at once."""

    def __init__(self, diagnostics: Sequence[Diagnostic]) -> None:
        super().__init__("\n".join(str(found) for found in diagnostics))
        self.diagnostics = tuple(diagnostics)
