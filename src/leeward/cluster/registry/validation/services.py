"""Services, Endpoints and EndpointSlices.

Source: pkg/apis/core/validation/validation.go ValidateService, ValidateServiceClusterIPsRelatedFields,
validateEndpointsSpecific; pkg/apis/discovery/validation (Kubernetes 1.36).
"""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv4Address
from typing import Any

from leeward.cluster.registry.failures import (
    Failure,
    duplicate,
    forbidden,
    go_struct,
    invalid,
    required,
    too_many,
    unsupported,
)
from leeward.cluster.registry.validation.formats import (
    cidr_failures,
    dns_label,
    dns_subdomain,
    each_failure,
    ip_failures,
    label_failures,
    parse_ip,
    port_number,
    port_or_name_failures,
    qualified_name,
)
from leeward.kube.objects import Obj

TYPES = ("ClusterIP", "ExternalName", "LoadBalancer", "NodePort")
FAMILIES = ("IPv4", "IPv6")
_POLICIES = ("PreferDualStack", "RequireDualStack", "SingleStack")
_PROTOCOLS = ("SCTP", "TCP", "UDP")
_TRAFFIC = ("Cluster", "Local")
_DISTRIBUTIONS = ("PreferClose", "PreferSameNode", "PreferSameZone")
_OF_BALANCERS = "may only be used when `type` is 'LoadBalancer'"
_ONCE = "may not change once set"
_LOOPBACK = "may not be in the loopback range (127.0.0.0/8, ::1/128)"
_MAX_AFFINITY = 86400
_KUBELET_PORT = 10250


def is_headless(spec: Obj) -> bool:
    """Tell whether a Service has no address of its own."""
    return spec.get("clusterIP") == "None"


def service_failures(obj: Obj) -> list[Failure]:
    """Check a Service."""
    spec = obj.get("spec") or {}
    kind, ports = spec.get("type") or "", spec.get("ports") or ()
    found: list[Failure] = []
    if not ports and not is_headless(spec) and kind != "ExternalName":
        found.append(required("spec.ports"))
    found += _of_type(spec, kind)
    names: set[str] = set()
    for index, port in enumerate(ports):
        found += _port(port, f"spec.ports[{index}]", names, named=len(ports) > 1)
    found += label_failures(spec.get("selector"), "spec.selector")
    found += _affinity(spec)
    found += cluster_ip_failures(spec)
    for index, address in enumerate(spec.get("externalIPs") or ()):
        place = f"spec.externalIPs[{index}]"
        found += ip_failures(address, place) or endpoint_ip_failures(address, place)
    if kind not in TYPES:
        found.append(unsupported("spec.type", kind, TYPES) if kind else required("spec.type"))
    found += _port_conflicts(kind, ports)
    found += _balancer(spec, kind)
    return found + _traffic(spec, kind)


def _of_type(spec: Obj, kind: str) -> list[Failure]:
    found: list[Failure] = []
    if kind in ("LoadBalancer", "NodePort") and is_headless(spec):
        text = f"may not be set to 'None' for {kind} services"
        found.append(invalid("spec.clusterIPs[0]", "None", text))
    if kind == "LoadBalancer":
        text = f"may not expose port {_KUBELET_PORT} externally since it is used by kubelet"
        found += [
            invalid(f"spec.ports[{index}]", _KUBELET_PORT, text)
            for index, port in enumerate(spec.get("ports") or ())
            if port.get("port") == _KUBELET_PORT
        ]
    if kind == "ExternalName":
        for name in ("clusterIPs", "ipFamilies", "ipFamilyPolicy"):
            if spec.get(name):
                found.append(forbidden(f"spec.{name}", "may not be set for ExternalName services"))
        name = (spec.get("externalName") or "").removesuffix(".")
        place = "spec.externalName"
        found += each_failure(dns_subdomain, name, place) if name else [required(place)]
    return found


