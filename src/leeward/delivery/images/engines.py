"""Builds images and pushes them with what the machine has: Docker's buildx, or Podman.

An engine is a program; what it writes is passed on line by line. Keys of ``build:`` that an engine has no
word for are left out and named in the log, because they change speed or attestations and not the image.
Arguments are never in a message: they may have secrets.

Source: docs.docker.com/reference/cli/docker/buildx/build; podman-build(1), -push(1), -manifest-push(1).
"""

from __future__ import annotations

import asyncio
import codecs
import contextlib
import json
import shutil
import tempfile
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import takewhile
from pathlib import Path
from typing import Protocol

from leeward.base.errors import OperationError
from leeward.compose.parts import Build
from leeward.delivery.images.references import is_digest, parse_reference

Log = Callable[[str], None]  # takes one line
_LAST_LINES = 12  # of an engine's output, in the message of its failure
_NOT_PODMANS = (  # keys of `build:` that Podman has no word for
    *("cache_from", "cache_to", "no_cache_filter", "privileged", "entitlements"),
    *("isolation", "provenance", "sbom"),
)
_NO_ACCESS = ("unauthorized", "denied", "authentication required", "no basic auth")


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One image to build and push."""

    reference: str  # where to: "registry.example.com/web:1.2"
    build: Build  # with the value of every argument, and the platforms
    secrets: Mapping[str, bytes] = field(default_factory=dict, repr=False)  # id → value
    insecure: bool = False  # the registry has no TLS


class Engine(Protocol):
    """Builds images; one implementation per program."""

    @property
    def name(self) -> str:
        """What people call it."""
        ...

    async def build_and_push(self, order: Order, log: Log) -> str:
        """Return ``sha256:…`` of what was pushed.

        Raises:
            OperationError: it failed; the message has its last lines.
        """
        ...


async def find_engine(path: str | None, *, extra: Sequence[str] = ()) -> Engine | None:
    """Return the best engine of this machine; None when it has none.

    Args:
        path: where programs are, as in ``PATH``; None: the process's own.
        extra: further arguments of its ``build``.
    """
    docker, podman = shutil.which("docker", path=path), shutil.which("podman", path=path)
    if docker and await _has_buildx(docker):
        return Buildx(docker, extra)
    return Podman(podman, extra) if podman else None


async def _has_buildx(docker: str) -> bool:
    """Tell whether `docker` is Docker with buildx; Podman's imitation has a verb of that name too."""
    lines: list[str] = []
    try:
        await _run((docker, "buildx", "version"), lines.append)
    except OperationError:
        return False
    return any("docker/buildx" in line for line in lines)


class Buildx:
    """Docker's buildx.

    Args:
        program: the path of ``docker``.
        extra: further arguments of ``buildx build``.
    """

    name = "docker buildx"

    def __init__(self, program: str, extra: Sequence[str] = ()) -> None:
        self._program = program
        self._extra = extra

    async def build_and_push(self, order: Order, log: Log) -> str:
        """Build and push in one go."""
        build = order.build
        _tell_ignored(self.name, {"isolation": build.isolation}, log)
        push = "--output=type=image,push=true,registry.insecure=true" if order.insecure else "--push"
        with tempfile.TemporaryDirectory(prefix="leeward-") as name:
            metadata = Path(name) / "metadata.json"
            arguments = [
                *("--progress", "plain", push, "--metadata-file", str(metadata)),
                *_each("--tag", [order.reference, *build.tags]),
                *_each("--platform", [",".join(build.platforms)] if build.platforms else ()),
                *_each("--cache-from", build.cache_from),
                *_each("--cache-to", build.cache_to),
                *_each("--no-cache-filter", build.no_cache_filter),
                *_each("--allow", [*build.entitlements, *["security.insecure"] * build.privileged]),
                *_each("--provenance", [build.provenance] if build.provenance else ()),
                *_each("--sbom", [build.sbom] if build.sbom else ()),
                *_common(order, Path(name)),
                *self._extra,
            ]
            await _run((self._program, "buildx", "build", *arguments, build.context), log, order.reference)
            return _digest_in(metadata, self.name)


class Podman:
    """Podman, which builds and then pushes.

    Args:
        program: the path of ``podman``.
        extra: further arguments of ``build``.
    """

    name = "podman"

    def __init__(self, program: str, extra: Sequence[str] = ()) -> None:
        self._program = program
        self._extra = extra

    async def build_and_push(self, order: Order, log: Log) -> str:
        """Build for one platform, or make a list of several, and push it under all its names."""
        build, several = order.build, len(order.build.platforms) > 1
        _tell_ignored(self.name, {key: getattr(build, key) for key in _NOT_PODMANS}, log)
        if several:  # else what is made now would be added to the list of an earlier build
            with contextlib.suppress(OperationError):
                await _run((self._program, "manifest", "rm", order.reference), lambda line: None)
        with tempfile.TemporaryDirectory(prefix="leeward-") as name:
            arguments = [
                *("--manifest" if several else "--tag", order.reference),
                *_each("--platform", [",".join(build.platforms)] if build.platforms else ()),
                # Else it takes what it has cached of one platform for another, on top of `scratch`.
                *["--layers=false"] * bool(build.platforms),
                *_common(order, Path(name)),
                *self._extra,
            ]
            await _run((self._program, "build", *arguments, build.context), log, order.reference)
            digests = Path(name) / "digest"
            verb = ["manifest", "push", "--all"] if several else ["push"]
            verb += ["--tls-verify=false"] if order.insecure else []
            for target in (*build.tags, order.reference):
                where = (order.reference, f"docker://{target}")
                command = (self._program, *verb, "--digestfile", str(digests), *where)
                await _run(command, log, target)
            return _digest_in(digests, self.name)


