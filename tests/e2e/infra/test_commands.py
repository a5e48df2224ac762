"""Plan and apply by leeward's own commands: one small cluster in an AWS that is played.

What Terraform makes of every change, and that it destroys all, is in test_lifecycle; what is asked and
refused is in the unit tests of the command line. Here the real Terraform is run, with sizes that move first.
"""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import boto3
import pytest

from tests.e2e.infra.terraform import NEEDS_TERRAFORM, TAKES_MINUTES, override, plugins

pytestmark = [*NEEDS_TERRAFORM, TAKES_MINUTES, pytest.mark.timeout(300)]
SPEC = """\
name: small-use1
region: us-east-1
zones: [us-east-1a, us-east-1b]
highly_available: false
kubernetes: "1.35"
network: {nat: single, flow_logs: false}
node_groups:
  general: {types: m7i.large, min: 1, max: 2}
addons: {aws-ebs-csi-driver: "off", metrics-server: "off", amazon-cloudwatch-observability: "off"}
logging: {workloads: false}
encryption: {secrets: aws, disks: aws, logs: aws}
account: {id: "123456789012"} # moto's
"""


@dataclass
class Home:
    """A repository with one cluster, and the AWS that it is for."""

    root: Path
    aws: str
    environment: dict[str, str]

    def run(self, *arguments: str) -> tuple[int, str, str]:
        """Run one command of leeward's to its end: exit code, output, errors."""
        done = subprocess.run(
            [sys.executable, "-m", "leeward", "infra", *arguments],
            cwd=self.root,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=250,
            check=False,
        )
        return done.returncode, done.stdout, done.stderr

    def change(self, old: str, new: str) -> None:
        """Edit the spec and render."""
        path = self.root / "clusters/small-use1/cluster.yaml"
        text = path.read_text()
        assert text.count(old) == 1
        path.write_text(text.replace(old, new))
        assert self.run("render")[0] == 0

    def client(self, service: str) -> Any:
        return boto3.client(
            service, region_name="us-east-1", endpoint_url=self.aws,
            aws_access_key_id="test", aws_secret_access_key="test",
        )  # fmt: skip

    def sizes(self) -> dict[str, str]:
        """Return what EKS has: group → min/desired/max."""
        eks, found = self.client("eks"), {}
        for name in eks.list_nodegroups(clusterName="small-use1")["nodegroups"]:
            group = eks.describe_nodegroup(clusterName="small-use1", nodegroupName=name)["nodegroup"]
            size = group["scalingConfig"]
            found[name.rpartition("-")[0]] = f"{size['minSize']}/{size['desiredSize']}/{size['maxSize']}"
        return found


@pytest.fixture(scope="module")
def home(aws: str, tmp_path_factory: pytest.TempPathFactory) -> Home:
    """Make a repository; nothing is at AWS yet."""
    root = tmp_path_factory.mktemp("commands") / "repository"
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "TF_"))}
    environment = {
        **kept,
        "LEEWARD_HOME": str(root.parent / "home"),
        "TF_CLI_CONFIG_FILE": os.devnull,
        "TF_CLI_ARGS_init": f"-plugin-dir={plugins()}",
        "TF_CLI_ARGS_apply": "-parallelism=30",
        "AWS_ENDPOINT_URL": aws,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    root.mkdir()
    found = Home(root, aws, environment)
    assert found.run("init")[0] == 0
    directory = root / "clusters" / "small-use1"
    directory.mkdir()
    (directory / "cluster.yaml").write_text(SPEC)
    assert found.run("render") == (0, mock.ANY, "")
    (directory / "aws_override.tf").write_text(override(aws))
    return found


def test_a_cluster_is_made(home: Home) -> None:
    code, out, err = home.run("apply", "small-use1", "--yes")

    assert code == 0, out + err
    assert "made cluster.eks_cluster" in err
    assert out.endswith(" to make: done)\n")
    assert home.sizes() == {"general-a": "1/1/2", "general-b": "1/1/2"}


def test_a_higher_min_moves_the_desired_size_first(home: Home) -> None:
    home.change("min: 1, max: 2", "min: 3, max: 5")

    code, out, err = home.run("apply", "small-use1", "--yes")

    assert code == 0, out + err
    assert "general-a has 1 now, fewer than its new min 3: 2 nodes more, first." in out
    assert "resized general-a: 1/1/2 -> 1/3/3 (min/desired/max)" in err
    assert home.sizes() == {"general-a": "3/3/5", "general-b": "3/3/5"}
