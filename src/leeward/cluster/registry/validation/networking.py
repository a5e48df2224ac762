"""Network policies, Ingresses and their classes.

Source: pkg/apis/networking/validation/validation.go (Kubernetes 1.36).
"""

from __future__ import annotations

from typing import Any

from leeward.cluster.registry.failures import (
    Failure,
    forbidden,
    invalid,
    required,
    unsupported,
)
from leeward.cluster.registry.validation.formats import (
    cidr_failures,
    dns_1035,
    dns_label,
    dns_subdomain,
    each_failure,
    label_selector_failures,
    parse_cidr,
    parse_ip,
    path_segment,
    port_name,
    port_number,
    port_or_name_failures,
)
from leeward.kube.objects import Obj

_PROTOCOLS = ("TCP", "UDP", "SCTP")
_PATHS = ("Exact", "ImplementationSpecific", "Prefix")
_NOT_IN_PATHS = ("//", "/./", "/../", "%2f", "%2F")
_NOT_AT_THE_END = ("/..", "/.")
_IMMUTABLE = "field is immutable"


def network_policy_failures(obj: Obj) -> list[Failure]:
    """Check a NetworkPolicy."""
    spec = obj.get("spec") or {}
    found = label_selector_failures(spec.get("podSelector"), "spec.podSelector")
    for direction, peers in (("ingress", "from"), ("egress", "to")):
        for index, rule in enumerate(spec.get(direction) or ()):
            place = f"spec.{direction}[{index}]"
            for at, port in enumerate(rule.get("ports") or ()):
                found += _policy_port(port, f"{place}.ports[{at}]")
            for at, peer in enumerate(rule.get(peers) or ()):
                found += _peer(peer, f"{place}.{peers}[{at}]")
    types = spec.get("policyTypes") or []
    if len(types) > 2:
        text = "may not specify more than two policyTypes"
        return [*found, invalid("spec.policyTypes", types, text)]
    for index, kind in enumerate(types):
        if kind not in ("Ingress", "Egress"):
            found.append(unsupported(f"spec.policyTypes[{index}]", kind, ("Ingress", "Egress")))
    return found


def _policy_port(port: Obj, field: str) -> list[Failure]:
    protocol, number, last = port.get("protocol"), port.get("port"), port.get("endPort")
    found: list[Failure] = []
    if protocol is not None and protocol not in _PROTOCOLS:
        found.append(unsupported(f"{field}.protocol", protocol, _PROTOCOLS))
    if number is None:
        if last is not None:
            text = "may not be specified when `port` is not specified"
            found.append(invalid(f"{field}.endPort", last, text))
        return found
    found += port_or_name_failures(number, f"{field}.port")
    if last is None:
        return found
    if isinstance(number, str):
        text = "may not be specified when `port` is non-numeric"
        return [*found, invalid(f"{field}.endPort", last, text)]
    if last < number:
        found.append(invalid(f"{field}.endPort", number, "must be greater than or equal to `port`"))
    return found + [invalid(f"{field}.endPort", last, text) for text in port_number(last)]


def _peer(peer: Obj, field: str) -> list[Failure]:
    count = 0
    found: list[Failure] = []
    for name in ("podSelector", "namespaceSelector"):
        if peer.get(name) is not None:
            count += 1
            found += label_selector_failures(peer[name], f"{field}.{name}")
    block = peer.get("ipBlock")
    if block is not None:
        count += 1
        found += _block(block, f"{field}.ipBlock")
    if not count:
        found.append(required(field, "must specify a peer"))
    elif count > 1 and block is not None:
        found.append(forbidden(field, "may not specify both ipBlock and another peer"))
    return found


def _block(block: Obj, field: str) -> list[Failure]:
    cidr = block.get("cidr") or ""
    if not cidr:
        return [required(f"{field}.cidr")]
    found = cidr_failures(cidr, f"{field}.cidr")
    network: Any = parse_cidr(cidr)
    if network is None:
        return found
    for index, text in enumerate(block.get("except") or ()):
        place = f"{field}.except[{index}]"
        inner: Any = parse_cidr(text)
        if inner is None:
            found += cidr_failures(text, place)
        elif inner.version != network.version or inner == network or not inner.subnet_of(network):
            found.append(invalid(place, text, "must be a strict subset of `cidr`"))
    return found


def ingress_failures(obj: Obj) -> list[Failure]:
    """Check an Ingress."""
    spec = obj.get("spec") or {}
    rules, default = spec.get("rules") or (), spec.get("defaultBackend")
    found: list[Failure] = []
    for index, each in enumerate(spec.get("tls") or ()):
        for at, host in enumerate(each.get("hosts") or ()):
            found += _host(host, f"spec.tls[{index}].hosts[{at}]")
        if each.get("secretName"):
            found += each_failure(dns_subdomain, each["secretName"], f"spec.tls[{index}].secretName")
    if not rules and default is None:
        found.append(invalid("spec", rules or [], "either `defaultBackend` or `rules` must be specified"))
    if default is not None:
        found += _backend(default, "spec.defaultBackend")
    for index, rule in enumerate(rules):
        found += _rule(rule, f"spec.rules[{index}]")
    if spec.get("ingressClassName") is not None:
        found += each_failure(dns_subdomain, spec["ingressClassName"], "spec.ingressClassName")
    return found