def _common(order: Order, directory: Path) -> list[str]:
    """Return the arguments that both engines spell the same; files they need are put into `directory`."""
    build = order.build
    hosts = [f"{host}:{address}" for host, found in build.extra_hosts.items() for address in found]
    limits = [f"{name}={limit.soft}:{limit.hard}" for name, limit in build.ulimits.items()]
    return [
        *_each("--file", _dockerfile(build, directory)),
        *_each("--build-arg", [f"{key}={value}" for key, value in build.args.items() if value is not None]),
        *_each("--label", [f"{key}={value}" for key, value in build.labels.items()]),
        *_each("--target", [build.target] if build.target else ()),
        *_each("--secret", _secrets(order.secrets, directory)),
        *_each("--ssh", [f"{name}={path}" if path else name for name, path in build.ssh.items()]),
        *_each("--build-context", [f"{key}={value}" for key, value in build.additional_contexts.items()]),
        *_each("--add-host", hosts),
        *_each("--ulimit", limits),
        *_each("--network", [build.network] if build.network else ()),
        *_each("--shm-size", [str(build.shm_size)] if build.shm_size else ()),
        *["--no-cache"] * build.no_cache,
        *["--pull"] * build.pull,
    ]


def _dockerfile(build: Build, directory: Path) -> list[str]:
    """Return the Dockerfile's path; none for that of a remote context whose name is the usual one."""
    if build.dockerfile_inline is not None:
        path = directory / "Dockerfile"
        path.write_text(build.dockerfile_inline, encoding="utf-8")
        return [str(path)]
    if build.dockerfile is None and Path(build.context).is_absolute():
        return [str(Path(build.context) / "Dockerfile")]  # Podman would prefer a Containerfile
    return [build.dockerfile] if build.dockerfile else []


def _secrets(secrets: Mapping[str, bytes], directory: Path) -> list[str]:
    found = []
    for index, (name, value) in enumerate(secrets.items()):
        path = directory / f"secret-{index}"  # the directory is its owner's alone
        path.write_bytes(value)
        found.append(f"id={name},src={path}")
    return found


def _each(flag: str, values: Iterable[str]) -> list[str]:
    return [f"{flag}={value}" for value in values]


def _tell_ignored(engine: str, values: Mapping[str, object], log: Log) -> None:
    if unknown := [key for key, value in values.items() if value]:
        log(f"{engine} has no word for {', '.join(unknown)} of `build:`: left out")


def _digest_in(path: Path, engine: str) -> str:
    """Return the digest that an engine wrote, as text or as metadata."""
    try:
        text = path.read_text(encoding="utf-8").strip()
        digest = json.loads(text).get("containerimage.digest") if text.startswith("{") else text
    except (OSError, ValueError):
        digest = None
    if not isinstance(digest, str) or not is_digest(digest):
        raise OperationError(
            f"{engine} does not say what it pushed", remedy="A newer version of it may: update it."
        )
    return digest


async def _run(command: Sequence[str], log: Log, reference: str = "") -> None:
    """Run a program to its end.

    Raises:
        OperationError: it cannot be run, or failed.
    """
    words = takewhile(lambda word: not word.startswith("-"), command[1:])
    what = " ".join((Path(command[0]).name, *words))
    last: deque[str] = deque(maxlen=_LAST_LINES)
    try:
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
    except OSError as error:
        raise OperationError(f"{command[0]} cannot be run: {error.strerror}") from error
    try:
        async for line in _lines(process):
            log(line)
            last.append(line)
        code = await process.wait()
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
            await process.wait()
    if code:
        tail = "".join(f"\n  {line}" for line in last)
        raise OperationError(
            f"`{what}` failed with exit code {code}{':' if last else ''}{tail}",
            remedy=_remedy(last, reference),
        )


def _remedy(lines: Iterable[str], reference: str) -> str:
    text = "\n".join(lines).lower()
    if reference and any(word in text for word in _NO_ACCESS):
        return f"Log in, and see that you may push: `docker login {parse_reference(reference).registry}`."
    return ""


async def _lines(process: asyncio.subprocess.Process) -> AsyncIterator[str]:
    """Yield what a process writes, without line ends; lines may have any length."""
    assert process.stdout is not None
    decoder, rest = codecs.getincrementaldecoder("utf-8")("replace"), ""
    while chunk := await process.stdout.read(65536):
        *whole, rest = (rest + decoder.decode(chunk)).replace("\r", "\n").split("\n")
        for line in whole:
            if line.strip():
                yield line
    if rest.strip():
        yield rest
