"""Facts about services: what a Compose file could say about them, and whom an object belongs to. Pure."""

from __future__ import annotations

import re
from typing import NamedTuple, TypeAlias

from leeward.kube.objects import Obj, annotations_of, labels_of
from leeward.kube.wellknown import APP_NAME, ORIGIN

ASPECTS = (  # most important first
    "image", "runs as", "job", "schedule", "entrypoint", "command", "environment", "replicas", "autoscale",
    "memory", "cpus", "memory reservation", "cpus reservation", "port", "host", "claim", "volume", "files",
    "config", "secret", "healthcheck", "liveness", "depends_on", "restart with", "network", "alias", "user",
    "working_dir", "time to stop",
)  # fmt: skip
_SECTIONS = ("networks", "volumes", "configs", "secrets")
_HASH = re.compile(r"-[0-9a-f]{8}\Z")


class Fact(NamedTuple):
    """What is said about something."""

    shown: str = ""  # "": that it is there is all
    content: str = ""  # what else it is made of, which is not shown


Key: TypeAlias = tuple[str, str]  # aspect and item, such as ("environment", "LOG_LEVEL")
Facts: TypeAlias = dict[Key, Fact]


def subject_of(obj: Obj) -> str:
    """Return whom an object belongs to: ``web``, ``config catalogue`` or ``Namespace shop``."""
    if service := labels_of(obj).get(APP_NAME):
        return service
    section, _, key = annotations_of(obj).get(ORIGIN, "").rpartition(" ")[2].partition(".")
    if section in _SECTIONS and key:
        return f"{section[:-1]} {key}"
    return key if section == "services" and key else f"{obj['kind']} {obj['metadata']['name']}"


def base_name(name: str) -> str:
    """Return the name of something immutable without the digest of its content."""
    return _HASH.sub("", name)
