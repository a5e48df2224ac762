"""The edge between a person and leeward: arguments in, exit code and messages out.

Exit codes: 0 done, 1 failed, 2 wrong usage or wrong input, 130 interrupted. A deliberate error is
printed as a message and a remedy; anything else is a bug and says so, with the traceback.
"""

from __future__ import annotations

import sys
from typing import Any, NoReturn

import typer

from leeward import __version__
from leeward.base.errors import DiagnosticsError, LeewardError
from leeward.cli import output
from leeward.cli.catalog import LazyVerbs, add_commands
from leeward.cli.interrupts import INTERRUPTED, InterruptedByUserError

EPILOG = "Start with `leeward up` in a directory with a Compose file."


def build_app() -> typer.Typer:
    """Return the command line with every verb of the catalog."""
    app = typer.Typer(
        name="leeward",
        cls=LazyVerbs,
        help="Run Compose projects on a multi-zone Kubernetes cluster: embedded here, or any real one.",
        epilog=EPILOG,
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,  # formatting with rich takes longer to import than everything else
        context_settings={"help_option_names": ["-h", "--help"]},
    )

    @app.callback(invoke_without_command=True)
    def root(
        version: bool = typer.Option(False, "--version", help="Print the version and exit.", is_eager=True),
    ) -> None:
        """Run Compose projects on a multi-zone Kubernetes cluster: embedded here, or any real one."""
        if version:
            print(f"leeward {__version__}")
            raise typer.Exit

    add_commands(app)
    return app


def main() -> NoReturn:
    """Run the command line and exit."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Run one command line; returns its exit code."""
    try:
        result = build_app()(arguments, standalone_mode=False)
    except DiagnosticsError as error:
        output.show_diagnostics(error.diagnostics)
        return error.exit_code
    except InterruptedByUserError as error:
        output.note(f"interrupted: {error}")
        return error.exit_code
    except LeewardError as error:
        output.error(str(error), getattr(error, "remedy", ""))
        return error.exit_code
    except KeyboardInterrupt:
        output.note("interrupted")
        return INTERRUPTED
    except BrokenPipeError:
        sys.stderr.close()
        return 0
    except Exception as error:  # noqa: BLE001 - the outermost edge: a bug is reported as one
        return _unexpected(error)
    if result == INTERRUPTED:  # typer makes this of KeyboardInterrupt
        output.note("interrupted")
    return int(result) if isinstance(result, int) else 0


def _unexpected(error: Exception) -> int:
    """Tell usage errors, which are typer's, from bugs."""
    if isinstance(error, typer.Exit):
        return int(error.exit_code)
    if isinstance(error, typer.Abort):
        output.note("interrupted")
        return INTERRUPTED
    if any(kind.__name__ == "ClickException" for kind in type(error).__mro__):  # typer brings its own click
        show: Any = error
        show.show()
        return int(show.exit_code)
    output.bug(error)
    return 1
