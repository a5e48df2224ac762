"""The verbs of ``leeward infra`` that ask AWS: kubeconfigs, node groups and versions."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from leeward.base.errors import UserInputError
from leeward.cli import options, output
from leeward.cli.commands.aws import Account, Profile, Region, Role
from leeward.cli.commands.promote import Yes

if TYPE_CHECKING:
    from leeward.infra.aws.nodegroups import NodeGroupState
    from leeward.infra.aws.session import Aws

Cluster = Annotated[str, typer.Argument(metavar="NAME", help="The cluster.")]
_SETTLING_SECONDS = 1800.0  # new nodes take minutes


def kubeconfig(
    name: Cluster,
    endpoint: Annotated[
        str | None,
        typer.Option("--endpoint", metavar="URL", help="Where a tunnel to the private API ends, https://…"),
    ] = None,
    proxy: Annotated[
        str | None, typer.Option("--proxy-url", metavar="URL", help="A proxy that reaches the API.")
    ] = None,
    merge: Annotated[
        bool, typer.Option("--merge", help="Write it into your kubeconfig; its current context stays.")
    ] = False,
    region: Region = None,
    profile: Profile = None,
    role: Role = None,
    account: Account = None,
) -> None:
    """Print the kubeconfig of a cluster of EKS; its tokens are made by `leeward aws token`.

    A private API is reached over a VPN or from within its VPC as it is, through a proxy with --proxy-url, and
    over a tunnel, such as a port forward of SSM, with --endpoint. With --region, NAME needs no file.

    Examples:

      leeward infra kubeconfig prod-use1 > prod.kubeconfig

      leeward infra kubeconfig prod-use1 --endpoint https://127.0.0.1:8443 --merge
    """
    import yaml

    from leeward.infra.aws.clusters import find_cluster
    from leeward.infra.aws.kubeconfig import Way, check_way, kubeconfig_of

    way = Way(endpoint=endpoint, proxy=proxy)
    check_way(way)
    aws = _session(name, region, profile, role, account)
    found = find_cluster(aws, name)
    if found.is_private and not endpoint and not proxy:
        output.note(f"note: the API of {name} is private: it is reached from within its VPC, or over a VPN")
    config = kubeconfig_of(found, aws.login, way)
    if not merge:
        output.say(yaml.safe_dump(config, sort_keys=False).rstrip("\n"))
        return
    path = _merge(config)
    output.say(f"{path} has the context {name}")


def _merge(config: dict[str, Any]) -> Path:
    import os

    from leeward.kube.kubeconfig import merge_into_file

    named = os.environ.get("KUBECONFIG", "").split(os.pathsep)
    path = Path(next(filter(None, named), str(Path.home() / ".kube" / "config")))
    merge_into_file(config, path, switch=False)
    return path


def nodes(
    name: Cluster,
    region: Region = None,
    profile: Profile = None,
    form: options.Output = output.Format.TABLE,
) -> None:
    """List the node groups of a cluster as EKS has them now.

    Examples:

      leeward infra nodes prod-use1
    """
    from leeward.infra.aws.nodegroups import node_groups

    found = node_groups(_session(name, region, profile), name)
    columns = ("group", "status", "min", "desired", "max", "types", "spot", "version", "ami")
    output.show_rows(columns, [_row(each) for each in found], form, empty=f"{name} has no node groups")
    for each in found:
        for issue in each.issues:
            output.note(f"{each.name}: {issue}")


def _row(group: NodeGroupState) -> dict[str, Any]:
    return {
        "group": group.name,
        "status": group.status,
        "min": group.size.min,
        "desired": group.size.desired,
        "max": group.size.max,
        "types": ", ".join(group.types),
        "spot": "yes" if group.is_spot else "no",
        "version": group.version,
        "ami": group.release,
        "issues": list(group.issues),
    }


def scale(
    name: Cluster,
    group: Annotated[
        str, typer.Argument(metavar="GROUP", help="As `leeward infra nodes` calls it, or without its number.")
    ],
    desired: Annotated[int | None, typer.Option("--desired", min=0, help="How many nodes now.")] = None,
    least: Annotated[int | None, typer.Option("--min", min=0, help="The fewest.")] = None,
    most: Annotated[int | None, typer.Option("--max", min=1, help="The most.")] = None,
    yes: Yes = False,
    wait: Annotated[bool, typer.Option("--wait", help="Return when EKS has done it.")] = False,
    region: Region = None,
    profile: Profile = None,
) -> None:
    """Change how many nodes a node group has, at once.

    The autoscaler may change the number wanted again. `min` and `max` are those of the cluster's file after
    the next `leeward infra apply`: write there what is to stay.

    Examples:

      leeward infra scale prod-use1 general-a --desired 6

      leeward infra scale prod-use1 general-a --min 4 --max 12 --wait
    """
    from leeward.cli.confirm import confirmed
    from leeward.infra.aws import nodegroups

    if desired is None and least is None and most is None:
        raise UserInputError("nothing would change", remedy="Give --desired, --min or --max.")
    aws = _session(name, region, profile)
    there = nodegroups.node_groups(aws, name)
    found = nodegroups.find_group(there, group, name)
    group = found.name
    size = nodegroups.resized(found.size, least=least, desired=desired, most=most)
    if size == found.size:
        output.note(f"{group} of {name} is {size} (min/desired/max) already")
        return
    output.say(f"{group} of {name}: {found.size} -> {size} (min/desired/max)")
    if not yes and not confirmed("Change it?"):
        return
    nodegroups.resize(aws, name, group, size)
    if (size.min, size.max) != (found.size.min, found.size.max):
        output.note(f"to keep it: min and max of the group in the file of {name}")
    if wait:
        _wait(aws, name, group)


def _wait(aws: Aws, name: str, group: str) -> None:
    import asyncio

    from leeward.base.clock import SystemClock
    from leeward.infra.aws.nodegroups import settled

    (found,) = asyncio.run(settled(aws, name, [group], SystemClock(), _SETTLING_SECONDS))
    output.say(f"{group} is {found.status.lower()} with {found.size} (min/desired/max)")


def _session(
    name: str, region: str | None, profile: str | None, role: str | None = None, account: str | None = None
) -> Aws:
    from leeward.cli.eks import login_for
    from leeward.infra.aws.session import Login, open_aws

    return open_aws(login_for(name, Login(region=region, profile=profile, role=role, account=account)))


def add_to(app: typer.Typer) -> None:
    """Add these verbs to those of ``leeward infra``."""
    from leeward.cli.infraversions import versions

    app.command("kubeconfig")(kubeconfig)
    app.command("nodes")(nodes)
    app.command("scale")(scale)
    app.command("versions")(versions)
