"""``leeward env apply``: from ``leeward.yaml`` to the clusters, shown first and asked."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from leeward.base.clock import SystemClock
from leeward.base.errors import UserInputError
from leeward.cli import output
from leeward.cli.confirm import confirmed
from leeward.cli.envchecking import service_findings
from leeward.cli.hub import Application, Reach, open_application
from leeward.cli.hubaccess import refusals_explained
from leeward.cli.projects import Source, config_file_of, stop_at_errors
from leeward.compose.findings import Findings
from leeward.compose.source import Sources
from leeward.delivery.environments.apply import Plan, apply_environment, plan_environment
from leeward.delivery.environments.changes import Change, passages
from leeward.delivery.environments.environment import environment_object
from leeward.delivery.environments.overlayfiles import read_overlay
from leeward.delivery.identity import who_am_i
from leeward.delivery.records import ENVIRONMENTS, hub_of
from leeward.kube.objects import Obj
from leeward.kube.status import NotFoundError

if TYPE_CHECKING:
    from leeward.kube.client import KubeClient


def apply_environments(source: Source, reach: Reach, names: Sequence[str], *, yes: bool) -> None:
    """Show what would change, ask, and write it.

    Args:
        source: where ``leeward.yaml`` is.
        reach: how to reach clusters.
        names: of environments; all when there are none.
        yes: do not ask.

    Raises:
        DiagnosticsError: ``leeward.yaml`` is wrong, or something in sight looks secret.
        UserInputError: there is no such environment, or nobody can be asked.
        OperationError: a cluster does not run, or refuses something.
    """
    application = open_application(source, reach)
    wanted = _desired(application, source, names)
    output.say("\n".join(" → ".join(way) for way in _ways(application)))
    plans, strangers = asyncio.run(_plans(application, wanted))
    changed = {name: plan for name, plan in plans.items() if not plan.is_empty}
    for plan in changed.values():
        _show(application, plan)
    if same := [name for name in plans if name not in changed]:
        output.say(f"{', '.join(same)}: nothing changes")
    for name in strangers:
        output.note(f"note: {name} is on the cluster, but not in leeward.yaml: leeward env remove {name}")
    if changed and not yes and not confirmed(f"Write {', '.join(changed)}?"):
        raise typer.Exit(1)
    asyncio.run(_carry_out(application, changed))


def _desired(application: Application, source: Source, names: Sequence[str]) -> dict[str, Obj]:
    """Return the objects of environments."""
    file, findings = config_file_of(source), Findings()
    assert file is not None, "an application has a leeward.yaml"
    for name in names:
        application.require(name)
    if not file.config.environments:
        raise UserInputError("leeward.yaml has no environments", remedy="Write some under environments:.")
    sources = Sources(Path.cwd(), findings)
    chosen = list(dict.fromkeys(names)) or list(file.config.environments)
    overlays = {name: read_overlay(file, name, sources, findings) for name in chosen}
    output.show_diagnostics(each for each in findings.diagnostics if each.severity.value == "warning")
    unknown = service_findings(source, file, chosen)
    if unknown is None and not findings.failed:
        output.note(
            "note: services in `verify` and `replicas` are not checked: the Compose files do not load"
        )
    stop_at_errors([*findings.diagnostics, *(unknown or ())], strict=False)
    return {
        name: environment_object(application.name, file.config, name, overlay)
        for name, overlay in overlays.items()
    }


def _ways(application: Application) -> list[list[str]]:
    return passages({name: each.from_ for name, each in application.config.environments.items()})


async def _plans(application: Application, wanted: Mapping[str, Obj]) -> tuple[dict[str, Plan], list[str]]:
    """Return what would change, and the environments that clusters have and ``leeward.yaml`` has not."""
    found, strangers = {}, dict[str, None]()
    for name, obj in wanted.items():
        async with application.connect(name) as api:
            with refusals_explained(name):
                found[name] = await plan_environment(api, obj)
                strangers |= dict.fromkeys(await _strangers(api, application))
    return found, sorted(strangers)


async def _strangers(api: KubeClient, application: Application) -> list[str]:
    try:
        there = await api.list(ENVIRONMENTS, hub_of(application.name))
    except NotFoundError:  # nothing of leeward is there yet
        return []
    return [name for obj in there if (name := obj["metadata"]["name"]) not in application.config.environments]


async def _carry_out(application: Application, plans: Mapping[str, Plan]) -> None:
    for name, plan in plans.items():
        async with application.connect(name) as api:
            with refusals_explained(name):
                who = await who_am_i(api)
                await apply_environment(api, plan, who, SystemClock())
                output.say(f"{name} is written")


def _show(application: Application, plan: Plan) -> None:
    """Print what a plan changes."""
    where = application.place_of(plan.after.name)
    new = "" if plan.before is not None else ", new"
    output.say(f"{plan.after.name} (cluster {where}{new})")
    width = max((len(each.field) for each in plan.changes), default=0)
    for change in plan.changes:
        output.say(f"  {_line(change, width)}")
    if plan.before is not None and not plan.has_namespace:
        output.say(f"  namespace {plan.after.namespace}: made again")
    if plan.access and not any(each.field.startswith("access.") for each in plan.changes):
        output.say(f"  Roles and bindings: {len(plan.access)} to write")


def _line(change: Change, width: int) -> str:
    field = f"{change.field}:".ljust(width + 1)
    if not change.before:
        return output.paint(f"+ {field} {change.after}", "32")
    if not change.after:
        return output.paint(f"- {field} {change.before}", "31")
    return output.paint(f"~ {field} {change.before} → {change.after}", "33")
