"""``leeward cluster``: the embedded cluster as a whole."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from leeward.cli import options, output
from leeward.cli.confirm import confirmed
from leeward.cli.progress import Steps

if TYPE_CHECKING:
    from leeward.cli.clusterfrom import Shape
    from leeward.cli.clusters import StartOptions
    from leeward.cluster.statedir import StateDir


def build_app() -> typer.Typer:
    """Return the ``cluster`` verbs."""
    app = typer.Typer(help="Start, stop and show embedded clusters.", no_args_is_help=True)
    app.command("start")(start)
    app.command("stop")(stop)
    app.command("status")(status)
    app.command("delete")(delete)
    return app


def start(
    name: options.Name = options.DEFAULT_CLUSTER,
    state: Annotated[
        Path | None, typer.Option("--state", metavar="DIRECTORY", help="Where the cluster keeps everything.")
    ] = None,
    port: Annotated[int | None, typer.Option("--port", help="Port of the Kubernetes API.")] = None,
    ingress_port: Annotated[int | None, typer.Option("--ingress-port", help="Port of the ingress.")] = None,
    zones: Annotated[int | None, typer.Option("--zones", help="Availability zones.  [default: 3]")] = None,
    nodes_per_zone: Annotated[
        int | None, typer.Option("--nodes-per-zone", help="Nodes in each zone.  [default: 2]")
    ] = None,
    nodes: Annotated[
        int | None, typer.Option("--nodes", help="Nodes in all zones together, instead of in each.")
    ] = None,
    node_size: Annotated[
        str | None,
        typer.Option("--node-size", metavar="SIZE", help="Of each node: 32cpu,256Gi  [default: 4cpu,8Gi]"),
    ] = None,
    node_group: Annotated[
        list[str] | None,
        typer.Option("--node-group", metavar="NAME:NODES:SIZE", help="Nodes that are alike; several times."),
    ] = None,
    spec: Annotated[
        Path | None,
        typer.Option(
            "--from", metavar="DIRECTORY", help="Of a cluster spec, whose zones and node groups it gets."
        ),
    ] = None,
    runtime: Annotated[
        str | None, typer.Option("--runtime", help="auto, process or simulated.  [default: auto]")
    ] = None,
    simulate: Annotated[
        str | None,
        typer.Option("--simulate", metavar="STAGES", help='Simulated containers: "pull=1s..5s crash=0.01".'),
    ] = None,
    seed: Annotated[int | None, typer.Option("--seed", help="Of what is drawn for them.")] = None,
    scheduler_config: Annotated[
        Path | None,
        typer.Option("--scheduler-config", metavar="FILE", help="A KubeSchedulerConfiguration; it is kept."),
    ] = None,
    foreground: Annotated[bool, typer.Option("--foreground", help="Stay, and stop with Ctrl-C.")] = False,
    merge_kubeconfig: Annotated[
        bool, typer.Option("--merge-kubeconfig", help="Also add a context to your own kubeconfig.")
    ] = False,
) -> None:
    """Start a cluster; returns when its API is ready and all nodes are.

    Examples:

      leeward cluster start

      leeward cluster start --name big --runtime simulated --nodes 1000 --node-size 32cpu,256Gi

      leeward cluster start --name rehearsal --from clusters/prod-use1
    """
    from leeward.cli import clusters

    wanted = clusters.StartOptions(
        name=name,
        state=state,
        port=port,
        ingress_port=ingress_port,
        zones=zones,
        nodes_per_zone=nodes_per_zone,
        nodes=nodes,
        node_size=node_size,
        node_groups=tuple(node_group or ()),
        shape=_shape(spec),
        runtime=runtime,
        simulate=simulate,
        seed=seed,
        scheduler_config=scheduler_config,
    )
    if foreground:
        _run_in_foreground(wanted)
        return
    with Steps() as steps:
        where = clusters.start(wanted, steps.show)
    _tell(name, where)
    if merge_kubeconfig:
        _merge(name, where)


def _shape(spec: Path | None) -> Shape | None:
    if spec is None:
        return None
    from leeward.cli.clusterfrom import read_shape

    return read_shape(spec)


def _run_in_foreground(wanted: StartOptions) -> None:
    from leeward.cli import clusters
    from leeward.cluster import daemon

    where = clusters.prepare(wanted)
    code = daemon.run(where, None)
    if code:
        raise typer.Exit(code)


def _tell(name: str, where: Any) -> None:
    record = where.load()
    output.say(f"cluster {name} is ready: {_nodes_in(record)} nodes in {len(record['zones'])} zones")
    output.say(f"  Kubernetes API  https://127.0.0.1:{record['apiPort']}")
    output.say(f"  ingress         http://<service>.localhost:{record['ingressPort']}")
    output.say(f"  kubectl         export KUBECONFIG={where.kubeconfig}")


def _nodes_in(record: dict[str, Any]) -> int:
    from leeward.cluster.statedir import groups_from_record

    return sum(group.nodes for group in groups_from_record(record))


def _merge(name: str, where: Any) -> None:
    import os

    from leeward.kube.kubeconfig import load_kubeconfig, merge_into_file

    first = (os.environ.get("KUBECONFIG") or str(Path.home() / ".kube" / "config")).split(os.pathsep)[0]
    merge_into_file(load_kubeconfig(where.kubeconfig), Path(first), switch=False)
    output.say(f"  context         leeward-{name} in {first}")


def stop(name: options.Name = options.DEFAULT_CLUSTER) -> None:
    """Stop a cluster; its objects and volumes stay for the next start."""
    from leeward.cli import clusters

    if not clusters.stop(_known(name)):
        output.note(f"cluster {name} was not running")
        return
    output.say(f"cluster {name} is stopped")


def delete(
    name: options.Name = options.DEFAULT_CLUSTER,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Stop a cluster and remove its objects, images and volumes for good."""
    from leeward.cli import clusters

    state = _known(name)
    if not yes and not confirmed(f"Remove cluster {name} and everything in {state.root}?"):
        raise typer.Exit(1)
    left = clusters.delete(name, state)
    output.say(f"cluster {name} is removed")
    if left:
        output.note(f"{state.root} stays: it holds {', '.join(path.name for path in left)}")