def _host(host: str, field: str) -> list[Failure]:
    if host.startswith("*"):
        rest = host.removeprefix("*.")
        if rest != host and not dns_subdomain(rest):
            return []
        text = (
            "a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, which "
            "must consist of lower case alphanumeric characters, '-' or '.' and end with an alphanumeric "
            "character (e.g. '*.example.com', regex used for validation is "
            r"'\*\.[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
        )
        return [invalid(field, host, text)]
    return each_failure(dns_subdomain, host, field)


def _rule(rule: Obj, field: str) -> list[Failure]:
    host = rule.get("host") or ""
    found: list[Failure] = []
    if host:
        if parse_ip(host) is not None:
            found.append(invalid(f"{field}.host", host, "must be a DNS name, not an IP address"))
        found += _host(host, f"{field}.host")
    http = rule.get("http")
    if http is None:
        return found
    paths = http.get("paths") or ()
    if not paths:
        found.append(required(f"{field}.http.paths"))
    for index, path in enumerate(paths):
        found += _path(path, f"{field}.http.paths[{index}]")
    return found


def _path(path: Obj, field: str) -> list[Failure]:
    kind, text, place = path.get("pathType"), path.get("path") or "", f"{field}.path"
    if kind is None:
        return [required(f"{field}.pathType", "pathType must be specified")]
    found: list[Failure] = []
    if kind in ("Exact", "Prefix"):
        if not text.startswith("/"):
            found.append(invalid(place, text, "must be an absolute path"))
        found += [
            invalid(place, text, f"must not contain '{part}'") for part in _NOT_IN_PATHS if part in text
        ]
        found += [
            invalid(place, text, f"cannot end with '{part}'")
            for part in _NOT_AT_THE_END
            if text.endswith(part)
        ]
    elif kind == "ImplementationSpecific":
        if text and not text.startswith("/"):
            found.append(invalid(place, text, "must be an absolute path"))
    else:
        found.append(unsupported(f"{field}.pathType", kind, _PATHS))
    return found + _backend(path.get("backend") or {}, f"{field}.backend")


def _backend(backend: Obj, field: str) -> list[Failure]:
    service, resource = backend.get("service"), backend.get("resource")
    if service is not None and resource is not None:
        return [invalid(field, "", "cannot set both resource and service backends")]
    if resource is not None:
        return [required(f"{field}.resource.{name}") for name in ("kind", "name") if not resource.get(name)]
    if service is None:
        return [required(field, "resource or service backend is required")]
    name, port, place = service.get("name") or "", service.get("port") or {}, f"{field}.service"
    found = each_failure(dns_1035, name, f"{place}.name") if name else [required(f"{place}.name")]
    number, named = port.get("number") or 0, port.get("name") or ""
    if number and named:
        found.append(invalid(place, "", "cannot set both port name & port number"))
    elif number:
        found += [invalid(f"{place}.port.number", number, text) for text in port_number(number)]
    elif named:
        found += each_failure(port_name, named, f"{place}.port.name")
    else:
        found.append(required(place, "port name or number is required"))
    return found


def ingress_class_failures(obj: Obj) -> list[Failure]:
    """Check an IngressClass."""
    spec = obj.get("spec") or {}
    controller, place = spec.get("controller") or "", "spec.controller"
    found: list[Failure] = []
    if len(controller) > 250:
        found.append(Failure(place, "FieldValueTooLong", "Too long: may not be more than 250 bytes"))
    if not controller:
        found.append(required(place))
    elif "/" not in controller or dns_subdomain(controller.partition("/")[0].lower()):
        text = 'must be a domain-prefixed path (such as "acme.io/foo")'
        found.append(invalid(place, controller, text))
    ref = spec.get("parameters")
    return found if ref is None else found + _class_parameters(ref, "spec.parameters")


def _class_parameters(ref: Obj, place: str) -> list[Failure]:
    found = [required(f"{place}.{name}") for name in ("kind", "name") if not ref.get(name)]
    for name in ("kind", "name"):
        if ref.get(name):
            found += each_failure(path_segment, ref[name], f"{place}.{name}")
    scope, namespace = ref.get("scope"), ref.get("namespace")
    if scope == "Namespace":
        wanted = f"{place}.namespace"
        if namespace:
            found += each_failure(dns_label, namespace, wanted)
        else:
            found.append(required(wanted, "`parameters.scope` is set to 'Namespace'"))
    elif scope == "Cluster":
        if namespace is not None:
            text = "`parameters.scope` is set to 'Cluster'"
            found.append(forbidden(f"{place}.namespace", text))
    else:
        found.append(unsupported(f"{place}.scope", scope or "", ("Cluster", "Namespace")))
    return found


def ingress_class_update_failures(new: Obj, old: Obj) -> list[Failure]:
    """Check that a class stays with its controller."""
    after, before = (each.get("spec", {}).get("controller") for each in (new, old))
    return [] if after == before else [invalid("spec.controller", after, _IMMUTABLE)]
