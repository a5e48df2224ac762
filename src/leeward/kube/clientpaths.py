"""Where resources are served: known ones from the table, others from the server's discovery.

Source: ``k8s.io/client-go/restmapper`` (the idea).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from leeward.kube.http import Location
from leeward.kube.resources import BUILT_IN
from leeward.kube.status import NotFoundError


class Locator:
    """Remembers where resources are."""

    def __init__(self) -> None:
        self._known = {
            found.name: Location(
                found.group,
                found.version,
                found.plural,
                found.kind,
                found.namespaced,
            )
            for found in BUILT_IN
        }

    def known(self, resource: str) -> Location | None:
        """Return where `resource` is, when that is known."""
        return self._known.get(resource)

    def group_of(self, resource: str) -> str:
        """Return the group in "releases.leeward.dev"; "" for the core group."""
        return resource.partition(".")[2]

    def learn(self, resource: str, group: str, version: str, listing: Mapping[str, Any]) -> Location:
        """Remember a resource from the server's APIResourceList.

        Raises:
            NotFoundError: the server does not have it.
        """
        plural = resource.partition(".")[0]
        for entry in listing.get("resources") or ():
            if entry["name"] == plural:
                found = Location(group, version, plural, entry["kind"], entry["namespaced"])
                self._known[resource] = found
                return found
        raise NotFoundError(f'the server doesn\'t have a resource type "{resource}"')


def query_of(**parameters: str) -> dict[str, str]:
    """Return the parameters that are not empty."""
    return {key: value for key, value in parameters.items() if value}
