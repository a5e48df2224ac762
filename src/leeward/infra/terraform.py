"""Runs Terraform, or OpenTofu, in the directory of one cluster.

It is told what to do by its own commands and answers in its own JSON; nothing of it is reimplemented. It runs
apart from the terminal: Ctrl-C is passed on once, so that it ends what it has begun and unlocks the state.

Invariants: what is applied is the plan that was shown, from its file; nobody is asked anything by Terraform.

Source: ``terraform init``, ``plan``, ``show``, ``apply`` and "Running Terraform in Automation".
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import signal
import subprocess
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

from leeward.base.diagnostics import Diagnostic, Severity
from leeward.base.errors import DiagnosticsError, OperationError, UserInputError
from leeward.infra.terraformerrors import known_error, needs_init, remedy_for
from leeward.infra.terraformwords import Step, parse_line

LEAST = (1, 10)  # locks of the state in S3 without a table
_NAMES = ("terraform", "tofu")
_STAMP = "leeward-init"  # in .terraform: for which files init ran
_INSTALL = (
    "Install Terraform (developer.hashicorp.com/terraform/install) or OpenTofu (opentofu.org), 1.10 or "
    "newer, or name it: --terraform PATH, or the variable LEEWARD_TERRAFORM."
)
_MATTERS = re.compile(  # lines of a file that init looks at
    rb"""^\s*(?:(?:module|backend)\s+"|(?:source|version)\s*=|required_\w+).*$""", re.MULTILINE
)
_PRINTED = 20  # lines of Terraform's that are told when it says nothing else
Passing = Callable[[Callable[[], None]], AbstractContextManager[None]]
"""Given what interrupts Terraform: passes interruptions on to it, instead of ending this program, within."""


class TerraformError(DiagnosticsError):
    """Terraform was rightly asked and failed, as at AWS."""

    exit_code: ClassVar[int] = 1


@dataclass(frozen=True, slots=True)
class Program:
    """A Terraform that is new enough."""

    path: str
    version: str


def find_program(given: str | None, which: Callable[[str], str | None]) -> str:
    """Return the path of Terraform, or OpenTofu.

    Args:
        given: by the person; None: what is installed.
        which: finds a program by name or path, as ``shutil.which``.

    Raises:
        UserInputError: there is none.
    """
    for name in (given,) if given else _NAMES:
        found = which(name)
        if found:
            return os.path.abspath(found)
    what = f"there is no program {given}" if given else "neither terraform nor tofu is installed"
    raise UserInputError(what, remedy=_INSTALL)


def program_at(path: str, environment: Mapping[str, str]) -> Program:
    """Return the Terraform at a path.

    Raises:
        UserInputError: it is none, or too old.
    """
    try:
        done = subprocess.run(
            [path, "version", "-json"], env=dict(environment), capture_output=True, check=False, text=True
        )
        version = str(json.loads(done.stdout)["terraform_version"])
        number = tuple(int(each) for each in re.findall(r"\d+", version)[:2])
    except (OSError, ValueError, KeyError, TypeError):
        raise UserInputError(
            f"{path} is no Terraform: it does not tell its version", remedy=_INSTALL
        ) from None
    if number < LEAST:
        raise UserInputError(
            f"{path} is version {version}, and the state is locked in a way that came with 1.10",
            remedy=_INSTALL,
        )
    return Program(path, version)


def _undisturbed(_interrupt: Callable[[], None]) -> AbstractContextManager[None]:
    return nullcontext()


