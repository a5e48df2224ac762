"""NamespaceLifecycle: objects need their namespace, and nothing new enters one on its way out.

Source: k8s.io/apiserver/pkg/admission/plugin/namespace/lifecycle/admission.go (Kubernetes 1.36).
"""

from __future__ import annotations

from collections.abc import Sequence

from leeward.cluster.interface.client import Reader
from leeward.cluster.registry.admission.attributes import Attributes
from leeward.cluster.registry.admission.plugin import EVERY, Handler, PluginContext, PluginDescriptor
from leeward.kube.objects import Obj
from leeward.kube.status import NotFoundError

_IMMORTAL = frozenset(("default", "kube-system", "kube-public"))


class NamespaceLifecycle:
    """Knows the namespaces."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    def admit(self, write: Attributes) -> Obj:
        """Refuse what has no namespace, or one that is terminating."""
        if not write.namespace or write.resource.name == "namespaces":
            return write.obj
        namespace = self._reader.find("namespaces", "", write.namespace)
        if namespace is None:
            raise NotFoundError(
                f'namespaces "{write.namespace}" not found',
                details={"name": write.namespace, "kind": "namespaces"},
            )
        if write.operation == "CREATE" and (namespace.get("status") or {}).get("phase") == "Terminating":
            name = write.namespace
            error = write.forbidden(
                f"unable to create new content in namespace {name} because it is being terminated"
            )
            cause = {
                "reason": "NamespaceTerminating",
                "message": f"namespace {name} is being terminated",
                "field": "metadata.namespace",
            }
            error.details = {**(error.details or {}), "causes": [cause]}
            raise error
        return write.obj

    @staticmethod
    def admit_deletion(write: Attributes) -> Obj:
        """Keep the namespaces that every cluster has."""
        if write.name in _IMMORTAL:
            raise write.forbidden("this namespace may not be deleted")
        return write.obj


def build(context: PluginContext) -> Sequence[Handler]:
    """Return its handlers."""
    plugin = NamespaceLifecycle(context.reader)
    return (
        Handler(operations=("CREATE", "UPDATE"), subresources=(EVERY,), admit=plugin.admit),
        Handler(operations=("DELETE",), resources=("namespaces",), admit=plugin.admit_deletion),
    )


DESCRIPTOR = PluginDescriptor(name="NamespaceLifecycle", build=build)
