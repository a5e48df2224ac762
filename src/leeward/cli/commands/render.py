"""``leeward render``: the Kubernetes objects of a Compose project, for reading or for a directory."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from leeward.base.errors import OperationError, UserInputError
from leeward.cli import options, output
from leeward.cli.output import RenderFormat

if TYPE_CHECKING:
    from leeward.cli.layouts import Tree
    from leeward.cli.projects import Rendered

CLUSTER = "cluster"  # what --diff takes instead of a directory
_SHARED = (RenderFormat.KUSTOMIZE, RenderFormat.HELM)  # directories of all environments


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
        RenderFormat,
        typer.Option(
            "--format", "--output", "-o", help="kustomize and helm make a directory of all environments."
        ),
    ] = RenderFormat.YAML,
    force: Annotated[
        bool, typer.Option("--force", help="Overwrite what stands in the way in --output-dir.")
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

      leeward render --format helm --output-dir chart/

      leeward render -f compose.yaml -f compose.qa.yaml | kubectl diff -f -
    """
    from leeward.cli.projects import Source, render_project

    _check_options(form, output_dir, diff, context)
    source = Source.of(files, profiles, env_files, project_name)
    directory = output_dir or (Path(diff) if diff is not None else None)
    if form in _SHARED and directory is not None:
        from leeward.cli.layouts import shared_tree

        tree = shared_tree(form, source, environment, directory, strict=strict, notes=notes)
        _end(tree, directory, force=force, compare=diff is not None)
        return
    rendered = render_project(source, strict=strict, environment=environment, notes=notes)
    if diff is not None:
        with failures_apart():
            differs = _differs(rendered, diff, environment=environment, context=context, cluster=cluster)
        raise typer.Exit(int(differs))
    if output_dir is not None:
        from leeward.cli.layouts import plain_tree

        _end(plain_tree(rendered, environment), output_dir, force=force, compare=False)
    else:
        from leeward.render.writers import json as json_writer
        from leeward.render.writers import yaml as yaml_writer

        if form is RenderFormat.JSON:
            print(json_writer.to_text(rendered.objects), end="")
        else:
            print(yaml_writer.to_text(rendered.objects, rendered.origins), end="")


def _differs(rendered: Rendered, diff: str, *, environment: str, context: str | None, cluster: str) -> bool:
    """Print what is otherwise on a cluster or in a directory of manifests; tell whether anything is."""
    if diff == CLUSTER:
        from leeward.cli.clusterdiff import show_cluster_diff

        return show_cluster_diff(rendered, environment=environment, context=context, cluster=cluster)
    from leeward.cli.diff import show_diff

    return show_diff(rendered, Path(diff))


@contextlib.contextmanager
def failures_apart() -> Iterator[None]:
    """Let what fails have the exit code 2: 1 means that there is a difference, as for ``kubectl diff``.

    Raises:
        UserInputError: in place of an OperationError, which has the code 1.
    """
    try:
        yield
    except OperationError as error:
        raise UserInputError(str(error), remedy=error.remedy) from error


def _check_options(
    form: RenderFormat, output_dir: Path | None, diff: str | None, context: str | None
) -> None:
    """Refuse options that say nothing together.

    Raises:
        UserInputError: they do not fit.
    """
    if form in _SHARED and output_dir is None and diff in (None, CLUSTER):
        raise UserInputError(f"--format {form} makes a directory", remedy="Name it with --output-dir.")
    if form is RenderFormat.JSON and (output_dir is not None or diff is not None):
        raise UserInputError("a directory is of YAML files", remedy="Leave out --format json.")
    if diff is not None and output_dir is not None:
        raise UserInputError("--diff writes nothing", remedy="Leave out --diff, or --output-dir.")
    if context is not None and diff != CLUSTER:
        raise UserInputError("--context is for --diff cluster", remedy="Leave it out.")


def _end(tree: Tree, directory: Path, *, force: bool, compare: bool) -> None:
    """Write a directory, or print how it would change and exit with 1 if it would."""
    if compare:
        from leeward.cli.diff import show_tree_diff

        with failures_apart():
            differs = show_tree_diff(tree.files, directory)
        raise typer.Exit(int(differs))
    from leeward.render.writers.directory import write_directory

    written = write_directory(tree.files, directory, of=tree.of, force=force)
    counts = {"written": written.changed, "unchanged": written.unchanged, "removed": written.removed}
    told = ", ".join(f"{len(names)} {word}" for word, names in counts.items() if names)
    output.note(f"{output.count(len(tree.files), 'file')} in {directory}: {told}")