def _port(port: Obj, field: str, names: set[str], *, named: bool) -> list[Failure]:
    name, number, protocol = port.get("name") or "", port.get("port") or 0, port.get("protocol") or ""
    found: list[Failure] = []
    if name:
        found += each_failure(dns_label, name, f"{field}.name")
        if name in names:
            found.append(duplicate(f"{field}.name", name))
        names.add(name)
    elif named:
        found.append(required(f"{field}.name"))
    found += [invalid(f"{field}.port", number, text) for text in port_number(number)]
    if protocol not in _PROTOCOLS:
        place = f"{field}.protocol"
        found.append(unsupported(place, protocol, _PROTOCOLS) if protocol else required(place))
    found += port_or_name_failures(port.get("targetPort"), f"{field}.targetPort")
    if port.get("appProtocol") is not None:
        found += each_failure(qualified_name, port["appProtocol"], f"{field}.appProtocol")
    return found


def _affinity(spec: Obj) -> list[Failure]:
    affinity, config, place = (
        spec.get("sessionAffinity") or "",
        spec.get("sessionAffinityConfig"),
        "spec.sessionAffinity",
    )
    if affinity not in ("ClientIP", "None"):
        return [unsupported(place, affinity, ("ClientIP", "None")) if affinity else required(place)]
    if affinity == "None":
        text = "must not be set when session affinity is None"
        return [] if config is None else [forbidden("spec.sessionAffinityConfig", text)]
    seconds, field = config, "spec.sessionAffinityConfig"
    for name in ("clientIP", "timeoutSeconds"):
        if seconds is None:
            return [required(field, "when session affinity type is ClientIP")]
        seconds, field = seconds.get(name), f"{field}.{name}"
    if seconds is None:
        return [required(field, "when session affinity type is ClientIP")]
    if 0 < seconds <= _MAX_AFFINITY:
        return []
    return [invalid(field, seconds, f"must be greater than 0 and less than {_MAX_AFFINITY}")]


def cluster_ip_failures(spec: Obj) -> list[Failure]:
    """Check addresses, their families and the policy about them."""
    if spec.get("type") == "ExternalName":
        return []
    address, addresses = spec.get("clusterIP") or "", spec.get("clusterIPs") or []
    families, policy = spec.get("ipFamilies") or (), spec.get("ipFamilyPolicy")
    found: list[Failure] = []
    if address and not addresses:
        found.append(required("spec.clusterIPs"))
    elif address and addresses[0] != address:
        found.append(invalid("spec.clusterIPs", addresses, "first value must match `clusterIP`"))
    elif addresses and not address:
        found.append(invalid("spec.clusterIPs", addresses, "must be empty when `clusterIP` is not specified"))
    found += _families(families)
    if policy is not None and policy not in _POLICIES:
        found.append(unsupported("spec.ipFamilyPolicy", policy, _POLICIES))
    wrong = _addresses(addresses)
    if wrong or is_headless(spec):
        return found + wrong
    return found + _of_their_families(addresses, families)


def _families(families: Sequence[str]) -> list[Failure]:
    found: list[Failure] = []
    for index, family in enumerate(families):
        if family not in FAMILIES:
            found.append(unsupported(f"spec.ipFamilies[{index}]", family, FAMILIES))
        if family in families[:index]:
            found.append(duplicate(f"spec.ipFamilies[{index}]", family))
    return found


def _of_their_families(addresses: Sequence[str], families: Sequence[str]) -> list[Failure]:
    found: list[Failure] = []
    for index, (ip, family) in enumerate(zip(addresses, families, strict=False)):
        parsed = parse_ip(ip)
        if parsed is not None and f"IPv{parsed.version}" != family:
            text = f"expected an {family} value as indicated by `ipFamilies[{index}]`"
            found.append(invalid(f"spec.clusterIPs[{index}]", ip, text))
    return found


def _addresses(addresses: Sequence[str]) -> list[Failure]:
    found: list[Failure] = []
    for index, address in enumerate(addresses):
        if index == 0 and address == "None":
            if len(addresses) > 1:
                text = "'None' must be the first and only value"
                found.append(invalid("spec.clusterIPs", list(addresses), text))
            continue
        found += ip_failures(address, f"spec.clusterIPs[{index}]")
    if len(addresses) > 2:
        found.append(invalid("spec.clusterIPs", list(addresses), "may only hold up to 2 values"))
    return found