def _known(name: str) -> StateDir:
    """Return the state of a cluster that was started once.

    Raises:
        OperationError: there is none of that name.
    """
    from leeward.base.errors import OperationError
    from leeward.cli import clusters

    state = clusters.state_of(name)
    if not state.exists():
        known = clusters.known_names()
        raise OperationError(
            f"there is no cluster {name!r}",
            remedy=f"There are: {', '.join(known)}." if known else "There are none at all.",
        )
    return state


def status(
    name: Annotated[
        str | None, typer.Option("--name", "--cluster", metavar="NAME", help="Only this cluster.")
    ] = None,
    form: options.Output = output.Format.TABLE,
) -> None:
    """List the clusters of this user, and whether they run."""
    from leeward.cli import clusters

    if name is not None:
        _known(name)
    names = clusters.known_names() if name is None else [name]
    rows = [_status_row(each) if name is not None else _readable_row(each) for each in names]
    columns = ("name", "status", "nodes", "zones", "runtime", "api", "ingress", "state")
    output.show_rows(columns, rows, form, empty="no clusters; start one with `leeward cluster start`")


def _readable_row(name: str) -> dict[str, Any]:
    """Return the row of a cluster in a list of all: one that cannot be read does not hide the others."""
    from leeward.base.errors import LeewardError

    try:
        return _status_row(name)
    except LeewardError as error:
        output.note(f"{name}: {error}")
        return {"name": name, "status": "unreadable"}


def _status_row(name: str) -> dict[str, Any]:
    import asyncio

    from leeward.cli import clusters

    state = clusters.state_of(name)
    record = state.load()
    running = state.running_pid() is not None
    total = _nodes_in(record)
    row: dict[str, Any] = {
        "name": name,
        "status": "running" if running else "stopped",
        "nodes": f"0/{total}",
        "zones": len(record["zones"]),
        "runtime": record["runtime"],
        "api": f"https://127.0.0.1:{record['apiPort']}",
        "ingress": f"http://127.0.0.1:{record['ingressPort']}",
        "state": str(state.root),
    }
    if running:
        row.update(asyncio.run(_live(state, total)))
    return row


async def _live(state: Any, total: int) -> dict[str, Any]:
    """Ask the API how many nodes are ready and what runs their containers."""
    from leeward.base.errors import LeewardError
    from leeward.cli.connection import connect
    from leeward.kube.objects import is_condition_true

    try:
        async with connect(state) as api:
            nodes = await api.list("nodes")
    except (LeewardError, OSError):
        return {"status": "not answering"}
    ready = sum(1 for node in nodes if is_condition_true(node, "Ready"))
    infos = [(node.get("status") or {}).get("nodeInfo") or {} for node in nodes]
    runtimes = {info.get("containerRuntimeVersion", "").split(":")[0] for info in infos}
    return {"nodes": f"{ready}/{total}", "runtime": ", ".join(sorted(filter(None, runtimes)))}
