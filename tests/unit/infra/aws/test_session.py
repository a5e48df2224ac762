"""Who asks AWS, and in which account."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from leeward.base.errors import OperationError, UserInputError
from leeward.compose.findings import Findings
from leeward.infra.aws.session import Aws, Login, login_of, open_aws
from leeward.infra.spec import Account, ClusterSpec, NodeGroup

SPEC = ClusterSpec(
    name="prod",
    region="eu-west-1",
    kubernetes="1.35",
    node_groups={"general": NodeGroup(types=("m7i.large",))},
    account=Account(id="111122223333", profile="acme", role="arn:aws:iam::111122223333:role/Deploy"),
)


def test_a_spec_says_whose_account_is_meant() -> None:
    assert login_of(SPEC, "clusters/prod/cluster.yaml") == Login(
        region="eu-west-1",
        profile="acme",
        role="arn:aws:iam::111122223333:role/Deploy",
        account="111122223333",
        source="clusters/prod/cluster.yaml",
    )
    assert Findings().diagnostics == ()


def test_without_boto3_it_is_said_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "boto3", None)

    with pytest.raises(UserInputError) as caught:
        open_aws(Login(region="us-east-1"))
    assert caught.value.remedy == "Install it: pip install 'leeward[aws]'"


def test_a_profile_that_is_not_there_is_answered_with_the_nearest(configuration: Path) -> None:
    (configuration / "config").write_text("[profile production]\nregion = eu-west-1\n[profile test]\n")

    with pytest.raises(UserInputError) as caught:
        open_aws(Login(profile="prodution", source="clusters/prod/cluster.yaml"))
    assert "'prodution', which clusters/prod/cluster.yaml names" in str(caught.value)
    assert caught.value.remedy == 'Did you mean "production"?'


def test_a_profile_brings_its_region(configuration: Path) -> None:
    (configuration / "config").write_text("[profile production]\nregion = eu-central-1\n")

    assert open_aws(Login(profile="production")).region == "eu-central-1"
    assert open_aws(Login(profile="production", region="eu-west-1")).region == "eu-west-1"


def test_without_a_region_it_is_asked_for(keys: None) -> None:
    with pytest.raises(UserInputError, match="not known which AWS region"):
        open_aws(Login())


def test_without_credentials_it_is_said_how_to_get_some() -> None:
    with pytest.raises(UserInputError, match="there are no AWS credentials") as caught:
        open_aws(Login(region="us-east-1")).ask("eks", "list_clusters")
    assert "aws sso login" in caught.value.remedy


def test_a_role_needs_credentials_to_be_assumed_with() -> None:
    with pytest.raises(UserInputError, match="there are no AWS credentials"):
        open_aws(Login(region="us-east-1", role="arn:aws:iam::123456789012:role/Deploy"))


def test_an_sso_session_that_ended_is_told_with_its_profile(configuration: Path) -> None:
    (configuration / "config").write_text(
        "[profile acme]\nsso_session = acme\nsso_account_id = 111122223333\nsso_role_name = Admin\n"
        "region = us-east-1\n"
        "[sso-session acme]\nsso_region = us-east-1\nsso_start_url = https://acme.awsapps.com/start\n"
    )

    with pytest.raises(UserInputError, match="session has ended or was not begun") as caught:
        open_aws(Login(profile="acme")).ask("eks", "list_clusters")
    assert caught.value.remedy.startswith("Log in again: aws sso login --profile acme.")


def test_another_account_than_the_one_meant_is_refused_before_anything_is_asked(aws: Aws) -> None:
    login = Login(region="us-east-1", account="999988887777", source="clusters/prod/cluster.yaml")
    other = open_aws(login)

    for _ in range(2):
        with pytest.raises(UserInputError) as caught:
            other.ask("eks", "create_cluster", name="x", roleArn="arn:x", resourcesVpcConfig={})
        assert str(caught.value) == (
            "your AWS credentials are of account 123456789012, and clusters/prod/cluster.yaml is about "
            "999988887777"
        )
    assert aws.ask("eks", "list_clusters")["clusters"] == []


def test_the_account_that_is_meant_is_let_in_and_asked_for_once(stub: Any) -> None:
    found = stub(
        "sts",
        (
            "get_caller_identity",
            {"Account": "123456789012", "Arn": "arn:aws:iam::123456789012:user/x", "UserId": "AIDAEXAMPLE"},
        ),
        login=Login(region="us-east-1", account="123456789012"),
    )

    found.check_account()
    found.check_account()  # the stub has one answer only


def test_a_role_is_assumed_when_something_is_asked(aws: Aws) -> None:
    role = "arn:aws:iam::210987654321:role/Deploy"

    found = open_aws(Login(region="eu-west-1", role=role)).ask("sts", "get_caller_identity")

    assert found["Arn"].startswith("arn:aws:sts::210987654321:assumed-role/Deploy/leeward")


def test_a_region_that_is_not_there_is_answered_with_the_nearest(keys: None) -> None:
    with pytest.raises(UserInputError, match="'us east 1' is no AWS region") as caught:
        open_aws(Login(region="us east 1")).ask("eks", "list_clusters")
    assert caught.value.remedy == 'Did you mean "us-east-1"?'


def test_what_cannot_be_reached_is_told_with_the_nearest_region(
    keys: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")  # nobody listens there
    monkeypatch.setattr("botocore.endpoint.time.sleep", lambda seconds: None)

    with pytest.raises(OperationError, match="AWS cannot be reached in eu-wst-1") as caught:
        open_aws(Login(region="eu-wst-1")).ask("eks", "list_clusters")
    assert "eu-west-1" in caught.value.remedy
