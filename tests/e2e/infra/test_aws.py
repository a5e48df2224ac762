"""leeward and AWS over HTTP: a moto server is AWS, an embedded cluster is behind the API of one of EKS."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from leeward.base.clock import SystemClock
from leeward.cli import eks
from leeward.cli.main import run
from leeward.kube.kubeconfig import load_access
from tests.e2e.infra.eksfront import EksFront, before
from tests.live import Leeward

pytestmark = pytest.mark.e2e

ACCOUNT, REGION, NAME = "123456789012", "us-east-1", "prod-use1"
USER = f"arn:aws:sts::{ACCOUNT}:user/moto"
REAL_NAME = "kubernetes.default.svc"  # what the certificate of the API behind the tunnel has
SPEC = f"""\
name: {NAME}
region: {REGION}
kubernetes: "1.35"
account: {{id: "{ACCOUNT}"}}
node_groups: {{general: {{types: [m7i.large], min: 1, max: 4}}}}
"""
CONFIG = f"""\
app: shop
environments:
  production: {{cluster: prod}}
clusters:
  prod: {{spec: clusters/{NAME}/cluster.yaml}}
"""
COMPOSE = """\
services:
  web:
    image: registry.example.com/web:1
    environment: {DB_PASSWORD: "${DB_PASSWORD:?}"}
    expose: ["80"]
    x-leeward: {hosts: [shop.example.com]}
"""
IMAGE = f"web=registry.example.com/web@sha256:{'a' * 64}"
Tool = Callable[..., tuple[int, str, str]]


@dataclass
class Cloud:
    """AWS, as a test has it."""

    url: str
    session: Any

    def client(self, service: str) -> Any:
        """Return boto3's client of a service."""
        return self.session.client(service, region_name=REGION, endpoint_url=self.url)


@pytest.fixture(scope="module")
def cloud() -> Iterator[Cloud]:
    """Yield an AWS in a thread of this process, spoken to over HTTP."""
    import boto3
    from moto.moto_server.threaded_moto_server import ThreadedMotoServer

    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    port = server.get_host_and_port()[1]
    yield Cloud(f"http://127.0.0.1:{port}", boto3.Session("AKIAIOSFODNN7EXAMPLE", "testing"))
    server.stop()


@pytest.fixture(scope="module")
def front(cloud: Cloud, tmp_path_factory: pytest.TempPathFactory) -> Iterator[EksFront]:
    """Yield the API of a cluster of EKS; that behind it is an embedded one."""
    from moto.eks.models import eks_backends

    home = tmp_path_factory.mktemp("eks")
    tool = Leeward(home / "home", home)
    tool.ok("cluster", "start", "--name", "behind", "--runtime", "simulated")
    role = f"arn:aws:iam::{ACCOUNT}:role/eks"
    client = cloud.client("eks")
    client.create_cluster(
        name=NAME, version="1.35", roleArn=role,
        resourcesVpcConfig={"subnetIds": [], "endpointPublicAccess": False, "endpointPrivateAccess": True},
    )  # fmt: skip
    client.create_nodegroup(
        clusterName=NAME, nodegroupName="general-a", nodeRole=role, subnets=[], instanceTypes=["m7i.large"],
        scalingConfig={"minSize": 1, "desiredSize": 1, "maxSize": 4},
    )  # fmt: skip
    upstream = load_access(home / "home" / "behind" / "kubeconfig")
    with before(upstream, NAME, cloud.url, home / "pki") as found:
        made = eks_backends[ACCOUNT][REGION].clusters[NAME]
        made.endpoint = f"https://127.0.0.1:{found.port}"
        made.certificate_authority = {"data": found.ca_data}
        yield found
    tool.run("cluster", "stop", "--name", "behind")


