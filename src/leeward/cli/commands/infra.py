"""``leeward infra``: clusters on Amazon EKS as a short spec and a Terraform repository."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from leeward.cli import options, output

Force = Annotated[bool, typer.Option("--force", help="Overwrite generated files that were edited by hand.")]
Cluster = Annotated[str, typer.Argument(metavar="CLUSTER", help="The name of its directory.")]
RegionOption = Annotated[str, typer.Option("--region", metavar="REGION", help="Such as us-east-1.")]
Manifests = Annotated[
    list[str] | None,
    typer.Option(
        "--manifests", metavar="ENVIRONMENT=DIRECTORY", help="What an environment runs; several times."
    ),
]
Range = Annotated[
    str | None, typer.Option("--cidr", metavar="CIDR", help="Of its VPC.  [default: the next free /16]")
]


def build_app() -> typer.Typer:
    """Return the ``infra`` verbs."""
    from leeward.cli import infraaws, infraplatform, infraterraform

    app = typer.Typer(help="Clusters on Amazon EKS as a short spec and Terraform.", no_args_is_help=True)
    app.command("init")(init)
    app.command("add")(add)
    app.command("clone")(clone)
    app.command("render")(render)
    app.command("diff")(diff)
    app.command("check")(check)
    app.command("cost")(cost)
    infraterraform.add_to(app)
    infraaws.add_to(app)
    infraplatform.add_to(app)
    return app


def init(
    directory: Annotated[Path, typer.Argument(metavar="[DIRECTORY]", help="Made if it is not there.")] = Path(
        "."
    ),
    force: Annotated[bool, typer.Option("--force", help="Add to a directory that is not empty.")] = False,
) -> None:
    """Make a repository of clusters: Terraform modules, their tests, and a README.

    Examples:

      leeward infra init clusters-repo
    """
    from leeward.cli import infrarepository
    from leeward.infra.places import Places

    root = directory.absolute()
    infrarepository.tell(Places(root), infrarepository.new_repository(root, force=force))
    where = "" if root == Path.cwd() else f"cd {directory} && "
    output.note(f"Next: {where}leeward infra add prod-use1 --region us-east-1")


def add(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Of the cluster, such as prod-use1.")],
    region: RegionOption,
    zones: Annotated[
        list[str] | None,
        typer.Option("--zone", metavar="ZONE", help="Several times.  [default: three of the region]"),
    ] = None,
    cidr: Range = None,
    kubernetes: Annotated[
        str,
        typer.Option(
            "--kubernetes", metavar="VERSION", help="Of Kubernetes.  [default: the recommended one]"
        ),
    ] = "",
    types: Annotated[
        list[str] | None,
        typer.Option("--type", metavar="TYPE", help="Of its nodes.  [default: m7i.large, m6i.large]"),
    ] = None,
) -> None:
    """Write the spec of a new cluster and its Terraform; nothing is made at AWS.

    Examples:

      leeward infra add prod-use1 --region us-east-1
    """
    from leeward.cli import infrarepository as repository
    from leeward.infra.proposal import first_spec, free_cidr, taken_cidrs

    places = repository.here()
    members = repository.read_members(places)
    text = first_spec(
        name,
        region,
        cidr or free_cidr(taken_cidrs(each.spec for each in members.values())),
        zones=zones or (),
        version=kubernetes,
        types=types or ("m7i.large", "m6i.large"),
    )
    repository.tell(places, repository.new_cluster(places, name, text))
    output.note(
        f"Next: edit clusters/{name}/cluster.yaml, then leeward infra render, check, cost and plan {name}"
    )


def clone(
    origin: Annotated[str, typer.Argument(metavar="CLUSTER", help="The cluster that is replicated.")],
    name: Annotated[str, typer.Argument(metavar="NAME", help="Of the new one.")],
    region: Annotated[
        str | None, typer.Option("--region", metavar="REGION", help="[default: the same]")
    ] = None,
    cidr: Range = None,
) -> None:
    """Write the spec of a cluster like another one, with addresses and a state of its own.

    Examples:

      leeward infra clone prod-use1 prod-euw1 --region eu-west-1
    """
    from leeward.cli import infrarepository as repository
    from leeward.infra.places import good_spec
    from leeward.infra.proposal import cloned, free_cidr, taken_cidrs

    places = repository.here()
    members = repository.read_members(places)
    read = places.read(origin, Path.cwd(), repository.today())
    spec = good_spec(read)
    pins = members[origin].lock.addons
    text = cloned(
        read,
        places.spec_path(origin).read_bytes().decode("utf-8-sig"),
        name=name,
        region=region or spec.region,
        cidr=cidr or free_cidr(taken_cidrs(each.spec for each in members.values())),
    )
    repository.tell(places, repository.new_cluster(places, name, text, addons=pins))
    output.note(f"Next: leeward infra plan {name}")


def render(
    force: Force = False,
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; exit 1 when files are not as the specs say.")
    ] = False,
) -> None:
    """Write the Terraform of every cluster, as the specs say; what people wrote is left alone.

    Examples:

      leeward infra render
    """
    from leeward.cli import infrarepository as repository

    places = repository.here()
    members = repository.read_members(places)
    if check:
        repository.check_rendered(places, members)
    else:
        repository.tell(places, repository.write(places, members, force=force))


def diff(
    cluster: Cluster,
    other: Annotated[
        str | None, typer.Argument(metavar="[OTHER]", help="Another cluster, such as its replica.")
    ] = None,
    against: Annotated[
        str, typer.Option("--against", metavar="REVISION", help="Of version control, without OTHER.")
    ] = "HEAD",
    form: options.Output = output.Format.TABLE,
) -> None:
    """Show what changed in a spec and what that does at AWS, or how two clusters differ.

    Examples:

      leeward infra diff prod-use1

      leeward infra diff prod-use1 prod-euw1
    """
    from leeward.cli.infracomparing import compare

    compare(cluster, other, against, form)


def cost(
    cluster: Annotated[str | None, typer.Argument(metavar="[CLUSTER]", help="Without one, all.")] = None,
    against: Annotated[
        str | None,
        typer.Option(
            "--against", metavar="REVISION|CLUSTER", help="Show what a change costs: HEAD, or a cluster."
        ),
    ] = None,
    source: Annotated[
        Path | None,
        typer.Option("--refresh", metavar="FILE", help="Take prices from a JSON file; it is kept."),
    ] = None,
    manifests: Manifests = None,
    form: options.Output = output.Format.TABLE,
) -> None:
    """Show what clusters cost a month, with every group at min, at first and at max.

    Environments share it by what they request, where that is known: from the leeward.yaml that is found from
    here, or from directories.

    Examples:

      leeward infra cost prod-use1 --against HEAD
    """
    from leeward.cli.infracosting import show

    show(cluster, against, source, form, manifests or ())


def check(
    clusters: Annotated[
        list[str] | None, typer.Argument(metavar="[CLUSTER...]", help="Without one, all.")
    ] = None,
    manifests: Manifests = None,
    strict: Annotated[bool, typer.Option("--strict", help="Warnings are failures too.")] = False,
    live: Annotated[
        bool, typer.Option("--live", help="Ask AWS how many nodes there are: min must not be above.")
    ] = False,
    form: options.Output = output.Format.TABLE,
) -> None:
    """Check what neither Terraform nor a scanner can: that a zone may go, room, versions, addresses, keys.

    Exits with 1 when something does not hold. What the hosted environments run is rendered where their
    leeward.yaml is found from here, or read from directories.

    Examples:

      leeward infra check prod-use1 --manifests production=manifests/
    """
    from leeward.cli.infrachecking import check_clusters

    if not check_clusters(clusters or (), manifests or (), form, strict=strict, live=live):
        raise typer.Exit(1)
