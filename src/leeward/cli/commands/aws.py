"""``leeward aws``: what clients and people need of AWS beside the clusters themselves."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from leeward.cli import options, output

if TYPE_CHECKING:
    from collections.abc import Sequence

    from leeward.infra.aws.hosts import Certificate, HostFinding
    from leeward.infra.aws.session import Aws

Region = Annotated[
    str | None,
    typer.Option("--region", metavar="REGION", help="Of AWS; without it, as the cluster's file says."),
]
Profile = Annotated[str | None, typer.Option("--profile", metavar="NAME", help="Of your AWS configuration.")]
Role = Annotated[str | None, typer.Option("--role", metavar="ARN", help="Assumed first.")]
Account = Annotated[
    str | None, typer.Option("--account", metavar="ID", help="Every other account is refused.")
]


def build_app() -> typer.Typer:
    """Return the ``aws`` verbs."""
    app = typer.Typer(
        help="Make tokens for clusters of EKS, and look up certificates and zones of hosts.",
        no_args_is_help=True,
    )
    app.command("token")(token)
    app.command("hosts")(hosts)
    return app


def token(
    cluster: Annotated[str, typer.Option("--cluster", metavar="NAME", help="The cluster's name in EKS.")],
    region: Region = None,
    profile: Profile = None,
    role: Role = None,
    account: Account = None,
) -> None:
    """Print a token for the API of a cluster, as a credential plug-in of a kubeconfig does.

    `leeward infra kubeconfig` writes kubeconfigs that run this. Without --region, the cluster's file says the
    account.

    Examples:

      leeward aws token --cluster prod-use1 --region us-east-1
    """
    import json

    from leeward.base.clock import SystemClock
    from leeward.cli.eks import login_for
    from leeward.infra.aws.session import Login, open_aws
    from leeward.infra.aws.tokens import make_token

    given = Login(region=region, profile=profile, role=role, account=account)
    made = make_token(open_aws(login_for(cluster, given)), cluster, SystemClock())
    output.say(json.dumps(made.exec_credential()))


def hosts(
    names: Annotated[list[str] | None, typer.Argument(metavar="[HOST...]", show_default=False)] = None,
    environment: Annotated[
        str | None, typer.Option("--env", metavar="ENV", help="The hosts of this environment's services.")
    ] = None,
    region: Region = None,
    profile: Profile = None,
    form: options.Output = output.Format.TABLE,
    files: options.Files = None,
) -> None:
    """Show which certificate of ACM and which zone of Route 53 hosts have.

    A certificate has to be issued, in the region of the load balancer. Its ARN is what
    `tls.certificateArn` of `x-leeward` takes. Exit code 1 when a host has none that can be used.

    Examples:

      leeward aws hosts shop.example.com --region us-east-1

      leeward aws hosts --env production
    """
    from leeward.base.errors import UserInputError
    from leeward.infra.aws import hosts as lookup

    wanted, spec = [name.lower() for name in names or ()], None
    if environment is not None:
        rendered, spec = _hosts_of(environment, files)
        wanted = [*dict.fromkeys((*wanted, *rendered))]
    if not wanted:
        raise UserInputError(
            "there is no host to look for",
            remedy="Name hosts, or an environment whose services have `hosts`.",
        )
    aws = _session(region, profile, spec)
    of_account = lookup.certificates(aws)
    found = lookup.look_up(wanted, of_account, lookup.zones(aws))
    common = lookup.common_certificate(found, of_account) if len(found) > 1 else None
    _show(found, common, form)
    if not all(each.is_covered for each in found):
        raise typer.Exit(1)


def _session(region: str | None, profile: str | None, spec: str | None) -> Aws:
    from leeward.cli.eks import aws_of_spec
    from leeward.infra.aws.session import Login, open_aws

    if spec is not None and region is None:
        return aws_of_spec(spec)
    return open_aws(Login(region=region, profile=profile))


def _hosts_of(environment: str, files: list[Path] | None) -> tuple[list[str], str | None]:
    """Return the hosts of an environment's Ingresses, and the spec of its cluster."""
    from leeward.cli.projects import Source, render_project

    rendered = render_project(Source.of(files, None, None, None), environment=environment)
    found = [
        str(rule["host"])
        for obj in rendered.objects
        if obj["kind"] == "Ingress"
        for rule in obj["spec"].get("rules") or ()
        if rule.get("host")
    ]
    config = rendered.config
    known = config.environments.get(environment) if config is not None else None
    return found, config.cluster_of(known).spec if config is not None and known is not None else None


def _show(found: Sequence[HostFinding], common: Certificate | None, form: output.Format) -> None:
    rows = [
        {
            "host": each.host,
            "certificate": each.certificate.arn if each.certificate else "",
            "status": each.certificate.status if each.certificate else "",
            "zone": each.zone.name if each.zone else "",
            "zone_id": each.zone.id if each.zone else "",
            "problem": each.problem,
        }
        for each in found
    ]
    output.show_rows(("host", "certificate", "zone", "problem"), rows, form)
    if common is not None and form is output.Format.TABLE:
        output.note(f"one certificate holds for all of them: {common.arn}")
