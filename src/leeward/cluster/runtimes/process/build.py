"""Builds an image for the process runtime from a Dockerfile: everything but RUN.

FROM, COPY, ADD of local files, WORKDIR, ENV, ARG, USER, EXPOSE, ENTRYPOINT, CMD, SHELL and STOPSIGNAL do
what they say; a RUN step is not executed, because it would change this machine, and is reported.

Source: the Dockerfile reference.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from leeward.base.errors import UserInputError
from leeward.cluster.interface.runtime import Image
from leeward.cluster.runtimes.process.copying import Origin, copy
from leeward.cluster.runtimes.process.dockerfile import Instruction, expand, pairs, parse, words
from leeward.cluster.runtimes.process.ignore import Ignore, read_ignore
from leeward.cluster.runtimes.process.images import PATH, ImageStore, base_command, program_of, repository
from leeward.cluster.runtimes.process.launcher import tree


@dataclass
class _Stage:
    """One FROM … of a Dockerfile while it is built."""

    layer: Path
    env: dict[str, str] = field(default_factory=lambda: {"PATH": PATH})
    args: dict[str, str] = field(default_factory=dict)
    working_dir: str = "/"
    entrypoint: list[str] = field(default_factory=list)
    cmd: list[str] = field(default_factory=list)
    shell: list[str] = field(default_factory=lambda: ["/bin/sh", "-c"])
    user: str = ""
    exposed: list[str] = field(default_factory=list)
    stop_signal: str = ""
    base: str = ""

    def variables(self) -> dict[str, str]:
        return {**self.args, **self.env}


def build(
    store: ImageStore,
    reference: str,
    *,
    context: Path,
    dockerfile: Path,
    target: str | None = None,
    args: Mapping[str, str] | None = None,
) -> tuple[Image, list[str]]:
    """Build and keep an image.

    Args:
        store: where it goes.
        reference: its name.
        context: the build context, a directory.
        dockerfile: the Dockerfile.
        target: the stage to build; None for the last.
        args: build arguments.

    Returns:
        The image, and notes about what was not done, with Dockerfile:line.

    Raises:
        UserInputError: the Dockerfile or the context is wrong; names file and line.
    """
    if not context.is_dir():
        raise UserInputError(f"{context}: is no directory", remedy="Check `build.context`.")
    instructions = parse(dockerfile)
    store.directory.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(dir=store.directory, prefix=".build-"))
    try:
        builder = _Builder(scratch, context, dockerfile, dict(args or {}))
        stage = builder.run(instructions, target)
        config = {
            "entrypoint": stage.entrypoint,
            "cmd": stage.cmd,
            "env": stage.env,
            "working_dir": stage.working_dir,
            "user": stage.user,
            "exposed_ports": stage.exposed,
            "stop_signal": stage.stop_signal,
        }
        return store.write(reference, stage.layer, config), builder.notes
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


class _Builder:
    """Carries out instructions, stage by stage."""

    def __init__(self, scratch: Path, context: Path, dockerfile: Path, args: dict[str, str]) -> None:
        self._scratch = scratch
        self._origin = Origin(str(context), read_ignore(context, dockerfile))
        self._file = dockerfile
        self._given = args
        self._stages: dict[str, _Stage] = {}
        self._global_args: dict[str, str] = {}
        self.notes: list[str] = []
        self._handlers: dict[str, Callable[[_Stage, Instruction], None]] = {
            "ADD": self._copy,
            "ARG": self._arg,
            "CMD": self._cmd,
            "COPY": self._copy,
            "ENTRYPOINT": self._entrypoint,
            "ENV": self._env,
            "EXPOSE": self._expose,
            "RUN": self._run,
            "SHELL": self._shell,
            "STOPSIGNAL": self._stop_signal,
            "USER": self._user,
            "WORKDIR": self._workdir,
        }

    def run(self, instructions: Iterable[Instruction], target: str | None) -> _Stage:
        """Carry out everything up to and including the target stage."""
        stage: _Stage | None = None
        name = ""
        for each in instructions:
            if each.name == "FROM":
                if stage is not None and name == (target or "").lower() != "":
                    return stage
                stage, name = self._begin(each)
            elif stage is None:
                if each.name == "ARG":
                    for key, value in pairs(each.text).items():
                        self._global_args[key] = self._given.get(key, value)
            elif each.name in self._handlers:
                self._handlers[each.name](stage, each)
        if stage is None or (target and name != target.lower()):
            raise UserInputError(f"{self._file}: has no stage {target!r}", remedy="Check `build.target`.")
        if program_of(repository(stage.base)) is None:
            self.notes.append(
                f"{self._file}: base image {stage.base} is not used: programs of this machine take its place"
            )
        return stage

    def _begin(self, each: Instruction) -> tuple[_Stage, str]:
        parts = expand(each.text, self._global_args).split()
        name = parts[2].lower() if len(parts) == 3 and parts[1].upper() == "AS" else str(len(self._stages))
        layer = self._scratch / f"stage-{len(self._stages)}"
        parent = self._stages.get(parts[0].lower())
        if parent is not None:
            shutil.copytree(parent.layer, layer, symlinks=True)
            stage = _Stage(**{**vars(parent), "layer": layer, "env": dict(parent.env), "args": {}})
        else:
            layer.mkdir()
            stage = _Stage(layer, base=parts[0], cmd=list(base_command(repository(parts[0]))))
        self._stages[name] = self._stages[str(len(self._stages))] = stage
        return stage, name

    def _arg(self, stage: _Stage, each: Instruction) -> None:
        for key, value in pairs(expand(each.text, stage.variables())).items():
            default = value if "=" in each.text else self._global_args.get(key, "")
            stage.args[key] = self._given.get(key, default)

    def _env(self, stage: _Stage, each: Instruction) -> None:
        stage.env.update(pairs(expand(each.text, stage.variables())))

    def _workdir(self, stage: _Stage, each: Instruction) -> None:
        stage.working_dir = os.path.normpath(
            os.path.join(stage.working_dir, expand(each.text, stage.variables()))
        )
        try:
            os.makedirs(tree.inside(str(stage.layer), stage.working_dir), exist_ok=True)
        except OSError as error:
            raise UserInputError(
                f"{self._file}:{each.line}: {stage.working_dir}: {error.strerror}"
            ) from error

    def _user(self, stage: _Stage, each: Instruction) -> None:
        stage.user = expand(each.text, stage.variables())

    def _expose(self, stage: _Stage, each: Instruction) -> None:
        stage.exposed = [*stage.exposed, *expand(each.text, stage.variables()).split()]

    def _stop_signal(self, stage: _Stage, each: Instruction) -> None:
        stage.stop_signal = each.text

    def _shell(self, stage: _Stage, each: Instruction) -> None:
        stage.shell = words(each.text) or stage.shell

    def _cmd(self, stage: _Stage, each: Instruction) -> None:
        stage.cmd = self._command(stage, each)

    def _entrypoint(self, stage: _Stage, each: Instruction) -> None:
        stage.entrypoint, stage.cmd = self._command(stage, each), []

    def _command(self, stage: _Stage, each: Instruction) -> list[str]:
        found = words(each.text)
        return found if found is not None else [*stage.shell, each.text]

    def _run(self, stage: _Stage, each: Instruction) -> None:
        text = each.text if len(each.text) <= 60 else each.text[:57] + "…"
        self.notes.append(f"{self._file}:{each.line}: RUN is not executed by the process runtime: {text}")

    def _copy(self, stage: _Stage, each: Instruction) -> None:
        parts = words(each.text) or expand(each.text, stage.variables()).split()
        if "<<" in each.text or len(parts) < 2:
            self.notes.append(f"{self._file}:{each.line}: {each.name} {each.text} is not understood")
            return
        *sources, target = parts
        origin = self._origin_of(each)
        if origin is None:
            return
        directory = len(sources) > 1 or target.rpartition("/")[2] in ("", ".")
        place = os.path.normpath(os.path.join(stage.working_dir, target)) + "/" * directory
        for source in sources:
            if "://" in source:
                self.notes.append(f"{self._file}:{each.line}: {source} is not downloaded")
                continue
            try:
                self._copy_one(stage, each, origin, source, place)
            except (OSError, ValueError) as error:
                why = getattr(error, "strerror", None) or error
                raise UserInputError(f"{self._file}:{each.line}: {source} cannot be copied: {why}") from error

    def _origin_of(self, each: Instruction) -> Origin | None:
        """Return where a COPY reads from; None when it is another image."""
        name = each.flags.get("from")
        if name is None:
            return self._origin
        found = self._stages.get(name.lower())
        if found is None:
            self.notes.append(f"{self._file}:{each.line}: files of image {name} are not copied")
            return None
        return Origin(str(found.layer), Ignore())

    def _copy_one(self, stage: _Stage, each: Instruction, origin: Origin, source: str, place: str) -> None:
        relative = os.path.normpath(source.lstrip("/") or ".")
        if relative.split("/")[0] == "..":
            raise UserInputError(f"{self._file}:{each.line}: {source} is outside the build context")
        found = origin.find(relative)
        if not found:
            if origin is not self._origin:  # a RUN of that stage would have made it
                self.notes.append(f"{self._file}:{each.line}: {source} is not there without its RUN steps")
                return
            raise UserInputError(
                f"{self._file}:{each.line}: {source} is not in the build context {self._origin.directory}",
                remedy="Check the path, which is relative to `build.context`, and .dockerignore.",
            )
        for path in found:
            copy(origin, path, str(stage.layer), place, into=place.endswith("/") or len(found) > 1)
