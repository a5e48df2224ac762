"""Services, Ingresses, EndpointSlices, network policies and budgets: defaults and rules.

Cluster IPs are given by the registry, which knows which are free.

Source: pkg/apis/core/v1/defaults.go, pkg/registry/core/service (Kubernetes 1.36).
"""

from __future__ import annotations

from leeward.cluster.registry.failures import Failure, invalid, required, unsupported
from leeward.cluster.registry.kinds.fill import fill, fill_each, update
from leeward.cluster.registry.kinds.strategy import Strategy
from leeward.kube.objects import Obj

_TYPES = ["ClusterIP", "ExternalName", "LoadBalancer", "NodePort"]


def _default_service(obj: Obj) -> Obj:
    spec = fill(obj.get("spec"), type="ClusterIP", sessionAffinity="None")
    if spec["type"] != "ExternalName":
        spec = fill(spec, internalTrafficPolicy="Cluster", ipFamilies=["IPv4"], ipFamilyPolicy="SingleStack")
    if spec["type"] in ("NodePort", "LoadBalancer"):
        spec = fill(spec, externalTrafficPolicy="Cluster")
    if spec["type"] == "LoadBalancer":
        spec = fill(spec, allocateLoadBalancerNodePorts=True)
    return {**obj, "spec": update(spec, "ports", lambda items: fill_each(items, _default_port))}


def _default_port(port: Obj) -> Obj:
    port = fill(port, protocol="TCP")
    return fill(port, targetPort=port["port"]) if "port" in port else port


def _validate_service(obj: Obj) -> list[Failure]:
    spec = obj["spec"]
    found: list[Failure] = []
    if spec["type"] not in _TYPES:
        found.append(unsupported("spec.type", spec["type"], _TYPES))
    headless = spec.get("clusterIP") == "None"
    ports = spec.get("ports") or []
    if not ports and not headless and spec["type"] != "ExternalName":
        found.append(required("spec.ports"))
    if spec["type"] == "ExternalName" and not spec.get("externalName"):
        found.append(required("spec.externalName"))
    for index, port in enumerate(ports):
        number = port.get("port")
        if not isinstance(number, int) or not 1 <= number <= 65535:
            found.append(
                invalid(f"spec.ports[{index}].port", number, "must be between 1 and 65535, inclusive")
            )
        if len(ports) > 1 and not port.get("name"):
            found.append(required(f"spec.ports[{index}].name"))
    return found


def _validate_service_update(new: Obj, old: Obj) -> list[Failure]:
    before, after = old["spec"].get("clusterIP"), new["spec"].get("clusterIP")
    external = "ExternalName" in (old["spec"]["type"], new["spec"]["type"])
    if before and before != after and not external:
        return [invalid("spec.clusterIPs[0]", after, "field is immutable")]
    return []


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
    return update(
        obj, "ports", lambda ports: fill_each(ports, lambda port: fill(port, name="", protocol="TCP"))
    )


SERVICE = Strategy(
    default=_default_service,
    validate=_validate_service,
    validate_update=_validate_service_update,
    has_status=True,
    initial_status={"loadBalancer": {}},
)
INGRESS = Strategy(has_status=True, has_generation=True, initial_status={"loadBalancer": {}})
NETWORK_POLICY = Strategy(default=_default_policy, has_generation=True)
ENDPOINT_SLICE = Strategy(default=_default_slice, has_generation=True)
BUDGET = Strategy(
    has_status=True,
    has_generation=True,
    initial_status={"currentHealthy": 0, "desiredHealthy": 0, "disruptionsAllowed": 0, "expectedPods": 0},
)
