"""A session handed to another tool of AWS, such as Terraform, as environment variables."""

from __future__ import annotations

import pytest

from leeward.base.errors import UserInputError
from leeward.infra.aws.session import Aws, Login, open_aws


def test_a_role_is_handed_on_with_the_keys_of_its_session(aws: Aws) -> None:
    role = "arn:aws:iam::123456789012:role/Deploy"

    found = open_aws(Login(region="eu-west-1", role=role)).variables()

    assert sorted(found) == ["AWS_ACCESS_KEY_ID", "AWS_REGION", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"]
    assert found["AWS_REGION"] == "eu-west-1"
    assert found["AWS_ACCESS_KEY_ID"].startswith("ASIA")  # of a session, not those that it was assumed with


def test_keys_without_a_session_have_no_token(aws: Aws) -> None:
    assert "AWS_SESSION_TOKEN" not in open_aws(Login(region="us-east-1")).variables()


def test_keys_of_another_account_are_not_handed_on(aws: Aws) -> None:
    with pytest.raises(UserInputError, match="of account 123456789012"):
        open_aws(Login(region="us-east-1", account="999999999999")).variables()


def test_without_credentials_there_is_nothing_to_hand_on() -> None:
    with pytest.raises(UserInputError, match="no AWS credentials"):
        open_aws(Login(region="us-east-1")).variables()
