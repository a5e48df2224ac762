"""Ingress: hosts from ``x-leeward``, and locally a host for every published port that looks like HTTP.

On the embedded cluster the host is ``<service>.localhost`` too, which browsers resolve to this machine, and
there is no TLS; elsewhere a published port without hosts is reported. A certificate is a Secret, one that
cert-manager keeps in a Secret, or one of AWS Certificate Manager, which the load balancer holds itself.

Source: the Ingress API; cert-manager.io/docs/usage/ingress; the annotations of the AWS Load Balancer
Controller (kubernetes-sigs.github.io/aws-load-balancer-controller).
"""

from __future__ import annotations

from typing import Any

from leeward.base.diagnostics import Severity
from leeward.kube.objects import Obj
from leeward.render import naming
from leeward.render.model import PodDraft, Renderer, ServiceContext
from leeward.render.ports import looks_http
from leeward.settings.service import Tls

INGRESS_CLASS = "leeward"
ALB_CLASS = "alb"
_ALB = "alb.ingress.kubernetes.io/"
_ISSUER = "cert-manager.io/cluster-issuer"


def _rule(host: str, service: str, port: int, path: str = "/") -> dict[str, Any]:
    backend = {"service": {"name": service, "port": {"number": port}}}
    return {"host": host, "http": {"paths": [{"path": path, "pathType": "Prefix", "backend": backend}]}}


def _targets(context: ServiceContext) -> list[int]:
    """Return the ports to lead to; hosts lead to the first."""
    service = context.service
    targets = list(dict.fromkeys(port.target for port in service.ports if looks_http(service, port)))
    if context.plan.settings.hosts and not targets:
        targets = [port.port for port in context.plan.ports if port.protocol == "TCP"][:1]
        if not targets:
            context.report(
                ("x-leeward", "hosts"),
                "no-port",
                Severity.ERROR,
                "The hosts lead nowhere: the service has no TCP port.",
                "Add the port to ports or expose.",
            )
    return targets


def _rules(context: ServiceContext, targets: list[int]) -> list[dict[str, Any]]:
    plan = context.plan
    rules = [_rule(host, plan.name, targets[0], plan.settings.path) for host in plan.settings.hosts]
    if context.options.on_embedded:
        domain = context.options.local_domain
        rules.append(_rule(f"{plan.name}.{domain}", plan.name, targets[0]))
        rules += [_rule(f"{plan.name}-{port}.{domain}", plan.name, port) for port in targets[1:]]
    return rules


def _alb_annotations(tls: Tls) -> dict[str, str]:
    return {
        f"{_ALB}certificate-arn": str(tls.certificate_arn),
        f"{_ALB}listen-ports": '[{"HTTP":80},{"HTTPS":443}]',
        f"{_ALB}ssl-redirect": "443",
        f"{_ALB}target-type": "ip",
    }


def _secure(context: ServiceContext, spec: dict[str, Any], annotations: dict[str, str]) -> None:
    """Add the certificate of the hosts."""
    settings, project = context.plan.settings, context.project.plan.settings
    tls = settings.tls
    if tls is None or not settings.hosts:
        return
    if tls.certificate_arn:
        spec.setdefault("ingressClassName", ALB_CLASS)
        annotations.update(_alb_annotations(tls))
        return
    secret = tls.secret or naming.join_label(context.plan.name, "tls")
    spec["tls"] = [{"hosts": list(settings.hosts), "secretName": secret}]
    issuer = tls.issuer or (None if tls.secret else project.tls_issuer)
    if issuer:
        annotations[_ISSUER] = issuer
    elif not tls.secret:
        context.note(
            ("x-leeward", "tls"),
            "certificate-expected",
            f"The certificate is expected in the Secret {secret!r}; nothing here makes it.",
            "Name an issuer, or tlsIssuer for the whole project.",
        )


def _service(context: ServiceContext, draft: PodDraft) -> list[Obj]:
    plan = context.plan
    targets = _targets(context)
    if not targets:
        return []
    rules = _rules(context, targets)
    if not rules:
        context.warn(
            ("ports",),
            "no-host",
            "The published port has no host name, so no Ingress leads to it.",
            "Write x-leeward: {hosts: [shop.example.com]}.",
        )
        return []
    spec: dict[str, Any] = {}
    annotations: dict[str, str] = {}
    if context.options.on_embedded:
        spec["ingressClassName"] = INGRESS_CLASS
    else:
        if name := plan.settings.ingress_class or context.project.plan.settings.ingress_class:
            spec["ingressClassName"] = name
        _secure(context, spec, annotations)
    spec["rules"] = rules
    annotations.update(plan.settings.ingress_annotations)
    head = context.object("networking.k8s.io/v1", "Ingress", plan.name, "ports", annotations=annotations)
    return [{**head, "spec": spec}]


DESCRIPTOR = Renderer(name="ingress", service=_service)
