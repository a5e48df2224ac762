"""The Cluster Autoscaler: nodes between a group's min and max, as Pods need them.

It finds the groups by tags that EKS gives them, keeps those of one shape even across zones, and may empty
nodes that only have Pods of kube-system, which would otherwise stay for ever.

Source: kubernetes/autoscaler: cluster-autoscaler/cloudprovider/aws (README and examples), its FAQ, and
charts/cluster-autoscaler (rights).
"""

from __future__ import annotations

from leeward.infra.platform import pieces
from leeward.infra.platform.images import autoscaler_image, from_registry
from leeward.infra.spec import ClusterSpec
from leeward.kube.objects import Obj

NAME = "cluster-autoscaler"  # the service account that Terraform binds the role to
_TAG = "k8s.io/cluster-autoscaler"
_RULES = (
    pieces.rule("core", "events endpoints", "create patch"),
    pieces.rule("core", "pods/eviction", "create"),
    pieces.rule("core", "pods/status", "update"),
    pieces.rule("core", "endpoints", "get update", NAME),
    pieces.rule("core", "nodes", "get list update watch"),
    pieces.rule(
        "core",
        "namespaces pods services replicationcontrollers persistentvolumeclaims persistentvolumes configmaps",
    ),
    pieces.rule("batch", "jobs cronjobs"),
    pieces.rule("batch", "jobs", "patch"),
    pieces.rule("policy", "poddisruptionbudgets"),
    pieces.rule("apps", "daemonsets replicasets statefulsets"),
    pieces.rule(
        "storage.k8s.io", "storageclasses csinodes csidrivers csistoragecapacities volumeattachments"
    ),
    pieces.rule("resource.k8s.io", "resourceclaims resourceslices deviceclasses"),
    pieces.rule("coordination.k8s.io", "leases", "create"),
    pieces.rule("coordination.k8s.io", "leases", "get update", NAME),
)
_OWN_RULES = (
    pieces.rule("core", "configmaps", "create"),
    pieces.rule(
        "core",
        "configmaps",
        "delete get update",
        "cluster-autoscaler-status cluster-autoscaler-priority-expander",
    ),
)


def objects(spec: ClusterSpec, registry: str | None) -> list[Obj]:
    """Return the autoscaler of a cluster; `registry` is where its image comes from, None: from its makers."""
    return [
        pieces.account(NAME, NAME, pieces.SYSTEM),
        *pieces.permissions(NAME, NAME, pieces.SYSTEM, _RULES, _OWN_RULES),
        *pieces.deployment(NAME, NAME, pieces.SYSTEM, _pod(spec, registry)),
    ]


def _pod(spec: ClusterSpec, registry: str | None) -> Obj:
    alive = {"httpGet": {"path": "/health-check", "port": 8085}, "timeoutSeconds": 10}
    container = {
        "name": NAME,
        "image": from_registry(autoscaler_image(spec.kubernetes), registry),
        "command": ["./cluster-autoscaler"],
        "args": [
            "--cloud-provider=aws",
            f"--node-group-auto-discovery=asg:tag={_TAG}/enabled,{_TAG}/{spec.name}",
            f"--namespace={pieces.SYSTEM}",
            "--balance-similar-node-groups",
            "--expander=least-waste",
            "--skip-nodes-with-system-pods=false",
            "--skip-nodes-with-local-storage=false",
            "--logtostderr=true",
            "--stderrthreshold=info",
            "--v=2",
        ],
        "env": [{"name": "AWS_REGION", "value": spec.region}],
        "ports": [{"name": "metrics", "containerPort": 8085, "protocol": "TCP"}],
        "livenessProbe": {**alive, "initialDelaySeconds": 60},
        "resources": pieces.resources("100m", "300Mi", "1Gi"),
        "securityContext": pieces.confined(),
    }
    return {
        "serviceAccountName": NAME,
        "automountServiceAccountToken": True,
        "securityContext": {"runAsUser": 65534, "runAsGroup": 65534, "fsGroup": 65534},
        "containers": [container],
    }
