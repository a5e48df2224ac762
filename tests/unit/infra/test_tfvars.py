"""What a cluster spec is in Terraform's variables: complete, and the same however it was written."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leeward.infra.hclfiles import backend_file, cluster_files, extra_file, hcl_files, state_key
from leeward.infra.lock import Lock, new_lock
from leeward.infra.spec import ClusterSpec
from leeward.infra.tfvars import tfvars
from leeward.settings.check import check
from tests.unit.infra.specs import GOOD, good_spec

ACCESS = {
    "ops": {"roles": ["arn:aws:iam::111122223333:role/Ops"], "cluster": "admin"},
    "dev": "arn:aws:iam::111122223333:role/Dev",
}
BASE: dict[str, Any] = {
    "name": "prod-use1",
    "region": "us-east-1",
    "kubernetes": "1.35",
    "zones": ["us-east-1a", "us-east-1b", "us-east-1c"],
    "node_groups": {
        "general": {"types": ["m7i.large", "m6i.large"], "labels": {"a": "1", "b": "2"}},
        "batch": {"types": ["m7g.large"], "taints": ["x=1:NoSchedule", "y:NoExecute"], "spot": True},
    },
    "access": ACCESS,
    "tags": {"team": "cloudops", "app": "shop"},
    "api": {"private_cidrs": ["10.8.0.0/16", "10.9.0.0/16"]},
}
NOT_TERRAFORMS = {"state", "estimate", "environments", "highly_available"}
CHANGES: dict[str, Any] = {
    "name": "other",
    "region": "us-west-2",
    "zones": ["us-east-1a", "us-east-1b", "us-east-1d"],
    "kubernetes": "1.34",
    "node_groups": {"general": {"types": ["m7i.large"]}},
    "network": {"cidr": "10.40.0.0/16"},
    "api": {"public_cidrs": ["203.0.113.0/24"]},
    "autoscaler": "none",
    "access": {},
    "addons": {"metrics-server": "off"},
    "logging": {"retention_days": 90},
    "encryption": {"disks": "customer"},
    "upgrade_policy": "extended",
    "zonal_shift": False,
    "tags": {"team": "web"},
    "account": {"id": "111122223333"},
}


def spec(**changed: Any) -> ClusterSpec:
    checked = check(ClusterSpec, {**BASE, **changed})
    assert list(checked.problems) == []
    assert isinstance(checked.settings, ClusterSpec)
    return checked.settings


def rendered(one: ClusterSpec, lock: Lock | None = None) -> str:
    return json.dumps(tfvars(one, lock or new_lock(one)))


def test_the_keys_are_those_that_the_cluster_declares(tmp_path: Path) -> None:
    declared = {
        line.split('"')[1]
        for line in cluster_files()["variables.tf"].splitlines()
        if line.startswith("variable ")
    }
    made = tfvars(good_spec(tmp_path, GOOD), new_lock(good_spec(tmp_path, GOOD)))
    assert set(made) == declared
    assert list(made) == sorted(made)


@pytest.mark.parametrize("key", sorted(each.name for each in fields(ClusterSpec)))
def test_every_field_has_an_effect_or_is_said_not_to_be_terraforms(key: str) -> None:
    if key in NOT_TERRAFORMS:
        return
    changed = spec(**{key: CHANGES[key]}) if key != "region" else spec(region="us-west-2", zones=[])
    assert rendered(changed) != rendered(spec())


@pytest.mark.parametrize(
    ("group", "key", "value"),
    [
        ({"types": ["m7i.large"], "min": 2}, "min", 2),
        ({"types": ["m7i.large"], "min": 2}, "desired", 2),
        ({"types": ["m7i.large"], "desired": 3}, "desired", 3),
        ({"types": ["m7i.large"], "max": 9}, "max", 9),
        ({"types": ["m7i.large"], "spot": True}, "capacity_type", "SPOT"),
        ({"types": ["m7i.large"], "per_zone": False}, "per_zone", False),
        ({"types": ["m7i.large"], "zones": ["us-east-1b"]}, "zones", ["us-east-1b"]),
        ({"types": ["m7i.large"], "disk": 80}, "disk_gib", 80),
        ({"types": ["m7i.large"]}, "ami_type", "AL2023_x86_64_STANDARD"),
        ({"types": ["m7g.large"]}, "ami_type", "AL2023_ARM_64_STANDARD"),
        ({"types": ["m7g.large"], "os": "bottlerocket"}, "ami_type", "BOTTLEROCKET_ARM_64"),
        ({"types": ["m7i.large"], "os": "bottlerocket"}, "ami_type", "BOTTLEROCKET_x86_64"),
        ({"types": ["x99.large"], "arch": "arm64"}, "ami_type", "AL2023_ARM_64_STANDARD"),
        ({"types": ["m7i.large"], "ami": "1.35.0-20260415"}, "ami_release", "1.35.0-20260415"),
        (
            {"types": ["m7i.large"], "labels": {"a": "b"}},
            "labels",
            {"a": "b", "leeward.dev/node-group": "general"},
        ),
        (
            {"types": ["m7i.large"], "taints": ["a=b:NoExecute", "c:NoSchedule"]},
            "taints",
            [
                {"key": "a", "value": "b", "effect": "NoExecute"},
                {"key": "c", "value": "", "effect": "NoSchedule"},
            ],
        ),
    ],
)
def test_a_node_group_is_what_was_written(group: dict[str, Any], key: str, value: Any) -> None:
    one = spec(node_groups={"general": group})
    assert tfvars(one, new_lock(one))["node_groups"]["general"][key] == value


def _shuffled(data: st.DataObject, value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _shuffled(data, value[key]) for key in data.draw(st.permutations(list(value)))}
    return value


@given(st.data())
def test_no_order_shows_in_the_result(data: st.DataObject) -> None:
    written = _shuffled(data, BASE)
    for path in (("zones",), ("api", "private_cidrs"), ("node_groups", "batch", "taints")):
        holder = written
        for key in path[:-1]:
            holder = holder[key]
        holder[path[-1]] = data.draw(st.permutations(holder[path[-1]]))
    assert rendered(spec(**written)) == rendered(spec())


def test_the_order_of_instance_types_is_kept_because_it_means_something() -> None:
    one = spec(node_groups={"general": {"types": ["m7i.large", "m6i.large"]}})
    other = spec(node_groups={"general": {"types": ["m6i.large", "m7i.large"]}})
    assert rendered(one) != rendered(other)


def test_zones_take_their_slots_from_the_lock() -> None:
    lock = Lock(
        name="prod-use1",
        region="us-east-1",
        cidr="10.0.0.0/16",
        zones={"us-east-1c": 0, "us-east-1d": 1, "us-east-1a": 4, "us-east-1b": 2},
        control_plane_zones=("us-east-1c", "us-east-1a"),
        addons={"vpc-cni": "v1.2.3-eksbuild.1", "coredns": "v1.1.1-eksbuild.1"},
    )
    made = tfvars(spec(addons={"coredns": "v1.13.2-eksbuild.1"}), lock)
    assert made["zone_slots"] == {"us-east-1a": 4, "us-east-1b": 2, "us-east-1c": 0}
    assert made["control_plane_zones"] == ["us-east-1a", "us-east-1c"]
    assert made["addons"]["vpc-cni"] == "v1.2.3-eksbuild.1"  # what was found at AWS
    assert made["addons"]["coredns"] == "v1.13.2-eksbuild.1"  # what the spec says
    assert made["addons"]["kube-proxy"] is None


@pytest.mark.parametrize(
    ("logs", "addons", "there"),
    [
        (True, {}, True),
        (False, {}, False),
        (True, {"amazon-cloudwatch-observability": "off"}, False),
        (False, {"amazon-cloudwatch-observability": "v4.8.0-eksbuild.1"}, True),
    ],
)
def test_the_agent_of_cloudwatch_is_there_for_logs_or_when_asked_for(
    logs: bool, addons: dict[str, str], there: bool
) -> None:
    one = spec(logging={"workloads": logs}, addons=addons)
    assert ("amazon-cloudwatch-observability" in tfvars(one, new_lock(one))["addons"]) is there


def test_a_state_is_in_its_bucket_or_beside_the_cluster() -> None:
    assert 'backend "local"' in backend_file(spec())
    text = backend_file(spec(state={"bucket": "acme-states", "region": "eu-west-1"}))
    assert 'bucket       = "acme-states"' in text
    assert 'key          = "clusters/prod-use1/terraform.tfstate"' in text
    assert 'region       = "eu-west-1"' in text
    assert "use_lockfile = true" in text
    assert 'region       = "us-east-1"' in backend_file(spec(state={"bucket": "acme-states"}))
    assert state_key(spec()) == "clusters/prod-use1/terraform.tfstate"


def test_the_package_has_all_files_of_a_repository() -> None:
    assert {path.split("/")[1] for path in hcl_files() if path.startswith("modules/")} == {
        "access", "addons", "cluster", "keys", "network", "node-groups",
    }  # fmt: skip
    for module in ("network", "cluster", "node-groups", "access", "addons", "keys"):
        assert {f"modules/{module}/{name}.tf" for name in ("main", "variables", "outputs")} <= set(
            hcl_files()
        )
    assert {"README.md", "tests/main.tf", "tests/mocks/aws.tfmock.hcl", "state/main.tf"} <= set(hcl_files())
    assert set(cluster_files()) == {
        "main.tf",
        "variables.tf",
        "outputs.tf",
        "versions.tf",
        "cluster.tftest.hcl",
    }
    assert all(line.startswith("#") for line in extra_file().splitlines())


def test_only_the_provider_of_aws_is_needed_in_versions_that_are_known() -> None:
    for path, text in {**hcl_files(), **cluster_files()}.items():
        if "required_providers" in text:
            assert 'version = ">= 5.100, < 7.0"' in text, path
            assert text.count("source  = ") == 1, path
            assert 'required_version = ">= 1.10"' in text, path
