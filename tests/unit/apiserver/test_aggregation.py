"""APIServices: which there are, whether they are available, and what discovery makes of them."""

from __future__ import annotations

from typing import Any

import pytest

from leeward.cluster.apiserver.aggregation.availability import obstacle
from leeward.cluster.apiserver.aggregation.merging import (
    RemoteVersion,
    from_resources,
    with_groups,
    with_items,
)
from leeward.cluster.apiserver.aggregation.peers import identity
from leeward.cluster.apiserver.aggregation.registration import MANAGED, built_in, custom, plan
from leeward.cluster.apiserver.discovery import aggregated, group_list
from leeward.cluster.apiserver.served import Catalog
from leeward.cluster.interface.user import User
from leeward.kube.objects import Obj

REFERENCE = {"namespace": "ops", "name": "metrics", "port": 443}
SERVICE = {"spec": {"ports": [{"name": "https", "port": 443}]}}


def _slice(ready: bool = True, port: str = "https") -> Obj:
    endpoints = [{"addresses": ["10.0.0.1"], "conditions": {"ready": ready}}]
    return {"ports": [{"name": port, "port": 8443}], "endpoints": endpoints}


def _definition(*versions: tuple[str, bool]) -> Obj:
    listed = [{"name": name, "served": served} for name, served in versions]
    return {"spec": {"group": "example.com", "versions": listed}}


@pytest.mark.parametrize(
    ("service", "slices", "reason"),
    [
        (None, [], "ServiceNotFound"),
        ({"spec": {"ports": [{"port": 80}]}}, [], "ServicePortError"),
        (SERVICE, [], "EndpointsNotFound"),
        (SERVICE, [_slice(ready=False)], "MissingEndpoints"),
        (SERVICE, [_slice(port="other")], "MissingEndpoints"),
    ],
)
def test_an_api_without_a_ready_endpoint_is_not_available(
    service: Obj | None, slices: list[Obj], reason: str
) -> None:
    found = obstacle(REFERENCE, service, slices)
    assert found is not None
    assert (found.status, found.reason) == ("False", reason)


def test_nothing_is_known_against_a_service_with_a_ready_endpoint() -> None:
    assert obstacle(REFERENCE, SERVICE, [_slice(ready=False), _slice()]) is None
    assert obstacle(REFERENCE, {"spec": {"type": "ExternalName"}}, []) is None


def test_every_built_in_group_version_but_its_own_has_an_api_service() -> None:
    names = {each["metadata"]["name"]: each["spec"] for each in built_in(Catalog().groups())}

    assert names["v1."] == {"version": "v1", "groupPriorityMinimum": 18000, "versionPriority": 1}
    assert names["v2.autoscaling"]["versionPriority"] == 30
    assert "v1.apiregistration.k8s.io" not in names
    assert len(names) == 21


def test_api_services_of_custom_resources_follow_their_definitions() -> None:
    wanted = custom([_definition(("v1", True), ("v1beta1", True), ("v1alpha1", False))])
    assert [each["metadata"]["name"] for each in wanted] == ["v1.example.com", "v1beta1.example.com"]

    gone = custom([_definition(("v2", True))])
    changed = {**wanted[1], "spec": {**wanted[1]["spec"], "versionPriority": 7}}
    changes = plan(wanted, [changed, *gone])
    assert [each["metadata"]["name"] for each in changes.create] == ["v1.example.com"]
    assert [each["spec"]["versionPriority"] for each in changes.update] == [100]
    assert changes.delete == ["v2.example.com"]


def test_an_api_service_that_somebody_else_made_is_left_alone() -> None:
    theirs: Obj = {"metadata": {"name": "v1.example.com"}, "spec": {"service": REFERENCE}}
    changes = plan(custom([_definition(("v1", True))]), [theirs])
    assert changes == ([], [], [])
    started = {**theirs, "metadata": {"name": "v1.apps", "labels": {MANAGED: "onstart"}}}
    assert plan([], [started]) == ([], [], [])


def test_headers_say_who_asks() -> None:
    user = User("jane", ("dev", "ops"), "7", {"Example.org/Team": ("a b", "c")})
    assert identity(user) == [
        ("x-remote-user", "jane"),
        ("x-remote-uid", "7"),
        ("x-remote-group", "dev"),
        ("x-remote-group", "ops"),
        ("x-remote-extra-example.org%2Fteam", "a b"),
        ("x-remote-extra-example.org%2Fteam", "c"),
    ]


METRICS = RemoteVersion("metrics.k8s.io", "v1beta1", 100, 100, {"resources": [{"resource": "nodes"}]})


def test_groups_from_elsewhere_come_in_the_order_of_their_priority() -> None:
    catalog = Catalog()
    first = RemoteVersion("first.example.com", "v1", 19000, 10)
    groups = with_groups(group_list(catalog)["groups"], [METRICS, first])
    items = with_items(aggregated(catalog, core=False)["items"], [METRICS, first])

    for found in ([each["name"] for each in groups], [each["metadata"]["name"] for each in items]):
        assert found[:3] == ["apiregistration.k8s.io", "first.example.com", "apps"]
        assert found[-1] == "metrics.k8s.io"
    assert groups[-1]["preferredVersion"] == {"groupVersion": "metrics.k8s.io/v1beta1", "version": "v1beta1"}


def test_what_cannot_be_asked_any_more_is_stale() -> None:
    stale = METRICS._replace(stale=True)
    silent = METRICS._replace(version="v1", entry=None, priority=200)
    versions = with_items([], [METRICS._replace(version="v2"), stale, silent])[0]["versions"]

    assert [(each["version"], each["freshness"]) for each in versions] == [
        ("v1", "Stale"),
        ("v2", "Current"),
        ("v1beta1", "Stale"),
    ]
    assert versions[2]["resources"] == [{"resource": "nodes"}]
    assert "resources" not in versions[0]


def test_a_list_of_resources_says_the_same_as_aggregated_discovery() -> None:
    verbs = ["get", "list"]
    listed: dict[str, Any] = {
        "resources": [
            {"name": "nodes", "singularName": "node", "kind": "NodeMetrics", "verbs": verbs},
            {"name": "nodes/status", "kind": "NodeMetrics", "verbs": ["get"]},
        ]
    }
    kind = {"group": "", "version": "", "kind": "NodeMetrics"}
    assert from_resources("v1", listed)["resources"] == [
        {
            "resource": "nodes",
            "responseKind": kind,
            "scope": "Cluster",
            "singularResource": "node",
            "verbs": verbs,
            "subresources": [{"subresource": "status", "responseKind": kind, "verbs": ["get"]}],
        }
    ]
