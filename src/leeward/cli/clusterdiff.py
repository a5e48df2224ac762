"""``leeward render --diff cluster``: what applying the rendered objects would change on a cluster."""

from __future__ import annotations

import asyncio
from collections.abc import Container, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from leeward.base.errors import OperationError
from leeward.cli.diff import show
from leeward.cli.hub import Reach, access_to
from leeward.cli.projects import Rendered
from leeward.delivery.live import owned, resource_name, unwanted
from leeward.delivery.outlook import substance
from leeward.delivery.rehearsal import Rehearsed, rehearse
from leeward.kube.client import KubeClient
from leeward.kube.objects import Obj
from leeward.render.naming import label_value
from leeward.render.writers.difference import differences

if TYPE_CHECKING:
    from leeward.kube.kubeconfig import Access

_BUILT = "leeward.local/"  # images that `leeward up` builds
_AT_ONCE = 8  # requests to a cluster at a time


def show_cluster_diff(rendered: Rendered, *, environment: str, context: str | None, cluster: str) -> bool:
    """Print what is otherwise on a cluster; tell whether anything is.

    Args:
        rendered: what shall be there.
        environment: whose cluster is meant.
        context: of the kubeconfig, instead of the environment's.
        cluster: the embedded one that is meant where the environment has no context.

    Raises:
        UserInputError: it is not known how to reach the cluster.
        OperationError: the cluster cannot be reached, or would refuse an object.
    """
    found = asyncio.run(_look(rendered, access_to(rendered.config, environment, Reach(context, cluster))))
    differs = show(differences(found.before, found.after, names=("live", "rendered")))
    if found.refusals:
        raise OperationError(
            "the cluster would refuse\n  " + "\n  ".join(found.refusals),
            remedy="Correct it in the Compose file; what cannot be changed has to be removed first.",
        )
    return differs


@dataclass(frozen=True, slots=True)
class _Outlook:
    before: list[Obj]
    after: list[Obj]
    refusals: list[str]


async def _look(rendered: Rendered, access: Access) -> _Outlook:
    built = {service.image for service in rendered.project.services.values() if service.build} - {None}
    async with KubeClient(access) as api:
        turns = asyncio.Semaphore(_AT_ONCE)

        async def ask(obj: Obj) -> Rehearsed:
            async with turns:
                return await rehearse(api, resource_name(obj), obj)

        mine = await owned(api, label_value(rendered.project.name), rendered.namespace)
        there = {_key(obj): obj for _, obj in mine}
        wanted = [as_built(obj, there.get(_key(obj)), built) for obj in rendered.objects]
        found = await asyncio.gather(*map(ask, wanted))
    gone = [substance(obj) for _, obj in unwanted(mine, rendered.objects)]
    return _Outlook(
        [substance(each.before) for each in found if each.before is not None] + gone,
        [substance(each.after) for each in found],
        ["{} {}: {}".format(*_key(each.after), each.refusal) for each in found if each.refusal],
    )


def _key(obj: Obj) -> tuple[str, str]:
    return obj["kind"], obj["metadata"]["name"]


def as_built(desired: Any, live: Any, images: Container[str | None]) -> Any:
    """Return `desired` with the tags of images that were built here, which only building could tell.

    Args:
        desired: an object or a part of it.
        live: the same of the cluster, or None.
        images: names that services which are built have in the Compose file.
    """
    if isinstance(desired, Mapping) and isinstance(live, Mapping):
        return {key: as_built(inner, live.get(key), images) for key, inner in desired.items()}
    if isinstance(desired, list) and isinstance(live, list):
        named = {each["name"]: each for each in live if isinstance(each, Mapping) and "name" in each}
        return [
            as_built(each, named.get(each.get("name")), images) if isinstance(each, Mapping) else each
            for each in desired
        ]
    if not (isinstance(desired, str) and isinstance(live, str) and live.startswith(_BUILT)):
        return desired
    return live if desired in images or desired.startswith(_BUILT) else desired
