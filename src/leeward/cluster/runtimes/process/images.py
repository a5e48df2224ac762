"""Images that can run as host processes: built ones, and base images whose program is on this machine.

An image is a directory of files laid over the machine's own root, and a configuration. There is no
registry: what cannot run here is refused with what to do.

Layout: ``<id>/image.json`` and ``<id>/layer/``; ``names/<hash of reference>`` holds an id.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from leeward.cluster.interface.runtime import Image, ImageFailureError

_REMEDY = (
    "Give the service a `build:`; or install the program here and use a base image with a `command:`; or "
    "use a cluster that runs nothing, after `leeward cluster start --runtime simulated`, or a real one."
)
# Base images by repository name: the program they are there for, and what a container of theirs runs.
BASES: dict[str, tuple[str, tuple[str, ...]]] = {
    "python": ("python3", ("python3",)),
    "pypy": ("pypy3", ("pypy3",)),
    "node": ("node", ("node",)),
    "ruby": ("ruby", ("irb",)),
    "perl": ("perl", ("perl",)),
    "bash": ("bash", ("bash",)),
    "busybox": ("sh", ("sh",)),
    "alpine": ("sh", ("sh",)),
    "debian": ("bash", ("bash",)),
    "ubuntu": ("bash", ("bash",)),
    "scratch": ("", ()),
}
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class Refusal(NamedTuple):
    """Why an image cannot run on this machine, and what to do."""

    message: str
    remedy: str


def repository(reference: str) -> str:
    """Return the last part of an image's name: "docker.io/library/node:20" → "node"."""
    return re.sub(r"(@.*|:[^/]*)$", "", reference).rsplit("/", 1)[-1]


def program_of(base: str) -> str | None:
    """Return the program a base image needs on this machine; None when it is no known base image."""
    for name, (program, _) in BASES.items():
        if base == name or base.startswith(f"{name}-"):
            return program
    return None


def base_command(base: str) -> tuple[str, ...]:
    """Return the CMD of a base image, as far as it is known."""
    return next((cmd for key, (_, cmd) in BASES.items() if base == key or base.startswith(f"{key}-")), ())


class ImageStore:
    """The images below one directory; implements ImageService.

    Args:
        directory: made when needed.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    async def pull(self, reference: str) -> Image:
        """Return a built image, or a base image that can run here.

        Raises:
            ImageFailureError: neither.
        """
        found = await self.find(reference)
        if found is not None:
            return found
        problem = self.why_not(reference)
        if problem is not None:
            raise ImageFailureError(f"{problem.message}. {problem.remedy}")
        return self._base_image(reference)

    async def find(self, reference: str) -> Image | None:
        """Return a built image, or None."""
        return self.read(reference)

    def why_not(self, reference: str) -> Refusal | None:
        """Return why `reference` cannot run here and what to do, or None when it can."""
        if self.read(reference) is not None:
            return None
        if reference.startswith("leeward.local/"):
            return Refusal(f"image {reference} is not built", "Run `leeward up` where its Compose file is.")
        program = program_of(repository(reference))
        if program is None:
            return Refusal(f"image {reference} cannot run as a process of this machine", _REMEDY)
        if program and shutil.which(program) is None:
            return Refusal(f"image {reference} needs {program}, which this machine has not", _REMEDY)
        return None

    def _base_image(self, reference: str) -> Image:
        name = repository(reference)
        return Image(id=f"base:{name}", names=[reference], cmd=base_command(name), env={"PATH": PATH})

    def read(self, reference: str) -> Image | None:
        """Return a built image by reference, ``name@sha256:…`` or id."""
        digest = reference.rpartition("@")[2]
        image_id = digest if digest.startswith("sha256:") else self._id_of(reference)
        if image_id is None:
            return None
        try:
            found = json.loads((self._home(image_id) / "image.json").read_bytes())
        except (OSError, ValueError):
            return None
        return Image(id=image_id, names=[reference], **{key: _frozen(value) for key, value in found.items()})

    def write(self, reference: str, layer: Path, config: dict[str, Any]) -> Image:
        """Keep an image under the hash of its content; `layer` is moved, or dropped when it is known."""
        image_id = f"sha256:{_digest(layer, config)}"
        home = self._home(image_id)
        if not (home / "image.json").exists():
            home.mkdir(parents=True, exist_ok=True)
            shutil.rmtree(home / "layer", ignore_errors=True)
            layer.rename(home / "layer")
            (home / "image.json").write_text(json.dumps(config, sort_keys=True))
        else:
            shutil.rmtree(layer, ignore_errors=True)
        self.tag(reference, image_id)
        return Image(id=image_id, names=[reference], **config)

    def tag(self, reference: str, image_id: str) -> None:
        """Let `reference` name an image that is here."""
        names = self.directory / "names"
        names.mkdir(exist_ok=True)
        (names / _name_hash(reference)).write_text(image_id)

    def layers(self, image_id: str) -> Sequence[Path]:
        """Return the directories to lay over the machine's root."""
        if not image_id.startswith("sha256:"):
            return []
        return [self._home(image_id) / "layer"]

    def _home(self, image_id: str) -> Path:
        return self.directory / image_id.removeprefix("sha256:")

    def _id_of(self, reference: str) -> str | None:
        try:
            return (self.directory / "names" / _name_hash(reference)).read_text().strip()
        except OSError:
            return None


def _name_hash(reference: str) -> str:
    return hashlib.sha256(reference.encode()).hexdigest()[:32]


def _frozen(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _digest(layer: Path, config: dict[str, Any]) -> str:
    """Return the hash of all files and the configuration."""
    hasher = hashlib.sha256(json.dumps(config, sort_keys=True).encode())
    for path in sorted(layer.rglob("*")):
        hasher.update(f"{path.relative_to(layer)}\0{path.lstat().st_mode:o}\0".encode())
        if path.is_symlink():
            hasher.update(str(path.readlink()).encode())
        elif path.is_file():
            hasher.update(path.read_bytes())
    return hasher.hexdigest()
