"""``leeward scale``: how many Pods a service has."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated

import typer

from leeward.base.errors import OperationError, UserInputError
from leeward.cli import options, output

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from leeward.cli.room import Room, Whereabouts
    from leeward.delivery.services import Service

_MANAGER = "leeward-scale"  # in an environment: what a promotion finds that would take it back
_SCALABLE = ("Deployment", "StatefulSet")


def scale(
    counts: Annotated[list[str], typer.Argument(metavar="SERVICE=N...", help="Such as web=5.")],
    environment: options.Environment = None,
    files: options.Files = None,
    env_files: options.EnvFiles = None,
    project_name: options.ProjectName = None,
    context: options.Context = None,
    cluster: options.ClusterName = options.DEFAULT_CLUSTER,
) -> None:
    """Set the number of Pods of services, until the next ``leeward up``.

    In an environment it is a change by hand: ``leeward drift`` lists it, and a promotion that would take it
    back stops and says so, until it is promoted with --force. Write what is to stay under `replicas` in
    leeward.yaml.

    Examples:

      leeward scale web=5 api=4

      leeward scale --env production web=12
    """
    import asyncio

    from leeward.cli.room import Whereabouts

    asked = _counts(counts)
    where = Whereabouts(
        environment=environment, files=files, env_files=env_files, project_name=project_name,
        context=context, cluster=cluster,
    )  # fmt: skip
    asyncio.run(_scale(where, asked))
    if environment is not None:
        output.note(f"to keep it: replicas of {environment} in leeward.yaml, then leeward env apply")


async def _scale(where: Whereabouts, asked: Mapping[str, int]) -> None:
    from leeward.cli.room import entered

    async with entered(where) as room:
        wanted = {room.service(name).name: count for name, count in asked.items()}
        found = {name: room.services[name] for name in wanted}
        _refuse_others(found)
        if where.environment is not None:
            await _refuse_autoscaled(room, found)
        done: list[str] = []
        try:
            for name, count in sorted(wanted.items()):
                await _scale_one(room, found[name], count)
                done.append(f"{name}={count}")
        finally:  # what was done is told, also when the next one is refused
            if done:
                await room.record("scale", "succeeded", services=done)


async def _scale_one(room: Room, service: Service, count: int) -> None:
    from leeward.delivery.health import WORKLOADS

    workload, resource = service.workload, WORKLOADS[service.kind]
    title, patch = workload["metadata"]["name"], {"spec": {"replicas": count}}
    if room.environment is None:
        await room.api.patch(resource, room.namespace, title, patch)
    else:
        await room.api.patch(
            resource, room.namespace, title, patch,
            patch_type="merge", subresource="scale", manager=_MANAGER,
        )  # fmt: skip
    output.say(f"{service.name}: {workload['spec'].get('replicas', 1)} -> {count}")
    if workload["spec"].get("volumeClaimTemplates") and count > 1:
        output.note(f"note: each Pod of {service.name} has a volume of its own; they share no data")


def _refuse_others(found: Mapping[str, Service]) -> None:
    """Refuse what has no number of its own.

    Raises:
        OperationError: a job, or a service in the Pods of another one.
    """
    missing = sorted(
        name for name, each in found.items() if each.kind not in _SCALABLE or each.host != each.name
    )
    if missing:
        raise OperationError(
            f"{', '.join(missing)} cannot be scaled: not up, or not a service with replicas",
            remedy="Nothing was scaled; `leeward ps` shows what runs.",
        )


async def _refuse_autoscaled(room: Room, found: Mapping[str, Service]) -> None:
    """Refuse what an autoscaler would set back at once.

    Raises:
        OperationError: there is such a service.
    """
    every = await room.api.list("horizontalpodautoscalers.autoscaling", room.namespace)
    targets = {
        (each["spec"]["scaleTargetRef"]["kind"], each["spec"]["scaleTargetRef"]["name"]) for each in every
    }
    mine = sorted(
        name for name, each in found.items() if (each.kind, each.workload["metadata"]["name"]) in targets
    )
    if mine:
        raise OperationError(
            f"{', '.join(mine)} cannot be scaled by hand: an autoscaler does it",
            remedy="Nothing was scaled. Its bounds are `autoscale` under x-leeward in the Compose file.",
        )


def _counts(texts: Sequence[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for name, count in map(_parse, texts):
        if found.setdefault(name, count) != count:
            raise UserInputError(f"{name} cannot have both {found[name]} and {count} Pods")
    return found


def _parse(text: str) -> tuple[str, int]:
    match = re.fullmatch(r"([\w.-]+)=(\d{1,4})", text)
    if match is None:
        raise UserInputError(f"{text!r} is not SERVICE=N", remedy="Write it as in `leeward scale web=5`.")
    return match.group(1), int(match.group(2))
