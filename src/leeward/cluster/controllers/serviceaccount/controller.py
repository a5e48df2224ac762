"""The service account controller: one key per namespace.

Source: ``pkg/controller/serviceaccount``, ``pkg/controller/certificates/rootcacertpublisher`` (1.36).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from leeward.cluster.controllers.framework.controller import ControllerContext, ControllerDescriptor
from leeward.cluster.interface.client import Event
from leeward.kube.objects import ObjectKey, is_terminating, key_of

ROOT_CA = "kube-root-ca.crt"
_NOTE = (
    "Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints such "
    "as the internal service IP or kubernetes.default.svc. No other usage is guaranteed across distributions "
    "of Kubernetes clusters."
)


class ServiceAccountController:
    """Makes what every Pod of a namespace may count on."""

    def __init__(self, context: ControllerContext) -> None:
        self._client = context.client
        self._root_ca = context.root_ca

    @property
    def resources(self) -> Collection[str]:
        return ("namespaces", "serviceaccounts", "configmaps")

    def keys_for(self, event: Event) -> Iterable[ObjectKey]:
        key = key_of(event.object)
        if event.resource == "namespaces":
            return [key]
        if event.resource == "serviceaccounts":
            lost = event.type == "DELETED" and key.name == "default"
        else:
            lost = event.type != "ADDED" and key.name == ROOT_CA
        return [ObjectKey("", key.namespace)] if lost else ()

    def sync(self, key: ObjectKey) -> float | None:
        """Make what is missing."""
        namespace = self._client.find("namespaces", "", key.name)
        if namespace is None or is_terminating(namespace):
            return None
        if self._client.find("serviceaccounts", key.name, "default") is None:
            meta = {"name": "default", "namespace": key.name}
            self._client.create(
                "serviceaccounts", {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": meta}
            )
        self._publish(key.name)
        return None

    def _publish(self, namespace: str) -> None:
        data = {"ca.crt": self._root_ca}
        found = self._client.find("configmaps", namespace, ROOT_CA)
        if found is not None:
            if found.get("data") != data:
                self._client.update("configmaps", {**found, "data": data})
            return
        meta = {
            "name": ROOT_CA,
            "namespace": namespace,
            "annotations": {"kubernetes.io/description": _NOTE},
        }
        self._client.create(
            "configmaps", {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": data}
        )


DESCRIPTOR = ControllerDescriptor(name="serviceaccount-controller", build=ServiceAccountController)
