"""The root CA publisher: one key per namespace; a ConfigMap that is gone or was changed is put right.

Source: ``pkg/controller/certificates/rootcacertpublisher`` (Kubernetes 1.36).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from leeward.cluster.controllers.framework.controller import ControllerContext, ControllerDescriptor
from leeward.cluster.interface.client import Event
from leeward.kube.objects import ObjectKey, annotations_of, is_terminating

ROOT_CA = "kube-root-ca.crt"
DESCRIPTION = "kubernetes.io/description"
_NOTE = (
    "Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints such "
    "as the internal service IP or kubernetes.default.svc. No other usage is guaranteed across distributions "
    "of Kubernetes clusters."
)


class RootCaPublisher:
    """Keeps one ConfigMap a namespace."""

    def __init__(self, context: ControllerContext) -> None:
        self._client = context.client
        self._data = {"ca.crt": context.root_ca}

    @property
    def resources(self) -> Collection[str]:
        return ("namespaces", "configmaps")

    def keys_for(self, event: Event) -> Iterable[ObjectKey]:
        meta = event.object["metadata"]
        if event.resource == "namespaces":
            fresh = event.previous is None and event.type != "DELETED"
            return [ObjectKey("", meta["name"])] if fresh else ()
        changed = event.type != "ADDED" and meta["name"] == ROOT_CA
        return [ObjectKey("", meta["namespace"])] if changed else ()

    def sync(self, key: ObjectKey) -> float | None:
        """Publish in one namespace."""
        namespace = self._client.find("namespaces", "", key.name)
        if namespace is None or is_terminating(namespace):
            return None
        found = self._client.find("configmaps", key.name, ROOT_CA)
        if found is None:
            meta = {"name": ROOT_CA, "namespace": key.name, "annotations": {DESCRIPTION: _NOTE}}
            new = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": self._data}
            self._client.create("configmaps", new)
        elif found.get("data") != self._data or not annotations_of(found).get(DESCRIPTION):
            notes = {**annotations_of(found), DESCRIPTION: _NOTE}
            meta = {**found["metadata"], "annotations": notes}
            self._client.update("configmaps", {**found, "metadata": meta, "data": self._data})
        return None


DESCRIPTOR = ControllerDescriptor(
    name="root-ca-certificate-publisher-controller",
    build=RootCaPublisher,
    component="root-ca-cert-publisher",
)
