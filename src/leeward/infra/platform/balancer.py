"""The AWS Load Balancer Controller: Ingresses become load balancers, and Services that ask for one.

It is told region and VPC, because nodes answer no question of Pods about themselves (IMDSv2, one hop). The
VPC is found by the tags that Terraform gives it, so that a rebuilt cluster needs no other manifests.
Gateway API, Global Accelerator, QUIC and target control agents are left out, with their rights.

Source: kubernetes-sigs/aws-load-balancer-controller v3.5.0: helm/aws-load-balancer-controller, config/rbac,
pkg/aws/cloud.go (flags); docs/deploy/configurations.md.
"""

from __future__ import annotations

from leeward.infra.platform import pieces
from leeward.infra.platform.images import balancer_image, from_registry
from leeward.infra.spec import ClusterSpec
from leeward.kube.objects import Obj

NAME = "aws-load-balancer-controller"  # the service account that Terraform binds the role to
WEBHOOK_SERVICE = "aws-load-balancer-webhook-service"
TLS_SECRET = "aws-load-balancer-tls"  # made when the platform is applied; never in a file
CLASS = "alb"
_GATES = "ALBGatewayAPI=false,NLBGatewayAPI=false"
_RULES = (
    pieces.rule("core", "configmaps", "create delete get update"),
    pieces.rule("core", "endpoints namespaces nodes pods"),
    pieces.rule("core", "events", "create patch"),
    pieces.rule("core", "pods/status services/status", "patch update"),
    pieces.rule("core", "services", "get list patch update watch"),
    pieces.rule("discovery.k8s.io", "endpointslices"),
    pieces.rule("elbv2.k8s.aws", "ingressclassparams"),
    pieces.rule("elbv2.k8s.aws", "targetgroupbindings", "create delete get list patch update watch"),
    pieces.rule("elbv2.k8s.aws", "targetgroupbindings/status", "patch update"),
    pieces.rule("networking.k8s.io", "ingresses", "get list patch update watch"),
    pieces.rule("networking.k8s.io", "ingresses/status", "patch update"),
    pieces.rule("networking.k8s.io", "ingressclasses"),
)
_LEADER = f"{NAME}-leader"
_OWN_RULES = (
    pieces.rule("core", "configmaps", "create"),
    pieces.rule("core", "configmaps", "get patch update", _LEADER),
    pieces.rule("coordination.k8s.io", "leases", "create"),
    pieces.rule("coordination.k8s.io", "leases", "get patch update", _LEADER),
)


def objects(spec: ClusterSpec, registry: str | None, vpc: str | None) -> list[Obj]:
    """Return the controller without its definitions and webhooks.

    Args:
        spec: without mistakes.
        registry: where images come from; None: from their makers.
        vpc: id of the VPC; None: it is found by its tags.
    """
    return [
        pieces.account(NAME, NAME, pieces.SYSTEM),
        *pieces.permissions(NAME, NAME, pieces.SYSTEM, _RULES, _OWN_RULES),
        _service(),
        *pieces.deployment(NAME, NAME, pieces.SYSTEM, _pod(spec, registry, vpc)),
        _ingress_class(),
    ]


def _arguments(spec: ClusterSpec, vpc: str | None) -> list[str]:
    place = f"--aws-vpc-id={vpc}" if vpc else f"--aws-vpc-tags=Name={spec.name},leeward:cluster={spec.name}"
    return [
        f"--cluster-name={spec.name}",
        f"--aws-region={spec.region}",
        place,
        f"--ingress-class={CLASS}",
        "--default-target-type=ip",  # Pods have addresses of the VPC
        f"--feature-gates={_GATES}",
    ]


def _pod(spec: ClusterSpec, registry: str | None, vpc: str | None) -> Obj:
    def probe(path: str, delay: int) -> Obj:
        asked = {"path": path, "port": 61779, "scheme": "HTTP"}
        return {"httpGet": asked, "initialDelaySeconds": delay, "timeoutSeconds": 10, "failureThreshold": 2}

    container = {
        "name": NAME,
        "image": from_registry(balancer_image(), registry),
        "args": _arguments(spec, vpc),
        "ports": [
            {"name": "webhook-server", "containerPort": 9443, "protocol": "TCP"},
            {"name": "metrics-server", "containerPort": 8080, "protocol": "TCP"},
        ],
        "livenessProbe": probe("/healthz", 30),
        "readinessProbe": probe("/readyz", 10),
        "resources": pieces.resources("100m", "200Mi", "500Mi"),
        "securityContext": pieces.confined(),
        "volumeMounts": [
            {"name": "cert", "mountPath": "/tmp/k8s-webhook-server/serving-certs", "readOnly": True}
        ],
    }
    return {
        "serviceAccountName": NAME,
        "automountServiceAccountToken": True,
        "securityContext": {"fsGroup": 65534},
        "terminationGracePeriodSeconds": 10,
        "containers": [container],
        "volumes": [{"name": "cert", "secret": {"secretName": TLS_SECRET, "defaultMode": 0o440}}],
    }


def _service() -> Obj:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": pieces.metadata(NAME, WEBHOOK_SERVICE, pieces.SYSTEM),
        "spec": {
            "selector": pieces.selector(NAME),
            "ports": [
                {"name": "webhook-server", "port": 443, "targetPort": "webhook-server", "protocol": "TCP"}
            ],
        },
    }


def _ingress_class() -> Obj:
    default = {"ingressclass.kubernetes.io/is-default-class": "true"}  # an Ingress that names none
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "IngressClass",
        "metadata": pieces.metadata(NAME, CLASS, annotations=default),
        "spec": {"controller": "ingress.k8s.aws/alb"},
    }
