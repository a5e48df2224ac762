"""DefaultStorageClass: a claim that names no class gets the default one.

Source: plugin/pkg/admission/storage/storageclass/setdefault/admission.go (Kubernetes 1.36).
"""

from __future__ import annotations

from collections.abc import Sequence

from leeward.cluster.interface.client import Reader
from leeward.cluster.registry.admission.attributes import Attributes
from leeward.cluster.registry.admission.plugin import Handler, PluginContext, PluginDescriptor
from leeward.kube.objects import Obj, annotations_of
from leeward.kube.volumes import BETA_CLASS, default_class

_CLASSES = "storageclasses.storage.k8s.io"


class DefaultStorageClass:
    """Knows the storage classes."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    def admit(self, write: Attributes) -> Obj:
        """Name the class."""
        claim = write.obj
        spec = claim.get("spec") or {}
        if spec.get("storageClassName") is not None or BETA_CLASS in annotations_of(claim):
            return claim
        default = default_class(self._reader.list(_CLASSES))
        if default is None:
            return claim
        return {**claim, "spec": {**spec, "storageClassName": default["metadata"]["name"]}}


def build(context: PluginContext) -> Sequence[Handler]:
    """Return its handlers."""
    plugin = DefaultStorageClass(context.reader)
    return (Handler(operations=("CREATE",), resources=("persistentvolumeclaims",), admit=plugin.admit),)


DESCRIPTOR = PluginDescriptor(name="DefaultStorageClass", build=build)
