"""DefaultIngressClass: an Ingress that names no class gets the default one.

Source: plugin/pkg/admission/network/defaultingressclass/admission.go (Kubernetes 1.36).
"""

from __future__ import annotations

from collections.abc import Sequence

from leeward.cluster.interface.client import Reader
from leeward.cluster.registry.admission.attributes import Attributes
from leeward.cluster.registry.admission.plugin import Handler, PluginContext, PluginDescriptor
from leeward.kube.objects import Obj, annotations_of, newest_first

_DEFAULT = "ingressclass.kubernetes.io/is-default-class"
_ANNOTATION = "kubernetes.io/ingress.class"
_CLASSES = "ingressclasses.networking.k8s.io"


class DefaultIngressClass:
    """Knows the ingress classes."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    def admit(self, write: Attributes) -> Obj:
        """Name the class."""
        ingress = write.obj
        spec = ingress.get("spec") or {}
        if spec.get("ingressClassName") is not None or _ANNOTATION in annotations_of(ingress):
            return ingress
        defaults = [
            each for each in self._reader.list(_CLASSES) if annotations_of(each).get(_DEFAULT) == "true"
        ]
        if not defaults:
            return ingress
        name = newest_first(defaults)[0]["metadata"]["name"]
        return {**ingress, "spec": {**spec, "ingressClassName": name}}


def build(context: PluginContext) -> Sequence[Handler]:
    """Return its handlers."""
    plugin = DefaultIngressClass(context.reader)
    return (Handler(operations=("CREATE",), resources=("ingresses.networking.k8s.io",), admit=plugin.admit),)


DESCRIPTOR = PluginDescriptor(name="DefaultIngressClass", build=build)
