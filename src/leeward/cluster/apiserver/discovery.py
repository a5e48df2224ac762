"""Discovery documents: what there is, in the legacy and in the aggregated form.

Source: ``k8s.io/apiserver/pkg/endpoints/discovery`` and ``apidiscovery.k8s.io/v2`` (1.36).
"""

from __future__ import annotations

import base64
import hashlib
from typing import Any

from leeward.cluster.apiserver.served import Catalog, Served, Subresource

AGGREGATED_TYPE = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"

_ROOT = (
    "/.well-known/openid-configuration", "/api", "/api/v1", "/apis", "/apis/", "/healthz", "/healthz/ping",
    "/livez", "/livez/ping", "/metrics", "/openapi/v2", "/openapi/v3", "/openapi/v3/", "/openid/v1/jwks",
    "/readyz", "/readyz/ping", "/version",
)  # fmt: skip
VERSION_INFO = {
    "major": "1",
    "minor": "36",
    "emulationMajor": "1",
    "emulationMinor": "36",
    "minCompatibilityMajor": "1",
    "minCompatibilityMinor": "35",
    "gitVersion": "v1.36.0",
    "gitCommit": "$Format:%H$",
    "gitTreeState": "",
    "buildDate": "1970-01-01T00:00:00Z",
    "goVersion": "go1.26.6",
    "compiler": "gc",
    "platform": "linux/amd64",
}


def api_versions(address: str) -> dict[str, Any]:
    """Return the document at ``/api``; `address` is host and port."""
    return {
        "kind": "APIVersions",
        "versions": ["v1"],
        "serverAddressByClientCIDRs": [{"clientCIDR": "0.0.0.0/0", "serverAddress": address}],
    }


def group_document(group: str, versions: list[str]) -> dict[str, Any]:
    """Return the APIGroup of `group`, without its type."""
    shown = [{"groupVersion": f"{group}/{version}", "version": version} for version in versions]
    return {"name": group, "versions": shown, "preferredVersion": shown[0]}


def group_list(catalog: Catalog) -> dict[str, Any]:
    """Return the document at ``/apis``."""
    groups = [group_document(name, found) for name, found in catalog.groups().items() if name]
    return {"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}


def resource_list(catalog: Catalog, group: str, version: str) -> dict[str, Any]:
    """Return the APIResourceList of a group version."""
    entries: list[dict[str, Any]] = []
    for served in catalog.of(group, version):
        entries.append(_legacy(served))
        entries.extend(_legacy_subresource(served, found) for found in served.subresources)
    return {
        "kind": "APIResourceList",
        **({"apiVersion": "v1"} if group else {}),
        "groupVersion": f"{group}/{version}" if group else version,
        "resources": entries,
    }


def _legacy(served: Served) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "name": served.plural,
        "singularName": served.singular,
        "namespaced": served.namespaced,
        "kind": served.kind,
        "verbs": list(served.verbs),
    }
    if served.short_names:
        entry["shortNames"] = list(served.short_names)
    if served.categories:
        entry["categories"] = list(served.categories)
    if "update" in served.verbs:
        entry["storageVersionHash"] = _storage_hash(served)
    return entry


def _storage_hash(served: Served) -> str:
    """Return the hash of what a resource is stored as, which clients compare."""
    group, version = served.group, served.storage_version or served.version
    if served.name == "events.events.k8s.io":
        group, version = "", "v1"
    digest = hashlib.sha256(f"{group}/{version}/{served.kind}".encode()).digest()
    return base64.b64encode(digest[:8]).decode()


def _legacy_subresource(served: Served, found: Subresource) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "name": f"{served.plural}/{found.name}",
        "singularName": "",
        "namespaced": served.namespaced,
    }
    if (found.group, found.version) != (served.group, served.version):
        entry |= {"group": found.group, "version": found.version}
    return {**entry, "kind": found.kind, "verbs": list(found.verbs)}


def aggregated(catalog: Catalog, *, core: bool) -> dict[str, Any]:
    """Return the APIGroupDiscoveryList of ``/api`` (`core`) or ``/apis``."""
    items = [
        {
            "metadata": {"name": name} if name else {},
            "versions": [_version(catalog, name, version) for version in versions],
        }
        for name, versions in catalog.groups().items()
        if (not name) is core
    ]
    return {
        "kind": "APIGroupDiscoveryList",
        "apiVersion": "apidiscovery.k8s.io/v2",
        "metadata": {},
        "items": items,
    }


def _version(catalog: Catalog, group: str, version: str) -> dict[str, Any]:
    return {
        "version": version,
        "resources": [_aggregated(served) for served in catalog.of(group, version)],
        "freshness": "Current",
    }


def _kind(served: Served, found: Served | Subresource) -> dict[str, str]:
    """Return the kind answered; group and version are told where they are others than the URL's."""
    own = (found.group, found.version) == (served.group, served.version)
    return {
        "group": "" if own else found.group,
        "version": "" if own else found.version,
        "kind": found.kind,
    }


def _aggregated(served: Served) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "resource": served.plural,
        "responseKind": _kind(served, served),
        "scope": "Namespaced" if served.namespaced else "Cluster",
        "singularResource": served.singular,
        "verbs": list(served.verbs),
    }
    if served.short_names:
        entry["shortNames"] = list(served.short_names)
    if served.categories:
        entry["categories"] = list(served.categories)
    if served.subresources:
        entry["subresources"] = [
            {
                "subresource": found.name,
                "responseKind": _kind(served, found),
                "verbs": list(found.verbs),
            }
            for found in served.subresources
        ]
    return entry


def root_paths(catalog: Catalog) -> list[str]:
    """Return what ``/`` lists."""
    versions = [(group, version) for group, found in catalog.groups().items() if group for version in found]
    documents = [f"/apis/{group}" for group, _ in versions] + [
        f"/apis/{group}/{version}" for group, version in versions
    ]
    return sorted({*_ROOT, *documents})
