"""The built-in resources: what a kind is called in a store and whether it lives in a namespace.

Source: the discovery documents of kube-apiserver 1.36 (stable groups).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from leeward.kube.objects import Obj

CRDS = "customresourcedefinitions.apiextensions.k8s.io"


class Resource(NamedTuple):
    """One resource."""

    name: str  # "pods", "deployments.apps": plural, then "." and group unless the core group
    group: str
    kind: str
    namespaced: bool


_NAMESPACED = {
    "": (
        "pods Pod", "services Service", "endpoints Endpoints", "configmaps ConfigMap", "secrets Secret",
        "serviceaccounts ServiceAccount", "persistentvolumeclaims PersistentVolumeClaim",
        "replicationcontrollers ReplicationController", "resourcequotas ResourceQuota",
        "limitranges LimitRange", "podtemplates PodTemplate", "events Event",
    ),
    "apps": (
        "deployments Deployment", "replicasets ReplicaSet", "statefulsets StatefulSet",
        "daemonsets DaemonSet", "controllerrevisions ControllerRevision",
    ),
    "batch": ("jobs Job", "cronjobs CronJob"),
    "autoscaling": ("horizontalpodautoscalers HorizontalPodAutoscaler",),
    "policy": ("poddisruptionbudgets PodDisruptionBudget",),
    "networking.k8s.io": ("ingresses Ingress", "networkpolicies NetworkPolicy"),
    "discovery.k8s.io": ("endpointslices EndpointSlice",),
    "coordination.k8s.io": ("leases Lease",),
    "rbac.authorization.k8s.io": ("roles Role", "rolebindings RoleBinding"),
}  # fmt: skip
_CLUSTER = {
    "": ("nodes Node", "namespaces Namespace", "persistentvolumes PersistentVolume"),
    "storage.k8s.io": ("storageclasses StorageClass",),
    "scheduling.k8s.io": ("priorityclasses PriorityClass",),
    "networking.k8s.io": ("ingressclasses IngressClass",),
    "rbac.authorization.k8s.io": ("clusterroles ClusterRole", "clusterrolebindings ClusterRoleBinding"),
    "apiextensions.k8s.io": ("customresourcedefinitions CustomResourceDefinition",),
}  # fmt: skip


def _rows(table: dict[str, tuple[str, ...]], namespaced: bool) -> Iterable[Resource]:
    for group, rows in table.items():
        for row in rows:
            plural, kind = row.split()
            yield Resource(f"{plural}.{group}" if group else plural, group, kind, namespaced)


BUILT_IN: tuple[Resource, ...] = (*_rows(_NAMESPACED, True), *_rows(_CLUSTER, False))


def custom_resources(definitions: Iterable[Obj]) -> list[Resource]:
    """Return the resources that CustomResourceDefinitions define."""
    return [
        Resource(
            f"{spec['names']['plural']}.{spec['group']}",
            spec["group"],
            spec["names"]["kind"],
            spec.get("scope") == "Namespaced",
        )
        for spec in (definition["spec"] for definition in definitions)
    ]


def group_of(api_version: str) -> str:
    """Return the group of an apiVersion; "" for the core group."""
    return api_version.rpartition("/")[0]
