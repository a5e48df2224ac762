"""Image references as Docker reads them, and which registries are spoken to without TLS. Pure.

Source: github.com/distribution/reference, grammar of reference.go and normalize.go.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Collection
from dataclasses import dataclass

from leeward.base.errors import UserInputError

DOCKER_HUB = "docker.io"
_HUB_NAMES = (DOCKER_HUB, "index.docker.io")
_LABEL = r"(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])"
_REGISTRY = re.compile(rf"(?:{_LABEL}(?:\.{_LABEL})*|\[[a-fA-F0-9:]+\])(?::[0-9]+)?\Z")
_PART = r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
_REPOSITORY = re.compile(rf"{_PART}(?:/{_PART})*\Z")
_TAG = re.compile(r"\w[\w.-]{0,127}\Z", re.ASCII)
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}\Z")
_ID = re.compile(r"[0-9a-f]{64}\Z")
_LONGEST_NAME = 255


@dataclass(frozen=True, slots=True)
class Reference:
    """An image of a registry."""

    name: str  # as written, without tag and digest: "nginx", "localhost:5000/web"
    registry: str  # "docker.io", "ghcr.io", "localhost:5000", "[::1]:5000"
    repository: str  # "library/nginx"
    tag: str  # "latest" when neither tag nor digest is written; "" when only a digest is
    digest: str = ""  # "sha256:…"; "" when it has to be asked for

    def __str__(self) -> str:
        tag = f":{self.tag}" if self.tag else ""
        return f"{self.name}{tag}{f'@{self.digest}' if self.digest else ''}"

    def pinned(self, digest: str) -> str:
        """Return the reference of exactly one image: ``repository@sha256:…``, the repository as written."""
        return f"{self.name}@{digest}"

    @property
    def is_bare(self) -> bool:
        """Whether it is one word: an official image of Docker Hub, or a name that is only known here."""
        return "/" not in self.name


def parse_reference(text: str) -> Reference:
    """Return what `text` refers to.

    Raises:
        UserInputError: it is no image reference.
    """
    rest, at, digest = text.partition("@")
    if at and not is_digest(digest):
        raise UserInputError(
            f"{text!r} is no image: after @ comes `sha256:` and 64 hexadecimal digits in lower case"
        )
    name, tag = _split_tag(rest)
    registry, repository = _split_registry(name)
    if not repository or _ID.match(name) or len(name) > _LONGEST_NAME or not _REGISTRY.match(registry):
        raise UserInputError(f"{text!r} is no image", remedy="Write it as `registry/name:tag`.")
    if not _REPOSITORY.match(repository):
        lower = " Names are in lower case." if repository.lower() != repository else ""
        raise UserInputError(
            f"{text!r} is no image: {repository!r} is no name of a repository",
            remedy=f"Write it as `registry/name:tag`.{lower}",
        )
    if tag is not None and not _TAG.match(tag):
        raise UserInputError(f"{text!r} is no image: {tag!r} is no tag")
    if registry == DOCKER_HUB and "/" not in repository:
        repository = f"library/{repository}"
    return Reference(name, registry, repository, tag or ("" if digest else "latest"), digest)


def parse_registry(text: str) -> tuple[str, bool]:
    """Return where images are pushed (``registry.example.com/team``), and whether that has no TLS.

    Args:
        text: as written: a registry and a path in it, after ``http://`` when it has no TLS.

    Raises:
        UserInputError: it is none.
    """
    place = text.removeprefix("http://").removeprefix("https://").rstrip("/")
    registry, repository = _split_registry(f"{place}/image")
    named = place.partition("/")[0] in (registry, *_HUB_NAMES)
    if not named or not _REGISTRY.match(registry) or not _REPOSITORY.match(repository):
        raise UserInputError(f"{text!r} is no registry", remedy="Write it as `registry.example.com/team`.")
    return place, text.startswith("http://")


def is_digest(text: str) -> bool:
    """Tell whether `text` is ``sha256:`` and 64 digits."""
    return _DIGEST.match(text) is not None


def without_tls(registry: str, insecure: Collection[str] = ()) -> bool:
    """Tell whether a registry is spoken to over plain HTTP: on this machine, or named in `insecure`."""
    return registry in insecure or is_loopback(_host(registry))


def is_loopback(host: str) -> bool:
    """Tell whether a host without its port is this machine: ``localhost``, ``127.0.0.1``, ``::1``."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _host(registry: str) -> str:
    if registry.startswith("["):
        return registry[1:].partition("]")[0]
    return registry.partition(":")[0]


def _split_tag(text: str) -> tuple[str, str | None]:
    head, slash, last = text.rpartition("/")
    last, colon, tag = last.partition(":")
    return head + slash + last, tag if colon else None


def _split_registry(name: str) -> tuple[str, str]:
    """Return registry and repository: the first part is a host when it looks like one."""
    first, slash, rest = name.partition("/")
    if slash and (first == "localhost" or re.search(r"[.:A-Z]", first)):
        return (DOCKER_HUB if first in _HUB_NAMES else first), rest
    return DOCKER_HUB, name
