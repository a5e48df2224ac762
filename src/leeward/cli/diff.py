"""``leeward render --diff``: what rendered objects would change, in a directory or on a cluster."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from leeward.base.errors import UserInputError
from leeward.cli import output
from leeward.cli.projects import Rendered
from leeward.kube.objects import Obj, key_of
from leeward.render.writers.difference import differences

if TYPE_CHECKING:
    from leeward.kube.kubeconfig import Access

CLUSTER = "cluster"
_COLOURS = {"-": "31", "+": "32", "@": "36"}


def show_diff(
    rendered: Rendered, against: str, *, environment: str, context: str | None, cluster: str
) -> bool:
    """Print what is otherwise; tell whether anything is.

    Args:
        rendered: what shall be there.
        against: a directory that was rendered into, or "cluster".
        environment: whose cluster is meant.
        context: of the kubeconfig, instead of the environment's.
        cluster: the embedded one that is meant where the environment has no context.

    Raises:
        UserInputError: there is no such directory, or something in it is no manifest.
        OperationError: the cluster cannot be reached.
    """
    if against == CLUSTER:
        before, after = _on_cluster(rendered, _access(rendered, environment, context, cluster))
    else:
        before, after = read_manifests(Path(against)), rendered.objects
    found = False
    for line in differences(before, after, names=("live" if against == CLUSTER else against, "rendered")):
        found = True
        output.say(output.paint(line, _COLOURS.get(line[:1], "0")))
    return found


def read_manifests(directory: Path) -> list[Obj]:
    """Return the objects in the YAML files of a directory.

    Raises:
        UserInputError: it is no directory of manifests.
    """
    import yaml

    if not directory.is_dir():
        raise UserInputError(
            f"there is no directory {directory}",
            remedy=f"Write it with --output-dir {directory}, or say --diff cluster.",
        )
    if any((directory / name).exists() for name in ("kustomization.yaml", "base", "Chart.yaml")):
        raise UserInputError(
            f"{directory} is for Kustomize or Helm, not of plain manifests",
            remedy="Name a directory that --output-dir wrote as YAML, or say --diff cluster.",
        )
    found: list[Obj] = []
    for path in sorted(directory.glob("*.yaml")):
        try:
            documents = list(
                yaml.load_all(path.read_bytes(), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
            )
        except (yaml.YAMLError, OSError) as error:
            raise UserInputError(f"{path} cannot be read: {error}", remedy="Render it again.") from error
        for document in filter(None, documents):
            if not isinstance(document, dict) or "name" not in (document.get("metadata") or {}):
                raise UserInputError(f"{path} holds something that is no manifest", remedy="Render it again.")
            found.append(document)
    return found


def _on_cluster(rendered: Rendered, access: Access) -> tuple[Sequence[Obj], Sequence[Obj]]:
    import asyncio

    from leeward.cli.deploy import owned, resource_name, unwanted
    from leeward.delivery.outlook import applied, substance
    from leeward.kube.client import KubeClient
    from leeward.render.naming import label_value

    async def look() -> tuple[list[Obj], list[Obj]]:
        before, after = [], []
        async with KubeClient(access) as api:
            for obj in rendered.objects:
                live = await api.find(resource_name(obj), *key_of(obj))
                before += [substance(live)] if live is not None else []
                after.append(substance(obj if live is None else applied(live, obj)))
            project = label_value(rendered.project.name)
            mine = await owned(api, project, rendered.namespace)
            before += [substance(obj) for _, obj in unwanted(mine, rendered.objects)]
        return before, after

    return asyncio.run(look())


def _access(rendered: Rendered, environment: str, context: str | None, cluster: str) -> Access:
    """Return how to reach the context named, else the cluster of the environment, else the embedded one."""
    from leeward.cli import clusters
    from leeward.kube.kubeconfig import load_access

    known = rendered.config.environments.get(environment) if rendered.config else None
    if context is None and known is not None and rendered.config is not None:
        context = rendered.config.cluster_of(known).context
    if context is None:
        return load_access(clusters.require_running(cluster).kubeconfig)
    named = os.environ.get("KUBECONFIG") or str(Path.home() / ".kube" / "config")
    return load_access([Path(part) for part in named.split(os.pathsep) if part], context=context)
