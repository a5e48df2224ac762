"""``leeward infra platform``: what runs inside a cluster for everybody on it, as files or applied."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from leeward.base.errors import OperationError, UserInputError
from leeward.cli import options, output
from leeward.cli.commands.promote import Yes

if TYPE_CHECKING:
    from leeward.delivery.platform import Outcome
    from leeward.infra.platform.catalog import Component
    from leeward.infra.spec import ClusterSpec
    from leeward.kube.client import KubeClient
    from leeward.kube.kubeconfig import Access
    from leeward.kube.objects import Obj

_SECONDS = 300.0
_HEADER = """\
# Rendered by leeward from the cluster's spec; render again instead of editing. To bring it to the cluster:
# leeward infra platform {name} --apply, which makes the certificate of webhooks, too.
"""


def platform(
    name: Annotated[str, typer.Argument(metavar="CLUSTER", help="The name of its directory.")],
    directory: Annotated[
        Path | None,
        typer.Option("--render", metavar="DIRECTORY", help="Write the manifests there, a file a component."),
    ] = None,
    apply: Annotated[bool, typer.Option("--apply", help="Bring them to the cluster.")] = False,
    vpc: Annotated[
        str | None,
        typer.Option("--vpc-id", metavar="ID", help="Of its VPC.  [default: found by its tags]"),
    ] = None,
    registry: Annotated[
        str | None,
        typer.Option(
            "--registry", metavar="HOST", help="Where images come from, by pull-through cache rules of ECR."
        ),
    ] = None,
    context: options.Context = None,
    timeout: Annotated[
        float, typer.Option("--timeout", min=1, help="Seconds until everything has to be up.")
    ] = _SECONDS,
    yes: Yes = False,
    force: Annotated[
        bool, typer.Option("--force", help="Take over what others manage, and files that were edited.")
    ] = False,
    form: options.Output = output.Format.TABLE,
) -> None:
    """Show, write or apply what runs in a cluster for all: load balancers, autoscaler, logs, storage class.

    Versions are pinned. Roles at AWS are Terraform's, and bound to service accounts by name: apply the
    cluster first. The certificate of the webhooks is made when it is applied, and is never in a file. What
    the spec no longer wants is removed from the cluster.

    Examples:

      leeward infra platform prod-use1

      leeward infra platform prod-use1 --render platform/prod-use1

      leeward infra platform prod-use1 --apply
    """
    from leeward.infra.platform.catalog import Choice
    from leeward.infra.platform.catalog import platform as components_of

    spec = _spec(name)
    _check(spec, vpc, registry)
    components = components_of(spec, Choice(registry=registry, vpc=vpc))
    if directory is None and not apply:
        _list(components, form)
        return
    if directory is not None:
        _write(spec, components, directory, force=force)
    if apply:
        _apply(spec, components, context, yes=yes, force=force, timeout=timeout)


def _spec(name: str) -> ClusterSpec:
    from leeward.cli.infrarepository import here, today
    from leeward.infra.places import good_spec

    return good_spec(here().read(name, Path.cwd(), today()))


def _check(spec: ClusterSpec, vpc: str | None, registry: str | None) -> None:
    import re

    from leeward.infra.platform.images import has_autoscaler

    if vpc is not None and not re.fullmatch(r"vpc-[0-9a-f]{8,17}", vpc):
        raise UserInputError(
            f"--vpc-id {vpc} is no id of a VPC", remedy="It looks like vpc-0a1b2c3d4e5f60718."
        )
    if registry is not None and not re.fullmatch(r"[a-z0-9][a-z0-9.-]*(:[0-9]+)?(/[a-z0-9._/-]+)?", registry):
        raise UserInputError(
            f"--registry {registry} is no registry",
            remedy="Name its host, such as 111122223333.dkr.ecr.us-east-1.amazonaws.com.",
        )
    if spec.network.nat == "none" and registry is None:
        output.note(
            "note: with nat: none nodes reach no public registry; --registry takes images from your account's"
        )
    if spec.autoscaler != "none" and not has_autoscaler(spec.kubernetes):
        output.note(
            f"note: no autoscaler of Kubernetes {spec.kubernetes} is known; the newest that is, is taken"
        )


def _list(components: Sequence[Component], form: output.Format) -> None:
    rows = [
        {
            "component": each.name,
            "version": each.version,
            "does": each.does,
            "objects": len(each.objects),
            "images": sorted(_images(each.objects)),
        }
        for each in components
    ]
    output.show_rows(("component", "version", "does", "objects"), rows, form)


def _images(objects: Sequence[Obj]) -> set[str]:
    pods = [((obj.get("spec") or {}).get("template") or {}).get("spec") or {} for obj in objects]
    return {container["image"] for pod in pods for container in pod.get("containers") or ()}


def _write(spec: ClusterSpec, components: Sequence[Component], directory: Path, *, force: bool) -> None:
    from leeward.delivery.platform import in_platform_order
    from leeward.render.writers.directory import write_directory
    from leeward.render.writers.yaml import to_text

    files = {
        f"{each.name}.yaml": _HEADER.format(name=spec.name) + to_text(in_platform_order(each.objects))
        for each in components
    }
    written = write_directory(files, directory, of={"platform": spec.name}, force=force)
    for verb, names in (("wrote", written.changed), ("removed", written.removed)):
        for name in names:
            output.say(f"{verb} {directory / name}")
    if not written.changed and not written.removed:
        output.say(f"{directory} is as the spec says")


def _apply(
    spec: ClusterSpec,
    components: Sequence[Component],
    context: str | None,
    *,
    yes: bool,
    force: bool,
    timeout: float,
) -> None:
    import asyncio

    from leeward.cli.confirm import confirmed

    access = _access(spec, context)
    count = sum(len(each.objects) for each in components)
    names = ", ".join(f"{each.name} {each.version}".strip() for each in components)
    output.note(f"{names}: {output.count(count, 'object')}, to the cluster at {access.server}")
    if not yes and not confirmed("Apply them?"):
        raise typer.Exit(1)
    outcome = asyncio.run(_bring(access, components, force=force, timeout=timeout))
    _tell(spec, outcome)


def _access(spec: ClusterSpec, context: str | None) -> Access:
    if context is not None:
        from leeward.cli.hub import access_of

        return access_of(context)
    from leeward.cli.eks import access_to_spec, spec_path_of

    return access_to_spec(str(spec_path_of(spec.name)))


async def _bring(access: Access, components: Sequence[Component], *, force: bool, timeout: float) -> Outcome:
    from leeward.base.clock import SystemClock
    from leeward.cli.progress import Steps
    from leeward.delivery.platform import PlatformRollout
    from leeward.infra.platform.pieces import MANAGER
    from leeward.kube.client import KubeClient
    from leeward.kube.wellknown import APP_MANAGED_BY

    async with KubeClient(access) as api:
        fitting = [each for each in components if await _has_driver(api, each)]
        objects = await _with_certificate(api, [obj for each in fitting for obj in each.objects])
        with Steps() as steps:
            rollout = PlatformRollout(
                api, SystemClock(), f"{APP_MANAGED_BY}={MANAGER}", steps.show, force=force
            )
            return await rollout.run(objects, timeout=timeout)


async def _has_driver(api: KubeClient, component: Component) -> bool:
    """Tell whether the cluster can make what the storage classes of a component promise.

    A default class without its driver, as on a cluster that only rehearses one of EKS, would let claims wait
    for ever that another class could serve.
    """
    wanted = {obj["provisioner"] for obj in component.objects if obj["kind"] == "StorageClass"}
    for driver in sorted(wanted):
        if await api.find("csidrivers.storage.k8s.io", "", driver) is None:
            output.note(f"note: {component.name} is left out: this cluster has no driver {driver}")
            return False
    return True


async def _with_certificate(api: KubeClient, objects: Sequence[Obj]) -> list[Obj]:
    """Return the objects with the certificate of the webhooks, that of the cluster or a new one."""
    from leeward.base.clock import SystemClock
    from leeward.infra.platform import balancer, pieces
    from leeward.infra.platform.certificates import kept_serving, new_serving
    from leeward.infra.platform.webhooks import KINDS, trusting
    from leeward.kube.status import ForbiddenError

    now, service = SystemClock().now(), f"{balancer.WEBHOOK_SERVICE}.{pieces.SYSTEM}.svc"
    names = (service, f"{service}.cluster.local")
    try:
        there = await api.find("secrets", pieces.SYSTEM, balancer.TLS_SECRET)
    except ForbiddenError as error:
        raise OperationError(
            f"the platform is for administrators of the cluster: {error}",
            remedy="Use a role with cluster: admin under access in the cluster's file.",
        ) from error
    data = (there or {}).get("data") or {}
    serving = kept_serving(data, names, now) or new_serving(names, now, data)
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": pieces.metadata(balancer.NAME, balancer.TLS_SECRET, pieces.SYSTEM),
        "type": "kubernetes.io/tls",
        "data": serving.data(),
    }
    return [
        *(trusting(obj, serving.authority) if obj["kind"] in KINDS else obj for obj in objects),
        secret,
    ]


def _tell(spec: ClusterSpec, outcome: Outcome) -> None:
    output.say(
        f"the platform of {spec.name} is up: {outcome.created} created, {outcome.changed} changed, "
        f"{outcome.unchanged} as they were"
    )
    for each in outcome.removed:
        output.say(f"removed {each}")


def add_to(app: typer.Typer) -> None:
    """Add this verb to those of ``leeward infra``."""
    app.command("platform")(platform)
