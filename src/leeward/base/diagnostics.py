"""One type for every finding about what a user wrote."""

from __future__ import annotations

import enum
from dataclasses import dataclass


class Severity(enum.StrEnum):
    """How bad a finding is: an error stops, a warning stops under ``--strict``, a note informs."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True, slots=True, order=True)
class Location:
    """A place in a file the user wrote."""

    file: str  # as the user would write it: relative to the working directory where possible
    line: int  # from 1; 0 when only the file is known

    def __str__(self) -> str:
        return f"{self.file}:{self.line}" if self.line else self.file


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnostic:
    """A finding: where, how bad, what is wrong and what to do about it."""

    path: str  # in the user's vocabulary, such as "services.web.ports[0]"
    location: Location | None
    code: str  # stable, kebab-case, such as "unknown-key"
    severity: Severity
    message: str  # one sentence
    remedy: str = ""  # one imperative sentence; "" when the message says it all

    def __str__(self) -> str:
        where = f"{self.location}: " if self.location else ""
        path = f"{self.path}: " if self.path else ""
        remedy = f" {self.remedy}" if self.remedy else ""
        return f"{where}{self.severity}: {path}{self.message}{remedy}"
