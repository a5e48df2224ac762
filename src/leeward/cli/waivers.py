"""The waivers of a project at the edge: where their file is, and what today is."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from leeward.base.diagnostics import Diagnostic
from leeward.base.errors import DiagnosticsError, UserInputError
from leeward.compose.project import Project
from leeward.render.waivers import FILE_NAME, Waived, apply_waivers

if TYPE_CHECKING:
    from leeward.base.clock import PassiveClock


def sort_by_waivers(
    project: Project, found: Iterable[Diagnostic], clock: PassiveClock | None = None
) -> Waived:
    """Sort the findings about a project by the waivers next to its Compose file.

    Raises:
        DiagnosticsError: something in the file of waivers is wrong.
        UserInputError: it cannot be read.
    """
    path = project.working_dir / FILE_NAME
    if not path.is_file():
        return Waived(open=tuple(found))
    from leeward.base.clock import SystemClock
    from leeward.settings.waivers import read_waivers

    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UserInputError(f"{path} cannot be read: {error}", remedy="Save it as UTF-8.") from error
    waivers, problems = read_waivers(text, _shown(path))
    if problems:
        raise DiagnosticsError(problems)
    return apply_waivers(found, waivers, (clock or SystemClock()).now().date())


def _shown(path: Path) -> str:
    """Return `path` as a person in the working directory would write it."""
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)
