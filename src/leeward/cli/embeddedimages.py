"""The images of a release on an embedded cluster: built here and known by their content.

A service that nothing is built for keeps the reference it has: an embedded cluster asks no registry.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from leeward.base.errors import DiagnosticsError
from leeward.cli import output
from leeward.cluster.runtimes.process.copying import Origin
from leeward.cluster.runtimes.process.ignore import read_ignore
from leeward.cluster.runtimes.process.images import ImageStore
from leeward.cluster.statedir import StateDir
from leeward.compose.project import Build, Project
from leeward.delivery.images.plan import finding

_SIMULATED = "simulated"
_REMEDY = "Check `build.context` and `build.dockerfile`."


class EmbeddedImages:
    """Fulfils ``leeward.delivery.api.ImageResolver`` for an embedded cluster.

    Args:
        state: of the cluster.
    """

    def __init__(self, state: StateDir) -> None:
        self._state = state

    async def resolve(self, project: Project) -> Mapping[str, str]:
        """Build what is built, where containers really run.

        Raises:
            DiagnosticsError: an image cannot be built, or cannot run here.
        """
        simulated = self._state.load()["runtime"] == _SIMULATED
        found = _hashed(project) if simulated else self._built(project)
        kept = {name: service.image for name, service in project.services.items() if name not in found}
        if loose := [f"{name} ({image})" for name, image in kept.items() if image and "@" not in image]:
            output.note(
                f"note: without a digest, because an embedded cluster asks no registry: {', '.join(loose)}"
            )
        return found | {name: image for name, image in kept.items() if image}

    def _built(self, project: Project) -> dict[str, str]:
        from leeward.cli.images import prepare_images

        store = ImageStore(self._state.images)
        found = {}
        for name, reference in prepare_images(project, self._state).items():
            image = store.read(reference)
            assert image is not None, reference
            found[name] = f"leeward.local/{project.name}/{name}@{image.id}"
        return found


def _hashed(project: Project) -> dict[str, str]:
    """Return references with the digest of what would be built."""
    found, problems = {}, []
    for name, service in project.services.items():
        if service.build is None:
            continue
        try:
            found[name] = f"leeward.local/{project.name}/{name}@{_digest(service.build)}"
        except OSError as error:
            message, remedy = f"{error.filename}: {error.strerror}", _REMEDY
            problems.append(finding(project, name, "build", "cannot-build", message, remedy))
    if problems:
        raise DiagnosticsError(problems)
    return found


def _digest(build: Build) -> str:
    """Return ``sha256:…`` of everything that an image is built from."""
    hasher = hashlib.sha256(repr(replace(build, context="", dockerfile=None)).encode())
    context = Path(build.context)
    if "://" in build.context:
        hasher.update(build.context.encode())
        return f"sha256:{hasher.hexdigest()}"
    dockerfile = context / (build.dockerfile or "Dockerfile")
    if build.dockerfile_inline is None:
        hasher.update(dockerfile.read_bytes())
    origin = Origin(str(context), read_ignore(context, dockerfile))
    for path in sorted(_files(origin)):
        place = Path(origin.place(path))
        content = str(place.readlink()).encode() if place.is_symlink() else place.read_bytes()
        hasher.update(f"{path}\0{place.lstat().st_mode & 0o100:o}\0{len(content)}\0".encode() + content)
    return f"sha256:{hasher.hexdigest()}"


def _files(origin: Origin) -> Iterator[str]:
    for path in origin.walk(""):
        place = Path(origin.place(path))
        if place.is_symlink() or place.is_file():
            yield path
