"""A cluster's whole life in an AWS that is played: made, changed, upgraded, replicated, destroyed to nothing.

The repository is written by the real command line; Terraform and the AWS provider are the real ones. One
cluster lives through all tests here, in order. Where two things are independent they run at once.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest

from tests.e2e.infra.terraform import NEEDS_TERRAFORM, TAKES_MINUTES, Terraform, override
from tests.live import Leeward

pytestmark = [*NEEDS_TERRAFORM, TAKES_MINUTES, pytest.mark.timeout(300)]
SPEC = """\
name: shop-use1
region: us-east-1
zones: [us-east-1a, us-east-1b, us-east-1c]
kubernetes: "1.34"
network: {cidr: 10.40.0.0/16, nat: single}
node_groups:
  general: {types: [m7i.large, m6i.large], min: 1, desired: 2, max: 4}
access:
  cloudops: {roles: ["arn:aws:iam::123456789012:role/CloudOps"], cluster: admin}
  developers: arn:aws:iam::123456789012:role/Developers
addons: {amazon-cloudwatch-observability: "off"} # a Fluent Bit of our own
encryption: {disks: customer}
account: {id: "123456789012"} # moto's
"""
BATCH = """\
  batch:
    types: m7i.xlarge
    spot: true
    per_zone: false
    min: 0
    desired: 1
    max: 5
    taints: ["dedicated=batch:NoSchedule"]