def _port_conflicts(kind: str, ports: Sequence[Obj]) -> list[Failure]:
    found: list[Failure] = []
    if kind == "ClusterIP":
        text = "may not be used when `type` is 'ClusterIP'"
        found += [
            forbidden(f"spec.ports[{index}].nodePort", text)
            for index, port in enumerate(ports)
            if port.get("nodePort")
        ]
    on_node: set[tuple[Any, Any]] = set()
    taken: set[tuple[Any, Any]] = set()
    for index, port in enumerate(ports):
        if port.get("nodePort"):
            key = (port.get("protocol"), port["nodePort"])
            if key in on_node:
                found.append(duplicate(f"spec.ports[{index}].nodePort", port["nodePort"]))
            on_node.add(key)
    for index, port in enumerate(ports):
        key = (port.get("protocol"), port.get("port"))
        if key in taken:
            given = {"protocol": key[0], "port": key[1]}
            value = go_struct(given, Name="", Protocol="", AppProtocol=None, Port=0, TargetPort=0, NodePort=0)
            found.append(duplicate(f"spec.ports[{index}]", value))
        taken.add(key)
    return found


def _balancer(spec: Obj, kind: str) -> list[Failure]:
    found: list[Failure] = []
    ranges, place = spec.get("loadBalancerSourceRanges") or (), "spec.LoadBalancerSourceRanges"
    if ranges and kind != "LoadBalancer":
        found.append(forbidden(place, _OF_BALANCERS))
    for index, each in enumerate(ranges):
        found += cidr_failures(each.strip(), f"{place}[{index}]")
    if kind == "LoadBalancer":
        if spec.get("allocateLoadBalancerNodePorts") is None:
            found.append(required("spec.allocateLoadBalancerNodePorts"))
        if spec.get("loadBalancerClass") is not None:
            found += each_failure(qualified_name, spec["loadBalancerClass"], "spec.loadBalancerClass")
        return found
    for name in ("allocateLoadBalancerNodePorts", "loadBalancerClass"):
        if spec.get(name) is not None:
            found.append(forbidden(f"spec.{name}", _OF_BALANCERS))
    return found


def needs_external_policy(spec: Obj) -> bool:
    """Tell whether traffic can come from outside of the cluster."""
    kind = spec.get("type")
    return kind in ("LoadBalancer", "NodePort") or (kind == "ClusterIP" and bool(spec.get("externalIPs")))


def needs_health_port(spec: Obj) -> bool:
    """Tell whether load balancers ask nodes for the Service's health."""
    return spec.get("type") == "LoadBalancer" and spec.get("externalTrafficPolicy") == "Local"


def _traffic(spec: Obj, kind: str) -> list[Failure]:
    policy, place = spec.get("externalTrafficPolicy") or "", "spec.externalTrafficPolicy"
    found: list[Failure] = []
    if not needs_external_policy(spec):
        if policy:
            found.append(invalid(place, policy, "may only be set for externally-accessible services"))
    elif policy not in _TRAFFIC:
        found.append(unsupported(place, policy, _TRAFFIC) if policy else required(place))
    port, place = spec.get("healthCheckNodePort") or 0, "spec.healthCheckNodePort"
    if needs_health_port(spec):
        found += [invalid(place, port, text) for text in port_number(port)] if port else [required(place)]
    elif port:
        text = "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'"
        found.append(invalid(place, port, text))
    inner, place = spec.get("internalTrafficPolicy"), "spec.internalTrafficPolicy"
    if inner is None and kind in ("NodePort", "LoadBalancer", "ClusterIP"):
        found.append(required(place))
    elif inner is not None and inner not in _TRAFFIC:
        found.append(unsupported(place, inner, _TRAFFIC))
    spread = spec.get("trafficDistribution")
    if spread is not None and spread not in _DISTRIBUTIONS:
        found.append(unsupported("spec.trafficDistribution", spread, _DISTRIBUTIONS))
    return found


