"""Defaults of kinds: what is left out is filled in as Kubernetes does."""

from __future__ import annotations

from leeward.cluster.registry.kinds.catalog import in_tree_strategies
from leeward.cluster.registry.kinds.fill import filled
from leeward.kube.objects import Obj

_STRATEGIES = dict(in_tree_strategies().items())


def _completed(resource: str, **fields: object) -> Obj:
    return _STRATEGIES[resource].default({"metadata": {"name": "x"}, **fields})


def test_a_limit_range_fills_defaults_and_requests_from_the_maximum() -> None:
    limit = {"type": "Container", "max": {"memory": "1Gi"}, "default": {"cpu": "500m"}, "min": {"cpu": "1m"}}
    (done,) = _completed("limitranges", spec={"limits": [limit]})["spec"]["limits"]
    assert done["default"] == {"memory": "1Gi", "cpu": "500m"}
    assert done["defaultRequest"] == {"memory": "1Gi", "cpu": "500m"}


def test_a_limit_range_of_pods_stays_as_it_is() -> None:
    limit = {"type": "Pod", "max": {"memory": "1Gi"}}
    assert _completed("limitranges", spec={"limits": [limit]})["spec"]["limits"] == [limit]


def test_people_and_groups_of_a_role_binding_have_the_group_of_rbac_and_accounts_have_none() -> None:
    subjects = [{"kind": "User", "name": "u"}, {"kind": "ServiceAccount", "name": "s"}]
    done = _completed(
        "rolebindings.rbac.authorization.k8s.io",
        subjects=subjects,
        roleRef={"kind": "Role", "name": "r"},
    )
    assert [subject.get("apiGroup") for subject in done["subjects"]] == ["rbac.authorization.k8s.io", None]
    assert done["roleRef"]["apiGroup"] == "rbac.authorization.k8s.io"


def test_ports_of_a_pod_in_the_network_of_its_host_are_published() -> None:
    container = {"name": "c", "image": "web", "ports": [{"containerPort": 80}]}
    spec = _completed("pods", spec={"hostNetwork": True, "containers": [container]})["spec"]
    assert spec["containers"][0]["ports"] == [{"containerPort": 80, "hostPort": 80, "protocol": "TCP"}]


def test_the_template_of_a_cron_job_is_completed_and_its_job_is_not() -> None:
    template = {"spec": {"containers": [{"name": "c", "image": "web"}]}}
    spec = _completed("cronjobs.batch", spec={"jobTemplate": {"spec": {"template": template}}})["spec"]
    job = spec["jobTemplate"]["spec"]
    assert job["template"]["spec"]["dnsPolicy"] == "ClusterFirst"
    assert "backoffLimit" not in job


def test_sources_of_projected_volumes_are_completed() -> None:
    sources = [
        {"serviceAccountToken": {"path": "token"}},
        {"downwardAPI": {"items": [{"path": "l", "fieldRef": {"fieldPath": "metadata.labels"}}]}},
    ]
    volume = {"name": "v", "projected": {"sources": sources}}
    (done,) = _completed("pods", spec={"volumes": [volume]})["spec"]["volumes"]
    token, downward = done["projected"]["sources"]
    assert token["serviceAccountToken"]["expirationSeconds"] == 3600
    assert downward["downwardAPI"]["items"][0]["fieldRef"]["apiVersion"] == "v1"


def test_defaults_share_what_they_do_not_change_with_versions_before() -> None:
    whole = {"addresses": ["10.0.0.1"], "conditions": {"ready": True}}
    assert filled(whole, conditions={}) is whole
    assert filled({"addresses": ["10.0.0.1"]}, conditions={}) == {"addresses": ["10.0.0.1"], "conditions": {}}
    assert filled({**whole, "zone": None}, conditions={}) == whole
