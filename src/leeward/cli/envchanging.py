"""What all verbs have in common that change the variables of an environment."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from leeward.base.errors import UserInputError
from leeward.cli.hub import Application

if TYPE_CHECKING:
    from leeward.base.clock import PassiveClock
    from leeward.cli.projects import Source
    from leeward.delivery.environments.environment import Environment
    from leeward.delivery.environments.variables import Author
    from leeward.kube.client import KubeClient

T = TypeVar("T")
W = TypeVar("W")


@dataclass(frozen=True, slots=True)
class Work:
    """Where a change is made, by whom, and when."""

    api: KubeClient
    environment: Environment
    author: Author
    clock: PassiveClock

    def at(self, what: W) -> tuple[KubeClient, Environment, W, Author, PassiveClock]:
        """Return the arguments of a change of `what`."""
        return self.api, self.environment, what, self.author, self.clock


def change(application: Application, environment: str, reason: str, act: Callable[[Work], Awaitable[T]]) -> T:
    """Change the variables of an environment as whoever types this.

    Raises:
        UserInputError: there is no such environment.
        OperationError: it was not applied yet, or the cluster refuses something.
    """
    import asyncio

    from leeward.base.clock import SystemClock
    from leeward.cli.hubaccess import open_environment
    from leeward.delivery.environments.variables import Author
    from leeward.delivery.identity import who_am_i

    async def work() -> T:
        async with open_environment(application, environment) as (api, found):
            author = Author(name=await who_am_i(api), reason=reason.strip())
            return await act(Work(api, found, author, SystemClock()))

    return asyncio.run(work())


async def warn_of_idle(source: Source, work: Work, names: Iterable[str]) -> None:
    """Warn of names that have no effect in the environment, as far as the files here tell."""
    from leeward.cli import output
    from leeward.cli.envchecking import idle_names, names_used

    overlay = work.environment.overlay
    used = names_used(source, work.environment.app, overlay)
    output.show_diagnostics(idle_names(list(names), used, overlay))


def read_file(path: Path) -> Mapping[str, str]:
    """Return the variables of a file with lines of ``NAME=value``.

    Raises:
        UserInputError: it cannot be read.
        DiagnosticsError: a line is wrong.
    """
    from leeward.compose.dotenv import parse_dotenv
    from leeward.compose.findings import Findings

    findings = Findings()
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        said = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise UserInputError(
            f"{path} cannot be read: {said}", remedy="Name a file with lines of NAME=value."
        ) from error
    found = parse_dotenv(text, {}, str(path), findings)
    findings.raise_errors()
    return found
