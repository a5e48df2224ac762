"""What runs in a cluster for all: objects that Kubernetes takes, and that fit what Terraform makes at AWS."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest

from leeward.infra.catalogue import catalogue
from leeward.infra.hclfiles import hcl_files
from leeward.infra.platform.catalog import Choice, platform
from leeward.infra.platform.images import autoscaler_image, from_registry, has_autoscaler
from leeward.infra.platform.logs import configuration
from leeward.infra.spec import ClusterSpec, Encryption, Logging
from leeward.kube.objects import Obj
from leeward.kube.resources import resource_of_kind
from leeward.kube.selectors import matches_selector
from tests.schemas import schemas_in_memory
from tests.unit.infra.specs import GOOD, good_spec

__all__ = ["schemas_in_memory"]
FULL = GOOD + "addons: {amazon-cloudwatch-observability: 'off'}\nencryption: {disks: customer}\n"
LABEL = {"app.kubernetes.io/managed-by": "leeward-infra"}


@pytest.fixture
def spec(tmp_path: Path) -> ClusterSpec:
    """Return a spec with every component."""
    return good_spec(tmp_path, FULL)


def objects(spec: ClusterSpec, **choice: str) -> list[Obj]:
    return [obj for each in platform(spec, Choice(**choice)) for obj in each.objects]


def one(spec: ClusterSpec, kind: str, name: str, **choice: str) -> Any:
    (found,) = [
        obj for obj in objects(spec, **choice) if (obj["kind"], obj["metadata"]["name"]) == (kind, name)
    ]
    return found


def container(workload: Obj) -> Any:
    (found,) = workload["spec"]["template"]["spec"]["containers"]
    return found


@pytest.mark.parametrize("version", sorted(catalogue().versions))
def test_every_object_is_one_that_each_version_of_kubernetes_takes(spec: ClusterSpec, version: str) -> None:
    for obj in objects(replace(spec, kubernetes=version)):
        kubernetes_validate.validate(obj, version, strict=True)
        assert resource_of_kind(obj["apiVersion"], obj["kind"]) is not None
        assert obj["metadata"]["labels"].items() >= LABEL.items()


def test_a_component_is_there_when_the_spec_wants_it(tmp_path: Path, spec: ClusterSpec) -> None:
    plain = good_spec(tmp_path)
    without = replace(plain, autoscaler="none", addons={"aws-ebs-csi-driver": "off"})

    def names(each: ClusterSpec) -> list[str]:
        return [component.name for component in platform(each)]

    assert names(spec) == ["aws-load-balancer-controller", "cluster-autoscaler", "fluent-bit", "storage"]
    assert names(plain) == ["aws-load-balancer-controller", "cluster-autoscaler", "storage"]
    assert names(without) == ["aws-load-balancer-controller"]
    assert "fluent-bit" not in names(replace(spec, logging=Logging(workloads=False)))


def test_service_accounts_are_those_that_terraform_binds_roles_to(spec: ClusterSpec) -> None:
    text = hcl_files()["modules/addons/pod-identities.tf"]
    bound = set(
        zip(
            re.findall(r'^ +namespace += "(.+)"', text, re.MULTILINE),
            re.findall(r'^ +service_account += "(.+)"', text, re.MULTILINE),
            strict=True,
        )
    )
    ours = {
        (obj["metadata"]["namespace"], obj["metadata"]["name"])
        for obj in objects(spec)
        if obj["kind"] == "ServiceAccount"
    }
    users = {
        (obj["metadata"]["namespace"], obj["spec"]["template"]["spec"]["serviceAccountName"])
        for obj in objects(spec)
        if obj["kind"] in ("Deployment", "DaemonSet")
    }

    assert len(ours) == 3
    assert ours == users
    assert ours <= bound


def test_names_that_terraform_gives_are_the_same_there(spec: ClusterSpec) -> None:
    keys, network = hcl_files()["modules/keys/main.tf"], hcl_files()["modules/network/main.tf"]
    storage = one(spec, "StorageClass", "gp3")

    assert 'name          = "alias/eks/${var.name}/${each.key}"' in keys
    assert storage["parameters"]["kmsKeyId"] == "alias/eks/prod-use1/disks"
    assert "tags = { Name = var.name }" in network
    assert "log_group_name /aws/containerinsights/prod-use1/application\n" in configuration(spec)
    assert "/aws/containerinsights/${var.cluster_name}/${each.key}" in hcl_files()["modules/addons/main.tf"]
    assert "kmsKeyId" not in one(replace(spec, encryption=Encryption()), "StorageClass", "gp3")["parameters"]


def test_the_balancer_controller_is_told_region_and_vpc_which_nodes_do_not_tell(spec: ClusterSpec) -> None:
    def arguments(**choice: str) -> list[str]:
        found: list[str] = container(one(spec, "Deployment", "aws-load-balancer-controller", **choice))[
            "args"
        ]
        return found

    assert "--cluster-name=prod-use1" in arguments()
    assert "--aws-region=us-east-1" in arguments()
    assert "--aws-vpc-tags=Name=prod-use1,leeward:cluster=prod-use1" in arguments()
    assert "--aws-vpc-id=vpc-1" in arguments(vpc="vpc-1")
    assert not any("vpc-tags" in each for each in arguments(vpc="vpc-1"))


def test_the_autoscaler_finds_the_groups_of_its_cluster_and_keeps_zones_even(spec: ClusterSpec) -> None:
    arguments = container(one(spec, "Deployment", "cluster-autoscaler"))["args"]

    assert set(arguments) >= {
        "--node-group-auto-discovery=asg:tag=k8s.io/cluster-autoscaler/enabled,k8s.io/cluster-autoscaler/prod-use1",
        "--balance-similar-node-groups",
        "--skip-nodes-with-system-pods=false",
    }


def test_the_autoscaler_is_that_of_the_version_of_kubernetes() -> None:
    for version in catalogue().versions:
        assert has_autoscaler(version)
        assert f":v{version}." in autoscaler_image(version)
    assert not has_autoscaler("1.99")
    assert autoscaler_image("1.99") == autoscaler_image("1.36")


def test_deployments_survive_a_zone_and_give_nodes_up_one_at_a_time(spec: ClusterSpec) -> None:
    every = objects(spec)
    deployments = [obj for obj in every if obj["kind"] == "Deployment"]

    assert len(deployments) == 2
    for each in deployments:
        template = each["spec"]["template"]
        (budget,) = [
            obj
            for obj in every
            if obj["kind"] == "PodDisruptionBudget"
            and matches_selector(obj["spec"]["selector"], template["metadata"]["labels"])
        ]
        assert each["spec"]["replicas"] == 2
        assert budget["spec"]["maxUnavailable"] == 1
        assert {row["topologyKey"] for row in template["spec"]["topologySpreadConstraints"]} == {
            "topology.kubernetes.io/zone", "kubernetes.io/hostname",
        }  # fmt: skip
        assert template["spec"]["priorityClassName"] == "system-cluster-critical"


def test_no_component_may_read_secrets_or_do_everything(spec: ClusterSpec) -> None:
    rules = [rule for obj in objects(spec) for rule in obj.get("rules") or ()]

    assert rules
    assert not any("*" in (*rule["resources"], *rule["verbs"], *rule["apiGroups"]) for rule in rules)
    assert not any("secrets" in rule["resources"] for rule in rules)


def test_images_are_pinned_and_can_come_from_a_registry_of_ones_own(spec: ClusterSpec) -> None:
    workloads = [obj for obj in objects(spec) if obj["kind"] in ("Deployment", "DaemonSet")]
    mirrored = [
        obj for obj in objects(spec, registry="r.example/x/") if obj["kind"] in ("Deployment", "DaemonSet")
    ]

    for one_, other in zip(workloads, mirrored, strict=True):
        image, copy = container(one_)["image"], container(other)["image"]
        assert re.fullmatch(r"[a-z0-9./-]+:v?\d+\.\d+\.\d+", image)
        assert copy.startswith(("r.example/x/ecr-public/", "r.example/x/kubernetes/"))
        assert copy.rpartition("/")[2] == image.rpartition("/")[2]
    assert from_registry("public.ecr.aws/eks/a:v1", None) == "public.ecr.aws/eks/a:v1"


def test_files_hold_no_secret_and_the_same_spec_gives_the_same_bytes(spec: ClusterSpec) -> None:
    text = json.dumps(objects(spec))

    assert text == json.dumps(objects(spec))
    assert '"kind": "Secret"' not in text
    assert "caBundle" not in text


def test_webhooks_are_asked_only_about_what_is_the_controllers(spec: ClusterSpec) -> None:
    hooks = {
        hook["name"].partition(".")[0]: hook
        for kind in ("MutatingWebhookConfiguration", "ValidatingWebhookConfiguration")
        for hook in one(spec, kind, "aws-load-balancer-webhook")["webhooks"]
    }

    assert hooks["mservice"]["matchConditions"][0]["expression"] == "object.spec.type == 'LoadBalancer'"
    assert "'alb'" in hooks["vingress"]["matchConditions"][0]["expression"]
    assert hooks["mpod"]["failurePolicy"] == "Ignore"
    assert hooks["mpod"]["namespaceSelector"]["matchExpressions"][0]["values"] == ["enabled"]
    everyones = {"", "networking.k8s.io"}
    for name, hook in hooks.items():
        groups = {group for rule in hook["rules"] for group in rule["apiGroups"]}
        limited = "matchConditions" in hook or "namespaceSelector" in hook
        assert limited or not groups & everyones, name


def test_pods_of_the_log_shipper_start_anew_when_their_configuration_changes(spec: ClusterSpec) -> None:
    def digest(each: ClusterSpec) -> Any:
        return one(each, "DaemonSet", "fluent-bit")["spec"]["template"]["metadata"]["annotations"]

    assert digest(spec) == digest(replace(spec, tags={"a": "b"}))
    assert digest(spec) != digest(replace(spec, region="eu-west-1"))


def test_logs_are_written_as_they_are_read_and_to_groups_that_exist(spec: ClusterSpec) -> None:
    text = configuration(spec)
    sections = re.findall(r"^\[(\w+)\]\n((?:    .+\n)+)", text, re.MULTILINE)
    outputs = [
        dict(line.split(maxsplit=1) for line in body.splitlines())
        for name, body in sections
        if name == "OUTPUT"
    ]
    inputs = [
        dict(line.split(maxsplit=1) for line in body.splitlines())
        for name, body in sections
        if name == "INPUT"
    ]

    assert [each["log_group_name"].rpartition("/")[2] for each in outputs] == ["application", "dataplane"]
    assert all(each["auto_create_group"] == "false" and each["region"] == "us-east-1" for each in outputs)
    assert all("log_key" not in each for each in outputs)  # the whole event: leeward reads its `kubernetes`
    assert inputs[1]["Path"] in inputs[0]["Exclude_Path"].split(",")
