"""What the files here say of an environment: whether its services are there, and which variables are used.

Both are looked up in the project as a release would have it, without values of secrets. Where the Compose
files cannot be used, nothing is known, and that is no fault of the environment.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from leeward.base.diagnostics import Diagnostic
from leeward.base.errors import LeewardError
from leeward.cli.projects import Source, base_options, load_options
from leeward.compose.findings import Findings, did_you_mean
from leeward.delivery.releases.unset import load_unset
from leeward.settings.applied import apply_environment
from leeward.settings.configfile import ConfigFile

if TYPE_CHECKING:
    from leeward.delivery.environments.environment import Overlay


def service_findings(source: Source, file: ConfigFile, names: Iterable[str]) -> list[Diagnostic] | None:
    """Return what environments name that the project has not: services, sizes; None when that cannot be told.

    Args:
        source: of the project.
        file: ``leeward.yaml``.
        names: of environments that it has.
    """
    found: dict[Diagnostic, None] = {}
    for name in names:
        try:
            loaded, _ = load_unset(replace(load_options(source, name), profiles=("*",)), decides=False)
        except LeewardError:
            return None
        found |= dict.fromkeys(apply_environment(file, name, loaded.project)[1])
    return list(found)


def names_used(source: Source, app: str, overlay: Overlay) -> frozenset[str] | None:
    """Return the variables and secrets that releases of this project could take; None: it cannot be told.

    Args:
        source: of the project.
        app: its name.
        overlay: of the environment, as its cluster knows it.
    """
    from leeward.delivery.releases.uses import used_by_overlay, used_by_project

    try:
        options, _ = base_options(source, app)
        return used_by_project(options) | used_by_overlay(overlay)
    except LeewardError:
        return None


def idle_names(given: Sequence[str], used: Collection[str] | None, overlay: Overlay) -> list[Diagnostic]:
    """Return a warning for each of the names given that has no effect.

    Args:
        given: names that are set.
        used: those that files use; None when that cannot be told.
        overlay: of the environment.
    """
    found = Findings()
    for name in given:
        if name in overlay.variables:
            found.warning(
                "overruled-variable",
                f"{name} is among `variables` in leeward.yaml, which win over what is set here.",
                remedy="Remove it there, and run `leeward env apply`.",
            )
        elif used is not None and name not in used:
            remedy = did_you_mean(name, used) or "Use it in a Compose file, or remove it: leeward env unset."
            found.warning("unused-variable", f"No Compose file uses {name}.", remedy=remedy)
    return list(found.diagnostics)
