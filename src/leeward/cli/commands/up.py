"""``leeward up``: a Compose project on an embedded cluster, with one command."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Annotated, Any

import typer

from leeward.cli import clusters, options, output
from leeward.cli.progress import Steps


def up(
    files: options.Files = None,
    profiles: options.Profiles = None,
    env_files: options.EnvFiles = None,
    project_name: options.ProjectName = None,
    detach: Annotated[bool, typer.Option("--detach", "-d", help="Return when everything is up.")] = False,
    cluster: options.ClusterName = clusters.DEFAULT_NAME,
    timeout: Annotated[float, typer.Option("--timeout", help="Seconds to wait for health.")] = 120.0,
    strict: options.Strict = False,
) -> None:
    """Run a Compose project on an embedded three-zone Kubernetes cluster.

    Starts the cluster when it does not run, builds, applies, waits until every service is healthy and
    prints the URLs. Without -d it then follows the logs; Ctrl-C stops the project.

    Examples:

      leeward up

      leeward up -d -f compose.yaml -f compose.qa.yaml --profile debug
    """
    from leeward.cli.images import check_ports, prepare_images
    from leeward.cli.projects import Source, render_project

    state = clusters.state_of(cluster)
    was_running = state.running_pid() is not None
    source = Source.of(files, profiles, env_files, project_name)

    def build(project: Any) -> Mapping[str, str]:
        published = asyncio.run(_published(state, project.name)) if was_running else set()
        check_ports(project, published)
        if _runtime(state) == "simulated":
            return {}
        return prepare_images(project, state)

    rendered = render_project(source, strict=strict, build=build)
    with Steps() as steps:
        if not was_running:
            state = clusters.start(clusters.StartOptions(name=cluster), steps.show)
        asyncio.run(_deploy(state, rendered, timeout, steps))
    _tell(state, rendered)
    if not detach:
        asyncio.run(_attach(state, rendered))
        if not was_running:
            clusters.stop(state)


def _runtime(state: Any) -> str:
    return str(state.load()["runtime"]) if state.exists() else "auto"


async def _published(state: Any, project: str) -> set[tuple[str, int]]:
    """Return what the project publishes already: those ports are taken by itself."""
    from leeward.cli.connection import connect
    from leeward.delivery.apply import project_selector
    from leeward.kube.objects import annotations_of
    from leeward.kube.wellknown import PUBLISHED_PORTS

    async with connect(state) as api:
        services = await api.list("services", label_selector=project_selector(project))
    texts = [annotations_of(service).get(PUBLISHED_PORTS, "[]") for service in services]
    return {
        (entry.get("hostIP") or "127.0.0.1", int(entry["published"]))
        for text in texts
        for entry in json.loads(text)
    }


async def _deploy(state: Any, rendered: Any, timeout: float, steps: Steps) -> None:
    from leeward.cli.connection import connect
    from leeward.cli.deploy import deploy

    async with connect(state) as api:
        await deploy(
            api, rendered.project.name, rendered.namespace, rendered.objects, timeout=timeout, show=steps.show
        )


def _tell(state: Any, rendered: Any) -> None:
    """Print where everything is."""
    record = state.load()
    ingress = record["ingressPort"]
    output.say(f"{rendered.project.name} is up")
    for name, service in rendered.project.services.items():
        if service.ports:
            urls = [f"http://{name}.localhost:{ingress}"]
            urls += [
                f"http://{port.host_ip or 'localhost'}:{port.published}"
                for port in service.ports
                if port.published
            ]
            output.say(f"  {name:<12} {'  '.join(urls)}")
    output.say(f"  {'kubectl':<12} export KUBECONFIG={state.kubeconfig}  (namespace {rendered.namespace})")


async def _attach(state: Any, rendered: Any) -> None:
    """Follow all logs until Ctrl-C, then take the project down, leaving its volumes."""
    from leeward.cli.connection import connect
    from leeward.cli.deploy import take_down
    from leeward.cli.follow import follow_project

    async with connect(state) as api:
        try:
            await follow_project(api, rendered.namespace, list(rendered.project.services))
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is not None:
                task.uncancel()
        output.note("\nstopping (volumes stay)")
        with Steps() as steps:
            await take_down(api, rendered.project.name, rendered.namespace, volumes=False, show=steps.show)
