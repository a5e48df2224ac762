"""The names under which a service is reached: a Service as in Compose, one more for every alias.

Services listen on container ports. A service that declares no port gets a headless Service, so its
name resolves to its Pods and every port works. What Compose publishes on the host is an annotation:
the embedded cluster listens there; real clusters have an Ingress or a load balancer instead.

A StatefulSet's Pods cannot take the service's name as hostname. With one replica the name is that
Pod's address at once, ready or not, so a program that binds to or probes its own service name starts.

Source: the Compose Specification, "ports", "expose", "networks.aliases", "container_name", "links".
"""

from __future__ import annotations

import json
from typing import Any

from leeward.base.diagnostics import Severity
from leeward.kube.objects import Obj
from leeward.kube.wellknown import ALIAS_PREFIX, APP_PART_OF, PUBLISHED_PORTS
from leeward.render import naming
from leeward.render.model import PodDraft, ProjectContext, Renderer, ServiceContext
from leeward.render.plan import Kind, ServicePlan
from leeward.render.ports import ServicePort


def headless_name(plan: ServicePlan) -> str:
    """Return the name of the Service that gives a StatefulSet's Pods their own names."""
    return naming.join_label(plan.name, "pods")


def _ports(ports: tuple[ServicePort, ...]) -> list[dict[str, Any]]:
    return [
        {
            "name": port.name,
            "port": port.port,
            "targetPort": port.port,
            "protocol": port.protocol,
            **({"appProtocol": port.app_protocol} if port.app_protocol else {}),
        }
        for port in ports
    ]


def _spec(selector: dict[str, str], ports: tuple[ServicePort, ...], *, headless: bool) -> dict[str, Any]:
    spec: dict[str, Any] = {"clusterIP": "None"} if headless or not ports else {"type": "ClusterIP"}
    spec["selector"] = selector
    if ports:
        spec["ports"] = _ports(ports)
    return spec


def _published(context: ServiceContext) -> dict[str, str]:
    entries = []
    for index, port in enumerate(context.service.ports):
        if port.app_protocol and not naming.is_label_key(port.app_protocol):
            message = f"Kubernetes has no protocol called {port.app_protocol!r}."
            context.error(("ports", index), "invalid-value", message, "Write one word, such as http.")
        if port.published is None or not port.published.split("-")[0].isdigit():
            context.note(
                ("ports", index),
                "not-published",
                f"Port {port.target} has no fixed host port; its Service has it.",
            )
            continue
        if "-" in port.published:
            context.note(
                ("ports", index), "approximated", f"Of {port.published} the first host port is taken."
            )
        entries.append(
            {
                "hostIP": port.host_ip or "127.0.0.1",
                "published": int(port.published.split("-")[0]),
                "target": port.target,
                "protocol": port.protocol.upper(),
            }
        )
    return {PUBLISHED_PORTS: json.dumps(entries, separators=(",", ":"))} if entries else {}


def _service(context: ServiceContext, draft: PodDraft) -> list[Obj]:
    plan = context.plan
    if plan.ends and not plan.ports:
        return []
    dnsrr = context.service.deploy is not None and context.service.deploy.endpoint_mode == "dnsrr"
    single = plan.kind is Kind.STATEFUL_SET and plan.replicas == 1
    head = context.object("v1", "Service", plan.name, annotations=_published(context))
    named = _spec(context.selector, plan.ports, headless=dnsrr or single)
    if single:
        named["publishNotReadyAddresses"] = True
    made = [{**head, "spec": named}]
    if plan.kind is Kind.STATEFUL_SET:
        spec = _spec(context.selector, plan.ports, headless=True)
        governing = context.object("v1", "Service", headless_name(plan))
        made.append({**governing, "spec": {**spec, "publishNotReadyAddresses": True}})
    return made


def _project(context: ProjectContext) -> list[Obj]:
    """Return one Service for each alias, over all services that bear it."""
    bearers: dict[str, list[ServicePlan]] = {}
    taken = frozenset(plan.name for plan in context.plan.services.values())
    for plan in context.plan.services.values():
        for alias in plan.aliases if plan.ports or not plan.ends else ():
            bearers.setdefault(alias, []).append(plan)
        _report_bad_aliases(context, plan, taken)
    made = []
    for alias, plans in sorted(bearers.items()):
        ports = tuple({(port.port, port.protocol): port for plan in plans for port in plan.ports}.values())
        selector = {ALIAS_PREFIX + alias: "true", APP_PART_OF: context.plan.part_of}
        head = context.object("v1", "Service", alias, "services", plans[0].service.name)
        made.append({**head, "spec": _spec(selector, ports, headless=False)})
    return made


def _report_bad_aliases(context: ProjectContext, plan: ServicePlan, taken: frozenset[str]) -> None:
    service = plan.service
    wanted: dict[str, tuple[str, ...]] = {
        alias: ("networks", name, "aliases") for name, at in service.networks.items() for alias in at.aliases
    }
    if service.container_name:
        wanted[service.container_name] = ("container_name",)
    for alias, path in sorted(wanted.items()):
        if alias in plan.aliases or alias in (plan.name, service.name):
            continue
        why = "is another service's name" if alias in taken else "is no valid Service name"
        context.report(
            ("services", service.name, *path),
            "alias-dropped",
            Severity.WARNING,
            f"The name {alias!r} {why} and will not resolve to {service.name!r}.",
            "Use lower-case letters, digits and hyphens, at most 63.",
        )


DESCRIPTOR = Renderer(name="service", service=_service, project=_project)
