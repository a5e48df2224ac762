"""PodTopologyLabels: a Pod carries the zone and region of its node as labels.

Source: plugin/pkg/admission/podtopologylabels/admission.go (Kubernetes 1.36).
"""

from __future__ import annotations

from collections.abc import Sequence

from leeward.cluster.interface.client import Reader
from leeward.cluster.registry.admission.attributes import Attributes
from leeward.cluster.registry.admission.plugin import Handler, PluginContext, PluginDescriptor
from leeward.kube.objects import Obj, labels_of
from leeward.kube.wellknown import REGION, ZONE


class PodTopologyLabels:
    """Knows the nodes."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    def admit_binding(self, write: Attributes) -> Obj:
        """Give a Binding the labels of its node; they go to the Pod."""
        target = write.obj.get("target") or {}
        return (
            self._labelled(write.obj, target.get("name") or "") if target.get("kind") == "Node" else write.obj
        )

    def admit_pod(self, write: Attributes) -> Obj:
        """Give a Pod that comes with a node, or gets one, its labels."""
        name = write.obj["spec"].get("nodeName")
        return self._labelled(write.obj, name) if name else write.obj

    def _labelled(self, obj: Obj, name: str) -> Obj:
        node = self._reader.find("nodes", "", name)
        topology = {k: v for k, v in labels_of(node).items() if k in (ZONE, REGION)} if node else {}
        meta = obj.get("metadata") or {}
        have = meta.get("labels") or {}
        if topology.keys() <= have.keys():
            return obj
        return {**obj, "metadata": {**meta, "labels": {**topology, **have}}}


def build(context: PluginContext) -> Sequence[Handler]:
    """Return its handlers."""
    plugin = PodTopologyLabels(context.reader)
    return (
        Handler(operations=("CREATE",), resources=("pods",), admit=plugin.admit_pod),
        Handler(
            operations=("CREATE",), resources=("pods",), subresources=("binding",), admit=plugin.admit_binding
        ),
    )


DESCRIPTOR = PluginDescriptor(name="PodTopologyLabels", build=build)
