"""``leeward check``: what becomes of every key of a Compose project on Kubernetes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from leeward.cli import options, output

if TYPE_CHECKING:
    from leeward.cli.projects import Source
    from leeward.render.support.report import Report


def check(
    files: options.Files = None,
    profiles: options.Profiles = None,
    env_files: options.EnvFiles = None,
    project_name: options.ProjectName = None,
    environment: Annotated[
        str, typer.Option("--env", help="Environment to check for, such as local or production.")
    ] = "local",
    form: options.ReportOutput = output.ReportFormat.TABLE,
    all_keys: Annotated[
        bool, typer.Option("--all", help="List exact keys too, not only their number.")
    ] = False,
    strict: options.Strict = False,
) -> None:
    """Report how faithfully Kubernetes keeps what a Compose project says.

    Exit code 0; 1 when a key is refused or, with --strict, when there is a warning; 2 when the files
    cannot be loaded. A line in leeward.waivers.yaml next to the Compose file accepts a finding.

    Examples:

      leeward check

      leeward check --strict --env production

      leeward check --output sarif > leeward.sarif
    """
    from leeward.base.errors import DiagnosticsError
    from leeward.cli.projects import Source
    from leeward.cli.report import show_report
    from leeward.render.support.report import report_of_failure

    try:
        report = _report(Source.of(files, profiles, env_files, project_name), environment)
    except DiagnosticsError as error:
        show_report(report_of_failure(error.diagnostics), form, all_keys=all_keys)
        raise typer.Exit(error.exit_code) from None
    show_report(report, form, all_keys=all_keys)
    if report.fails(strict=strict):
        raise typer.Exit(1)


def _report(source: Source, environment: str) -> Report:
    """Load and render a project; return the report of it.

    Raises:
        DiagnosticsError: its files, or its waivers, cannot be loaded.
    """
    from leeward.base.collector import collection_paused
    from leeward.cli.projects import open_project
    from leeward.cli.waivers import sort_by_waivers
    from leeward.render.render import render
    from leeward.render.support.report import report_of

    with collection_paused():
        opened = open_project(source, environment)
        result = render(opened.project, opened.options)
        found = list(dict.fromkeys([*opened.diagnostics, *result.diagnostics]))
        return report_of(opened.project, sort_by_waivers(opened.project, found))
