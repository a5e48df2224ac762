"""``leeward infra platform``: shown, written, and asked about before it is applied."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml


@pytest.fixture
def repository(tool: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make a repository with one cluster, and work in it."""
    assert tool("infra", "init", str(tmp_path / "repo"))[0] == 0
    monkeypatch.chdir(tmp_path / "repo")
    assert tool("infra", "add", "prod-use1", "--region", "us-east-1")[0] == 0
    return tmp_path / "repo"


def test_what_there_would_be_is_listed_with_versions_and_images(tool: Any, repository: Path) -> None:
    code, out, _ = tool("infra", "platform", "prod-use1", "--output", "json")

    rows = {row["component"]: row for row in json.loads(out)}
    assert code == 0
    assert list(rows) == ["aws-load-balancer-controller", "cluster-autoscaler", "storage"]
    assert rows["cluster-autoscaler"]["images"] == [
        f"registry.k8s.io/autoscaling/cluster-autoscaler:{rows['cluster-autoscaler']['version']}"
    ]


def test_manifests_are_written_once_and_what_was_edited_is_not_overwritten(
    tool: Any, repository: Path
) -> None:
    command = ("infra", "platform", "prod-use1", "--render", "platform")
    assert tool(*command)[0] == 0
    path = repository / "platform" / "cluster-autoscaler.yaml"
    text = path.read_text(encoding="utf-8")

    assert tool(*command)[:2] == (0, "platform is as the spec says\n")
    kinds = [obj["kind"] for obj in yaml.safe_load_all(text)]
    assert kinds[0] == "ServiceAccount"
    assert kinds[-1] == "Deployment"
    assert "leeward infra platform prod-use1 --apply" in text
    path.write_text(text + "# mine\n", encoding="utf-8")
    code, _, err = tool(*command, "--registry", "r.example")
    assert code == 1
    assert "was edited since it was rendered" in err
    assert tool(*command, "--registry", "r.example", "--force")[0] == 0
    assert "image: r.example/kubernetes/autoscaling" in path.read_text(encoding="utf-8")


def test_a_component_that_the_spec_no_longer_wants_has_no_file(tool: Any, repository: Path) -> None:
    command = ("infra", "platform", "prod-use1", "--render", "platform")
    assert tool(*command)[0] == 0
    spec = repository / "clusters/prod-use1/cluster.yaml"
    spec.write_text(spec.read_text(encoding="utf-8") + "autoscaler: none\n", encoding="utf-8")

    code, out, _ = tool(*command)

    assert (code, out) == (0, "removed platform/cluster-autoscaler.yaml\n")


def test_manifests_of_two_clusters_do_not_share_a_directory(tool: Any, repository: Path) -> None:
    assert tool("infra", "clone", "prod-use1", "prod-euw1", "--region", "eu-west-1")[0] == 0
    assert tool("infra", "platform", "prod-use1", "--render", "platform")[0] == 0

    code, _, err = tool("infra", "platform", "prod-euw1", "--render", "platform")

    assert code == 1
    assert "holds platform prod-use1, not prod-euw1" in err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["prod-use2"], "there is no cluster 'prod-use2'"),
        (["prod-use1", "--vpc-id", "subnet-1"], "--vpc-id subnet-1 is no id of a VPC"),
        (["prod-use1", "--registry", "https://r.example"], "is no registry"),
        (["prod-use1", "--apply", "--context", "nowhere"], "nowhere"),
    ],
)
def test_wrong_words_are_told(
    tool: Any, repository: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], message: str
) -> None:
    monkeypatch.setenv("KUBECONFIG", str(repository / "kubeconfig"))

    code, _, err = tool("infra", "platform", *arguments)

    assert code == 2
    assert message in err
    assert "Traceback" not in err


def test_nodes_without_a_way_out_need_a_registry_of_the_account(tool: Any, repository: Path) -> None:
    spec = repository / "clusters/prod-use1/cluster.yaml"
    text = spec.read_text(encoding="utf-8").replace("network: {", "network: {nat: none, endpoints: full, ")
    spec.write_text(text, encoding="utf-8")

    assert "--registry" in tool("infra", "platform", "prod-use1")[2]
    assert "--registry" not in tool("infra", "platform", "prod-use1", "--registry", "r.example")[2]
