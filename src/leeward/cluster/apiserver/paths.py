"""What a URL of the Kubernetes API names.

Source: ``k8s.io/apiserver/pkg/endpoints/request`` (RequestInfoFactory, 1.36).
"""

from __future__ import annotations

from dataclasses import dataclass

# Subresources of the resource "namespaces" itself; anything else after a namespace is a resource in it.
_NAMESPACE_SUBRESOURCES = ("status", "finalize")


@dataclass(frozen=True, slots=True)
class ResourcePath:
    """A path below one group and version."""

    group: str  # "" for the core group
    version: str
    namespace: str  # "" when the path names none
    resource: str  # plural; "" for the group version itself
    name: str  # "" for a collection
    subresource: str
    rest: str  # what follows a subresource, as with proxy
    legacy_watch: bool = False  # the deprecated /watch/ prefix


def parse_resource_path(path: str) -> ResourcePath | None:
    """Return what a path such as ``/apis/apps/v1/namespaces/x/deployments/y/scale`` names, or None."""
    parts = [part for part in path.split("/") if part]
    if not parts:
        return None
    if parts[0] == "api" and len(parts) >= 2:
        group, version, parts = "", parts[1], parts[2:]
    elif parts[0] == "apis" and len(parts) >= 3:
        group, version, parts = parts[1], parts[2], parts[3:]
    else:
        return None
    legacy = bool(parts) and parts[0] == "watch"
    parts = parts[1:] if legacy else parts
    namespace = ""
    if len(parts) >= 3 and parts[0] == "namespaces" and parts[2] not in _NAMESPACE_SUBRESOURCES:
        namespace, parts = parts[1], parts[2:]
    padded = [*parts, "", "", ""]
    return ResourcePath(
        group, version, namespace, padded[0], padded[1], padded[2], "/".join(parts[3:]), legacy
    )
