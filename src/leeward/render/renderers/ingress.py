"""Ingress for published ports that look like HTTP.

Locally the host is ``<service>.localhost``, which browsers resolve to this machine; elsewhere it is
what ``x-leeward.hosts`` says, and a published port without hosts is reported.
"""

from __future__ import annotations

from typing import Any

from leeward.kube.objects import Obj
from leeward.render.model import LOCAL, PodDraft, Renderer, ServiceContext
from leeward.render.ports import looks_http

INGRESS_CLASS = "leeward"


def _rule(host: str, service: str, port: int) -> dict[str, Any]:
    backend = {"service": {"name": service, "port": {"number": port}}}
    return {"host": host, "http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": backend}]}}


def _service(context: ServiceContext, draft: PodDraft) -> list[Obj]:
    plan, service = context.plan, context.service
    targets = list(dict.fromkeys(port.target for port in service.ports if looks_http(service, port)))
    hosts = plan.settings.hosts
    if hosts and not targets:
        targets = [port.port for port in plan.ports if port.protocol == "TCP"][:1]
    if not targets:
        return []
    rules = [_rule(host, plan.name, targets[0]) for host in hosts]
    if context.options.environment == LOCAL:
        rules.append(_rule(f"{plan.name}.localhost", plan.name, targets[0]))
        rules += [_rule(f"{plan.name}-{port}.localhost", plan.name, port) for port in targets[1:]]
    if not rules:
        context.warn(
            ("ports",),
            "no-host",
            "The published port has no host name, so no Ingress leads to it.",
            "Write x-leeward: {hosts: [shop.example.com]}.",
        )
        return []
    spec: dict[str, Any] = {"rules": rules}
    if context.options.on_embedded:
        spec = {"ingressClassName": INGRESS_CLASS, **spec}
    return [{**context.object("networking.k8s.io/v1", "Ingress", plan.name, "ports"), "spec": spec}]


DESCRIPTOR = Renderer(name="ingress", service=_service)
