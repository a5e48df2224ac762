"""``leeward release``: immutable releases of an application, in the cluster of its first environment."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from leeward.cli import options, output

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from leeward.cli.hub import Application
    from leeward.delivery.releases.bundle import Bundle
    from leeward.kube.client import KubeClient
    from leeward.kube.objects import Obj

Context = Annotated[
    str | None, typer.Option("--context", help="Context of your kubeconfig, instead of leeward.yaml's.")
]
Environment = Annotated[
    str | None,
    typer.Option("--env", metavar="ENV", help="Whose cluster is asked; else that of the first environment."),
]
Release = Annotated[
    str, typer.Argument(metavar="RELEASE", help="Its id, the beginning of its digest, or its version.")
]


def build_app() -> typer.Typer:
    """Return the ``release`` verbs."""
    app = typer.Typer(
        help="Make immutable releases of an application, and show, export and import them.",
        no_args_is_help=True,
    )
    app.command("create")(create)
    app.command("list")(list_)
    app.command("show")(show)
    app.command("export")(export)
    app.command("import")(import_)
    app.command("render")(render_)
    return app


def create(
    version: Annotated[str, typer.Option("--version", help="What people call it, such as 1.1.")] = "",
    images: Annotated[
        list[str] | None,
        typer.Option(
            "--image", metavar="SERVICE=IMAGE@sha256:…", help="What your CI has built; several times."
        ),
    ] = None,
    files: options.Files = None,
    images_of: Annotated[
        str | None, typer.Option("--from", metavar="RELEASE", help="Take its images where none is given.")
    ] = None,
    registry: Annotated[
        str,
        typer.Option("--registry", metavar="REGISTRY", help="Where images are pushed, not leeward.yaml's."),
    ] = "",
    context: Context = None,
    cluster: options.ClusterName = options.DEFAULT_CLUSTER,
    form: options.Output = output.Format.TABLE,
) -> None:
    """Make a release of the Compose project here.

    It has the application's Compose files, every file they need, and images by digest, but no values of
    secrets: environments have those. The same project gives the same release, which is made once.

    Examples:

      leeward release create --version 1.1

      leeward release create --image web=registry.example.com/web@sha256:…
    """
    from leeward.base.clock import SystemClock
    from leeward.cli import releases
    from leeward.cli.hub import Reach, open_application
    from leeward.cli.projects import Source

    given = releases.images_given(images or [])
    source = Source.of(files, None, None, None)
    app = open_application(source, Reach(context, cluster))
    environment = releases.first_environment(app)
    prepared = releases.prepare(source, app.name)
    releases.check_services(prepared.here, given)
    wish = releases.Wish(source=source, version=version, images=given, images_of=images_of)

    async def run(api: KubeClient) -> releases.Stored:
        from leeward.cli.resolving import resolver_of

        variables = prepared.options.environment
        async with resolver_of(app, environment, variables, registry) as resolver:
            return await releases.create(api, app, wish, prepared, resolver, SystemClock())

    stored = _ask(app, environment, run)
    _tell(stored.release, new=stored.new, form=form)


def list_(
    environment: Environment = None,
    context: Context = None,
    cluster: options.ClusterName = options.DEFAULT_CLUSTER,
    form: options.Output = output.Format.TABLE,
) -> None:
    """List the releases of the application here, newest first."""
    from leeward.delivery.releases.kept import list_releases

    app, where = _application(environment, context, cluster)
    found = _ask(app, where, lambda api: list_releases(api, app.name))
    columns = ("id", "version", "commit", "by", "created")
    empty = f"no releases of {app.name} on this cluster; make one with `leeward release create`"
    output.show_rows(columns, [_row(obj) for obj in found], form, empty=empty)


def show(
    release: Release,
    environment: Environment = None,
    context: Context = None,
    cluster: options.ClusterName = options.DEFAULT_CLUSTER,
    form: options.Output = output.Format.TABLE,
) -> None:
    """Show what a release contains: images, files, variables, and the secrets that environments need."""
    import json

    from leeward.delivery.releases.bundle import bundle_of

    obj = _find(release, environment, context, cluster)
    bundle = bundle_of(obj)
    if form is output.Format.JSON:
        spec = {key: value for key, value in obj["spec"].items() if key != "content"}
        document = {"id": obj["metadata"]["name"], **spec, "content": bundle.to_content()}
        output.say(json.dumps(document, indent=2, ensure_ascii=False))
        return
    _describe(obj, bundle)


def export(
    release: Release,
    file: Annotated[str, typer.Argument(metavar="FILE", help="Where it is written to; or s3://BUCKET/KEY.")],
    environment: Environment = None,
    context: Context = None,
    cluster: options.ClusterName = options.DEFAULT_CLUSTER,
    force: Annotated[bool, typer.Option("--force", help="Overwrite an existing file.")] = False,
) -> None:
    """Write a release into a file, for another cluster or for keeping."""
    from leeward.cli.releasefiles import refuse_existing, write_release
    from leeward.delivery.releases.bundle import bundle_of

    refuse_existing(file, force=force)
    obj = _find(release, environment, context, cluster)
    bundle_of(obj)  # what is damaged is not handed on
    write_release(obj, file, force=force)
    output.say(f"{file} has release {obj['metadata']['name']}")


def import_(
    file: Annotated[
        str, typer.Argument(metavar="FILE", help="What `leeward release export` wrote; or s3://BUCKET/KEY.")
    ],
    environment: Environment = None,
    context: Context = None,
    cluster: options.ClusterName = options.DEFAULT_CLUSTER,
    form: options.Output = output.Format.TABLE,
) -> None:
    """Write a release from a file into a cluster; it is refused when anything in it was changed."""
    from leeward.base.clock import SystemClock
    from leeward.base.errors import UserInputError
    from leeward.cli import releases
    from leeward.cli.releasefiles import read_release
    from leeward.delivery.identity import who_am_i
    from leeward.delivery.installing import ensure_definitions

    obj = read_release(file)
    app, where = _application(environment, context, cluster)
    if obj["spec"]["app"] != app.name:
        raise UserInputError(
            f"{file} has a release of {obj['spec']['app']}, not of {app.name}",
            remedy=f"Import it where {obj['spec']['app']} has its leeward.yaml.",
        )

    async def run(api: KubeClient) -> releases.Stored:
        who = await who_am_i(api)
        await ensure_definitions(api)
        return await releases.store(api, app.name, obj, who, SystemClock())

    stored = _ask(app, where, run)
    _tell(stored.release, new=stored.new, form=form)


def _application(environment: str | None, context: str | None, cluster: str) -> tuple[Application, str]:
    """Return the application here, and the environment whose cluster is meant."""
    from leeward.cli.hub import Reach, open_application
    from leeward.cli.projects import Source
    from leeward.cli.releases import first_environment

    app = open_application(Source(), Reach(context, cluster))
    if environment is not None:
        app.require(environment)
    return app, environment or first_environment(app)


def _ask(app: Application, environment: str, run: Callable[[KubeClient], Awaitable[Any]]) -> Any:
    """Do something with the cluster of an environment."""
    import asyncio

    async def connected() -> Any:
        async with app.connect(environment) as api:
            return await run(api)

    return asyncio.run(connected())


def _find(release: str, environment: str | None, context: str | None, cluster: str) -> Obj:
    from leeward.delivery.releases.kept import find_release

    app, where = _application(environment, context, cluster)
    found: Obj = _ask(app, where, lambda api: find_release(api, app.name, release))
    return found


def _tell(release: Obj, *, new: bool, form: output.Format) -> None:
    """Say what became of a release."""
    import json

    name, spec = release["metadata"]["name"], release["spec"]
    if form is output.Format.JSON:
        told = {key: spec[key] for key in ("app", "digest", "version", "git", "images") if key in spec}
        output.say(json.dumps({"id": name, "new": new, **told}, indent=2, ensure_ascii=False))
        return
    called = f" ({spec['version']})" if spec.get("version") else ""
    output.say(f"release {name}{called} is new" if new else f"release {name}{called} exists already")
    for service, image in spec["images"].items():
        output.say(f"  {service}   {image}")


def _row(obj: Obj) -> dict[str, Any]:
    spec, git = obj["spec"], obj["spec"].get("git") or {}
    commit = git.get("commit", "")[:10] + ("+" if git.get("dirty") else "")
    return {
        "id": obj["metadata"]["name"],
        "version": spec.get("version", ""),
        "commit": commit,
        "by": spec.get("createdBy", ""),
        "created": obj["metadata"].get("creationTimestamp", ""),
        "digest": spec.get("digest", ""),
        "images": spec.get("images") or {},
    }


def _describe(obj: Obj, bundle: Bundle) -> None:
    row = _row(obj)
    git = obj["spec"].get("git") or {}
    changed = ", with uncommitted changes" if git.get("dirty") else ""
    output.say(f"release   {row['id']}")
    lines = {
        "version": row["version"],
        "digest": row["digest"],
        "made": f"{row['created']} by {row['by']}",
        "commit": f"{git['commit']} on {git.get('branch', '?')}{changed}" if git.get("commit") else "",
    }
    for key, value in lines.items():
        if value:
            output.say(f"{key:<9} {value}")
    _section("images", bundle.images.items())
    _section("files", ((name, f"{len(data)} bytes") for name, data in bundle.files.items()))
    _section("variables", bundle.variables.items())
    _section("secrets", ((need.name, _need(need)) for need in bundle.secrets))


def _need(need: Any) -> str:
    where = ", ".join(need.services) or "no service"
    optional = "" if need.required else ", optional"
    return f"{need.kind} of {where}{optional} ({', '.join(need.places)})"


def _section(title: str, rows: Any) -> None:
    every = list(rows)
    if not every:
        return
    output.say(title)
    width = max(len(name) for name, _ in every)
    for name, value in every:
        output.say(f"  {name.ljust(width)}   {value}")


def render_(
    release: Annotated[str | None, typer.Argument(metavar="[RELEASE]", show_default=False)] = None,
    environment: Annotated[str, typer.Option("--env", metavar="ENV", help="For which environment.")] = "",
    directory: Annotated[
        Path | None,
        typer.Option("--to-git", "--output-dir", metavar="DIR", help="Where; a folder of a Git repository."),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite what was edited there.")] = False,
    files: options.Files = None,
    project_name: options.ProjectName = None,
    context: Context = None,
    cluster: options.ClusterName = options.DEFAULT_CLUSTER,
) -> None:
    """Write what a promotion would apply, for Argo CD or Flux to sync; without values of Secrets.

    The same release gives the same files. Without RELEASE, the one that is next in the environment.

    Examples:

      leeward release render 1.2 --env production --to-git ../deploy/storefront/production
    """
    import asyncio

    from leeward.base.errors import UserInputError
    from leeward.cli.hubaccess import application_of

    if not environment or directory is None:
        raise UserInputError("say for which environment, and where: --env ENV --to-git DIR")
    application = application_of(files, project_name, context, cluster)
    asyncio.run(_render(application, release, environment, directory, force=force))


async def _render(
    application: Application, called: str | None, environment: str, directory: Path, *, force: bool
) -> None:
    from leeward.cli.promoting import describe, opened
    from leeward.delivery.environments.variables import newest_version
    from leeward.delivery.promotion.planning import render_for
    from leeward.delivery.releases.bundle import bundle_of
    from leeward.render.writers.directory import write_directory
    from leeward.render.writers.yaml import layout

    async with opened(application, environment) as place:
        found = await place.release(called)
        version = await newest_version(place.api, place.environment)
    objects, _ = render_for(bundle_of(found), place.environment, version)
    secrets = [obj["metadata"]["name"] for obj in objects if obj["kind"] == "Secret"]
    tree = layout([obj for obj in objects if obj["kind"] != "Secret"])
    of = {"project": application.name, "format": "release", "environment": environment}
    written = write_directory(tree, directory, of=of, force=force)
    output.say(f"{describe(found)} for {environment}: {output.count(len(tree), 'file')} in {directory}")
    output.say(
        f"  {len(written.changed)} written, {len(written.unchanged)} as before, "
        f"{len(written.removed)} removed"
    )
    for name in secrets:
        output.note(f"note: the Secret {name} has to be there already: its values belong into no repository")
