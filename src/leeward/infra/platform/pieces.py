"""What objects of the platform have in common: labels, where Pods go, what they may."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from leeward.kube.objects import Obj
from leeward.kube.wellknown import APP_MANAGED_BY, APP_NAME, APP_PART_OF, HOSTNAME, ZONE

MANAGER = "leeward-infra"  # APP_MANAGED_BY of everything here, and of nothing else
PLATFORM = "leeward-platform"
SYSTEM = "kube-system"
REPLICAS = 2  # one leads; the other is in another zone when that one goes
_READS = ["get", "list", "watch"]


def metadata(component: str, name: str, namespace: str = "", **more: Any) -> Obj:
    """Return the metadata of an object of a component."""
    labels = {APP_NAME: component, APP_PART_OF: PLATFORM, APP_MANAGED_BY: MANAGER}
    return {"name": name, **({"namespace": namespace} if namespace else {}), "labels": labels, **more}


def selector(component: str) -> dict[str, str]:
    """Return the labels by which the Pods of a component are known."""
    return {APP_NAME: component, APP_PART_OF: PLATFORM}


def rule(groups: str, resources: str, verbs: str = "", names: str = "") -> Obj:
    """Return a rule of RBAC from words; without verbs, reading.

    Args:
        groups: API groups, "core" for the first.
        resources: with subresources.
        verbs: what may be done.
        names: of single objects.
    """
    found: Obj = {
        "apiGroups": ["" if group == "core" else group for group in groups.split()],
        "resources": resources.split(),
        "verbs": verbs.split() or _READS,
    }
    return {**found, "resourceNames": names.split()} if names else found


def account(component: str, name: str, namespace: str) -> Obj:
    """Return a service account; its role at AWS is bound to it by name, by Terraform (Pod Identity)."""
    return {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": metadata(component, name, namespace),
        "automountServiceAccountToken": False,  # Pods that need it say so
    }


def permissions(
    component: str, name: str, namespace: str, rules: Sequence[Obj], own: Sequence[Obj]
) -> list[Obj]:
    """Return roles and their bindings to the service account `name`.

    Args:
        component: whose they are.
        name: of the service account, and of all of these.
        namespace: of the service account.
        rules: in the whole cluster.
        own: in its namespace.
    """
    api = "rbac.authorization.k8s.io"
    found: list[Obj] = []
    for kind, where, what in (("ClusterRole", "", rules), ("Role", namespace, own)):
        if not what:
            continue
        head = {"apiVersion": f"{api}/v1", "metadata": metadata(component, name, where)}
        found.append({**head, "kind": kind, "rules": list(what)})
        found.append(
            {
                **head,
                "kind": f"{kind}Binding",
                "roleRef": {"apiGroup": api, "kind": kind, "name": name},
                "subjects": [{"kind": "ServiceAccount", "name": name, "namespace": namespace}],
            }
        )
    return found


def placed(component: str, pod: Obj) -> Obj:
    """Return the spec of a Pod with where it goes: zones and nodes apart, rather not on spot."""
    alike = {"matchLabels": selector(component)}
    spread = [
        {"maxSkew": 1, "topologyKey": key, "whenUnsatisfiable": "ScheduleAnyway", "labelSelector": alike}
        for key in (ZONE, HOSTNAME)
    ]
    lasting = {"key": "eks.amazonaws.com/capacityType", "operator": "NotIn", "values": ["SPOT"]}
    prefers = [{"weight": 100, "preference": {"matchExpressions": [lasting]}}]
    return {
        **pod,
        "priorityClassName": "system-cluster-critical",
        "topologySpreadConstraints": spread,
        "affinity": {"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": prefers}},
        "tolerations": [{"key": "CriticalAddonsOnly", "operator": "Exists"}],
        "nodeSelector": {"kubernetes.io/os": "linux"},
    }


def deployment(component: str, name: str, namespace: str, pod: Obj) -> list[Obj]:
    """Return a Deployment of two replicas, and the budget that keeps one of them."""
    match = {"matchLabels": selector(component)}
    template = {"metadata": {"labels": selector(component)}, "spec": placed(component, pod)}
    strategy = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}
    return [
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": metadata(component, name, namespace),
            "spec": {"replicas": REPLICAS, "selector": match, "strategy": strategy, "template": template},
        },
        {
            "apiVersion": "policy/v1",
            "kind": "PodDisruptionBudget",
            "metadata": metadata(component, name, namespace),
            "spec": {"maxUnavailable": 1, "selector": match, "unhealthyPodEvictionPolicy": "AlwaysAllow"},
        },
    ]


def resources(cpu: str, memory: str, most: str) -> Obj:
    """Return what a container asks for, and how much memory it may take; its CPU has no limit."""
    return {"requests": {"cpu": cpu, "memory": memory}, "limits": {"memory": most}}


def confined() -> Obj:
    """Return the security context of a container that needs no rights at all."""
    return {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "runAsNonRoot": True,
        "capabilities": {"drop": ["ALL"]},
        "seccompProfile": {"type": "RuntimeDefault"},
    }
