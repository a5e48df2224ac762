"""The claim protection controller: a deleted claim goes when the last Pod that uses it has ended.

Admission gives every claim the finalizer that is taken away here.

Source: ``pkg/controller/volume/pvcprotection`` (Kubernetes 1.36).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from leeward.cluster.controllers.framework.controller import ControllerContext, ControllerDescriptor
from leeward.cluster.interface.client import Event
from leeward.kube.objects import ObjectKey, is_terminating, key_of, without_finalizer
from leeward.kube.pods import is_finished
from leeward.kube.volumes import claims_of
from leeward.kube.wellknown import PVC_PROTECTION

CLAIMS = "persistentvolumeclaims"


class ClaimProtectionController:
    """Takes the finalizer from claims that nobody uses."""

    def __init__(self, context: ControllerContext) -> None:
        self._client = context.client

    @property
    def resources(self) -> Collection[str]:
        return (CLAIMS, "pods")

    def keys_for(self, event: Event) -> Iterable[ObjectKey]:
        if event.resource == CLAIMS:
            return [key_of(event.object)] if is_terminating(event.object) else ()
        if event.type != "DELETED" and not is_finished(event.object):
            return ()
        namespace = event.object["metadata"]["namespace"]
        return [ObjectKey(namespace, name) for name in claims_of(event.object)]

    def sync(self, key: ObjectKey) -> float | None:
        """Look at one claim."""
        claim = self._client.find(CLAIMS, *key)
        if claim is None or not is_terminating(claim):
            return None
        if not any(
            key.name in claims_of(pod) and pod["spec"].get("nodeName") and not is_finished(pod)
            for pod in self._client.list("pods", key.namespace)
        ):
            freed = without_finalizer(claim, PVC_PROTECTION)
            if freed is not claim:
                self._client.update(CLAIMS, freed)
        return None


DESCRIPTOR = ControllerDescriptor(
    name="persistentvolumeclaim-protection-controller", build=ClaimProtectionController
)
