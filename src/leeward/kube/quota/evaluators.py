"""One evaluator a kind: which resources of a quota it is about, and what one object uses of them.

Source: pkg/quota/v1/evaluator/core/{pods,services,persistent_volume_claims,resource_claims,registry}.go,
k8s.io/apiserver/pkg/quota/v1/generic/evaluator.go, pkg/quota/v1/install (Kubernetes 1.36).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from leeward.kube.objects import Obj, parse_time
from leeward.kube.quantity import ONE, Amount, parse_amount
from leeward.kube.quota.scopes import claim_in_scope, pod_in_scope
from leeward.kube.resourcelists import ResourceList, pod_resources, read
from leeward.kube.volumes import class_of

IGNORED = frozenset(
    ("events", "events.events.k8s.io", "bindings", "localsubjectaccessreviews.authorization.k8s.io")
)
_ALIASES = ("configmaps", "resourcequotas", "replicationcontrollers", "secrets")
_COMPUTE = ("cpu", "memory", "ephemeral-storage")
_DEMANDED = frozenset(
    ("cpu", "memory", "requests.cpu", "requests.memory", "limits.cpu", "limits.memory")
)  # containers have to say how much of these they need, where a quota is about them
_POD_NAMES = frozenset(
    (
        "count/pods",
        "pods",
        *_COMPUTE,
        *(f"{side}.{name}" for side in ("requests", "limits") for name in _COMPUTE),
    )
)
_SERVICE_NAMES = frozenset(("count/services", "services", "services.nodeports", "services.loadbalancers"))
_CLAIM_NAMES = ("persistentvolumeclaims", "requests.storage")
_OF_CLASS = ".storageclass.storage.k8s.io/"
_OF_DEVICES = ".deviceclass.resource.k8s.io/devices"


def count_name(resource: str) -> str:
    """Return what the number of objects of a resource is called in quotas."""
    return f"count/{resource}"


def _no_demand(names: Collection[str], obj: Obj) -> str:
    return ""


def _never(requirement: Obj, obj: Obj) -> bool:
    return False


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluator:
    """How one resource counts."""

    resource: str  # "deployments.apps"
    matches: Callable[[str], bool]  # whether a name in a quota is about it
    usage: Callable[[Obj, datetime | None], ResourceList]  # of an object, at a time
    updates: Collection[str] = ()  # subresources ("" for the object) whose updates may change the usage
    in_scope: Callable[[Obj, Obj], bool] = _never  # a scope's requirement, an object
    demand: Callable[[Collection[str], Obj], str] = _no_demand  # what an object does not say, but has to

    def matching(self, names: Iterable[str]) -> list[str]:
        """Return the names of a quota that are about this resource."""
        return [name for name in names if self.matches(name)]


def _is_extended(name: str) -> bool:
    return name.startswith("requests.") and "/" in name and "kubernetes.io/" not in name


def _is_pod_resource(name: str) -> bool:
    return name in _POD_NAMES or name.startswith(("hugepages-", "requests.hugepages-")) or _is_extended(name)


def _compute(requests: ResourceList, limits: ResourceList) -> ResourceList:
    """Return the usage of what is requested and limited."""
    used: ResourceList = {"pods": ONE}
    for name in _COMPUTE:
        if name in requests:
            used[name] = used[f"requests.{name}"] = requests[name]
        if name in limits:
            used[f"limits.{name}"] = limits[name]
    for name, amount in requests.items():
        if name.startswith("hugepages-"):
            used[name] = used[f"requests.{name}"] = amount
        elif "/" in name and "kubernetes.io/" not in name:
            used[f"requests.{name}"] = amount
    return used


def _pod_usage(pod: Obj, now: datetime | None) -> ResourceList:
    """Return what a Pod uses: nothing but its place, once it is over."""
    used: ResourceList = {"count/pods": ONE}
    if _is_over(pod, now):
        return used
    spec = pod["spec"]
    return {**used, **_compute(pod_resources(spec, "requests"), pod_resources(spec, "limits"))}


def _is_over(pod: Obj, now: datetime | None) -> bool:
    if (pod.get("status") or {}).get("phase") in ("Failed", "Succeeded"):
        return True
    meta = pod["metadata"]
    gone, grace = meta.get("deletionTimestamp"), meta.get("deletionGracePeriodSeconds")
    if now is None or not gone or grace is None:
        return False
    return now > parse_time(gone) + timedelta(seconds=grace)


def _pod_demand(names: Collection[str], pod: Obj) -> str:
    wanted = _DEMANDED.intersection(names)
    missing: dict[str, set[str]] = {}
    spec = pod["spec"]
    for container in (*(spec.get("containers") or ()), *(spec.get("initContainers") or ())) if wanted else ():
        resources = container.get("resources") or {}
        said = _compute(read(resources.get("requests")), read(resources.get("limits")))
        for name in wanted - said.keys():
            missing.setdefault(name, set()).add(container["name"])
    if not missing:
        return ""
    texts = (f"{name} for: {','.join(sorted(who))}" for name, who in sorted(missing.items()))
    return f"must specify {'; '.join(texts)}"


def _service_usage(service: Obj, now: datetime | None) -> ResourceList:
    spec = service.get("spec") or {}
    ports, kind = spec.get("ports") or (), spec.get("type")
    node_ports = len(ports) if kind in ("NodePort", "LoadBalancer") else 0
    if kind == "LoadBalancer" and spec.get("allocateLoadBalancerNodePorts") is False:
        node_ports = sum(1 for port in ports if port.get("nodePort"))
    return {
        "count/services": ONE,
        "services": ONE,
        "services.nodeports": parse_amount(node_ports),
        "services.loadbalancers": parse_amount(int(kind == "LoadBalancer")),
    }


def _is_claim_resource(name: str) -> bool:
    return (
        name == "count/persistentvolumeclaims"
        or name in _CLAIM_NAMES
        or name.endswith(tuple(_OF_CLASS + each for each in _CLAIM_NAMES))
    )


def _claim_usage(claim: Obj, now: datetime | None) -> ResourceList:
    spec = claim.get("spec") or {}
    used: ResourceList = {"persistentvolumeclaims": ONE, "count/persistentvolumeclaims": ONE}
    wanted = read((spec.get("resources") or {}).get("requests")).get("storage")
    allocated = read((claim.get("status") or {}).get("allocatedResources")).get("storage")
    if wanted is not None:
        if allocated is not None and allocated.value > wanted.value:
            wanted = allocated
        used["requests.storage"] = Amount(-(-wanted.value // 1) * ONE.value, wanted.binary)
    name = class_of(claim)
    if name:
        used |= {f"{name}{_OF_CLASS}{each}": used[each] for each in _CLAIM_NAMES if each in used}
    return used


def _device_usage(claim: Obj, now: datetime | None) -> ResourceList:
    used: ResourceList = {"count/resourceclaims.resource.k8s.io": ONE}
    for request in ((claim.get("spec") or {}).get("devices") or {}).get("requests") or ():
        choices = [request.get("exactly") or request, *(request.get("firstAvailable") or ())]
        most: dict[str, Any] = {}
        for each in choices:
            if each.get("deviceClassName"):
                count = 1 if each.get("allocationMode") == "All" else each.get("count") or 1
                name = f"{each['deviceClassName']}{_OF_DEVICES}"
                most[name] = max(most.get(name, 0), count)
        for name, count in most.items():
            used[name] = used[name].plus(parse_amount(count)) if name in used else parse_amount(count)
    return used


def _counting(resource: str) -> Evaluator:
    names = {count_name(resource), *(each for each in _ALIASES if each == resource)}
    used = dict.fromkeys(sorted(names), ONE)
    return Evaluator(resource=resource, matches=names.__contains__, usage=lambda obj, now: used)


_OWN = {
    each.resource: each
    for each in (
        Evaluator(
            resource="pods",
            matches=_is_pod_resource,
            usage=_pod_usage,
            updates=("resize",),
            in_scope=pod_in_scope,
            demand=_pod_demand,
        ),
        Evaluator(
            resource="services", matches=_SERVICE_NAMES.__contains__, usage=_service_usage, updates=("",)
        ),
        Evaluator(
            resource="persistentvolumeclaims",
            matches=_is_claim_resource,
            usage=_claim_usage,
            updates=("", "status"),
            in_scope=claim_in_scope,
        ),
        Evaluator(
            resource="resourceclaims.resource.k8s.io",
            matches=lambda name: name == "count/resourceclaims.resource.k8s.io" or name.endswith(_OF_DEVICES),
            usage=_device_usage,
            updates=("",),
        ),
    )
}
KINDS_WITH_OWN_NAMES = (*_OWN, *_ALIASES)  # whose objects count under other names than count/KIND, too
_counters: dict[str, Evaluator] = {}


def evaluator_of(resource: str) -> Evaluator:
    """Return how objects of a resource count."""
    found = _OWN.get(resource) or _counters.get(resource)
    if found is None:
        found = _counters[resource] = _counting(resource)
    return found
