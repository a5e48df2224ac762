"""The EKS of these tests refuses what AWS refuses; without that, what passes here would say little."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.e2e.infra.eks.routes import respond
from tests.e2e.infra.eks.state import Json, State

ROLE = "arn:aws:iam::123456789012:role/There"
PEOPLE = "arn:aws:iam::123456789012:role/Developers"
SUBNETS = {
    "subnet-a": ("us-east-1a", "vpc-1"),
    "subnet-b": ("us-east-1b", "vpc-1"),
    "subnet-c": ("us-east-1c", "vpc-1"),
    "subnet-x": ("us-east-1a", "vpc-2"),
}


class Neighbours:
    """Three zones, one role, two keys."""

    def subnet(self, subnet_id: str) -> tuple[str, str] | None:
        return SUBNETS.get(subnet_id)

    def role_exists(self, arn: str) -> bool:
        return arn == ROLE

    def make_security_group(self, cluster: str, vpc: str) -> str:
        return "sg-1"

    def delete_security_group(self, group_id: str) -> None:
        pass

    def template_keys(self, template_id: str) -> list[str] | None:
        return {"lt-plain": [], "lt-open": ["open"], "lt-shut": ["shut"]}.get(template_id)

    def scaling_may_use(self, key: str) -> bool:
        return key == "open"

    def make_scaling_group(self, name: str, template_id: str, subnets: list[str], most: int) -> None:
        pass

    def delete_scaling_group(self, name: str) -> None:
        pass


class Api:
    """One region with a cluster, a node group, an add-on, a member and an identity."""

    def __init__(self) -> None:
        self.state = State("123456789012", "us-east-1", Neighbours())
        self.ok("POST", "clusters", cluster())
        self.ok("POST", "clusters/shop/node-groups", group())
        self.ok("POST", "clusters/shop/addons", {"addonName": "vpc-cni"})
        self.ok("POST", "clusters/shop/access-entries", {"principalArn": PEOPLE})
        self.ok("POST", "clusters/shop/pod-identity-associations", identity())

    def ask(self, method: str, path: str, body: Json | None = None) -> tuple[int, Json]:
        segments = [part.replace("|", "/") for part in path.split("/")]
        status, answer = respond(self.state, method, segments, {}, body)
        json.dumps(answer)  # as it goes over the wire
        return status, answer

    def ok(self, method: str, path: str, body: Json | None = None) -> Json:
        status, answer = self.ask(method, path, body)
        assert status == 200, answer
        return answer


def cluster(**changed: Any) -> Json:
    network = {"subnetIds": ["subnet-a", "subnet-b"], "endpointPrivateAccess": True}
    return {
        "name": "shop",
        "version": "1.34",
        "roleArn": ROLE,
        "resourcesVpcConfig": network,
        "accessConfig": {"authenticationMode": "API"},
    } | changed


def group(**changed: Any) -> Json:
    return {
        "nodegroupName": "general-a",
        "nodeRole": ROLE,
        "subnets": ["subnet-a"],
        "scalingConfig": {"minSize": 1, "desiredSize": 1, "maxSize": 3},
        "launchTemplate": {"id": "lt-plain", "version": "1"},
    } | changed


def identity(**changed: Any) -> Json:
    return {"namespace": "kube-system", "serviceAccount": "ebs-csi-controller-sa", "roleArn": ROLE} | changed


def sizes(least: int, wanted: int, most: int) -> Json:
    return {"scalingConfig": {"minSize": least, "desiredSize": wanted, "maxSize": most}}


GROUP = "clusters/shop/node-groups/general-a"
NEW = {"nodegroupName": "new"}
REFUSED: dict[str, tuple[str, str, Json | None, str]] = {
    "a cluster that is there": ("POST", "clusters", cluster(), "already exists"),
    "an unknown version": ("POST", "clusters", cluster(name="b", version="1.99"), "unsupported Kubernetes"),
    "a role that is not there": (
        "POST", "clusters", cluster(name="b", roleArn=f"{ROLE}2"), "There2 cannot be found",
    ),
    "one zone": (
        "POST", "clusters", cluster(name="b", resourcesVpcConfig={"subnetIds": ["subnet-a"]}),
        "two different AZs",
    ),
    "two VPCs": (
        "POST", "clusters", cluster(name="b", resourcesVpcConfig={"subnetIds": ["subnet-b", "subnet-x"]}),
        "same VPC",
    ),
    "another zone for the control plane": (
        "POST", "clusters/shop/update-config",
        {"resourcesVpcConfig": {"subnetIds": ["subnet-a", "subnet-b", "subnet-c"]}}, "exact set of AZs",
    ),
    "no endpoint at all": (
        "POST", "clusters/shop/update-config",
        {"resourcesVpcConfig": {"endpointPrivateAccess": False, "endpointPublicAccess": False}},
        "cannot both",
    ),
    "two changes at once": (
        "POST", "clusters/shop/update-config",
        {"logging": {"clusterLogging": []}, "zonalShiftConfig": {"enabled": True}}, "Only one type of update",
    ),
    "a version skipped": ("POST", "clusters/shop/updates", {"version": "1.36"}, "update from 1.34 to 1.36"),
    "a version back": ("POST", "clusters/shop/updates", {"version": "1.33"}, "update from 1.34 to 1.33"),
    "the same version": ("POST", "clusters/shop/updates", {"version": "1.34"}, "already at"),
    "to delete a cluster with nodes": ("DELETE", "clusters/shop", None, "nodegroups attached"),
    "a group that is there": ("POST", "clusters/shop/node-groups", group(), "already exists"),
    "nodes of another version": (
        "POST", "clusters/shop/node-groups", group(**NEW, version="1.33"),
        "different from the version of the cluster",
    ),
    "nodes in another VPC": ("POST", "clusters/shop/node-groups", group(**NEW, subnets=["subnet-x"]), "VPC"),
    "nodes in no subnet": (
        "POST", "clusters/shop/node-groups", group(**NEW, subnets=["subnet-z"]), "not exist",
    ),
    "min above max": (
        "POST", "clusters/shop/node-groups", group(**NEW, **sizes(4, 4, 3)), "can't be greater",
    ),
    "a disk beside a template": (
        "POST", "clusters/shop/node-groups", group(**NEW, diskSize=20), "launch template",
    ),
    "a template that is not there": (
        "POST", "clusters/shop/node-groups", group(**NEW, launchTemplate={"id": "lt-none"}), "does not exist",
    ),
    "an AMI of another version": (
        "POST", "clusters/shop/node-groups", group(**NEW, releaseVersion="1.33.0-20260415"), "not valid",
    ),
    "min above desired": (
        "POST", f"{GROUP}/update-config", sizes(2, 1, 3),
        "Minimum capacity 2 can't be greater than desired size 1",
    ),
    "desired above max": ("POST", f"{GROUP}/update-config", sizes(1, 5, 3), "greater than max size"),
    "no nodes at most": ("POST", f"{GROUP}/update-config", sizes(0, 0, 0), "at least 1"),
    "nodes newer than the control plane": (
        "POST", f"{GROUP}/update-version", {"version": "1.35"}, "newer than",
    ),
    "nodes of an older version": ("POST", f"{GROUP}/update-version", {"version": "1.33"}, "cannot go back"),
    "another launch template": (
        "POST", f"{GROUP}/update-version", {"launchTemplate": {"id": "lt-open"}}, "another launch template",
    ),
    "an unknown add-on": ("POST", "clusters/shop/addons", {"addonName": "istio"}, "not supported"),
    "an add-on that is there": ("POST", "clusters/shop/addons", {"addonName": "vpc-cni"}, "already exists"),
    "a version that is none": (
        "POST", "clusters/shop/addons", {"addonName": "coredns", "addonVersion": "latest"}, "not supported",
    ),
    "a configuration that is no JSON": (
        "POST", "clusters/shop/addons", {"addonName": "coredns", "configurationValues": "a: b"},
        "not supported",
    ),
    "a second entry of a role": (
        "POST", "clusters/shop/access-entries", {"principalArn": PEOPLE}, "already in use",
    ),
    "a group of the system": (
        "POST", "clusters/shop/access-entries", {"principalArn": ROLE,
        "kubernetesGroups": ["system:masters"]},
        "reserved prefix",
    ),
    "somebody who is no principal": (
        "POST", "clusters/shop/access-entries", {"principalArn": "Developers"}, "not valid",
    ),
    "a policy that is none": (
        "POST", f"clusters/shop/access-entries/{PEOPLE.replace('/', '|')}/access-policies",
        {"policyArn": "arn:aws:eks::aws:cluster-access-policy/Root", "accessScope": {"type": "cluster"}},
        "not valid",
    ),
    "a second identity of a service account": (
        "POST", "clusters/shop/pod-identity-associations", identity(), "Association already exists",
    ),
    "a cluster that is not there": ("GET", "clusters/none", None, "No cluster found"),
    "a group that is not there": ("GET", "clusters/shop/node-groups/none", None, "No node group found"),
    "what is not played here": ("POST", "clusters/shop/fargate-profiles", {}, "not here"),
}  # fmt: skip


@pytest.mark.parametrize("what", REFUSED)
def test_it_is_refused(what: str) -> None:
    method, path, body, why = REFUSED[what]
    api = Api()
    before = repr(api.state.clusters)
    status, answer = api.ask(method, path, body)
    assert status >= 400
    assert why in answer["message"]
    assert answer["__type"].endswith("Exception")
    assert repr(api.state.clusters) == before  # nothing of it was done


def test_nodes_whose_disks_have_a_key_that_auto_scaling_may_not_use_never_start() -> None:
    api = Api()
    made: Callable[[str, str], Json] = lambda name, template: api.ok(  # noqa: E731
        "POST",
        "clusters/shop/node-groups",
        group(nodegroupName=name, launchTemplate={"id": template, "version": "1"}),
    )["nodegroup"]
    assert made("works", "lt-open")["status"] == "ACTIVE"
    failed = made("fails", "lt-shut")
    assert failed["status"] == "CREATE_FAILED"
    assert failed["health"]["issues"][0]["code"] == "AsgInstanceLaunchFailures"


def test_what_was_asked_for_is_what_is_described() -> None:
    api = Api()
    api.ok("POST", "clusters/shop/updates", {"version": "1.35"})
    api.ok("POST", f"{GROUP}/update-version", {})
    api.ok(
        "POST", f"{GROUP}/update-config", {"labels": {"addOrUpdateLabels": {"tier": "web"}}, **sizes(0, 2, 9)}
    )
    nodes = api.ok("GET", GROUP)["nodegroup"]
    assert (nodes["labels"], nodes["scalingConfig"]["maxSize"], nodes["version"]) == (
        {"tier": "web"},
        9,
        "1.34",
    )
    api.ok("POST", f"{GROUP}/update-version", {"version": "1.35"})
    assert api.ok("GET", GROUP)["nodegroup"]["version"] == "1.35"
    arn = api.ok("GET", "clusters/shop")["cluster"]["arn"]
    api.ok("POST", f"tags/{arn.replace('/', '|')}", {"tags": {"team": "cloudops"}})
    assert api.ok("GET", "clusters/shop")["cluster"]["tags"] == {"team": "cloudops"}
    api.ok("DELETE", GROUP)
    api.ok("DELETE", "clusters/shop")
    assert api.ok("GET", "clusters") == {"clusters": []}
