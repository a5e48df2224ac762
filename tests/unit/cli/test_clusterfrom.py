"""An embedded cluster in the shape of a cluster spec."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from leeward.cli.clusterfrom import read_shape, shape_of
from leeward.cluster.config import ClusterConfig, NodeGroup
from leeward.cluster.kubelet.nodestatus import allocatable, capacity, node_object
from leeward.infra.spec import ClusterSpec
from leeward.infra.spec import NodeGroup as SpecGroup

SPEC = ClusterSpec(
    name="prod",
    region="us-east-1",
    kubernetes="1.35",
    node_groups={
        "general": SpecGroup(types=("m7i.large", "m6i.large"), min=1, desired=2, max=6),
        "batch": SpecGroup(
            types=("c7g.xlarge",),
            min=0,
            desired=5,
            max=9,
            per_zone=False,
            spot=True,
            zones=("us-east-1a", "us-east-1b"),
            labels={"workload": "batch"},
            taints=("dedicated=batch:NoSchedule",),
        ),
    },
)
TEXT = 'name: a\nregion: us-east-1\nkubernetes: "1.35"\nnode_groups: {general: {types: m7i.large}}\n'
MACHINE = {"architecture": "amd64", "operatingSystem": "linux"}


def _config(tmp_path: Path) -> ClusterConfig:
    shape = shape_of(SPEC)
    return ClusterConfig(
        name="reh", state_dir=tmp_path, api_port=1, ingress_port=2, region=shape.region, zones=shape.zones,
        node_groups=shape.groups,
    )  # fmt: skip


def test_zones_and_nodes_are_those_of_the_spec(tmp_path: Path) -> None:
    found = [(node.name, node.zone) for node in _config(tmp_path).nodes]

    assert found == [
        ("batch-a1", "us-east-1a"), ("batch-a2", "us-east-1a"), ("batch-a3", "us-east-1a"),
        ("batch-b1", "us-east-1b"), ("batch-b2", "us-east-1b"),
        ("general-a1", "us-east-1a"), ("general-a2", "us-east-1a"),
        ("general-b1", "us-east-1b"), ("general-b2", "us-east-1b"),
        ("general-c1", "us-east-1c"), ("general-c2", "us-east-1c"),
    ]  # fmt: skip


def test_nodes_have_the_labels_taints_and_sizes_of_their_group(tmp_path: Path) -> None:
    config = _config(tmp_path)
    batch, general = config.nodes[0], config.nodes[-1]
    node = node_object(batch, config, MACHINE)

    assert node["spec"]["taints"] == [{"key": "dedicated", "value": "batch", "effect": "NoSchedule"}]
    assert {key: node["metadata"]["labels"][key] for key in ("workload", "kubernetes.io/arch")} == {
        "workload": "batch", "kubernetes.io/arch": "arm64",
    }  # fmt: skip
    assert node["metadata"]["labels"]["eks.amazonaws.com/capacityType"] == "SPOT"
    assert node["metadata"]["labels"]["topology.kubernetes.io/zone"] == "us-east-1a"
    assert (capacity(general.group)["cpu"], allocatable(general.group)["cpu"]) == ("2", "1930m")
    assert allocatable(general.group)["pods"] == "29"


def test_a_cluster_of_its_own_has_local_zones_and_keeps_nothing(tmp_path: Path) -> None:
    config = ClusterConfig(name="a", state_dir=tmp_path, api_port=1, ingress_port=2)

    assert [node.zone for node in config.nodes][:2] == ["local-a", "local-a"]
    assert allocatable(NodeGroup()) == capacity(NodeGroup())


def test_a_spec_is_found_by_its_directory_and_mistakes_are_told(tool: Any, tmp_path: Path) -> None:
    code, _, err = tool("cluster", "start", "--from", str(tmp_path))
    assert code == 2
    assert "cluster.yaml" in err

    (tmp_path / "cluster.yaml").write_text(TEXT.replace("us-east-1", "us-eats-1"), encoding="utf-8")
    code, _, err = tool("cluster", "start", "--from", str(tmp_path))
    assert code == 2
    assert 'Did you mean "us-east-1"?' in err


@pytest.mark.parametrize("flag", ["--zones=3", "--nodes=9", "--nodes-per-zone=2", "--node-size=4cpu,8Gi"])
def test_other_sizes_contradict_a_spec(
    flag: str, tool: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEEWARD_HOME", str(tmp_path / "home"))
    (tmp_path / "cluster.yaml").write_text(TEXT, encoding="utf-8")

    code, _, err = tool("cluster", "start", "--from", str(tmp_path), flag)

    assert code == 2
    assert f"--from and {flag.split('=')[0]} contradict each other" in err


def test_a_directory_is_as_good_as_its_file(tmp_path: Path) -> None:
    (tmp_path / "cluster.yaml").write_text(TEXT, encoding="utf-8")

    assert read_shape(tmp_path) == read_shape(tmp_path / "cluster.yaml")
    assert shape_of(replace(SPEC, zones=("us-east-1d", "us-east-1a", "us-east-1b"))).zones == ("a", "b", "d")
