"""Destroying clusters: only by name, and not while something is said to live there."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from leeward.base.errors import UserInputError
from leeward.cli import output
from leeward.cli.confirm import typed
from leeward.cli.infraapplying import carry_out, stopped_well
from leeward.cli.infraplanning import Home, home_of, make_plan
from leeward.cli.infraplans import show
from leeward.cli.terraforming import Interruptions, terraform_for
from leeward.infra.spec import ClusterSpec


def destroy(name: str, terraform: str | None, *, yes: bool, again: str | None, hosted_too: bool) -> None:
    """Destroy all that a cluster's Terraform made, after its name was typed.

    Args:
        name: of the cluster.
        terraform: path of the program.
        yes: do not ask.
        again: the name once more, which that takes.
        hosted_too: although environments are said to be there.

    Raises:
        UserInputError: it hosts environments, or nobody agrees.
        DiagnosticsError: everything that Terraform says.
    """
    home = home_of(name, as_rendered=False)
    _require_empty(home.spec, hosted_too=hosted_too)
    if yes and again != name:
        raise UserInputError(
            "--yes alone destroys nothing" if again is None else f"{again} is not {name}",
            remedy=f"Add --name {name}.",
        )
    interruptions = Interruptions("Terraform")
    tool = terraform_for(home.places, home.spec, terraform, interruptions)
    with TemporaryDirectory(prefix="leeward-") as scratch:
        file = Path(scratch) / "plan"
        shown = stopped_well(lambda: make_plan(home, tool, file, destroy=True), interruptions, name)
        if not shown.summary.changes:
            output.say(f"Terraform knows nothing of {name} at AWS: there is nothing to destroy")
            return
        show(shown)
        output.say(
            "Load balancers and volumes that the cluster made for Services and claims are not Terraform's: "
            "delete those first, or they keep the network from going."
        )
        question = "This cannot be undone. Type the cluster's name to destroy it"
        if not yes and not typed(question, name, remedy=f"Add --yes --name {name}."):
            output.note("Nothing was destroyed.")
            return
        carry_out(tool, file, shown, interruptions)
    _tell_what_stays(home)


def _require_empty(spec: ClusterSpec, *, hosted_too: bool) -> None:
    if spec.environments and not hosted_too:
        raise UserInputError(
            f"{spec.name} hosts {', '.join(spec.environments)}",
            remedy="Move them and empty `environments` in its file, or add --hosted-too.",
        )


def _tell_what_stays(home: Home) -> None:
    from leeward.infra.hclfiles import state_key

    spec = home.spec
    output.say(f"{spec.name} is destroyed. What stays:")
    output.say(f"  {home.directory}: its file, lock and Terraform; applying them makes it anew, empty")
    if spec.state is not None:
        output.say(
            f"  s3://{spec.state.bucket}/{state_key(spec)}: its state, now empty, and the versions before"
        )
    if "customer" in (spec.encryption.secrets, spec.encryption.disks, spec.encryption.logs):
        output.say("  its keys, which AWS keeps for some weeks before they are gone for good")
