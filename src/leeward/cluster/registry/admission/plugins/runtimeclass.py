"""RuntimeClass: a Pod gets the overhead, node selector and tolerations of its class.

Source: plugin/pkg/admission/runtimeclass/admission.go, pkg/util/tolerations (Kubernetes 1.36).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from leeward.cluster.interface.client import Reader
from leeward.cluster.registry.admission.attributes import Attributes
from leeward.cluster.registry.admission.plugin import Handler, PluginContext, PluginDescriptor
from leeward.kube.objects import Obj
from leeward.kube.resourcelists import read


class RuntimeClass:
    """Knows the runtime classes."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    def admit(self, write: Attributes) -> Obj:
        """Add what the class says."""
        pod = write.obj
        spec = pod["spec"]
        chosen = self._class_of(write, spec)
        if chosen is None:
            return pod
        new = dict(spec)
        overhead = (chosen.get("overhead") or {}).get("podFixed")
        if chosen.get("overhead") is not None:
            if spec.get("overhead") is not None and not _equal(spec["overhead"], overhead):
                raise _other_overhead(write)
            if overhead:
                new["overhead"] = overhead
        scheduling = chosen.get("scheduling")
        if scheduling:
            new |= _scheduled(write, spec, scheduling)
        return {**pod, "spec": new}

    def validate(self, write: Attributes) -> None:
        """Refuse an overhead that is not the class's."""
        spec = write.obj["spec"]
        chosen = self._class_of(write, spec)
        if chosen is not None and chosen.get("overhead") is not None:
            if not _equal(spec.get("overhead"), chosen["overhead"].get("podFixed")):
                raise _other_overhead(write)
        elif spec.get("overhead") is not None:
            raise write.forbidden(
                "pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead"
            )

    def _class_of(self, write: Attributes, spec: Obj) -> Obj | None:
        name = spec.get("runtimeClassName")
        if name is None:
            return None
        found = self._reader.find("runtimeclasses.node.k8s.io", "", name)
        if found is None:
            raise write.forbidden(f'pod rejected: RuntimeClass "{name}" not found')
        return found


def _equal(one: Obj | None, other: Obj | None) -> bool:
    try:
        amounts = [{name: each.value for name, each in read(given).items()} for given in (one, other)]
    except ValueError:  # validation, which comes later, says so
        return True
    return amounts[0] == amounts[1]


def _other_overhead(write: Attributes) -> Exception:
    return write.forbidden("pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead")


def _scheduled(write: Attributes, spec: Obj, scheduling: Obj) -> dict[str, Any]:
    """Return node selector and tolerations with those of the class."""
    own, wanted = spec.get("nodeSelector") or {}, scheduling.get("nodeSelector") or {}
    for key, value in wanted.items():
        if own.get(key, value) != value:
            raise write.forbidden(
                f"conflict: runtimeClass.scheduling.nodeSelector[{key}] = {value}; "
                f"pod.spec.nodeSelector[{key}] = {own[key]}"
            )
    tolerations = merged([*(spec.get("tolerations") or ()), *(scheduling.get("tolerations") or ())])
    return {
        **({"nodeSelector": {**own, **wanted}} if own or wanted else {}),
        **({"tolerations": tolerations} if tolerations else {}),
    }


def merged(tolerations: Sequence[Obj]) -> list[Obj]:
    """Return tolerations without those that others include."""
    kept: list[Obj] = []
    for index, each in enumerate(tolerations):
        later = (other for other in tolerations[index + 1 :] if other != each)
        if not any(_includes(other, each) for other in (*kept, *later)):
            kept.append(each)
    return kept


def _includes(wide: Obj, narrow: Obj) -> bool:
    """Tell whether `wide` tolerates all that `narrow` does."""
    if wide == narrow:
        return True
    exists = wide.get("operator") == "Exists"
    if narrow.get("key") != wide.get("key") and (wide.get("key") or not exists):
        return False
    if wide.get("effect") not in (None, "", narrow.get("effect")):
        return False
    if wide.get("effect") == "NoExecute" and wide.get("tolerationSeconds") is not None:
        seconds = narrow.get("tolerationSeconds")
        if seconds is None or seconds > wide["tolerationSeconds"]:
            return False
    if wide.get("operator") in (None, "", "Equal"):
        return narrow.get("operator") == "Equal" and narrow.get("value") == wide.get("value")
    return exists


def build(context: PluginContext) -> Sequence[Handler]:
    """Return its handlers."""
    plugin = RuntimeClass(context.reader)
    return (
        Handler(operations=("CREATE",), resources=("pods",), admit=plugin.admit, validate=plugin.validate),
    )


DESCRIPTOR = PluginDescriptor(name="RuntimeClass", build=build)