class Terraform:
    """Terraform in one directory.

    Args:
        program: to run.
        directory: of the cluster, absolute.
        environment: of the program, all of it.
        working_dir: names of files are told relative to it.
        passing: see :data:`Passing`.
    """

    def __init__(
        self,
        program: Program,
        directory: Path,
        environment: Mapping[str, str],
        working_dir: Path,
        passing: Passing = _undisturbed,
    ) -> None:
        self._program = program
        self._directory = directory
        self._environment = {**environment, "TF_IN_AUTOMATION": "1", "TF_INPUT": "0"}
        self._working_dir = working_dir
        self._passing = passing
        self._stamp = directory / environment.get("TF_DATA_DIR", ".terraform") / _STAMP

    def prepare(self) -> bool:
        """Install providers and modules and connect to the state, unless that was done; tell whether.

        Raises:
            DiagnosticsError: the directory, or the way to the provider or the state, is wrong.
        """
        wanted = self._needs()
        with suppress(OSError):
            if self._stamp.read_text(encoding="utf-8") == wanted:
                return False
        self._run(["init", "-json", "-input=false"])
        with suppress(OSError):  # then it runs again the next time
            self._stamp.write_text(wanted, encoding="utf-8")
        return True

    def plan(self, file: Path, *, destroy: bool = False) -> tuple[Mapping[str, Any], list[Diagnostic]]:
        """Make a plan and keep it in a file; returns it, as JSON, and Terraform's warnings.

        Raises:
            DiagnosticsError: what is written, the credentials or the account is wrong.
            TerraformError: AWS or the state does not let it.
        """
        arguments = ["plan", "-json", "-input=false", f"-out={file}", *(["-destroy"] if destroy else ())]
        self.prepare()
        try:
            warnings = self._run(arguments)
        except DiagnosticsError as error:
            if not any(needs_init(each.message) for each in error.diagnostics):
                raise
            self._stamp.unlink(missing_ok=True)
            self.prepare()
            warnings = self._run(arguments)
        return self.show(file), warnings

    def show(self, file: Path) -> Mapping[str, Any]:
        """Return the plan in a file, as JSON.

        Raises:
            UserInputError: it is no plan for this directory.
        """
        done = subprocess.run(
            [self._program.path, "show", "-json", str(file)],
            cwd=self._directory, env=self._environment, capture_output=True, check=False, text=True,
        )  # fmt: skip
        try:
            found = json.loads(done.stdout) if done.returncode == 0 else None
        except ValueError:
            found = None
        if not isinstance(found, dict) or ("resource_changes" not in found and "planned_values" not in found):
            said = _plain(done.stderr or done.stdout)
            raise UserInputError(
                f"{file} is no plan for {self._directory.name}: {said}",
                remedy=remedy_for(said) or f"Make one: leeward infra plan {self._directory.name} --out FILE.",
            )
        return found

    def apply(self, file: Path, told: Callable[[Step], None]) -> list[Diagnostic]:
        """Carry out the plan in a file; returns warnings.

        Args:
            file: of the plan.
            told: gets every step.

        Raises:
            TerraformError: something could not be done; what was done is in the state.
        """
        return self._run(["apply", "-json", "-input=false", str(file)], told)

    def untaint(self, addresses: Iterable[str]) -> None:
        """Let the next plan keep resources whose making did not end.

        Raises:
            OperationError: Terraform does not let it, as while the state is locked.
        """
        for address in addresses:
            done = subprocess.run(
                [self._program.path, "untaint", "-no-color", address],
                cwd=self._directory, env=self._environment, capture_output=True, check=False, text=True,
            )  # fmt: skip
            if done.returncode:
                said = _plain(done.stderr or done.stdout)
                raise OperationError(f"terraform untaint {address} failed: {said}", remedy=remedy_for(said))

    def _needs(self) -> str:
        """Return a digest of what init looks at: providers, modules and the backend."""
        digest = hashlib.sha256(self._program.version.encode())
        for path in sorted(self._directory.glob("*.tf")):
            digest.update(
                path.name.encode() + b"\0" + b"\n".join(_MATTERS.findall(path.read_bytes())) + b"\0"
            )
        return digest.hexdigest()

    def _run(
        self, arguments: Sequence[str], told: Callable[[Step], None] = lambda step: None
    ) -> list[Diagnostic]:
        """Run a command that answers in lines of JSON; returns its warnings.

        Raises:
            DiagnosticsError: everything that it says is wrong.
        """
        found: list[Diagnostic] = []
        raw: list[str] = []
        process = self._start(arguments)
        with self._passing(lambda: process.send_signal(signal.SIGINT)), _ended(process) as lines:
            for line in lines:
                said = parse_line(line)
                if isinstance(said, Step):
                    told(said)
                elif said is not None:
                    found.append(said)
                elif line.strip() and not line.startswith("{"):
                    raw.append(line)
            code = process.wait()
        if code:
            raise self._failed(arguments[0], code, found, raw)
        return [self._placed(each) for each in found]

    def _start(self, arguments: Sequence[str]) -> subprocess.Popen[str]:
        try:
            return subprocess.Popen(
                [self._program.path, *arguments],
                cwd=self._directory,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                encoding="utf-8",
                errors="replace",
                process_group=0,  # the terminal's Ctrl-C is not Terraform's
            )
        except OSError as error:
            raise OperationError(f"{self._program.path} does not start: {error.strerror or error}") from None

    def _failed(
        self, command: str, code: int, found: Sequence[Diagnostic], raw: Sequence[str]
    ) -> DiagnosticsError:
        errors = [each for each in found if each.severity is Severity.ERROR]
        if not errors:
            said = _plain("\n".join(raw)) or f"it ended with code {code} and said nothing"
            message = f"terraform {command} failed: {said}"
            return TerraformError([_bare_error(message, remedy_for(said))])
        shown = [self._placed(each) for each in (*errors, *(each for each in found if each not in errors))]
        is_input = command != "apply" and all(_is_input(each, command) for each in errors)
        return DiagnosticsError(shown) if is_input else TerraformError(shown)

    def _placed(self, found: Diagnostic) -> Diagnostic:
        """Return a finding with its file as it is seen from the working directory."""
        if found.location is None:
            return found
        path = os.path.relpath(self._directory / found.location.file, self._working_dir)
        return replace(found, location=replace(found.location, file=path))


@contextmanager
def _ended(process: subprocess.Popen[str]) -> Iterator[Iterable[str]]:
    """Yield what a process prints; whatever goes wrong here, it is let end what it has begun, and unlock."""
    assert process.stdout is not None
    with process.stdout as lines:
        try:
            yield lines
        except BaseException:
            process.send_signal(signal.SIGINT)
            for _ in lines:  # a pipe that nobody reads would stop it midway
                pass
            process.wait()
            raise


def _bare_error(message: str, remedy: str) -> Diagnostic:
    return Diagnostic(
        path="", location=None, code="terraform", severity=Severity.ERROR, message=message, remedy=remedy
    )


def _is_input(error: Diagnostic, command: str) -> bool:
    """Tell whether an error is about what somebody wrote: it has a line and no resource, or stops init."""
    known = known_error(error.message)
    return known.is_input if known else command == "init" or (error.location is not None and not error.path)


def _plain(text: str) -> str:
    """Return what Terraform says to people, on one line, without its frame and colours."""
    bare = re.sub(r"\x1b\[[0-9;]*m|[│╷╵]", "", text)
    return " ".join(" ".join(line.split()) for line in bare.splitlines()[:_PRINTED] if line.strip())
