"""What an environment may not lay over a release: images, and what they are built from. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from leeward.base.diagnostics import Diagnostic, Location, Severity
from leeward.compose.findings import Findings
from leeward.compose.project import Project
from leeward.compose.syntax import parse_documents
from leeward.delivery.releases.bundle import Bundle
from leeward.delivery.releases.places import word_of

_KEYS = ("image", "build")


def check_images(
    bundle: Bundle, base: Project, project: Project, files: Mapping[str, bytes], compose: Sequence[str]
) -> Iterator[Diagnostic]:
    """Yield an error for every service whose image is otherwise than in the release.

    Args:
        bundle: of the release.
        base: its project, with all services.
        project: with what is laid over it.
        files: path → content of what is laid over it.
        compose: the paths of its Compose files.
    """
    for name, service in project.services.items():
        before = base.services.get(name)
        for key in _KEYS:
            if before is not None and getattr(before, key) == getattr(service, key):
                continue
            if before is None and (key == "image" or service.build is None):
                continue  # a service of the environment's own
            yield _refusal(bundle, project, name, key, _written(files, compose, name, key))


def _written(files: Mapping[str, bytes], compose: Sequence[str], service: str, key: str) -> Location | None:
    """Return where a file of the environment has the key of a service, if one has it."""
    found = None
    for path in compose:
        text = files.get(path, b"").decode("utf-8-sig", "replace")
        for document in parse_documents(text, word_of(path), Findings()):
            services = document.get("services")
            node = services.get(service) if services is not None else None
            inner = node.get(key) if node is not None else None
            found = inner.location if inner is not None else found
    return found


def _refusal(bundle: Bundle, project: Project, name: str, key: str, place: Location | None) -> Diagnostic:
    pinned = bundle.images.get(name)
    here = f"in the release it is {pinned}" if pinned else "it is not in the release"
    return Diagnostic(
        path=f"services.{name}.{key}",
        location=place or project.locations.find("services", name, key),
        code="image-of-environment",
        severity=Severity.ERROR,
        message=f"An environment cannot say what the image of {name} is; {here}.",
        remedy=f"Remove {key} here, and write it in the Compose file that every environment has.",
    )