@pytest.fixture(autouse=True)
def project(cloud: Cloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work in a project with a cluster's spec, with keys and configuration of AWS that are the test's own."""
    for name in [name for name in os.environ if name.startswith(("AWS_", "COMPOSE_", "KUBECONFIG"))]:
        monkeypatch.delenv(name)
    settings = {
        "AWS_ENDPOINT_URL": cloud.url,
        "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_CONFIG_FILE": str(tmp_path / "config"),
        "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "credentials"),
        "AWS_EC2_METADATA_DISABLED": "true",
        "HOME": str(tmp_path),
        "LEEWARD_HOME": str(tmp_path / "home"),
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    work = tmp_path / "work"
    (work / "clusters" / NAME).mkdir(parents=True)
    (work / "clusters" / NAME / "cluster.yaml").write_text(SPEC)
    (work / "leeward.yaml").write_text(CONFIG)
    (work / "compose.yaml").write_text(COMPOSE)
    monkeypatch.chdir(work)
    eks.aws_of_spec.cache_clear()
    eks.access_to_spec.cache_clear()


@pytest.fixture
def tool(capfd: pytest.CaptureFixture[str]) -> Tool:
    """Return a function that runs one command line: exit code, output, errors."""

    def call(*arguments: str) -> tuple[int, str, str]:
        code = run(list(arguments))
        said = capfd.readouterr()
        return code, said.out, said.err

    return call


@pytest.fixture
def ok(tool: Tool) -> Callable[..., str]:
    """Return a function that runs one command line that has to succeed; returns its output and notes."""

    def call(*arguments: str) -> str:
        code, out, err = tool(*arguments)
        assert code == 0, out + err
        return out + err

    return call


def test_an_environment_on_a_cluster_of_eks_has_values_of_aws_and_its_releases_in_s3(
    cloud: Cloud, front: EksFront, ok: Any
) -> None:
    secret = json.dumps({"username": "shop", "password": "s3cret-of-rds"})
    cloud.client("secretsmanager").create_secret(Name="shop/db", SecretString=secret)
    cloud.client("ssm").put_parameter(Name="/shop/LOG_LEVEL", Value="info", Type="SecureString")
    cloud.client("s3").create_bucket(Bucket="releases")

    ok("env", "apply", "production", "--yes")
    assert set(front.identities) == {USER}
    assert front.refused == []

    ok("env", "set", "DB_PASSWORD=@secretsmanager:shop/db#password", "--env", "production")
    ok("env", "import", "ssm:/shop/", "--env", "production")
    (shown,) = json.loads(ok("env", "list", "--env", "production", "--reveal", "-o", "json"))
    assert {each["name"]: each["value"] for each in shown["variables"]} == {
        "DB_PASSWORD": "s3cret-of-rds",
        "LOG_LEVEL": "info",
    }

    ok("release", "create", "--version", "1.0", "--image", IMAGE)
    ok("release", "export", "1.0", "s3://releases/shop/1.0.json")
    stored = cloud.client("s3").get_object(Bucket="releases", Key="shop/1.0.json")["Body"].read().decode()
    assert json.loads(stored)["kind"] == "Release"
    assert "s3cret-of-rds" not in stored
    assert "exists already" in ok("release", "import", "s3://releases/shop/1.0.json")


def test_a_kubeconfig_over_a_tunnel_gets_its_tokens_from_leeward(
    front: EksFront, ok: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from moto.eks.models import eks_backends

    kubeconfig = tmp_path / "mine"
    monkeypatch.setenv("KUBECONFIG", str(kubeconfig))
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "leeward").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m leeward "$@"\n')
    (programs / "leeward").chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")
    made = eks_backends[ACCOUNT][REGION].clusters[NAME]
    monkeypatch.setattr(made, "endpoint", f"https://{REAL_NAME}:443")  # nobody can reach it by that name
    front.names.clear()

    near = f"https://127.0.0.1:{front.port}"
    assert f"has the context {NAME}" in ok("infra", "kubeconfig", NAME, "--endpoint", near, "--merge")
    ok("env", "apply", "production", "--yes", "--context", NAME)
    assert front.names == {REAL_NAME}


def test_tokens_are_for_one_cluster_and_credentials_for_one_account(front: EksFront, tool: Tool) -> None:
    code, out, _ = tool("aws", "token", "--cluster", NAME)
    token = json.loads(out)["status"]["token"]
    assert code == 0
    assert front.identity(f"Bearer {token}") == USER

    code, out, err = tool("aws", "token", "--cluster", NAME, "--account", "999988887777")
    assert (code, out) == (2, "")
    assert f"your AWS credentials are of account {ACCOUNT}, and clusters/{NAME}/cluster.yaml" in err


def test_node_groups_are_listed_and_scaled(front: EksFront, ok: Any, tool: Tool) -> None:
    (group,) = json.loads(ok("infra", "nodes", NAME, "-o", "json"))
    assert (group["group"], group["min"], group["desired"], group["max"]) == ("general-a", 1, 1, 4)

    said = ok("infra", "scale", NAME, "general-a", "--min", "3", "--yes", "--wait")
    assert "general-a of prod-use1: 1/1/4 -> 3/3/4 (min/desired/max)" in said
    assert "general-a is active with 3/3/4" in said

    code, _, err = tool("infra", "scale", NAME, "generl-a", "--desired", "1", "--yes")
    assert code == 2
    assert 'Did you mean "general-a"?' in err
    code, _, err = tool("infra", "scale", NAME, "general-a", "--desired", "9", "--yes")
    assert code == 2
    assert "contradict each other" in err


def test_hosts_of_an_environment_have_certificates_and_zones_or_not(
    cloud: Cloud, tool: Tool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DB_PASSWORD", "as rendering wants it")
    cloud.client("route53").create_hosted_zone(Name="example.com.", CallerReference="1")
    code, out, err = tool("aws", "hosts", "--env", "production", "-o", "json")
    assert code == 1, err
    assert json.loads(out)[0]["problem"] == "no certificate holds for it"

    arn = cloud.client("acm").request_certificate(DomainName="*.example.com")["CertificateArn"]
    issue(arn)
    code, out, err = tool("aws", "hosts", "--env", "production", "-o", "json")
    assert code == 0, err
    (row,) = json.loads(out)
    assert row["host"] == "shop.example.com"
    assert (row["certificate"], row["zone"], row["problem"]) == (arn, "example.com", "")


def issue(arn: str) -> None:
    """Let a certificate be issued, as it is when its owner has proved to have the name."""
    from moto.acm.models import acm_backends

    acm_backends[ACCOUNT][REGION]._certificates[arn].status = "ISSUED"


def test_lines_of_pods_that_are_gone_come_from_cloudwatch(cloud: Cloud, ok: Any, tool: Tool) -> None:
    code, _, err = tool("logs", "--env", "production", "--cloudwatch")
    assert code == 2
    assert f"there is no log group /aws/containerinsights/{NAME}/application" in err

    logs, group = cloud.client("logs"), f"/aws/containerinsights/{NAME}/application"
    logs.create_log_group(logGroupName=group)
    logs.create_log_stream(logGroupName=group, logStreamName="s")
    now = int(SystemClock().now().timestamp() * 1000)
    origin = {"pod_name": "web-7f-x", "namespace_name": "shop-production", "container_name": "web"}
    events = [
        {
            "timestamp": now - 2000 + number,
            "message": json.dumps({"log": f"line {number}\n", "kubernetes": origin}),
        }
        for number in range(3)
    ]
    logs.put_log_events(logGroupName=group, logStreamName="s", logEvents=events)

    found = ok("logs", "--env", "production", "--cloudwatch", "--since", "10m", "--tail", "2", "web")
    assert found.splitlines() == ["web-7f-x | line 1", "web-7f-x | line 2"]


def test_who_may_not_do_something_is_told_the_action(
    cloud: Cloud, front: EksFront, tool: Tool, monkeypatch: pytest.MonkeyPatch
) -> None:
    iam = cloud.client("iam")
    iam.create_user(UserName="jane")
    key = iam.create_access_key(UserName="jane")["AccessKey"]
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", key["AccessKeyId"])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", key["SecretAccessKey"])

    def check_permissions_after(requests: bytes) -> None:
        url = f"{cloud.url}/moto-api/reset-auth"
        assert httpx.post(url, content=requests, trust_env=False).status_code == 200

    check_permissions_after(b"0")
    try:
        code, _, err = tool("infra", "nodes", NAME)
        assert code == 2
        assert "may not eks:ListNodegroups in us-east-1" in err
        assert "allow the action eks:ListNodegroups" in err
    finally:
        check_permissions_after(b"inf")


def test_a_cluster_that_is_not_where_its_spec_says_is_told_with_those_that_are(
    front: EksFront, tool: Tool
) -> None:
    code, _, err = tool("infra", "kubeconfig", "prod-use2", "--region", REGION)
    assert code == 2
    assert 'there is no cluster prod-use2 in us-east-1\n  fix: Did you mean "prod-use1"?' in err

    code, _, err = tool("infra", "kubeconfig", NAME, "--region", "eu-west-1")
    assert code == 2
    assert "There are none in eu-west-1; is it another region?" in err
