"""Priority: a Pod's priority class becomes a number; there is one default class at most.

Source: plugin/pkg/admission/priority/admission.go, pkg/registry/scheduling/priorityclass/storage
(Kubernetes 1.36).
"""

from __future__ import annotations

from collections.abc import Sequence

from leeward.cluster.interface.client import Reader
from leeward.cluster.registry.admission.attributes import Attributes
from leeward.cluster.registry.admission.plugin import Handler, PluginContext, PluginDescriptor
from leeward.kube.objects import Obj

_CLASSES = "priorityclasses.scheduling.k8s.io"
_PREEMPT = "PreemptLowerPriority"
_SYSTEM = ("system-cluster-critical", "system-node-critical")


class Priority:
    """Knows the priority classes."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    def admit_pod(self, write: Attributes) -> Obj:
        """Work out the priority and whether the Pod preempts others."""
        spec = write.obj["spec"]
        chosen = self._class_of(write, spec.get("priorityClassName") or "")
        priority = (chosen or {}).get("value") or 0
        if spec.get("priority") is not None and spec["priority"] != priority:
            raise write.forbidden(
                f"the integer value of priority ({spec['priority']}) must not be provided in pod spec; "
                f"priority admission controller computed {priority} from the given PriorityClass name"
            )
        policy = (chosen or {}).get("preemptionPolicy") or _PREEMPT
        if spec.get("preemptionPolicy") not in (None, policy):
            raise write.forbidden(
                f"the string value of PreemptionPolicy ({spec['preemptionPolicy']}) must not be provided in "
                f"pod spec; priority admission controller computed {policy} from the given PriorityClass name"
            )
        name = {"priorityClassName": chosen["metadata"]["name"]} if chosen else {}
        return {**write.obj, "spec": {**spec, **name, "priority": priority, "preemptionPolicy": policy}}

    def _class_of(self, write: Attributes, name: str) -> Obj | None:
        if not name:
            return self._default()
        found = self._reader.find(_CLASSES, "", name)
        if found is None:
            raise write.forbidden(f"no PriorityClass with name {name} was found")
        return found

    def _default(self) -> Obj | None:
        """Return the default class; of several that with the lowest value."""
        defaults = [each for each in self._reader.list(_CLASSES) if each.get("globalDefault")]
        return min(defaults, key=lambda each: int(each.get("value") or 0)) if defaults else None

    @staticmethod
    def validate_deletion(write: Attributes) -> None:
        """Keep the classes that the system itself uses."""
        if write.name in _SYSTEM:
            raise write.forbidden("this is a system priority class and cannot be deleted")

    def validate_class(self, write: Attributes) -> None:
        """Refuse a second default."""
        if not write.obj.get("globalDefault"):
            return
        default = self._default()
        name = write.obj["metadata"].get("name")
        if default is None or (write.operation == "UPDATE" and default["metadata"]["name"] == name):
            return
        raise write.forbidden(
            f"PriorityClass {default['metadata']['name']} is already marked as default. "
            "Only one default can exist"
        )


def build(context: PluginContext) -> Sequence[Handler]:
    """Return its handlers."""
    plugin = Priority(context.reader)
    return (
        Handler(operations=("CREATE",), resources=("pods",), admit=plugin.admit_pod),
        Handler(operations=("CREATE", "UPDATE"), resources=(_CLASSES,), validate=plugin.validate_class),
        Handler(operations=("DELETE",), resources=(_CLASSES,), validate=plugin.validate_deletion),
    )


DESCRIPTOR = PluginDescriptor(name="Priority", build=build)
