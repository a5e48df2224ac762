"""Services, Ingresses, EndpointSlices, network policies and budgets: defaults and rules.

Cluster IPs are given by the registry, which knows which are free.

Source: pkg/apis/core/v1/defaults.go, pkg/registry/core/service (Kubernetes 1.36).
"""

from __future__ import annotations

from leeward.cluster.registry.kinds.fill import fill, fill_each, filled, update
from leeward.cluster.registry.kinds.strategy import Strategy
from leeward.cluster.registry.validation.networking import (
    ingress_failures,
    network_policy_failures,
)
from leeward.cluster.registry.validation.policies import budget_failures
from leeward.cluster.registry.validation.services import (
    ingress_status_failures,
    needs_external_policy,
    service_failures,
    service_status_failures,
    service_update_failures,
    slice_failures,
    slice_update_failures,
)
from leeward.kube.objects import Obj


def _default_service(obj: Obj) -> Obj:
    spec = fill(obj.get("spec"), type="ClusterIP", sessionAffinity="None")
    if spec["type"] != "ExternalName":
        spec = fill(spec, internalTrafficPolicy="Cluster")
    if needs_external_policy(spec):
        spec = fill(spec, externalTrafficPolicy="Cluster")
    if spec["sessionAffinity"] == "ClientIP":
        affinity = fill(spec.get("sessionAffinityConfig"), clientIP={})
        if not affinity["clientIP"].get("timeoutSeconds") and "timeoutSeconds" not in affinity["clientIP"]:
            affinity = {**affinity, "clientIP": {"timeoutSeconds": 10800}}
        spec["sessionAffinityConfig"] = affinity
    elif spec["sessionAffinity"] == "None":
        spec.pop("sessionAffinityConfig", None)
    if spec["type"] == "LoadBalancer":
        spec = fill(spec, allocateLoadBalancerNodePorts=True)
    return {**obj, "spec": update(spec, "ports", lambda items: fill_each(items, _default_port))}


def _default_port(port: Obj) -> Obj:
    port = fill(port, protocol="TCP")
    if port.get("targetPort") in (None, 0, ""):
        port["targetPort"] = port.get("port", 0)
    return port


def _default_policy(obj: Obj) -> Obj:
    spec = fill(obj.get("spec"), podSelector={})
    types = ["Ingress", "Egress"] if spec.get("egress") else ["Ingress"]
    spec = fill(spec, policyTypes=types)
    for direction in ("ingress", "egress"):
        spec = update(
            spec,
            direction,
            lambda rules: fill_each(
                rules,
                lambda rule: update(
                    rule, "ports", lambda ports: fill_each(ports, lambda port: fill(port, protocol="TCP"))
                ),
            ),
        )
    return {**obj, "spec": spec}


def _default_slice(obj: Obj) -> Obj:
    obj = update(
        obj, "ports", lambda ports: fill_each(ports, lambda port: fill(port, name="", protocol="TCP"))
    )
    obj = update(obj, "endpoints", lambda items: fill_each(items, lambda each: filled(each, conditions={})))
    return {"endpoints": None, "ports": None, **obj}


def _without_empty(obj: Obj, old: Obj | None = None) -> Obj:
    """Return a slice as it is stored, where a list without elements is none."""
    return {**obj, "endpoints": obj.get("endpoints") or None, "ports": obj.get("ports") or None}


def _fill_service_status(status: Obj, old: Obj) -> Obj:
    """An address of a load balancer is a virtual one, unless it says otherwise."""
    points = (status.get("loadBalancer") or {}).get("ingress")
    if not points:
        return status
    filled = [fill(each, ipMode="VIP") if each.get("ip") else each for each in points]
    return {**status, "loadBalancer": {**status["loadBalancer"], "ingress": filled}}


SERVICE = Strategy(
    default=_default_service,
    validate=service_failures,
    validate_update=service_update_failures,
    validate_status=service_status_failures,
    fill_status=_fill_service_status,
    update_first=True,
    has_status=True,
    initial_status={"loadBalancer": {}},
)
INGRESS = Strategy(
    validate=ingress_failures,
    validate_status=ingress_status_failures,
    has_status=True,
    has_generation=True,
    initial_status={"loadBalancer": {}},
)
NETWORK_POLICY = Strategy(default=_default_policy, validate=network_policy_failures, has_generation=True)
ENDPOINT_SLICE = Strategy(
    default=_default_slice,
    prepare_create=_without_empty,
    prepare_update=_without_empty,
    validate=slice_failures,
    validate_update=slice_update_failures,
    has_generation=True,
)
BUDGET = Strategy(
    validate=budget_failures,
    has_status=True,
    has_generation=True,
    initial_status={"currentHealthy": 0, "desiredHealthy": 0, "disruptionsAllowed": 0, "expectedPods": 0},
)
