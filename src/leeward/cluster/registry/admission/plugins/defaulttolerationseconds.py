"""DefaultTolerationSeconds: a Pod stays a while on a node that is lost.

Source: plugin/pkg/admission/defaulttolerationseconds/admission.go (Kubernetes 1.36).
"""

from __future__ import annotations

from collections.abc import Sequence

from leeward.cluster.registry.admission.attributes import Attributes
from leeward.cluster.registry.admission.plugin import Handler, PluginContext, PluginDescriptor
from leeward.kube.objects import Obj
from leeward.kube.wellknown import TAINT_NOT_READY, TAINT_UNREACHABLE


class DefaultTolerationSeconds:
    """Adds tolerations."""

    def __init__(self, seconds: int) -> None:
        self._tolerations = [
            {"key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": seconds}
            for key in (TAINT_NOT_READY, TAINT_UNREACHABLE)
        ]

    def admit(self, write: Attributes) -> Obj:
        """Add the tolerations that the Pod says nothing about."""
        spec = write.obj["spec"]
        given = spec.get("tolerations") or ()
        added = [
            each
            for each in self._tolerations
            if not any(
                own.get("key") in (None, "", each["key"]) and own.get("effect") in (None, "", "NoExecute")
                for own in given
            )
        ]
        if not added:
            return write.obj
        return {**write.obj, "spec": {**spec, "tolerations": [*given, *added]}}


def build(context: PluginContext) -> Sequence[Handler]:
    """Return its handlers."""
    plugin = DefaultTolerationSeconds(context.options.default_toleration_seconds)
    return (Handler(operations=("CREATE", "UPDATE"), resources=("pods",), admit=plugin.admit),)


DESCRIPTOR = PluginDescriptor(name="DefaultTolerationSeconds", build=build)
