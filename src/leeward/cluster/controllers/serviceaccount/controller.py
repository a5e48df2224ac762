"""The service account controller: one key per namespace.

Source: ``pkg/controller/serviceaccount/serviceaccounts_controller.go`` (1.36).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from leeward.cluster.controllers.framework.controller import ControllerContext, ControllerDescriptor
from leeward.cluster.interface.client import Event
from leeward.kube.objects import ObjectKey, is_terminating, key_of


class ServiceAccountController:
    """Makes the account that Pods of a namespace have unless they name another."""

    def __init__(self, context: ControllerContext) -> None:
        self._client = context.client

    @property
    def resources(self) -> Collection[str]:
        return ("namespaces", "serviceaccounts")

    def keys_for(self, event: Event) -> Iterable[ObjectKey]:
        key = key_of(event.object)
        if event.resource == "namespaces":
            return [key] if event.type != "DELETED" else ()
        lost = event.type == "DELETED" and key.name == "default"
        return [ObjectKey("", key.namespace)] if lost else ()

    def sync(self, key: ObjectKey) -> float | None:
        """Make the account where it is missing."""
        namespace = self._client.find("namespaces", "", key.name)
        if namespace is None or is_terminating(namespace):
            return None
        if self._client.find("serviceaccounts", key.name, "default") is None:
            meta = {"name": "default", "namespace": key.name}
            self._client.create(
                "serviceaccounts", {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": meta}
            )
        return None


DESCRIPTOR = ControllerDescriptor(name="serviceaccount-controller", build=ServiceAccountController)
