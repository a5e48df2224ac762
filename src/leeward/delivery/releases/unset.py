"""Loads a project some of whose required variables have no value here: environments will give them theirs.

``${NAME:?…}`` says that a value is required, not that it is required where a release is made. A variable
whose value only gets to where containers read it (variables, commands, health checks, labels, the content of
configs and secrets) is loaded as a stand-in and becomes an input of the release, by name. One that decides
what the release is (images, builds, ports, files, anything else) has to be known, and its absence is told as
Compose tells it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from leeward.base.diagnostics import Diagnostic
from leeward.base.errors import DiagnosticsError
from leeward.compose.dump import to_document
from leeward.compose.interpolate import MISSING_CODE, missing_name
from leeward.compose.load import LoadOptions, LoadResult, load_project
from leeward.compose.project import Project
from leeward.delivery.releases.standins import stand_in, stand_ins

_READ = frozenset(("environment", "command", "entrypoint", "healthcheck", "labels", "annotations"))


def load_unset(options: LoadOptions, *, decides: bool = True) -> tuple[LoadResult, frozenset[str]]:
    """Load a project; returns it with stand-ins for what environments give, and the names of these variables.

    Args:
        options: of the project.
        decides: whether it matters what the release is; not where only names of services are asked for.

    Raises:
        DiagnosticsError: the files cannot be used, or a variable is missing that decides what the release is.
    """
    missing: dict[str, Diagnostic] = {}
    while True:
        given = {name: stand_in(name) for name in missing}
        try:
            loaded = load_project(replace(options, environment={**options.environment, **given}))
        except DiagnosticsError as error:
            others = [each for each in error.diagnostics if each.code != MISSING_CODE]
            if others and missing:
                raise _blamed(others, missing) from error
            if others:
                raise
            found = {missing_name(each.message): each for each in error.diagnostics}
            if found.keys() <= missing.keys():  # such as an included file that empties it again
                raise
            missing |= found
            continue
        decisive = {name for name in _decisive(loaded.project) if name in missing}
        if decisive and decides:
            raise DiagnosticsError([each for name, each in missing.items() if name in decisive])
        return loaded, frozenset(missing)


def _blamed(found: Sequence[Diagnostic], missing: Mapping[str, Diagnostic]) -> DiagnosticsError:
    """Return mistakes that stand-ins led to, such as a port that is none, as what they are: not set."""
    named = {name for each in found for name in stand_ins(each.message) if name in missing}
    first = [each for name, each in missing.items() if name in named or not named]
    return DiagnosticsError([*first, *(each for each in found if not list(stand_ins(each.message)))])


def _decisive(project: Project) -> Iterator[str]:
    """Yield the names whose stand-ins got to anything that is not only read by containers."""
    document = to_document(project)
    for section, table in document.items():
        if section == "services":
            for service in table.values():
                yield from stand_ins(str({key: each for key, each in service.items() if key not in _READ}))
        elif section in ("configs", "secrets"):
            for entry in table.values():
                yield from stand_ins(str(_without_content(entry)))
        else:
            yield from stand_ins(str(table))


def _without_content(entry: Any) -> Any:
    return (
        {key: each for key, each in entry.items() if key != "content"}
        if isinstance(entry, Mapping)
        else entry
    )
