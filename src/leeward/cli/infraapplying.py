"""Applying plans to clusters: asked for by what they do, and exactly as they were shown."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from leeward.base.clock import Clock, SystemClock
from leeward.base.errors import DiagnosticsError, LeewardError, OperationError, UserInputError
from leeward.cli import output
from leeward.cli.confirm import confirmed, typed
from leeward.cli.infraplanning import Home, home_of, make_plan, understood
from leeward.cli.infraplans import Shown, counts, show
from leeward.cli.interrupts import InterruptedByUserError
from leeward.cli.progress import Steps
from leeward.cli.terraforming import Interruptions, Progress, terraform_for
from leeward.infra.aws import nodegroups
from leeward.infra.aws.nodegroups import Size
from leeward.infra.aws.session import Aws, login_of, open_aws
from leeward.infra.plans import Action
from leeward.infra.sizing import Move, NodeGroupScaler
from leeward.infra.terraform import Terraform

_SETTLING_SECONDS = 1800.0  # new nodes take minutes, drained ones as long as their Pods take


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """What was agreed to on the command line."""

    yes: bool = False
    allow_replace: bool = False  # what is grave, too


class EksScaler:
    """Changes sizes of a cluster's node groups by the API of EKS.

    Args:
        aws: a session.
        cluster: its name.
        clock: to wait by.
    """

    def __init__(self, aws: Aws, cluster: str, clock: Clock) -> None:
        self._aws = aws
        self._cluster = cluster
        self._clock = clock

    def resize(self, group: str, size: Size) -> None:
        """Give a group another size."""
        nodegroups.resize(self._aws, self._cluster, group, size)

    def settle(self, groups: Sequence[str]) -> None:
        """Wait until EKS has done it."""
        waited = nodegroups.settled(self._aws, self._cluster, groups, self._clock, _SETTLING_SECONDS)
        asyncio.run(waited)


def plan_only(name: str, out: Path | None, terraform: str | None) -> Shown:
    """Return the plan for a cluster, kept in `out` where that is given.

    Raises:
        UserInputError: something that was written, or the account, is wrong.
        DiagnosticsError: everything that is wrong with the spec, or that Terraform says.
    """
    home = home_of(name)
    interruptions = Interruptions("Terraform")
    tool = terraform_for(home.places, home.spec, terraform, interruptions)
    with TemporaryDirectory(prefix="leeward-") as scratch:
        file = out.absolute() if out else Path(scratch) / "plan"
        return stopped_well(lambda: make_plan(home, tool, file), interruptions, name)


def apply(name: str, plan: Path | None, terraform: str | None, agreement: Agreement) -> None:
    """Make a cluster what its spec says, after asking.

    Args:
        name: of the cluster.
        plan: a file that `leeward infra plan --out` made; None: one is made now.
        terraform: path of the program.
        agreement: what is not asked any more.

    Raises:
        UserInputError: something that was written, or the account, is wrong, or nobody agrees.
        DiagnosticsError: everything that is wrong with the spec, or that Terraform says.
        OperationError: sizes that have to change first cannot be.
    """
    home = home_of(name)
    interruptions = Interruptions("Terraform")
    tool = terraform_for(home.places, home.spec, terraform, interruptions)
    with TemporaryDirectory(prefix="leeward-") as scratch:  # plans have secrets
        file = plan.absolute() if plan else Path(scratch) / "plan"
        shown = stopped_well(lambda: _planned(home, tool, file, plan), interruptions, name)
        show(shown)
        if not shown.summary.has_changes:
            return
        if plan and shown.moves:
            raise _by_hand(home, shown.moves, "a plan that was made before cannot do that in between")
        if not _agreed(home, shown, agreement):
            output.note("Nothing was changed.")
            return
        if shown.moves:
            _resize(home, shown.moves, _scaler(home, shown.moves))
            shown = _planned_again(home, tool, file, shown)
        carry_out(tool, file, shown, interruptions)
    output.say(f"{name} is as its file says ({counts(shown.summary)}: done)")


def _planned(home: Home, tool: Terraform, file: Path, given: Path | None) -> Shown:
    if given is not None:
        if not file.is_file():
            remedy = f"Make one: leeward infra plan {home.spec.name} --out {given}."
            raise UserInputError(f"there is no plan {given}", remedy=remedy)
        tool.prepare()
        return understood(home, tool.show(file))
    shown = make_plan(home, tool, file)
    unfinished = shown.summary.unfinished
    if unfinished:
        what = output.count(len(unfinished), "resource")
        output.note(
            f"keeping {what} whose making was interrupted: {', '.join(each.shown for each in unfinished)}"
        )
        tool.untaint(each.address for each in unfinished)
        shown = make_plan(home, tool, file)
    return shown


def _agreed(home: Home, shown: Shown, agreement: Agreement) -> bool:
    name = home.spec.name
    if not shown.grave:
        return agreement.yes or confirmed(f"Apply this to {name}?")
    if agreement.yes and agreement.allow_replace:
        return True
    what = output.count(len(shown.grave), "change")
    if agreement.yes:
        raise UserInputError(
            f"{what} marked with ! above cannot be undone, and --yes does not agree to that",
            remedy="Read what it does, then add --allow-replace.",
        )
    output.say()
    return typed(
        f"{what} marked with ! cannot be undone. Type the cluster's name to apply", name,
        remedy="Add --yes --allow-replace.",
    )  # fmt: skip


def _scaler(home: Home, moves: Sequence[Move]) -> NodeGroupScaler:
    try:
        return EksScaler(open_aws(login_of(home.spec)), home.spec.name, SystemClock())
    except LeewardError as error:
        raise _by_hand(home, moves, str(error)) from error


def _resize(home: Home, moves: Sequence[Move], scaler: NodeGroupScaler) -> None:
    """Give node groups the sizes that they need before Terraform, and wait for them."""
    with Steps() as steps:
        for index, move in enumerate(moves):
            steps.show(f"resizing {move.key}")
            try:
                scaler.resize(move.name, move.first)
            except LeewardError as error:
                raise _by_hand(home, moves[index:], str(error)) from error
            steps.line(f"resized {move.key}: {move.now} -> {move.first} (min/desired/max)")
        steps.show("waiting for EKS to have changed them")
        scaler.settle([move.name for move in moves])


def _by_hand(home: Home, moves: Sequence[Move], why: str) -> OperationError:
    spec = home.spec
    commands = "\n  ".join(move.command(spec.name, spec.region) for move in moves)
    return OperationError(
        f"sizes of node groups have to change before Terraform may go on, and cannot be: {why}\n  {commands}",
        remedy=f"Run that, wait until it is done (leeward infra nodes {spec.name}), and apply again.",
    )


def _planned_again(home: Home, tool: Terraform, file: Path, before: Shown) -> Shown:
    """Plan with the sizes that are there now; what else changed since was not agreed to."""
    after = make_plan(home, tool, file)
    if after.moves or _essence(after) - _essence(before):
        show(after)
        raise OperationError(
            "something changed at AWS since you agreed; the sizes are as wanted, nothing else was done",
            remedy=f"Look at the new plan above, and run leeward infra apply {home.spec.name} again.",
        )
    return after


def _essence(shown: Shown) -> set[tuple[str, Action, tuple[str, ...]]]:
    return {(each.address, each.action, each.forced_by) for each in shown.summary.changes}


def carry_out(tool: Terraform, file: Path, shown: Shown, interruptions: Interruptions) -> None:
    """Carry out a plan, with progress.

    Raises:
        DiagnosticsError: everything that Terraform says is wrong.
        InterruptedByUserError: somebody stopped it.
    """
    total = len(shown.summary.changes) + shown.summary.count(Action.REPLACE)  # which is two steps
    with Steps() as steps:
        progress = Progress(steps, total)
        try:
            warnings = tool.apply(file, lambda step: None if step.action == "read" else progress(step))
        except DiagnosticsError as error:
            if not interruptions.count:
                output.note(f"{progress.done} of {total} steps done; run this again to go on")
                raise
            output.show_diagnostics(error.diagnostics)
            raise InterruptedByUserError(
                f"{progress.done} of {total} steps done; run this again to go on"
            ) from None
    output.show_diagnostics(warnings)


def stopped_well(work: Callable[[], Shown], interruptions: Interruptions, name: str) -> Shown:
    """Plan; say that nothing was done when it was interrupted."""
    try:
        return work()
    except DiagnosticsError:
        if interruptions.count:
            raise InterruptedByUserError(f"nothing of {name} was changed") from None
        raise
