"""PersistentVolumeClaimResize: only what a class lets grow may grow, once it is bound.

Source: plugin/pkg/admission/storage/persistentvolume/resize/admission.go (Kubernetes 1.36).
"""

from __future__ import annotations

from collections.abc import Sequence

from leeward.cluster.interface.client import Reader
from leeward.cluster.registry.admission.attributes import Attributes
from leeward.cluster.registry.admission.plugin import Handler, PluginContext, PluginDescriptor
from leeward.kube.objects import Obj
from leeward.kube.quantity import ZERO, Amount
from leeward.kube.resourcelists import read
from leeward.kube.volumes import class_of


def _size(claim: Obj) -> Amount:
    return read(((claim.get("spec") or {}).get("resources") or {}).get("requests")).get("storage", ZERO)


class PersistentVolumeClaimResize:
    """Knows the storage classes."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    def validate(self, write: Attributes) -> None:
        """Refuse growth that nothing would carry out."""
        new, old = write.obj, write.old or {}
        if _size(new).value <= _size(old).value:
            return
        if (old.get("status") or {}).get("phase") != "Bound":
            raise write.forbidden("only bound persistent volume claims can be expanded")
        name = class_of(new)
        found = self._reader.find("storageclasses.storage.k8s.io", "", name) if name else None
        if found is None or name != class_of(old) or not found.get("allowVolumeExpansion"):
            raise write.forbidden(
                "only dynamically provisioned pvc can be resized and the storageclass that provisions the "
                "pvc must support resize"
            )


def build(context: PluginContext) -> Sequence[Handler]:
    """Return its handlers."""
    plugin = PersistentVolumeClaimResize(context.reader)
    return (Handler(operations=("UPDATE",), resources=("persistentvolumeclaims",), validate=plugin.validate),)


DESCRIPTOR = PluginDescriptor(name="PersistentVolumeClaimResize", build=build)
