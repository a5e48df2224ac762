"""StorageObjectInUseProtection: volumes and claims stay while something uses them.

Source: plugin/pkg/admission/storage/storageobjectinuseprotection/admission.go (Kubernetes 1.36).
"""

from __future__ import annotations

from collections.abc import Sequence

from leeward.cluster.registry.admission.attributes import Attributes
from leeward.cluster.registry.admission.plugin import Handler, PluginContext, PluginDescriptor
from leeward.kube.objects import Obj
from leeward.kube.wellknown import PV_PROTECTION, PVC_PROTECTION

_FINALIZERS = {"persistentvolumes": PV_PROTECTION, "persistentvolumeclaims": PVC_PROTECTION}


def _admit(write: Attributes) -> Obj:
    finalizer = _FINALIZERS[write.resource.name]
    meta = write.obj["metadata"]
    have = meta.get("finalizers") or []
    if finalizer in have:
        return write.obj
    return {**write.obj, "metadata": {**meta, "finalizers": [*have, finalizer]}}


def build(context: PluginContext) -> Sequence[Handler]:
    """Return its handlers."""
    return (Handler(operations=("CREATE",), resources=tuple(_FINALIZERS), admit=_admit),)


DESCRIPTOR = PluginDescriptor(name="StorageObjectInUseProtection", build=build)
