"""Paths of Kubernetes APIs: what people type as a name never becomes another path."""

from __future__ import annotations

import pytest

from leeward.kube.http import Location
from leeward.kube.status import NotFoundError

PODS = Location("", "v1", "pods", "Pod", namespaced=True)
ROLES = Location("rbac.authorization.k8s.io", "v1", "clusterroles", "ClusterRole", namespaced=False)


def test_paths_are_those_of_kubernetes() -> None:
    assert PODS.path() == "/api/v1/pods"
    assert PODS.path("shop") == "/api/v1/namespaces/shop/pods"
    assert PODS.object_path("shop", "web-1") == "/api/v1/namespaces/shop/pods/web-1"
    assert PODS.object_path("shop", "web-1", "status") == "/api/v1/namespaces/shop/pods/web-1/status"
    role = ROLES.object_path("ignored", "system:node")
    assert role == "/apis/rbac.authorization.k8s.io/v1/clusterroles/system:node"


@pytest.mark.parametrize("name", ["", ".", "..", "../secrets", "web/status", "web%2fstatus"])
def test_a_name_that_would_be_another_path_is_nobodys(name: str) -> None:
    with pytest.raises(NotFoundError, match="not found"):
        PODS.object_path("shop", name)


def test_a_name_ends_no_path() -> None:
    assert PODS.object_path("shop", "web?watch=true#x") == (
        "/api/v1/namespaces/shop/pods/web%3Fwatch%3Dtrue%23x"
    )
    assert PODS.path("a/b?c") == "/api/v1/namespaces/a%2Fb%3Fc/pods"