def service_update_failures(new: Obj, old: Obj) -> list[Failure]:
    """Check that addresses and what balances the load stay what they are."""
    after, before = new["spec"], old["spec"]
    found: list[Failure] = []
    if "ExternalName" not in (after.get("type"), before.get("type")):
        for name in ("clusterIPs", "ipFamilies"):
            was, now = before.get(name) or [], after.get(name) or []
            if was and now and was[0] != now[0]:
                found.append(invalid(f"spec.{name}[0]", now, _ONCE))
    lasting = after.get("type") == before.get("type") == "LoadBalancer"
    if lasting and after.get("loadBalancerClass") != before.get("loadBalancerClass"):
        found.append(invalid("spec.loadBalancerClass", after.get("loadBalancerClass"), _ONCE))
    return found


def _without_loopback(obj: Obj, failures: list[Failure]) -> list[Failure]:
    """Leave out what is no failure of an object that says where the API is: on one machine, its loopback."""
    meta = obj["metadata"]
    if (meta.get("name"), meta.get("namespace")) != ("kubernetes", "default"):
        return failures
    return [failure for failure in failures if not failure.message.endswith(_LOOPBACK)]


def endpoint_ip_failures(address: str, field: str) -> list[Failure]:
    """Check that traffic can be sent to an address."""
    ip = parse_ip(address)
    if ip is None:
        return [invalid(field, address, "must be a valid IP address")]
    for wrong, text in (
        (ip.is_unspecified, f"may not be unspecified ({address})"),
        (ip.is_loopback, _LOOPBACK),
        (ip.is_link_local, "may not be in the link-local range (169.254.0.0/16, fe80::/10)"),
        (
            ip.is_multicast and ip in _LOCAL_MULTICAST,
            "may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)",
        ),
    ):
        if wrong:
            return [invalid(field, address, text)]
    return []


class _LinkLocalMulticast:
    def __contains__(self, ip: object) -> bool:
        return isinstance(ip, IPv4Address) and str(ip).startswith("224.0.0.")


_LOCAL_MULTICAST = _LinkLocalMulticast()


def endpoints_failures(obj: Obj) -> list[Failure]:
    """Check Endpoints."""
    found: list[Failure] = []
    for index, subset in enumerate(obj.get("subsets") or ()):
        place = f"subsets[{index}]"
        if not subset.get("addresses") and not subset.get("notReadyAddresses"):
            found.append(required(place, "must specify `addresses` or `notReadyAddresses`"))
        for kind in ("addresses", "notReadyAddresses"):
            for at, address in enumerate(subset.get(kind) or ()):
                found += _endpoint_address(address, f"{place}.{kind}[{at}]")
        ports = subset.get("ports") or ()
        for at, port in enumerate(ports):
            found += _endpoint_port(port, f"{place}.ports[{at}]", named=len(ports) > 1)
    return _without_loopback(obj, found)


def _endpoint_address(address: Obj, field: str) -> list[Failure]:
    ip = address.get("ip") or ""
    found = ip_failures(ip, f"{field}.ip")
    if address.get("hostname"):
        found += each_failure(dns_label, address["hostname"], f"{field}.hostname")
    if address.get("nodeName") is not None:
        found += each_failure(dns_subdomain, address["nodeName"], f"{field}.nodeName")
    return found + endpoint_ip_failures(ip, f"{field}.ip")


def _endpoint_port(port: Obj, field: str, *, named: bool) -> list[Failure]:
    name, protocol = port.get("name") or "", port.get("protocol") or ""
    found: list[Failure] = []
    if name:
        found += each_failure(dns_label, name, f"{field}.name")
    elif named:
        found.append(required(f"{field}.name"))
    number = port.get("port") or 0
    found += [invalid(f"{field}.port", number, text) for text in port_number(number)]
    if protocol not in _PROTOCOLS:
        place = f"{field}.protocol"
        found.append(unsupported(place, protocol, _PROTOCOLS) if protocol else required(place))
    return found


