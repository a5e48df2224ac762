"""``leeward render``: the Kubernetes objects of a Compose project, for reading or for a directory."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from leeward.base.errors import UserInputError
from leeward.cli import options, output

if TYPE_CHECKING:
    from leeward.cli.projects import Rendered, Source


class Form(enum.StrEnum):
    """What ``--format`` takes."""

    YAML = "yaml"
    JSON = "json"
    KUSTOMIZE = "kustomize"
    HELM = "helm"


def render(
    files: options.Files = None,
    profiles: options.Profiles = None,
    env_files: options.EnvFiles = None,
    project_name: options.ProjectName = None,
    environment: Annotated[
        str, typer.Option("--env", help="Environment to render for, such as local or production.")
    ] = "local",
    output_dir: Annotated[
        Path | None, typer.Option("--output-dir", help="Write one file a service here instead of printing.")
    ] = None,
    form: Annotated[
        Form, typer.Option("--format", help="kustomize and helm make a directory: they need --output-dir.")
    ] = Form.YAML,
    force: Annotated[
        bool, typer.Option("--force", help="Overwrite files in --output-dir that leeward did not write.")
    ] = False,
    diff: Annotated[
        str | None,
        typer.Option(
            "--diff",
            metavar="DIR|cluster",
            help="Print what is otherwise in a directory, or on the environment's cluster; 1 if anything is.",
        ),
    ] = None,
    context: Annotated[
        str | None, typer.Option("--context", help="Context of your kubeconfig that --diff cluster asks.")
    ] = None,
    cluster: options.ClusterName = options.DEFAULT_CLUSTER,
    notes: Annotated[bool, typer.Option("--notes", help="Print notes too, not only warnings.")] = False,
    strict: options.Strict = False,
) -> None:
    """Print the Kubernetes objects of a Compose project.

    Needs no cluster. The same input gives the same bytes. A directory can be rendered into again: what
    leeward wrote there before is replaced or removed, what anybody else wrote is not touched.

    Examples:

      leeward render

      leeward render --env production --output-dir manifests/

      leeward render --env production --diff manifests/

      leeward render --format kustomize --output-dir deploy/

      leeward render --env production --format helm --output-dir chart/

      leeward render -f compose.yaml -f compose.qa.yaml | kubectl diff -f -
    """
    from leeward.cli.projects import Source, render_project

    _check_options(form, output_dir, diff, context)
    source = Source.of(files, profiles, env_files, project_name)
    rendered = render_project(source, strict=strict, environment=environment, notes=notes)
    if diff is not None:
        from leeward.cli.diff import show_diff

        if show_diff(rendered, diff, environment=environment, context=context, cluster=cluster):
            raise typer.Exit(1)
    elif output_dir is not None:
        _write(_files(form, rendered, source, environment), output_dir, force=force)
    else:
        from leeward.render.writers import json as json_writer
        from leeward.render.writers import yaml as yaml_writer

        if form is Form.JSON:
            print(json_writer.to_text(rendered.objects), end="")
        else:
            print(yaml_writer.to_text(rendered.objects, rendered.origins), end="")


def _check_options(form: Form, output_dir: Path | None, diff: str | None, context: str | None) -> None:
    """Refuse options that say nothing together.

    Raises:
        UserInputError: they do not fit.
    """
    if form in (Form.KUSTOMIZE, Form.HELM) and output_dir is None:
        raise UserInputError(f"--format {form} makes a directory", remedy="Name it with --output-dir.")
    if form is Form.JSON and output_dir is not None:
        raise UserInputError("a directory is of YAML files", remedy="Leave out --format, or --output-dir.")
    if diff is not None and (output_dir is not None or form is not Form.YAML):
        raise UserInputError(
            "--diff writes nothing and compares objects", remedy="Leave out --output-dir and --format."
        )
    if context is not None and diff != "cluster":
        raise UserInputError("--context is for --diff cluster", remedy="Leave it out.")


def _files(form: Form, rendered: Rendered, source: Source, environment: str) -> Mapping[str, str]:
    """Return the files of a directory, by their paths in it."""
    if form is Form.HELM:
        from leeward.render.naming import dns_label
        from leeward.render.writers.helm import helm

        return helm(dns_label(rendered.project.name), rendered.objects, rendered.origins)
    if form is Form.KUSTOMIZE:
        from leeward.cli.projects import render_project
        from leeward.render.writers.kustomize import kustomize

        known = tuple(rendered.config.environments) if rendered.config is not None else ()
        renderings = {
            name: rendered if name == environment else render_project(source, environment=name)
            for name in known or (environment,)
        }
        return kustomize({name: each.objects for name, each in renderings.items()}, rendered.origins)
    from leeward.render.writers.yaml import layout

    return layout(rendered.objects, rendered.origins)


def _write(files: Mapping[str, str], directory: Path, *, force: bool) -> None:
    from leeward.render.writers.directory import write_directory

    written = write_directory(files, directory, force=force)
    counts = {"written": written.changed, "unchanged": written.unchanged, "removed": written.removed}
    told = ", ".join(f"{len(names)} {word}" for word, names in counts.items() if names)
    output.note(f"{output.count(len(files), 'file')} in {directory}: {told}")
