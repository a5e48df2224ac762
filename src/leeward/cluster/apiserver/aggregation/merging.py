"""Discovery of this server with what aggregated servers say of themselves. Pure.

Source: k8s.io/kube-aggregator/pkg/apiserver/{handler_apis,handler_discovery}.go (Kubernetes 1.36).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from leeward.cluster.apiserver.aggregation.registration import CUSTOM_PRIORITY, OWN_GROUP, PRIORITIES
from leeward.kube.versions import version_priority

Document = Mapping[str, Any]


class RemoteVersion(NamedTuple):
    """One aggregated group version."""

    group: str
    version: str
    minimum: int  # groupPriorityMinimum
    priority: int  # versionPriority
    entry: Document | None = None  # what its server says of it; None: nothing yet
    stale: bool = False  # and does not say any more

    def shown(self) -> dict[str, Any]:
        """Return its APIVersionDiscovery."""
        freshness = "Stale" if self.stale or self.entry is None else "Current"
        return {**(self.entry or {}), "version": self.version, "freshness": freshness}


def with_items(items: Sequence[Document], remotes: Iterable[RemoteVersion]) -> list[dict[str, Any]]:
    """Return the groups of aggregated discovery with those that are served elsewhere."""
    found = {each["metadata"].get("name", ""): [*each["versions"]] for each in items}
    minimums = {name: _minimum(name) for name in found}
    for remote in _sorted(remotes):
        versions = found.setdefault(remote.group, [])
        _put(versions, remote.shown())
        minimums[remote.group] = max(minimums.get(remote.group, 0), remote.minimum)
    return [{"metadata": {"name": name}, "versions": found[name]} for name in _ordered(found, minimums)]


def with_groups(groups: Sequence[Document], remotes: Iterable[RemoteVersion]) -> list[dict[str, Any]]:
    """Return the groups of an APIGroupList with those that are served elsewhere."""
    found = {each["name"]: [*each["versions"]] for each in groups}
    minimums = {name: _minimum(name) for name in found}
    for remote in _sorted(remotes):
        versions = found.setdefault(remote.group, [])
        shown = {"groupVersion": f"{remote.group}/{remote.version}", "version": remote.version}
        _put(versions, shown)
        minimums[remote.group] = max(minimums.get(remote.group, 0), remote.minimum)
    return [
        {"name": name, "versions": found[name], "preferredVersion": found[name][0]}
        for name in _ordered(found, minimums)
    ]


def _put(versions: list[Any], shown: Document) -> None:
    """Add a version, or put it into the place of one of its name."""
    for index, each in enumerate(versions):
        if each["version"] == shown["version"]:
            versions[index] = shown
            return
    versions.append(shown)


def _sorted(remotes: Iterable[RemoteVersion]) -> list[RemoteVersion]:
    return sorted(
        remotes, key=lambda each: (-each.minimum, each.group, -each.priority, version_priority(each.version))
    )


def _minimum(name: str) -> int:
    return 1 << 16 if name == OWN_GROUP else PRIORITIES.get(name, CUSTOM_PRIORITY)


def _ordered(found: Iterable[str], minimums: Mapping[str, int]) -> list[str]:
    """Return the groups by priority; those of one priority stay in their order."""
    return sorted(found, key=lambda name: -minimums[name])


def from_list(document: Document) -> dict[tuple[str, str], Document]:
    """Return the versions of an APIGroupDiscoveryList, by group and version."""
    return {
        (item["metadata"]["name"], version["version"]): version
        for item in document.get("items") or ()
        for version in item.get("versions") or ()
    }


def from_resources(version: str, document: Document) -> Document:
    """Return an APIResourceList as an APIVersionDiscovery."""
    resources: dict[str, dict[str, Any]] = {}
    for each in document.get("resources") or ():
        plural, _, part = each["name"].partition("/")
        kind = {
            "group": each.get("group", ""),
            "version": each.get("version", ""),
            "kind": each.get("kind", ""),
        }
        scope = "Namespaced" if each.get("namespaced") else "Cluster"
        if not part:
            resources[plural] = {
                "resource": plural,
                "responseKind": kind,
                "scope": scope,
                "singularResource": each.get("singularName", ""),
                "verbs": each.get("verbs") or [],
                **{key: each[key] for key in ("shortNames", "categories") if each.get(key)},
            }
            continue
        parent = resources.setdefault(plural, {"resource": plural, "scope": scope, "singularResource": ""})
        below = {"subresource": part, "responseKind": kind, "verbs": each.get("verbs") or []}
        parent.setdefault("subresources", []).append(below)
    return {"version": version, "resources": list(resources.values())}
