"""Verbs about AWS that ask it nothing, and what they refuse."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from leeward.base.errors import UserInputError
from leeward.cli.envvalues import parse_values
from tests.unit.cli.test_ci_recipes import leeward_commands, parse

PAGE = (Path(__file__).resolve().parents[3] / "docs/aws.md").read_text(encoding="utf-8")
SCRIPTS = re.findall(r"^ *```sh\n(.*?)^ *```$", PAGE, re.MULTILINE | re.DOTALL)
COMMANDS = [words for script in SCRIPTS for words in leeward_commands(script)]
Tool = Callable[..., tuple[int, str, str]]
CONFIG = """
app: shop
environments: {qa: {cluster: local}, production: {cluster: prod}}
clusters: {prod: {spec: clusters/prod/cluster.yaml}}
"""
SPEC = """
name: prod
region: us-east-1
kubernetes: "1.35"
node_groups: {general: {types: [m7i.large]}}
"""


@pytest.fixture(autouse=True)
def repository(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Work in a repository with a cluster, without credentials of AWS."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    Path("clusters/prod").mkdir(parents=True)
    Path("clusters/prod/cluster.yaml").write_text(SPEC)
    Path("leeward.yaml").write_text(CONFIG)
    Path("compose.yaml").write_text("services: {web: {image: x}}\n")


@pytest.mark.parametrize(
    "arguments",
    [
        ("aws", "token", "--cluster", "prod"),
        ("infra", "kubeconfig", "prod"),
        ("infra", "nodes", "prod"),
        ("infra", "scale", "prod", "general-a", "--desired", "2", "--yes"),
        ("infra", "versions", "prod"),
        ("aws", "hosts", "shop.example.com", "--region", "us-east-1"),
        ("logs", "--env", "production", "--cloudwatch"),
        ("env", "list", "--env", "production"),
        ("env", "set", "A=@secretsmanager:shop/db", "--env", "production"),
        ("env", "import", "ssm:/shop/", "--env", "production"),
        ("release", "import", "s3://releases/a.json"),
    ],
)
def test_without_credentials_every_verb_says_how_to_get_some(tool: Tool, arguments: tuple[str, ...]) -> None:
    code, out, err = tool(*arguments)

    assert (code, out) == (2, "")
    assert "there are no AWS credentials" in err
    assert "aws sso login" in err
    assert "Traceback" not in err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("infra", "nodes", "prodd"), 'Did you mean "prod"?'),
        (("aws", "token", "--cluster", "prodd"), 'Did you mean "prod"?'),
        (("infra", "scale", "prod", "general-a"), "nothing would change"),
        (
            ("infra", "kubeconfig", "prod", "--endpoint", "127.0.0.1:8443"),
            "--endpoint 127.0.0.1:8443 is no address",
        ),
        (("infra", "versions", "--pin"), "--pin asks AWS"),
        (("infra", "versions", "prod", "--pin", "--offline"), "--pin asks AWS"),
        (("aws", "hosts"), "there is no host to look for"),
        (("logs", "--cloudwatch"), "--cloudwatch is about an environment"),
        (("logs", "--env", "production", "--cloudwatch", "--follow"), "does not follow"),
        (("logs", "--env", "qa", "--cloudwatch"), "needs a cluster of EKS that leeward has a spec of"),
        (("logs", "--env", "prod", "--cloudwatch"), "there is no environment 'prod'"),
        (("env", "set", "A=@secretsmanager:", "--env", "production"), "names no value"),
        (("release", "import", "s3://releases"), "names no object of S3"),
    ],
)
def test_what_makes_no_sense_is_refused_before_aws_is_asked(
    tool: Tool, arguments: tuple[str, ...], said: str
) -> None:
    code, _, err = tool(*arguments)

    assert code == 2
    assert said in err
    assert "Traceback" not in err


def test_offline_the_table_of_versions_is_told_with_its_date(tool: Tool) -> None:
    code, out, err = tool("infra", "versions", "--offline")

    assert code == 0
    assert "1.35" in out
    assert "KUBERNETES" in out
    assert "leeward's table of 20" in err


class Answers:
    """AWS with certain versions of add-ons, and nothing else."""

    def ask(self, service: str, operation: str, /, **arguments: Any) -> dict[str, Any]:
        assert (service, operation) == ("ssm", "get_parameter")
        return {"Parameter": {"Value": "1.35.2-20261110"}}

    def pages(self, service: str, operation: str, /, **arguments: Any) -> Iterator[dict[str, Any]]:
        assert service == "eks"
        if operation == "describe_cluster_versions":
            yield {"clusterVersions": []}
            return
        name, fits = arguments["addonName"], [{"clusterVersion": "1.35", "defaultVersion": True}]
        versions = [{"addonVersion": f"v1.{len(name)}.0-eksbuild.1", "compatibilities": fits}]
        yield {"addons": [{"addonName": name, "addonVersions": versions}]}


def test_versions_of_add_ons_are_pinned_in_the_lock_and_in_terraform(
    tool: Tool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("leeward.infra.aws.session.open_aws", lambda login: Answers())
    spec = Path("clusters/prod/cluster.yaml")
    spec.write_text(f"{SPEC}addons: {{coredns: v9.9.9-eksbuild.9, metrics-server: 'off'}}\n")
    assert tool("infra", "render")[0] == 0

    code, out, err = tool("infra", "versions", "prod", "--pin")

    assert code == 0, err
    assert "general (not pinned)" in out
    assert "not for this version of Kubernetes" in next(
        line for line in out.splitlines() if "coredns" in line
    )
    pinned = json.loads(Path("clusters/prod/cluster.lock.json").read_text())["addons"]
    assert pinned["vpc-cni"] == "v1.7.0-eksbuild.1"
    assert not {"coredns", "metrics-server"} & pinned.keys()
    made = json.loads(Path("clusters/prod/cluster.auto.tfvars.json").read_text())["addons"]
    assert (made["vpc-cni"], made["coredns"]) == ("v1.7.0-eksbuild.1", "v9.9.9-eksbuild.9")

    assert tool("infra", "render")[:2] == (0, "Everything is as the specs say.\n")
    assert "these versions are pinned already" in tool("infra", "versions", "prod", "--pin")[2]


def test_a_value_in_aws_is_read_and_one_that_only_looks_so_is_not() -> None:
    def read(where: str) -> bytes | None:
        return b"s3cret" if where == "ssm:/a" else None

    assert parse_values(["A=@ssm:/a", "B=ssm:/a", "C=@@ssm:/a"], read) == {
        "A": b"s3cret",
        "B": b"ssm:/a",
        "C": b"@ssm:/a",
    }
    with pytest.raises(UserInputError, match="other:/a cannot be read"):
        parse_values(["A=@other:/a"], read)


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_every_command_of_the_page_is_understood(words: list[str]) -> None:
    assert parse(words)


def test_the_page_has_every_verb_of_aws() -> None:
    assert {" ".join(words[:2]) for words in COMMANDS} >= {
        *("infra kubeconfig", "infra nodes", "infra scale", "infra versions", "aws hosts"),
        *("env set", "env import", "logs --env", "release export", "release import"),
    }
    assert "`leeward aws token --cluster NAME`" in PAGE
