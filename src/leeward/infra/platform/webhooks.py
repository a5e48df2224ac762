"""The webhooks of the AWS Load Balancer Controller: the API server asks them before some objects are written.

As files they trust nobody: whom to trust (``caBundle``) is added when they are applied, together with the
certificate, so that no key is ever in a file. They are applied last, when the controller answers.

Unlike upstream's they are asked only about what concerns the controller, by ``matchConditions``: Services
of type LoadBalancer and Ingresses of its class. So nobody else is kept from writing while it is away.

Source: kubernetes-sigs/aws-load-balancer-controller v3.5.0, config/webhook and
helm/aws-load-balancer-controller/templates/webhook.yaml; kubernetes.io/docs, "Dynamic Admission Control".
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from leeward.infra.platform.balancer import CLASS, NAME, WEBHOOK_SERVICE
from leeward.infra.platform.pieces import SYSTEM, metadata
from leeward.kube.objects import Obj
from leeward.kube.wellknown import APP_NAME

KINDS = ("MutatingWebhookConfiguration", "ValidatingWebhookConfiguration")
_CONFIGURATION = "aws-load-balancer-webhook"
_OWN = "elbv2.k8s.aws"
_OTHERS = {"matchExpressions": [{"key": APP_NAME, "operator": "NotIn", "values": [NAME]}]}
_MARKED = {
    "matchExpressions": [
        {"key": f"{_OWN}/pod-readiness-gate-inject", "operator": "In", "values": ["enabled"]}
    ]
}
_IS_BALANCER = {"name": "asks-for-a-load-balancer", "expression": "object.spec.type == 'LoadBalancer'"}
_IS_OURS = {
    "name": "is-of-the-class",
    "expression": (
        f"has(object.spec.ingressClassName) ? object.spec.ingressClassName == '{CLASS}' : "
        "has(object.metadata.annotations) && 'kubernetes.io/ingress.class' in object.metadata.annotations && "
        f"object.metadata.annotations['kubernetes.io/ingress.class'] == '{CLASS}'"
    ),
}


def _hook(
    name: str, path: str, group: str, version: str, resource: str, operations: Sequence[str], **more: Any
) -> Obj:
    rule = {
        "apiGroups": [group],
        "apiVersions": [version],
        "resources": [resource],
        "operations": list(operations),
        "scope": "*",
    }
    return {
        "name": f"{name}.{_OWN}",
        "clientConfig": {"service": {"name": WEBHOOK_SERVICE, "namespace": SYSTEM, "path": path}},
        "rules": [rule],
        "failurePolicy": "Fail",
        "sideEffects": "None",
        "admissionReviewVersions": ["v1"],
        **more,
    }


def webhooks() -> list[Obj]:
    """Return both configurations, without whom to trust."""
    create, write = ("CREATE",), ("CREATE", "UPDATE")
    own = f"{_OWN.replace('.', '-')}-v1beta1"
    mutating = [
        _hook(
            "mpod", "/mutate-v1-pod", "", "v1", "pods", create,
            failurePolicy="Ignore", namespaceSelector=_MARKED, objectSelector=_OTHERS,
        ),
        _hook(
            "mservice", "/mutate-v1-service", "", "v1", "services", create,
            objectSelector=_OTHERS, matchConditions=[_IS_BALANCER],
        ),
        _hook(
            "mtargetgroupbinding", f"/mutate-{own}-targetgroupbinding", _OWN, "v1beta1",
            "targetgroupbindings", write,
        ),
    ]  # fmt: skip
    validating = [
        _hook(
            "vingressclassparams", f"/validate-{own}-ingressclassparams", _OWN, "v1beta1",
            "ingressclassparams", write, objectSelector=_OTHERS,
        ),
        _hook(
            "vtargetgroupbinding", f"/validate-{own}-targetgroupbinding", _OWN, "v1beta1",
            "targetgroupbindings", write,
        ),
        _hook(
            "vingress", "/validate-networking-v1-ingress", "networking.k8s.io", "v1", "ingresses", write,
            matchPolicy="Equivalent", matchConditions=[_IS_OURS],
        ),
    ]  # fmt: skip
    return [
        {
            "apiVersion": "admissionregistration.k8s.io/v1",
            "kind": kind,
            "metadata": metadata(NAME, _CONFIGURATION),
            "webhooks": hooks,
        }
        for kind, hooks in zip(KINDS, (mutating, validating), strict=True)
    ]


def trusting(configuration: Obj, bundle: str) -> Obj:
    """Return a webhook configuration that trusts an authority.

    Args:
        configuration: as :func:`webhooks` makes them.
        bundle: its certificates, PEM in base64.
    """
    hooks = [
        {**hook, "clientConfig": {**hook["clientConfig"], "caBundle": bundle}}
        for hook in configuration["webhooks"]
    ]
    return {**configuration, "webhooks": hooks}
