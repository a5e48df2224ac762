"""Which clients an endpoint is for, as Services wish by their trafficDistribution. Pure.

Source: ``k8s.io/endpointslice/trafficdist/trafficdist.go`` (Kubernetes 1.36).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from leeward.cluster.controllers.endpointslice.packing import Changes
from leeward.kube.objects import Obj, annotations_of

_SAME_NODE = "PreferSameNode"
_CLOSE = ("PreferClose", "PreferSameZone", _SAME_NODE)
_MODES = ("service.kubernetes.io/topology-mode", "service.kubernetes.io/topology-aware-hints")
HintsOf = Callable[[Obj], Obj | None]


def follows_zones(service: Obj) -> bool:
    """Tell whether endpoints are to be spread over zones as CPUs are: the annotation of the topology mode."""
    notes = annotations_of(service)
    mode = next((notes[name] for name in _MODES if name in notes), "")
    return mode.lower() == "auto"


def is_ready(endpoint: Obj) -> bool:
    """Tell whether an endpoint says that it is ready."""
    return bool((endpoint.get("conditions") or {}).get("ready"))


def hints_for(service: Obj) -> HintsOf:
    """Return what gives an endpoint's hints; None for none."""
    wish = service["spec"].get("trafficDistribution")
    if wish not in _CLOSE:
        return lambda endpoint: None

    def close(endpoint: Obj) -> Obj | None:
        hints: Obj = {}
        if not is_ready(endpoint):
            return None
        if endpoint.get("zone"):
            hints["forZones"] = [{"name": endpoint["zone"]}]
        if wish == _SAME_NODE and endpoint.get("nodeName"):
            hints["forNodes"] = [{"name": endpoint["nodeName"]}]
        return hints or None

    return close


def with_hints(endpoint: Obj, hints: Obj | None) -> Obj:
    """Return an endpoint with other hints; itself when it has them."""
    if endpoint.get("hints") == hints:
        return endpoint
    bare = {key: value for key, value in endpoint.items() if key != "hints"}
    return {**bare, "hints": hints} if hints else bare


def hinted(found: Changes, hints_of: HintsOf) -> Changes:
    """Return the changes with hints; slices that had others are changed, too."""
    update = [_slice(each, hints_of) for each in found.update]
    unchanged: list[Obj] = []
    for each in found.unchanged:
        new = _slice(each, hints_of)
        (unchanged if new is each else update).append(new)
    return Changes([_slice(each, hints_of) for each in found.create], update, found.delete, unchanged)


def _slice(found: Obj, hints_of: HintsOf) -> Obj:
    old: Iterable[Obj] = found.get("endpoints") or ()
    new = [with_hints(each, hints_of(each)) for each in old]
    same = all(one is other for one, other in zip(new, old, strict=True))
    return found if same else {**found, "endpoints": new}
