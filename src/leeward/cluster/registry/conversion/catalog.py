"""The versions that are converted."""

from __future__ import annotations

from collections.abc import Mapping

from leeward.cluster.registry.conversion import autoscaling, events
from leeward.cluster.registry.conversion.version import Version

VERSIONS: Mapping[tuple[str, str], Version] = {
    (each.resource, each.api_version): each for each in (events.EVENTS_V1, autoscaling.AUTOSCALING_V1)
}


def version_of(resource: str, api_version: str) -> Version | None:
    """Return how a version of a stored resource is converted; None where it is the stored one."""
    return VERSIONS.get((resource, api_version))