def slice_failures(obj: Obj) -> list[Failure]:
    """Check an EndpointSlice."""
    kind, kinds = obj.get("addressType") or "", ("FQDN", "IPv4", "IPv6")
    found: list[Failure] = []
    if kind not in kinds:
        found.append(unsupported("addressType", kind, kinds) if kind else required("addressType"))
    endpoints = obj.get("endpoints") or ()
    if len(endpoints) > 1000:
        return [*found, too_many("endpoints", len(endpoints), 1000)]
    for index, endpoint in enumerate(endpoints):
        found += _endpoint(endpoint, f"endpoints[{index}]", kind)
    found = _without_loopback(obj, found)
    names: set[str] = set()
    for index, port in enumerate(obj.get("ports") or ()):
        place, name = f"ports[{index}]", port.get("name") or ""
        if name:
            found += each_failure(dns_label, name, f"{place}.name")
        if name in names:
            found.append(duplicate(f"{place}.name", name))
        names.add(name)
        protocol = port.get("protocol")
        if protocol not in _PROTOCOLS:
            wanted = f"{place}.protocol"
            found.append(unsupported(wanted, protocol, _PROTOCOLS) if protocol else required(wanted))
        if port.get("appProtocol") is not None:
            found += each_failure(qualified_name, port["appProtocol"], f"{place}.appProtocol")
    return found


def _endpoint(endpoint: Obj, field: str, kind: str) -> list[Failure]:
    addresses, place = endpoint.get("addresses") or (), f"{field}.addresses"
    found: list[Failure] = []
    if not addresses:
        found.append(required(place, "must contain at least 1 address"))
    elif len(addresses) > 100:
        found.append(too_many(place, len(addresses), 100))
    for index, address in enumerate(addresses):
        at = f"{place}[{index}]"
        if kind == "FQDN":
            found += each_failure(dns_subdomain, address.removesuffix("."), at)
            continue
        ip = parse_ip(address)
        if ip is None:
            found += ip_failures(address, at)
            continue
        if kind in FAMILIES and f"IPv{ip.version}" != kind:
            found.append(invalid(place, address, f"must be an {kind} address"))
        found += endpoint_ip_failures(address, at)
    if endpoint.get("nodeName") is not None:
        found += each_failure(dns_subdomain, endpoint["nodeName"], f"{field}.nodeName")
    if endpoint.get("hostname") is not None:
        found += each_failure(dns_label, endpoint["hostname"], f"{field}.hostname")
    return found


def slice_update_failures(new: Obj, old: Obj) -> list[Failure]:
    """Check that an EndpointSlice stays of its kind."""
    if new.get("addressType") == old.get("addressType"):
        return []
    return [invalid("addressType", new.get("addressType"), "field is immutable")]


def service_status_failures(new: Obj, old: Obj) -> list[Failure]:
    """Check where a load balancer says that it is."""
    ingress = ((new.get("status") or {}).get("loadBalancer") or {}).get("ingress") or ()
    if ingress and new["spec"].get("type") != "LoadBalancer":
        text = "may only be used when `spec.type` is 'LoadBalancer'"
        return [forbidden("status.loadBalancer.ingress", text)]
    return ingress_point_failures(ingress, "status.loadBalancer.ingress", with_mode=True)


def ingress_status_failures(new: Obj, old: Obj) -> list[Failure]:
    """Check where an Ingress is reached."""
    ingress = ((new.get("status") or {}).get("loadBalancer") or {}).get("ingress") or ()
    return ingress_point_failures(ingress, "status.loadBalancer.ingress", with_mode=False)


def ingress_point_failures(points: Sequence[Any], field: str, *, with_mode: bool) -> list[Failure]:
    """Check the addresses and names of a load balancer."""
    found: list[Failure] = []
    for index, point in enumerate(points):
        place, address, name = f"{field}[{index}]", point.get("ip") or "", point.get("hostname") or ""
        if address:
            found += ip_failures(address, f"{place}.ip")
        mode = point.get("ipMode")
        if with_mode and address and mode is None:
            found.append(required(f"{place}.ipMode", "must be specified when `ip` is set"))
        elif with_mode and mode is not None and not address:
            found.append(forbidden(f"{place}.ipMode", "may not be specified when `ip` is not set"))
        elif with_mode and mode not in (None, "VIP", "Proxy"):
            found.append(unsupported(f"{place}.ipMode", mode, ("Proxy", "VIP")))
        if name:
            found += each_failure(dns_subdomain, name, f"{place}.hostname")
            if parse_ip(name) is not None:
                found.append(invalid(f"{place}.hostname", name, "must be a DNS name, not an IP address"))
    return found
