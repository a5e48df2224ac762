"""Terraform from the command line: as whom it runs, what is shown while it does, and Ctrl-C."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from leeward.base.errors import UserInputError
from leeward.cli import output
from leeward.cli.progress import Steps
from leeward.infra.places import Places
from leeward.infra.spec import ClusterSpec
from leeward.infra.terraform import Terraform, find_program, program_at
from leeward.infra.terraformwords import Step

VARIABLE = "LEEWARD_TERRAFORM"
_DOING = {"create": "making", "update": "changing", "delete": "destroying"}
_DONE = {"create": "made", "update": "changed", "delete": "destroyed"}
_SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP")
_MINUTE = 60
_HEARTBEAT = 30  # without a terminal, so often a line says that something goes on


class Interruptions:
    """Passes Ctrl-C, SIGTERM and the end of the terminal on to Terraform; remembers that there was one.

    Args:
        what: goes on, for people, such as "the apply".
    """

    def __init__(self, what: str) -> None:
        self.count = 0
        self._what = what

    @contextmanager
    def passed_on(self, interrupt: Callable[[], None]) -> Iterator[None]:
        """Call `interrupt` for every one within, instead of ending."""

        def on_signal(_number: int, _frame: object) -> None:
            self.count += 1
            interrupt()
            if self.count == 1:
                with suppress(OSError):  # the terminal may be what went away
                    output.note(f"{self._what} stops when what was begun is done, and unlocks the state")
                    output.note("(Ctrl-C again stops at once; the state may then stay locked)")

        numbers = [getattr(signal, name) for name in _SIGNALS if hasattr(signal, name)]
        before = {number: signal.signal(number, on_signal) for number in numbers}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def terraform_for(
    places: Places, spec: ClusterSpec, given: str | None, interruptions: Interruptions
) -> Terraform:
    """Return Terraform for a cluster, as whom its spec says.

    Args:
        places: of the repository.
        spec: of the cluster.
        given: path of the program, on the command line.
        interruptions: take Ctrl-C while it runs.

    Raises:
        UserInputError: there is no Terraform, it is too old, or there are no credentials for a role.
    """
    path = find_program(given or os.environ.get(VARIABLE), shutil.which)
    variables = {**os.environ, **_login(spec)}
    program = program_at(path, variables)
    return Terraform(program, places.directory(spec.name), variables, Path.cwd(), interruptions.passed_on)


def _login(spec: ClusterSpec) -> Mapping[str, str]:
    """Return the variables by which Terraform is who the spec says."""
    account = spec.account
    if account.role is not None:
        from leeward.infra.aws.session import login_of, open_aws

        try:
            return open_aws(login_of(spec)).variables()
        except UserInputError as error:
            raise UserInputError(f"account.role: {error}", remedy=error.remedy) from None
    return {"AWS_PROFILE": account.profile} if account.profile else {}


class Progress:
    """Shows what Terraform does: a line a resource that is done, and what goes on meanwhile.

    Args:
        steps: shows it.
        total: how many steps there are.
    """

    def __init__(self, steps: Steps, total: int) -> None:
        self.done = 0
        self._steps = steps
        self._total = total
        self._going: dict[str, tuple[str, int]] = {}

    def __call__(self, step: Step) -> None:
        """Take a step."""
        if step.kind in ("start", "going"):
            self._going[step.about] = (_DOING.get(step.action, step.action), step.seconds)
            self._show(step)
            return
        self._going.pop(step.about, None)
        if step.kind == "failed":
            self._steps.line(f"failed: {_DOING.get(step.action, step.action)} {step.about}")
            return
        self.done += 1
        took = f" ({_time(step.seconds)})" if step.seconds else ""
        self._steps.line(
            f"[{self.done}/{self._total}] {_DONE.get(step.action, step.action)} {step.about}{took}"
        )

    def _show(self, step: Step) -> None:
        if not self._steps.is_live:
            if step.kind == "going" and step.seconds % _HEARTBEAT == 0:
                self._steps.line(f"… {self._going[step.about][0]} {step.about} ({_time(step.seconds)})")
            return
        about, (doing, seconds) = max(self._going.items(), key=lambda item: item[1][1])
        more = f" and {len(self._going) - 1} more" if len(self._going) > 1 else ""
        took = f" ({_time(seconds)})" if seconds else ""
        self._steps.show(f"[{self.done}/{self._total}] {doing} {about}{took}{more}")


def _time(seconds: int) -> str:
    minutes, rest = divmod(seconds, _MINUTE)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
