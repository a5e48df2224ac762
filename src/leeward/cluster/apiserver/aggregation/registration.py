"""APIServices of what this server serves itself: of built-in groups and of custom resources.

Those of built-in groups are made when the server starts, and left alone then; those of custom resources come
and go with their definitions. What somebody has made without the label is not touched.

Source: pkg/controlplane/apiserver/aggregator.go, pkg/controlplane/controller/crdregistration,
k8s.io/kube-aggregator/pkg/controllers/autoregister, pkg/controlplane/controller/clusterauthenticationtrust
(Kubernetes 1.36).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from leeward.cluster.apiserver.pki import FRONT_PROXY, Pki
from leeward.cluster.interface.client import Client
from leeward.kube.objects import Obj
from leeward.kube.resources import CRDS, readable_definitions

API_SERVICES = "apiservices.apiregistration.k8s.io"
OWN_GROUP = "apiregistration.k8s.io"  # has no APIService
MANAGED = "kube-aggregator.kubernetes.io/automanaged"
PRIORITIES: Mapping[str, int] = {  # of built-in groups
    "": 18000,
    "apps": 17800,
    "events.k8s.io": 17750,
    "authentication.k8s.io": 17700,
    "authorization.k8s.io": 17600,
    "autoscaling": 17500,
    "batch": 17400,
    "certificates.k8s.io": 17300,
    "networking.k8s.io": 17200,
    "policy": 17100,
    "rbac.authorization.k8s.io": 17000,
    "storage.k8s.io": 16800,
    "admissionregistration.k8s.io": 16700,
    "apiextensions.k8s.io": 16700,
    "scheduling.k8s.io": 16600,
    "coordination.k8s.io": 16500,
    "node.k8s.io": 16300,
    "discovery.k8s.io": 16200,
    "resource.k8s.io": 16200,
    "flowcontrol.apiserver.k8s.io": 16100,
    "metrics.k8s.io": 100,
}
_VERSIONS = {
    ("", "v1"): 1,
    ("autoscaling", "v2"): 30,
    ("flowcontrol.apiserver.k8s.io", "v1"): 21,
    ("metrics.k8s.io", "v1beta1"): 100,
}
CUSTOM_PRIORITY = 1000
_CUSTOM_VERSION = 100
_CONFIG = ("kube-system", "extension-apiserver-authentication")


class Changes(NamedTuple):
    """What is to be done about the APIServices of custom resources."""

    create: list[Obj]
    update: list[Obj]
    delete: list[str]


def built_in(groups: Mapping[str, Iterable[str]]) -> list[Obj]:
    """Return the APIServices of built-in groups.

    Args:
        groups: served versions by group.
    """
    return [
        _api_service(group, version, PRIORITIES[group], _VERSIONS.get((group, version), 15), "onstart")
        for group, versions in groups.items()
        if group in PRIORITIES
        for version in versions
    ]


def custom(definitions: Iterable[Obj]) -> list[Obj]:
    """Return the APIServices of custom resources."""
    found = {
        (definition["spec"]["group"], version["name"])
        for definition in definitions
        for version in definition["spec"].get("versions") or ()
        if version.get("served")
    }
    return [_api_service(*each, CUSTOM_PRIORITY, _CUSTOM_VERSION, "true") for each in sorted(found)]


def _api_service(group: str, version: str, minimum: int, priority: int, managed: str) -> Obj:
    meta = {"name": f"{version}.{group}", "labels": {MANAGED: managed}}
    spec: Obj = {"version": version, "groupPriorityMinimum": minimum, "versionPriority": priority}
    spec = {"group": group, **spec} if group else spec
    return {"apiVersion": f"{OWN_GROUP}/v1", "kind": "APIService", "metadata": meta, "spec": spec}


def plan(wanted: Iterable[Obj], existing: Iterable[Obj]) -> Changes:
    """Return what makes the APIServices of custom resources the wanted ones."""
    missing = {each["metadata"]["name"]: each for each in wanted}
    changes = Changes([], [], [])
    for each in existing:
        name = each["metadata"]["name"]
        desired = missing.pop(name, None)
        if (each["metadata"].get("labels") or {}).get(MANAGED) != "true":
            continue
        if desired is None:
            changes.delete.append(name)
        elif desired["spec"] != each["spec"]:
            changes.update.append({**each, "spec": desired["spec"]})
    changes.create.extend(missing.values())
    return changes


class Registration:
    """Keeps the APIServices of this server.

    Args:
        client: writes them.
    """

    def __init__(self, client: Client) -> None:
        self._client = client

    def begin(self, groups: Mapping[str, Iterable[str]]) -> None:
        """Make those of built-in groups that are missing, then look after the others."""
        for each in built_in(groups):
            if self._client.find(API_SERVICES, "", each["metadata"]["name"]) is None:
                self._client.create(API_SERVICES, each)
        self.follow()

    def follow(self) -> None:
        """Let those of custom resources be as the definitions say."""
        changes = plan(custom(readable_definitions(self._client.list(CRDS))), self._client.list(API_SERVICES))
        for obj in changes.create:
            self._client.create(API_SERVICES, obj)
        for obj in changes.update:
            self._client.update(API_SERVICES, obj)
        for name in changes.delete:
            self._client.delete(API_SERVICES, "", name)


def publish(client: Client, pki: Pki) -> None:
    """Tell aggregated API servers whom to believe, in a ConfigMap."""
    data = {
        "client-ca-file": pki.ca_certificate.read_text(),
        "requestheader-allowed-names": json.dumps([FRONT_PROXY]),
        "requestheader-client-ca-file": pki.front_proxy_ca.read_text(),
        "requestheader-extra-headers-prefix": json.dumps(["X-Remote-Extra-"]),
        "requestheader-group-headers": json.dumps(["X-Remote-Group"]),
        "requestheader-uid-headers": json.dumps(["X-Remote-Uid"]),
        "requestheader-username-headers": json.dumps(["X-Remote-User"]),
    }
    namespace, name = _CONFIG
    found = client.find("configmaps", namespace, name)
    if found is not None and found.get("data") != data:
        client.update("configmaps", {**found, "data": data})
    if found is not None or client.find("namespaces", "", namespace) is None:
        return
    meta = {"name": name, "namespace": namespace}
    client.create("configmaps", {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": data})
