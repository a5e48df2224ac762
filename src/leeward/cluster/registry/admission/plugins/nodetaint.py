"""TaintNodesByCondition: a new node takes no Pods until it is known to be ready.

Source: plugin/pkg/admission/nodetaint/admission.go (Kubernetes 1.36).
"""

from __future__ import annotations

from collections.abc import Sequence

from leeward.cluster.registry.admission.attributes import Attributes
from leeward.cluster.registry.admission.plugin import Handler, PluginContext, PluginDescriptor
from leeward.kube.objects import Obj
from leeward.kube.wellknown import TAINT_NOT_READY

_TAINT = {"key": TAINT_NOT_READY, "effect": "NoSchedule"}


def _admit(write: Attributes) -> Obj:
    node = write.obj
    spec = node.get("spec") or {}
    taints = spec.get("taints") or ()
    if any(each.get("key") == _TAINT["key"] and each.get("effect") == _TAINT["effect"] for each in taints):
        return node
    return {**node, "spec": {**spec, "taints": [*taints, _TAINT]}}


def build(context: PluginContext) -> Sequence[Handler]:
    """Return its handlers."""
    return (Handler(operations=("CREATE",), resources=("nodes",), admit=_admit),)


DESCRIPTOR = PluginDescriptor(name="TaintNodesByCondition", build=build)
