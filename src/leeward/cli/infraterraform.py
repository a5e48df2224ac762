"""The verbs of ``leeward infra`` that run Terraform: plan, apply and destroy."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from leeward.base.errors import DiagnosticsError, LeewardError
from leeward.cli import options, output
from leeward.cli.commands.promote import Yes
from leeward.cli.interrupts import InterruptedByUserError

Cluster = Annotated[str, typer.Argument(metavar="NAME", help="The cluster.")]
Program = Annotated[
    str | None,
    typer.Option(
        "--terraform",
        metavar="PATH",
        help="Terraform or OpenTofu.  [default: LEEWARD_TERRAFORM, terraform, tofu]",
    ),
]
_CHANGES = 2  # Terraform's own exit code for them


def plan(
    name: Cluster,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FILE", help="Keep the plan, which has secrets, to apply it."),
    ] = None,
    detailed: Annotated[
        bool,
        typer.Option("--detailed-exitcode", help="Exit with 2 when there are changes, and 1 for any error."),
    ] = False,
    terraform: Program = None,
    form: options.Output = output.Format.TABLE,
) -> None:
    """Show what Terraform would do to a cluster, and what that does to what runs there.

    The Terraform must be as the file of the cluster says, and hold what `leeward infra check` calls an error.

    Examples:

      leeward infra plan prod-use1

      leeward infra plan prod-use1 --out prod.tfplan --detailed-exitcode
    """
    try:
        has_changes = _plan(name, out, terraform, form)
    except InterruptedByUserError:
        raise
    except LeewardError as error:
        if not detailed:
            raise
        _tell(error)
        raise typer.Exit(1) from None
    if detailed and has_changes:
        raise typer.Exit(_CHANGES)


def _plan(name: str, out: Path | None, terraform: str | None, form: output.Format) -> bool:
    from leeward.cli.infraapplying import plan_only
    from leeward.cli.infraplans import show, show_json

    shown = plan_only(name, out, terraform)
    if form is output.Format.JSON:
        show_json(shown)
    else:
        show(shown)
        if out is not None:
            output.note(f"Next: leeward infra apply {name} --plan {out}")
    return shown.summary.has_changes


def _tell(error: LeewardError) -> None:
    if isinstance(error, DiagnosticsError):
        output.show_diagnostics(error.diagnostics)
    else:
        output.error(str(error), getattr(error, "remedy", ""))


def apply(
    name: Cluster,
    plan: Annotated[
        Path | None,
        typer.Option("--plan", metavar="FILE", help="Apply a plan of `leeward infra plan --out`."),
    ] = None,
    yes: Yes = False,
    allow_replace: Annotated[
        bool,
        typer.Option("--allow-replace", help="With --yes: what takes nodes or networks away, too."),
    ] = False,
    terraform: Program = None,
) -> None:
    """Make a cluster what its file says: plan, ask, and apply exactly what was shown.

    What takes nodes, a network, a key, logs or resources of your own away is agreed to by typing the name of
    the cluster. Sizes that EKS wants changed before, as desired below a new min, are changed first.

    Examples:

      leeward infra apply prod-use1

      leeward infra apply prod-use1 --plan prod.tfplan --yes
    """
    from leeward.cli.infraapplying import Agreement, apply

    apply(name, plan, terraform, Agreement(yes=yes, allow_replace=allow_replace))


def destroy(
    name: Cluster,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask; wants --name too.")] = False,
    again: Annotated[
        str | None, typer.Option("--name", metavar="NAME", help="With --yes: the cluster, once more.")
    ] = None,
    hosted_too: Annotated[
        bool, typer.Option("--hosted-too", help="Although its file lists environments.")
    ] = False,
    terraform: Program = None,
) -> None:
    """Destroy a cluster at AWS, with all that its Terraform made; its files stay.

    Examples:

      leeward infra destroy demo-use1
    """
    from leeward.cli.infradestroying import destroy

    destroy(name, terraform, yes=yes, again=again, hosted_too=hosted_too)


def add_to(app: typer.Typer) -> None:
    """Add these verbs to those of ``leeward infra``."""
    app.command("plan")(plan)
    app.command("apply")(apply)
    app.command("destroy")(destroy)
