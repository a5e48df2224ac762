"""DefaultStorageClass: a claim that names no class gets the default one.

Of several defaults the newest counts, of equally old ones the first by name.

Source: plugin/pkg/admission/storage/storageclass/setdefault/admission.go, pkg/volume/util/storageclass.go
(Kubernetes 1.36).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from operator import itemgetter

from leeward.cluster.interface.client import Reader
from leeward.cluster.registry.admission.attributes import Attributes
from leeward.cluster.registry.admission.plugin import Handler, PluginContext, PluginDescriptor
from leeward.kube.objects import Obj, annotations_of

DEFAULT_CLASS = "storageclass.kubernetes.io/is-default-class"
_BETA_DEFAULT = "storageclass.beta.kubernetes.io/is-default-class"
_BETA_CLASS = "volume.beta.kubernetes.io/storage-class"
_CLASSES = "storageclasses.storage.k8s.io"


def newest_first(objects: Iterable[Obj]) -> list[Obj]:
    """Return objects, newest first, equally old ones by name."""
    metas = sorted(((each["metadata"]["name"], each) for each in objects), key=itemgetter(0))
    return [
        each for _, each in sorted(metas, key=lambda m: m[1]["metadata"]["creationTimestamp"], reverse=True)
    ]


class DefaultStorageClass:
    """Knows the storage classes."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    def admit(self, write: Attributes) -> Obj:
        """Name the class."""
        claim = write.obj
        spec = claim.get("spec") or {}
        if spec.get("storageClassName") is not None or _BETA_CLASS in annotations_of(claim):
            return claim
        defaults = [
            each
            for each in self._reader.list(_CLASSES)
            if "true" in (annotations_of(each).get(DEFAULT_CLASS), annotations_of(each).get(_BETA_DEFAULT))
        ]
        if not defaults:
            return claim
        name = newest_first(defaults)[0]["metadata"]["name"]
        return {**claim, "spec": {**spec, "storageClassName": name}}


def build(context: PluginContext) -> Sequence[Handler]:
    """Return its handlers."""
    plugin = DefaultStorageClass(context.reader)
    return (Handler(operations=("CREATE",), resources=("persistentvolumeclaims",), admit=plugin.admit),)


DESCRIPTOR = PluginDescriptor(name="DefaultStorageClass", build=build)
