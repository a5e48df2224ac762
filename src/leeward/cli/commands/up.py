"""``leeward up``: a Compose project on an embedded cluster, with one command."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from leeward.cli import options, output
from leeward.cli.progress import Steps

if TYPE_CHECKING:
    from leeward.cli.clusters import StartOptions
    from leeward.cli.projects import Rendered
    from leeward.cluster.statedir import StateDir
    from leeward.compose.project import Project
    from leeward.kube.client import KubeClient

T = TypeVar("T")


def up(
    files: options.Files = None,
    profiles: options.Profiles = None,
    env_files: options.EnvFiles = None,
    project_name: options.ProjectName = None,
    detach: Annotated[bool, typer.Option("--detach", "-d", help="Return when everything is up.")] = False,
    cluster: options.AnyCluster = None,
    timeout: Annotated[float, typer.Option("--timeout", help="Seconds to wait for health.")] = 120.0,
    strict: options.Strict = False,
    preview: options.Preview = None,
    ttl: Annotated[
        str | None, typer.Option("--ttl", metavar="TIME", help="How long the preview lives, such as 48h.")
    ] = None,
    images: Annotated[
        list[str] | None,
        typer.Option("--image", metavar="SERVICE=IMAGE@sha256:…", help="Of the preview; several times."),
    ] = None,
    context: options.PreviewContext = None,
) -> None:
    """Run a Compose project on an embedded three-zone Kubernetes cluster.

    Starts the cluster when it does not run, builds, applies, waits until every service is healthy and
    prints the URLs. Without -d it then follows the logs; Ctrl-C stops the project.

    With --preview it is a copy of the project with a namespace, hosts and an end of its own, on the cluster
    that leeward.yaml names for previews; bringing it up again updates it and renews its time.

    Examples:

      leeward up

      leeward up -d -f compose.yaml -f compose.qa.yaml --profile debug

      leeward up --preview pr-12 --ttl 48h
    """
    from leeward.cli import clusters
    from leeward.cli.projects import Source, render_project

    source = Source.of(files, profiles, env_files, project_name)
    options.need_preview(preview, {"--ttl": ttl, "--image": images, "--context": context})
    if preview is not None:
        from leeward.cli.previewing import Wish, bring_up

        wish = Wish.of(preview, source, cluster, context, ttl=ttl, images=images or ())
        bring_up(wish, ensure_started, timeout=timeout, strict=strict)
        return
    cluster = cluster or options.DEFAULT_CLUSTER
    state = clusters.state_of(cluster)
    was_running = state.running_pid() is not None

    def build(project: Project) -> Mapping[str, str]:
        from leeward.cli.images import images_here
        from leeward.cli.ports import check_ports

        check_ports(project, cluster)
        return images_here(project, state)

    rendered = render_project(source, strict=strict, build=build)
    ensure_started(cluster, rendered)
    running = Running(state, rendered, timeout, stops_cluster=not was_running)
    if detach:
        _bring_up_detached(running)
    else:
        _bring_up_attached(running)


@dataclass(frozen=True, slots=True)
class Running:
    """A project that is brought up on a cluster that runs."""

    state: StateDir
    rendered: Rendered
    timeout: float  # seconds to wait for health
    stops_cluster: bool  # at the end of an attached `up` that started it


def ensure_started(name: str, rendered: Rendered) -> None:
    """Start the embedded cluster that a project is brought up on, unless it runs."""
    from leeward.cli import clusters

    state = clusters.state_of(name)
    if state.running_pid() is None:
        with Steps() as steps:
            clusters.start(_start_options(name, rendered, fresh=not state.exists()), steps.show)


def _start_options(cluster: str, rendered: Rendered, *, fresh: bool) -> StartOptions:
    """Leave the ports that the project publishes to it; a fresh cluster is as leeward.yaml describes it."""
    from leeward.cli.clusters import StartOptions
    from leeward.cli.ports import published_addresses

    reserved = frozenset(port for _, port in published_addresses(rendered.project).values())
    described = rendered.config.clusters.get(cluster) if rendered.config and fresh else None
    if described is None or described.embedded is None:
        return StartOptions(name=cluster, reserved=reserved)
    zones, nodes = described.embedded.zones, described.embedded.nodes_per_zone
    return StartOptions(name=cluster, reserved=reserved, zones=zones, nodes_per_zone=nodes)


def _bring_up_detached(running: Running) -> None:
    """Deploy and return; on Ctrl-C leave everything as it is.

    Raises:
        InterruptedByUserError: Ctrl-C.
    """
    from leeward.cli.interrupts import InterruptedByUserError

    try:
        _deploy(running)
    except KeyboardInterrupt:
        raise InterruptedByUserError("what was started keeps running; `leeward down` stops it") from None
    _tell(running.state, running.rendered)


def _bring_up_attached(running: Running) -> None:
    """Deploy and follow the logs until Ctrl-C, then stop what was started.

    Raises:
        InterruptedByUserError: always, when nothing else went wrong.
    """
    from leeward.cli.interrupts import finish

    try:
        _deploy(running)
        _tell(running.state, running.rendered)
        _follow(running)
    except KeyboardInterrupt:
        name = running.rendered.project.name
        output.note(f"\nstopping {name} (volumes stay; Ctrl-C again does not wait for it)")
        raise finish(
            lambda: _stop(running),
            f"{name} is stopped" + (", and so is the cluster" if running.stops_cluster else ""),
            f"{name} is not all down yet; `leeward down` finishes it",
        ) from None


def _deploy(running: Running) -> None:
    from leeward.cli.deploy import deploy

    rendered = running.rendered
    with Steps() as steps:
        _on_cluster(
            running.state,
            lambda api: deploy(
                api,
                rendered.project.name,
                rendered.namespace,
                rendered.objects,
                timeout=running.timeout,
                show=steps.show,
            ),
        )


def _follow(running: Running) -> None:
    from leeward.cli.follow import follow_project

    namespace, services = running.rendered.namespace, list(running.rendered.project.services)
    _on_cluster(running.state, lambda api: follow_project(api, namespace, services))


def _stop(running: Running) -> None:
    """Take the project down, leaving its volumes, and the cluster that was started for it."""
    from leeward.cli import clusters
    from leeward.cli.deploy import take_down

    name, namespace = running.rendered.project.name, running.rendered.namespace
    with Steps() as steps:
        _on_cluster(
            running.state, lambda api: take_down(api, name, namespace, volumes=False, show=steps.show)
        )
        if running.stops_cluster:
            steps.show("stopping the cluster")
            clusters.stop(running.state)


def _on_cluster(state: StateDir, work: Callable[[KubeClient], Awaitable[T]]) -> T:
    """Run `work` with a client of the cluster."""
    import asyncio

    from leeward.cli.connection import connect

    async def connected() -> T:
        async with connect(state) as api:
            return await work(api)

    return asyncio.run(connected())


def _tell(state: StateDir, rendered: Rendered) -> None:
    """Print where everything is."""
    ingress = state.load()["ingressPort"]
    others = _on_cluster(state, lambda api: _hosts_of_others(api, rendered.namespace))
    output.say(f"{rendered.project.name} is up")
    for name, service in rendered.project.services.items():
        if service.ports:
            host = f"{name}.localhost"
            if host in others:
                output.note(
                    f"note: http://{host}:{ingress} is that of project {others[host]}, which came first"
                )
                host = f"{name}.{rendered.namespace}.localhost"
            urls = [f"http://{host}:{ingress}"]
            urls += [
                f"http://{port.host_ip or 'localhost'}:{port.published}"
                for port in service.ports
                if port.published
            ]
            output.say(f"  {name:<12} {'  '.join(urls)}")
    output.say(f"  {'kubectl':<12} export KUBECONFIG={state.kubeconfig}  (namespace {rendered.namespace})")


async def _hosts_of_others(api: KubeClient, namespace: str) -> dict[str, str]:
    """Return the hosts that Ingresses of other namespaces had first → namespace."""
    ingresses = await api.list("ingresses.networking.k8s.io")
    ingresses.sort(key=lambda obj: (obj["metadata"]["creationTimestamp"], obj["metadata"]["namespace"]))
    first: dict[str, str] = {}
    for ingress in ingresses:
        for rule in (ingress.get("spec") or {}).get("rules") or ():
            first.setdefault(rule.get("host") or "", ingress["metadata"]["namespace"])
    return {host: owner for host, owner in first.items() if owner != namespace}