"""


@dataclass
class Life:
    """The cluster, its repository, and the AWS that it is in."""

    leeward: Leeward
    aws: str

    def terraform(self, name: str) -> Terraform:
        return Terraform(self.leeward.directory / "clusters" / name)

    def change(self, old: str, new: str) -> None:
        """Edit the spec and render."""
        path = self.leeward.directory / "clusters" / "shop-use1" / "cluster.yaml"
        text = path.read_text()
        assert text.count(old) == 1
        path.write_text(text.replace(old, new))
        self.leeward.ok("infra", "render")

    def client(self, service: str, region: str = "us-east-1") -> Any:
        return boto3.client(
            service,
            region_name=region,
            endpoint_url=self.aws,
            aws_access_key_id="test",
            aws_secret_access_key="test",
        )


@pytest.fixture(scope="module")
def life(aws: str, tmp_path_factory: pytest.TempPathFactory) -> Life:
    """Return a cluster that was just made, and another one like it in a second region."""
    root = tmp_path_factory.mktemp("life")
    leeward = Leeward(root / "home", root / "clusters")
    leeward.directory.mkdir()
    leeward.ok("infra", "init")
    leeward.write("clusters/shop-use1/cluster.yaml", SPEC)
    leeward.ok("infra", "render")
    leeward.ok("infra", "clone", "shop-use1", "shop-euw1", "--region", "eu-west-1")
    leeward.ok("infra", "render")
    made = Life(leeward, aws)
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda name: _make(made.terraform(name), aws), ("shop-use1", "shop-euw1")))
    return made


def _make(terraform: Terraform, aws: str) -> None:
    (terraform.directory / "aws_override.tf").write_text(override(aws))
    terraform.init()
    changes = terraform.plan()
    assert set(changes.values()) == {"create"}
    terraform.apply()


def test_a_second_plan_is_empty_in_both_regions(life: Life) -> None:
    with ThreadPoolExecutor(2) as pool:
        plans = list(pool.map(lambda name: life.terraform(name).plan(), ("shop-use1", "shop-euw1")))
    assert plans == [{}, {}]


def test_the_replica_is_the_same_but_for_name_region_and_addresses(life: Life) -> None:
    ours, theirs = (
        life.client("eks", region).describe_cluster(name=name)["cluster"]
        for name, region in (("shop-use1", "us-east-1"), ("shop-euw1", "eu-west-1"))
    )
    alike = ("version", "accessConfig", "upgradePolicy", "zonalShiftConfig", "logging")
    assert {key: ours[key] for key in alike} == {key: theirs[key] for key in alike}
    assert ours["resourcesVpcConfig"]["endpointPublicAccess"] is False
    assert theirs["resourcesVpcConfig"]["endpointPublicAccess"] is False
    nodes = life.client("eks", "eu-west-1").list_nodegroups(clusterName="shop-euw1")["nodegroups"]
    assert sorted(name.rsplit("-", 1)[0] for name in nodes) == ["general-a", "general-b", "general-c"]


def test_the_keys_let_in_whom_they_must_and_nobody_more(life: Life) -> None:
    keys = life.terraform("shop-use1").outputs()["key_arns"]
    assert isinstance(keys, dict)
    policies = {
        purpose: life.client("kms").get_key_policy(KeyId=arn, PolicyName="default")["Policy"]
        for purpose, arn in keys.items()
    }
    assert sorted(policies) == ["disks", "logs", "secrets"]
    scaling = "aws-service-role/autoscaling.amazonaws.com/AWSServiceRoleForAutoScaling"
    assert [purpose for purpose, text in policies.items() if scaling in text] == ["disks"]
    assert [purpose for purpose, text in policies.items() if "logs.us-east-1" in text] == ["logs"]
    assert not any('"AWS":"*"' in text.replace(" ", "") for text in policies.values())


def test_pods_and_people_are_who_the_spec_says(life: Life) -> None:
    eks = life.client("eks")
    found = eks.list_pod_identity_associations(clusterName="shop-use1")["associations"]
    assert sorted(f"{each['namespace']}/{each['serviceAccount']}" for each in found) == [
        "amazon-cloudwatch/fluent-bit",
        "kube-system/aws-load-balancer-controller",
        "kube-system/cluster-autoscaler",
        "kube-system/ebs-csi-controller-sa",
    ]
    entry = eks.describe_access_entry(
        clusterName="shop-use1", principalArn="arn:aws:iam::123456789012:role/Developers"
    )["accessEntry"]
    assert entry["kubernetesGroups"] == ["developers"]
    trust = life.client("iam").get_role(RoleName="shop-use1-us-east-1-autoscaler")["Role"]
    conditions = trust["AssumeRolePolicyDocument"]["Statement"][0]["Condition"]["StringEquals"]
    assert conditions["aws:RequestTag/kubernetes-service-account"] == "cluster-autoscaler"


def test_the_order_of_zones_groups_and_keys_changes_nothing(life: Life) -> None:
    before = _bytes(life)
    life.change("[us-east-1a, us-east-1b, us-east-1c]", "[us-east-1c, us-east-1a, us-east-1b]")
    life.change("min: 1, desired: 2, max: 4", "max: 4, desired: 2, min: 1")
    assert _bytes(life) == before


def test_sizes_are_tweaked_in_place(life: Life) -> None:
    life.change("desired: 2, min: 1", "desired: 3, min: 2")
    life.change("max: 4", "max: 8")
    changes = life.terraform("shop-use1").plan("-refresh=false")
    assert changes == {
        f'module.node_groups.aws_eks_node_group.this["general-{letter}"]': "update" for letter in "abc"
    }


def test_a_group_and_a_zone_are_added_beside_what_is_there(life: Life) -> None:
    life.change("access:\n", f"{BATCH}access:\n")
    life.change("[us-east-1c, us-east-1a, us-east-1b]", "[us-east-1f, us-east-1c, us-east-1a, us-east-1b]")
    terraform = life.terraform("shop-use1")
    changes = terraform.plan()
    assert set(changes.values()) == {"create", "update"}
    assert 'module.node_groups.aws_eks_node_group.this["batch"]' in changes
    assert changes['module.node_groups.aws_eks_node_group.this["general-f"]'] == "create"
    assert changes['module.network.aws_route.nat["us-east-1f"]'] == "create"
    assert sorted(address for address, action in changes.items() if action == "update") == [
        'module.addons.aws_eks_addon.after_nodes["coredns"]',  # a replica for the new zone
        "module.network.aws_vpc_endpoint.s3",  # the route table of the new zone
        *(f'module.node_groups.aws_eks_node_group.this["general-{letter}"]' for letter in "abc"),
    ]
    terraform.apply()
    sizes = _sizes(life)
    assert sizes["general-f"] == {"minSize": 2, "desiredSize": 3, "maxSize": 8}
    assert sizes["batch"] == {"minSize": 0, "desiredSize": 1, "maxSize": 5}
    assert sizes["general-a"] == {"minSize": 2, "desiredSize": 2, "maxSize": 8}  # desired is the autoscaler's


def test_the_control_plane_stays_in_its_zones(life: Life) -> None:
    subnets = life.terraform("shop-use1").outputs()["control_plane_subnet_ids"]
    assert isinstance(subnets, dict)
    assert sorted(subnets) == ["us-east-1a", "us-east-1b", "us-east-1c"]


def test_an_upgrade_is_in_place_and_takes_the_nodes_along(life: Life) -> None:
    life.change('kubernetes: "1.34"', 'kubernetes: "1.35"')
    terraform = life.terraform("shop-use1")
    changes = terraform.plan()
    groups = ("batch", "general-a", "general-b", "general-c", "general-f")
    assert changes == {
        "module.cluster.aws_eks_cluster.this": "update",
        **{f'module.node_groups.aws_eks_node_group.this["{name}"]': "update" for name in groups},
    }
    terraform.apply()
    eks = life.client("eks")
    assert eks.describe_cluster(name="shop-use1")["cluster"]["version"] == "1.35"
    for name in eks.list_nodegroups(clusterName="shop-use1")["nodegroups"]:
        group = eks.describe_nodegroup(clusterName="shop-use1", nodegroupName=name)["nodegroup"]
        assert group["version"] == "1.35"
    assert eks.describe_cluster(name="shop-use1")["cluster"]["status"] == "ACTIVE"


def test_other_instance_types_make_new_nodes_before_the_old_ones_go(life: Life) -> None:
    life.change("types: m7i.xlarge", "types: m6i.xlarge")
    changes = life.terraform("shop-use1").plan("-refresh=false")
    assert changes['module.node_groups.aws_eks_node_group.this["batch"]'] == "replace"
    assert not any("general" in address for address in changes)
    life.change("types: m6i.xlarge", "types: m7i.xlarge")


def test_in_the_end_nothing_is_left_in_either_region(life: Life) -> None:
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda name: _destroy(life.terraform(name)), ("shop-use1", "shop-euw1")))
    for region in ("us-east-1", "eu-west-1"):
        assert life.client("eks", region).list_clusters()["clusters"] == []
        assert [
            vpc for vpc in life.client("ec2", region).describe_vpcs()["Vpcs"] if not vpc["IsDefault"]
        ] == []
        assert life.client("ec2", region).describe_launch_templates()["LaunchTemplates"] == []
        assert life.client("logs", region).describe_log_groups()["logGroups"] == []
        assert life.client("autoscaling", region).describe_auto_scaling_groups()["AutoScalingGroups"] == []
    assert life.client("iam").list_roles()["Roles"] == []


def _destroy(terraform: Terraform) -> None:
    terraform.ok("destroy", "-auto-approve", "-parallelism=30", "-refresh=false")
    assert terraform.ok("state", "list") == ""


def _bytes(life: Life) -> bytes:
    path: Path = life.leeward.directory / "clusters" / "shop-use1" / "cluster.auto.tfvars.json"
    return path.read_bytes()


def _sizes(life: Life) -> dict[str, dict[str, int]]:
    eks = life.client("eks")
    return {
        name.rsplit("-", 1)[0]: eks.describe_nodegroup(clusterName="shop-use1", nodegroupName=name)[
            "nodegroup"
        ]["scalingConfig"]
        for name in eks.list_nodegroups(clusterName="shop-use1")["nodegroups"]
    }
