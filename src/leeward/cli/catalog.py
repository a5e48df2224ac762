"""Every verb, in the order in which help shows them; the module of a verb is loaded when it is used."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import typer
from typer.core import TyperGroup

VERBS = {  # name, which is that of its module too: the first sentence of its help
    "up": "Run a Compose project on an embedded three-zone Kubernetes cluster.",
    "down": "Stop and remove a project; its volumes stay unless -v is given. The cluster goes on running.",
    "preview": "List the previews of an application, and remove those whose time is over.",
    "ps": "List the Pods of a project with their service, zone and state; or the services of an environment.",
    "logs": "Print the logs of services, of all their Pods together.",
    "exec": "Run a command in a Pod of a service that runs, with its exit code.",
    "run": "Run a service once in a Pod of its own, with another command, and end with its exit code.",
    "restart": "Restart services by a rolling update, as `kubectl rollout restart` does.",
    "scale": "Set the number of Pods of services, until the next `leeward up`.",
    "init": "Write a commented leeward.yaml for the Compose project here: its environments and clusters.",
    "check": "Report how faithfully Kubernetes keeps what a Compose project says.",
    "config": "Print the Compose project that the files come to.",
    "render": "Print the Kubernetes objects of a Compose project.",
    "release": "Make immutable releases of an application, and show, export and import them.",
    "promote": "Bring a release into an environment, verify it there, or leave everything as it was.",
    "approve": "Agree that a release enters an environment, with exactly the difference that is shown.",
    "rollback": "Promote the release that was good in an environment before the one that runs.",
    "diff": "Show what is different between what two environments run, or between two releases.",
    "drift": "Compare what is live in an environment with what was promoted; changes nothing.",
    "env": "Write environments to their clusters; set their variables and secrets.",
    "history": "List the promotions into an environment, or into all, newest first.",
    "lock": "Keep releases out of an environment until it is unlocked.",
    "unlock": "Let releases into an environment again; what somebody else locked needs a reason.",
    "audit": "Show and check the trail of who did what.",
    "access": "Show who may do what in which environment.",
    "import": "Make a Compose file from the file of another platform.",
    "aws": "Make tokens for clusters of EKS, and look up certificates and zones of hosts.",
    "kubeconfig": "Print the kubeconfig of an embedded cluster.",
    "cluster": "Start, stop and show embedded clusters.",
    "drill": "Rehearse losses on a running cluster.",
    "infra": "Clusters on Amazon EKS as a short spec and Terraform.",
}
_MODULES = {"import": "import_convox"}  # where the name of a verb cannot be that of a module


class LazyVerbs(TyperGroup):
    """The root command: knows every verb by name and summary, and loads the one that is asked for."""

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        """Return the verb that `args` begin with, loaded."""
        name, known, rest = super().resolve_command(ctx, args)
        return name, None if known is None else load_verb(str(known.name)), rest


def add_commands(app: typer.Typer) -> None:
    """Add the name and summary of every verb to `app`, whose class is LazyVerbs."""
    for name, summary in VERBS.items():
        app.command(name, short_help=summary)(_to_be_loaded)


def _to_be_loaded() -> None:
    """Stand in for a verb."""


def load_verb(name: str) -> Any:
    """Return the command, or group of commands, of one verb."""
    module = import_module(f"leeward.cli.commands.{_MODULES.get(name, name)}")
    if hasattr(module, "build_app"):
        app = module.build_app()
        app.rich_markup_mode = None
        command: Any = typer.main.get_group(app)
        for inner in command.commands.values():
            inner.short_help = inner.help.split("\n\n")[0]  # whole, not cut to a line
    else:
        app = typer.Typer(add_completion=False, rich_markup_mode=None)
        settings = getattr(module, "CONTEXT_SETTINGS", None)
        app.command(name, context_settings=settings)(getattr(module, name))
        command = typer.main.get_command(app)
    command.name = name
    return command
