"""The objects every cluster begins with.

Source: the bootstrap of kube-apiserver 1.36 (system namespaces, the ``kubernetes`` Service, priority
classes); storage and ingress classes are the embedded cluster's own.
"""

from __future__ import annotations

from collections.abc import Iterable

from leeward.cluster.authorization.bootstrappolicy import bootstrap_policy
from leeward.cluster.authorization.rbac import CLUSTER_ROLES
from leeward.cluster.interface.user import User
from leeward.cluster.registry.options import WriteOptions
from leeward.cluster.registry.registry import Registry
from leeward.kube.objects import Obj
from leeward.kube.status import AlreadyExistsError
from leeward.kube.volumes import DEFAULT_CLASS
from leeward.kube.wellknown import SYSTEM_NAMESPACES

PROVISIONER = "leeward.dev/local"
INGRESS_CONTROLLER = "leeward.dev/ingress"


def bootstrap(
    registry: Registry, *, api_address: str, api_port: int, dns_address: str = "", metrics: bool = False
) -> None:
    """Create what is missing.

    Args:
        registry: the way in.
        api_address: where the API server listens.
        api_port: its port.
        dns_address: cluster IP of the DNS Service; "" for none.
        metrics: whether there is a metrics API.
    """
    for name in SYSTEM_NAMESPACES:
        _ensure(registry, "namespaces", {"metadata": {"name": name}})
    for resource, obj in bootstrap_policy():
        _ensure(registry, resource, obj, "kube-apiserver")
    for resource, obj in _authentication_readers():
        _ensure(registry, resource, obj, "kube-apiserver")
    for name, value in (("system-cluster-critical", 2000000000), ("system-node-critical", 2000001000)):
        _ensure(
            registry,
            "priorityclasses.scheduling.k8s.io",
            {"metadata": {"name": name}, "value": value, "preemptionPolicy": "PreemptLowerPriority"},
        )
    _ensure(
        registry,
        "storageclasses.storage.k8s.io",
        {
            "metadata": {"name": "standard", "annotations": {DEFAULT_CLASS: "true"}},
            "provisioner": PROVISIONER,
            "volumeBindingMode": "WaitForFirstConsumer",
        },
    )
    _ensure(
        registry,
        "ingressclasses.networking.k8s.io",
        {"metadata": {"name": "leeward"}, "spec": {"controller": INGRESS_CONTROLLER}},
    )
    _ensure(registry, "services", _kubernetes_service(api_port))
    _ensure(registry, "endpoints", _kubernetes_endpoints(api_address, api_port))
    slice_ = _kubernetes_slice(api_address, api_port)
    _ensure(registry, "endpointslices.discovery.k8s.io", slice_)
    if dns_address:
        _ensure(registry, "services", _dns_service(dns_address))
    if metrics:
        _ensure(registry, CLUSTER_ROLES, _metrics_reader(), "kube-apiserver")


def _ensure(registry: Registry, resource: str, obj: Obj, manager: str = "") -> None:
    meta = obj["metadata"]
    namespace = meta.get("namespace") or ""
    if registry.store.get(resource, namespace, meta["name"]) is not None:
        return
    try:
        registry.create(resource, obj, WriteOptions(user=User("system:apiserver"), field_manager=manager))
    except AlreadyExistsError:
        return


def _authentication_readers() -> Iterable[tuple[str, Obj]]:
    """Yield what lets aggregated API servers read whom to believe."""
    group, name = "rbac.authorization.k8s.io", "extension-apiserver-authentication-reader"
    meta = {
        "namespace": "kube-system",
        "labels": {"kubernetes.io/bootstrapping": "rbac-defaults"},
        "annotations": {"rbac.authorization.kubernetes.io/autoupdate": "true"},
    }
    rule = {
        "verbs": ["get", "list", "watch"],
        "apiGroups": [""],
        "resources": ["configmaps"],
        "resourceNames": ["extension-apiserver-authentication"],
    }
    yield f"roles.{group}", {"metadata": {"name": name, **meta}, "rules": [rule]}
    users = ("system:kube-controller-manager", "system:kube-scheduler")
    yield (
        f"rolebindings.{group}",
        {
            "metadata": {"name": f"system::{name}", **meta},
            "roleRef": {"apiGroup": group, "kind": "Role", "name": name},
            "subjects": [{"kind": "User", "apiGroup": group, "name": user} for user in users],
        },
    )


def _metrics_reader() -> Obj:
    """Return what lets who may view, edit or administer see what Pods use.

    Source: kubernetes-sigs/metrics-server manifests/base/rbac.yaml (v0.9.0)
    """
    labels = {f"rbac.authorization.k8s.io/aggregate-to-{role}": "true" for role in ("admin", "edit", "view")}
    rule = {
        "apiGroups": ["metrics.k8s.io"],
        "resources": ["pods", "nodes"],
        "verbs": ["get", "list", "watch"],
    }
    return {"metadata": {"name": "system:aggregated-metrics-reader", "labels": labels}, "rules": [rule]}


def _kubernetes_service(port: int) -> Obj:
    labels = {"component": "apiserver", "provider": "kubernetes"}
    ports = [{"name": "https", "port": 443, "protocol": "TCP", "targetPort": port}]
    return {
        "metadata": {"name": "kubernetes", "namespace": "default", "labels": labels},
        "spec": {"type": "ClusterIP", "ports": ports},
    }


def _kubernetes_endpoints(address: str, port: int) -> Obj:
    ports = [{"name": "https", "port": port, "protocol": "TCP"}]
    return {
        "metadata": {
            "name": "kubernetes",
            "namespace": "default",
            "labels": {"endpointslice.kubernetes.io/skip-mirror": "true"},
        },
        "subsets": [{"addresses": [{"ip": address}], "ports": ports}],
    }


def _kubernetes_slice(address: str, port: int) -> Obj:
    return {
        "metadata": {
            "name": "kubernetes",
            "namespace": "default",
            "labels": {"kubernetes.io/service-name": "kubernetes"},
        },
        "addressType": "IPv4",
        "ports": [{"name": "https", "port": port, "protocol": "TCP"}],
        "endpoints": [{"addresses": [address], "conditions": {"ready": True}}],
    }


def _dns_service(address: str) -> Obj:
    labels = {"k8s-app": "kube-dns", "kubernetes.io/name": "CoreDNS"}
    ports = [{"name": "dns", "port": 53, "protocol": "UDP", "targetPort": 53}]
    return {
        "metadata": {"name": "kube-dns", "namespace": "kube-system", "labels": labels},
        "spec": {"type": "ClusterIP", "clusterIP": address, "ports": ports},
    }
