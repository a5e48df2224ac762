"""Who may do what: Pod Security levels, nodes, signers."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from leeward.cluster.interface.user import User
from leeward.cluster.registry.options import DeleteOptions, WriteOptions
from leeward.kube.objects import Obj
from leeward.kube.status import ForbiddenError, InvalidError

PREFIX = "pod-security.kubernetes.io/"


def namespace(cluster: Any, **labels: str) -> Obj:
    marked = {PREFIX + key.replace("_", "-"): value for key, value in labels.items()}
    made: Obj = cluster.client.create("namespaces", {"metadata": {"name": "guarded", "labels": marked}})
    return made


def guarded(kind: str, spec: Obj, name: str = "x") -> tuple[str, Obj]:
    return kind, {"metadata": {"name": name, "namespace": "guarded"}, "spec": spec}


def heard(cluster: Any, resource: str, obj: Obj) -> list[str]:
    """Create an object; returns the warnings."""
    warnings: list[str] = []
    cluster.registry.create(resource, obj, WriteOptions(warn=warnings.append))
    return warnings


PLAIN = {"containers": [{"name": "c", "image": "x"}]}
HOST = {**PLAIN, "hostNetwork": True}


def test_what_a_namespace_only_warns_about_is_made(cluster: Any) -> None:
    namespace(cluster, enforce="privileged", warn="baseline", warn_version="v1.30")
    assert heard(cluster, *guarded("pods", HOST)) == [
        'would violate PodSecurity "baseline:v1.30": host namespaces (hostNetwork=true)'
    ]
    assert heard(cluster, *guarded("pods", PLAIN, "y")) == []


def test_what_is_refused_is_not_warned_about(cluster: Any) -> None:
    namespace(cluster, enforce="baseline", warn="restricted")
    warnings: list[str] = []
    with pytest.raises(ForbiddenError):
        cluster.registry.create(*guarded("pods", HOST), WriteOptions(warn=warnings.append))
    assert warnings == []


def test_templates_are_warned_about_and_not_refused(cluster: Any) -> None:
    namespace(cluster, enforce="baseline", warn="baseline")
    template = {"metadata": {"labels": {"app": "x"}}, "spec": HOST}
    job = {"template": {"spec": {**HOST, "restartPolicy": "Never"}}}
    for kind, spec in (
        ("deployments.apps", {"selector": {"matchLabels": {"app": "x"}}, "template": template}),
        ("cronjobs.batch", {"schedule": "* * * * *", "jobTemplate": {"spec": job}}),
    ):
        (warning,) = heard(cluster, *guarded(kind, spec))
        assert warning == 'would violate PodSecurity "baseline:latest": host namespaces (hostNetwork=true)'


def test_labels_that_mean_nothing_are_refused(cluster: Any) -> None:
    with pytest.raises(InvalidError) as caught:
        namespace(cluster, enforce="strict", warn_version="1.2")
    assert [cause["message"] for cause in (caught.value.details or {})["causes"]] == [
        'Invalid value: "strict": must be one of privileged, baseline, restricted',
        'Invalid value: "1.2": must be "latest" or "v1.x"',
    ]


def test_a_stricter_level_warns_about_pods_that_are_there(cluster: Any) -> None:
    made = namespace(cluster)
    for name in ("b", "a", "c"):
        cluster.client.create(*guarded("pods", HOST, name))
    cluster.client.create(*guarded("pods", PLAIN, "fine"))
    warnings: list[str] = []
    labels = {**made["metadata"]["labels"], f"{PREFIX}enforce": "baseline"}
    options = WriteOptions(warn=warnings.append)
    cluster.registry.update(
        "namespaces", {**made, "metadata": {**made["metadata"], "labels": labels}}, options
    )
    assert warnings == [
        'existing pods in namespace "guarded" violate the new PodSecurity enforce level "baseline:latest"',
        "a (and 2 other pods): host namespaces",
    ]


NODE = WriteOptions(user=User("system:node:n1", ("system:nodes",)))


def test_a_kubelet_changes_its_own_node_only(cluster: Any) -> None:
    made = cluster.registry.create("nodes", {"metadata": {"name": "n1"}}, NODE)
    with pytest.raises(ForbiddenError, match='node "n1" is not allowed to modify node "n2"'):
        cluster.registry.create("nodes", {"metadata": {"name": "n2"}}, NODE)
    with pytest.raises(ForbiddenError, match='node "n1" is not allowed to modify taints'):
        cluster.registry.update("nodes", {**made, "spec": {}}, NODE)
    labels = {"node-restriction.kubernetes.io/a": "b", "kubernetes.io/os": "linux", "own": "x"}
    with pytest.raises(
        ForbiddenError, match=r"is not allowed to modify labels: node-restriction\.kubernetes"
    ):
        cluster.registry.update("nodes", {**made, "metadata": {**made["metadata"], "labels": labels}}, NODE)


def test_a_kubelet_deletes_and_reports_its_own_pods_only(cluster: Any) -> None:
    cluster.pod("mine", nodeName="n1")
    other = cluster.pod("other", nodeName="n2")
    with pytest.raises(ForbiddenError, match="can only update pod status for pods with"):
        cluster.registry.update("pods", other, NODE, subresource="status")
    options = DeleteOptions(user=NODE.user, grace_period_seconds=0)
    with pytest.raises(ForbiddenError, match='node "n1" can only delete pods with'):
        cluster.registry.delete("pods", "shop", "other", options)
    cluster.registry.delete("pods", "shop", "mine", options)
    assert not cluster.has("pods", "mine")


def test_a_kubelet_makes_mirror_pods_only(cluster: Any) -> None:
    meta = {"name": "m", "namespace": "shop"}
    with pytest.raises(ForbiddenError, match=r'pod does not have "kubernetes\.io/config\.mirror" annotation'):
        cluster.registry.create("pods", {"metadata": meta, "spec": PLAIN}, NODE)


def test_a_kubelet_writes_its_own_lease_only(cluster: Any) -> None:
    cluster.client.create("namespaces", {"metadata": {"name": "kube-node-lease"}})
    leases = "leases.coordination.k8s.io"
    cluster.registry.create(leases, {"metadata": {"name": "n1", "namespace": "kube-node-lease"}}, NODE)
    with pytest.raises(ForbiddenError, match='can only access leases in the "kube-node-lease" system'):
        cluster.registry.create(leases, {"metadata": {"name": "n1", "namespace": "shop"}}, NODE)
    with pytest.raises(ForbiddenError, match="same name as the requesting node"):
        cluster.registry.create(leases, {"metadata": {"name": "n2", "namespace": "kube-node-lease"}}, NODE)


def test_others_in_the_name_of_a_node_are_not_restricted(cluster: Any) -> None:
    cluster.registry.create("nodes", {"metadata": {"name": "n2"}}, replace(NODE, user=User(NODE.user.name)))


@pytest.mark.parametrize("name", ["default", "kube-system", "kube-public"])
def test_some_namespaces_stay(cluster: Any, name: str) -> None:
    if name != "default":
        cluster.client.create("namespaces", {"metadata": {"name": name}})
    with pytest.raises(ForbiddenError, match=f'namespaces "{name}" is forbidden: this namespace may not be'):
        cluster.delete("namespaces", name)


def test_a_bound_claim_grows_where_its_class_allows_it(cluster: Any) -> None:
    for name, fields in (("grows", {"allowVolumeExpansion": True}), ("fixed", {})):
        cluster.client.create(
            "storageclasses.storage.k8s.io", {"metadata": {"name": name}, "provisioner": "a.b/c", **fields}
        )

    def claim(name: str, kind: str, phase: str) -> Obj:
        spec = {
            "accessModes": ["ReadWriteOnce"],
            "resources": {"requests": {"storage": "1Gi"}},
            "storageClassName": kind,
            "volumeName": "v",
        }
        meta = {"name": name, "namespace": "shop"}
        made = cluster.client.create("persistentvolumeclaims", {"metadata": meta, "spec": spec})
        changed = {**made, "status": {"phase": phase}}
        stored: Obj = cluster.client.update_status("persistentvolumeclaims", changed)
        return {
            **stored,
            "spec": {**spec, "resources": {"requests": {"storage": "2Gi"}}, "volumeMode": "Filesystem"},
        }

    cluster.client.update("persistentvolumeclaims", claim("a", "grows", "Bound"))
    with pytest.raises(ForbiddenError, match="the storageclass that provisions the pvc must support resize"):
        cluster.client.update("persistentvolumeclaims", claim("b", "fixed", "Bound"))


def test_an_ingress_gets_the_default_class(cluster: Any) -> None:
    classes, ingresses = "ingressclasses.networking.k8s.io", "ingresses.networking.k8s.io"
    annotations = {"ingressclass.kubernetes.io/is-default-class": "true"}
    for name in ("b", "a"):
        meta = {"name": name, "annotations": annotations}
        cluster.client.create(classes, {"metadata": meta, "spec": {"controller": "x.y/z"}})
        cluster.clock.advance(1)
    backend = {"service": {"name": "web", "port": {"number": 80}}}

    def ingress(name: str, **spec: Any) -> Any:
        body = {"metadata": {"name": name, "namespace": "shop"}, "spec": {"defaultBackend": backend, **spec}}
        return cluster.client.create(ingresses, body)["spec"].get("ingressClassName")

    assert ingress("newest") == "a"
    assert ingress("own", ingressClassName="other") == "other"
