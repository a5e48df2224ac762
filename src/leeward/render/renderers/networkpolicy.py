"""Compose networks as NetworkPolicies: closed by default, open inside each network.

Members of a network reach one another; everyone reaches cluster DNS; members of a network that is
not ``internal`` reach the outside; a published port is reached by anyone. Isolation between networks
is on the receiving side, so the wide egress of ordinary networks does not undo it.

Source: the Compose Specification, "networks"; the NetworkPolicy API.
"""

from __future__ import annotations

from typing import Any

from leeward.kube.objects import Obj
from leeward.kube.wellknown import NETWORK_PREFIX
from leeward.render import naming
from leeward.render.model import PodDraft, ProjectContext, Renderer, ServiceContext

_API = "networking.k8s.io/v1"
_DNS_PEER = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}}}
_DNS = {"to": [_DNS_PEER], "ports": [{"protocol": "UDP", "port": 53}, {"protocol": "TCP", "port": 53}]}
_OUTSIDE = {"to": [{"ipBlock": {"cidr": "0.0.0.0/0"}}, {"ipBlock": {"cidr": "::/0"}}]}


def _project(context: ProjectContext) -> list[Obj]:
    used = {key for plan in context.plan.services.values() for key in plan.networks}
    everyone = context.object(_API, "NetworkPolicy", "default-deny")
    both = ["Ingress", "Egress"]
    made = [{**everyone, "spec": {"podSelector": {}, "policyTypes": both, "egress": [_DNS]}}]
    for key in sorted(used):
        network = context.project.networks.get(key)
        name = context.plan.network_names.get(key, naming.dns_label(key))
        selector = {"matchLabels": {NETWORK_PREFIX + name: "true"}}
        egress: list[dict[str, Any]] = [{"to": [{"podSelector": selector}]}]
        if network is None or not network.internal:
            egress.append(_OUTSIDE)
        spec = {
            "podSelector": selector,
            "policyTypes": both,
            "ingress": [{"from": [{"podSelector": selector}]}],
            "egress": egress,
        }
        head = context.object(_API, "NetworkPolicy", naming.join_label("network", name), "networks", key)
        made.append({**head, "spec": spec})
    return made


def _service(context: ServiceContext, draft: PodDraft) -> list[Obj]:
    targets = list(dict.fromkeys((port.target, port.protocol.upper()) for port in context.service.ports))
    if context.plan.settings.hosts and not targets:
        targets = [(port.port, port.protocol) for port in context.plan.ports if port.protocol == "TCP"][:1]
    if not targets:
        return []
    spec = {
        "podSelector": {"matchLabels": context.selector},
        "policyTypes": ["Ingress"],
        "ingress": [{"ports": [{"protocol": protocol, "port": port} for port, protocol in targets]}],
    }
    name = naming.join_label("published", context.plan.name)
    return [{**context.object(_API, "NetworkPolicy", name, "ports"), "spec": spec}]


DESCRIPTOR = Renderer(name="networkpolicy", service=_service, project=_project)
