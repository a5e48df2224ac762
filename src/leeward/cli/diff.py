"""``leeward render --diff``: what rendered objects would change, in a directory or on a cluster."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from leeward.base.errors import OperationError, UserInputError
from leeward.cli import output
from leeward.cli.projects import Rendered
from leeward.kube.objects import Obj
from leeward.render.writers.difference import differences
from leeward.render.writers.index import Index, read_index

if TYPE_CHECKING:
    from leeward.kube.kubeconfig import Access

CLUSTER = "cluster"
_AT_ONCE = 8  # requests to a cluster at a time
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
        OperationError: the cluster cannot be reached, or would refuse an object.
    """
    if against != CLUSTER:
        return _show(
            differences(read_manifests(Path(against)), rendered.objects, names=(against, "rendered"))
        )
    found = _on_cluster(rendered, _access(rendered, environment, context, cluster))
    differs = _show(differences(found.before, found.after, names=("live", "rendered")))
    if found.refusals:
        raise OperationError(
            "the cluster would refuse\n  " + "\n  ".join(found.refusals),
            remedy="Correct it in the Compose file; what cannot be changed has to be removed first.",
        )
    return differs


def show_tree_diff(files: Mapping[str, str], directory: Path) -> bool:
    """Print what would be otherwise in a directory of Kustomize or Helm; tell whether anything would.

    Args:
        files: path relative to the directory → content.
        directory: where earlier ones may be.

    Raises:
        UserInputError: there is no such directory, or something in it cannot be read.
        OperationError: its index is damaged.
    """
    from leeward.render.writers.treediff import tree_differences

    index = _require(directory)
    before = {}
    for name in {*files, *(index.files if index else ())}:
        with contextlib.suppress(FileNotFoundError):
            before[name] = _text(directory / name)
    return _show(tree_differences(before, files, names=(directory.as_posix(), "rendered")))


def _show(lines: Iterable[str]) -> bool:
    found = False
    for line in lines:
        found = True
        colour = _COLOURS.get(line[:1])
        output.say(output.paint(line, colour) if colour else line)
    return found


def _require(directory: Path) -> Index | None:
    """Return the index of a directory, which has to be there itself."""
    if not directory.is_dir():
        raise UserInputError(
            f"there is no directory {directory}",
            remedy=f"Write it with --output-dir {directory}, or say --diff cluster.",
        )
    return read_index(directory)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise
    except (OSError, UnicodeDecodeError) as error:
        raise UserInputError(f"{path} cannot be read: {error}", remedy="Render it again.") from error


def read_manifests(directory: Path) -> list[Obj]:
    """Return the objects in the YAML files of a directory: those that leeward wrote, if its index tells.

    Raises:
        UserInputError: it is no directory of manifests.
        OperationError: its index is damaged.
    """
    import yaml

    index = _require(directory)
    form = index.of.get("format", "yaml") if index else "yaml"
    if form != "yaml":
        raise UserInputError(
            f"{directory} is written for {form}",
            remedy=f"Compare it with --format {form} --diff {directory}.",
        )
    paths = [directory / name for name in index.files] if index else directory.glob("*.yaml")
    found: list[Obj] = []
    for path in sorted(paths):
        try:
            text = _text(path)
            documents = list(yaml.load_all(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)))
        except FileNotFoundError:
            continue
        except yaml.YAMLError as error:
            raise UserInputError(f"{path} cannot be read: {error}", remedy="Render it again.") from error
        for document in filter(None, documents):
            if not isinstance(document, dict) or "name" not in (document.get("metadata") or {}):
                raise UserInputError(f"{path} holds something that is no manifest", remedy="Render it again.")
            found.append(document)
    return found


@dataclass(frozen=True, slots=True)
class _Outlook:
    before: list[Obj]
    after: list[Obj]
    refusals: list[str]


def _on_cluster(rendered: Rendered, access: Access) -> _Outlook:
    import asyncio

    from leeward.cli.deploy import owned, resource_name, unwanted
    from leeward.delivery.outlook import substance
    from leeward.delivery.rehearsal import Rehearsed, rehearse
    from leeward.kube.client import KubeClient
    from leeward.render.naming import label_value

    async def look() -> _Outlook:
        async with KubeClient(access) as api:
            turns = asyncio.Semaphore(_AT_ONCE)

            async def ask(obj: Obj) -> Rehearsed:
                async with turns:
                    return await rehearse(api, resource_name(obj), obj)

            found = await asyncio.gather(*map(ask, rendered.objects))
            project = label_value(rendered.project.name)
            mine = await owned(api, project, rendered.namespace)
            gone = [substance(obj) for _, obj in unwanted(mine, rendered.objects)]
        return _Outlook(
            [substance(each.before) for each in found if each.before is not None] + gone,
            [substance(each.after) for each in found],
            [
                f"{each.after['kind']} {each.after['metadata']['name']}: {each.refusal}"
                for each in found
                if each.refusal
            ],
        )

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
