"""YAML for people: one stream, or one file a service.

Invariants: above every document a comment names the Compose file, line and key it comes from; the same
objects give the same bytes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from leeward.base.diagnostics import Location
from leeward.kube.objects import Obj, annotations_of, labels_of
from leeward.kube.wellknown import APP_NAME, ORIGIN
from leeward.render.order import in_order
from leeward.render.writers.emitter import to_yaml

HEADER = "# Rendered by leeward from Compose files; render again instead of editing.\n"
NAMESPACE_FILE = "00-namespace.yaml"
SHARED_FILE = "01-shared.yaml"
ORIGIN_COMMENT = "# from "
_TAKEN = frozenset(  # file names with a meaning: Kustomize's, and devices of Windows
    ["00-namespace", "01-shared", "kustomization", "con", "prn", "aux", "nul"]
    + [f"{device}{number}" for device in ("com", "lpt") for number in range(1, 10)]
)
Origins = Mapping[tuple[str, str], Location]  # kind and name → where it comes from


def to_text(objects: Iterable[Obj], origins: Origins | None = None) -> str:
    """Return `objects` as a YAML stream, each document under a comment naming its origin."""
    return "".join(f"---\n{_comment(obj, origins or {})}{to_yaml(obj)}" for obj in objects)


def _comment(obj: Obj, origins: Origins) -> str:
    origin = annotations_of(obj).get(ORIGIN, "")
    file, _, key = origin.partition(" ")
    place = origins.get((obj["kind"], obj["metadata"]["name"]))
    return f"{ORIGIN_COMMENT}{str(place) if place else file} {key}".rstrip() + "\n" if origin else ""


def layout(objects: Iterable[Obj], origins: Origins | None = None) -> dict[str, str]:
    """Return file name → content: the namespace, what services share, then one file per service."""
    groups: dict[str, list[Obj]] = {}
    for obj in in_order(objects):
        groups.setdefault(file_of(obj), []).append(obj)
    return {name: HEADER + to_text(groups[name], origins) for name in sorted(groups)}


def file_of(obj: Obj) -> str:
    """Return the name of the file that an object belongs into."""
    if obj["kind"] == "Namespace":
        return NAMESPACE_FILE
    service = labels_of(obj).get(APP_NAME)
    if not service:
        return SHARED_FILE
    return f"service-{service}.yaml" if service in _TAKEN else f"{service}.yaml"
