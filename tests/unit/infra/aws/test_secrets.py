"""Values from Secrets Manager and parameters."""

from __future__ import annotations

import json

import pytest

from leeward.base.errors import UserInputError
from leeward.infra.aws.secrets import Reference, parse_reference, read_value, read_values
from leeward.infra.aws.session import Aws


def reference(text: str) -> Reference:
    found = parse_reference(text)
    assert found is not None
    assert str(found) == text
    return found


@pytest.fixture
def filled(aws: Aws) -> Aws:
    def secret(name: str, value: str | bytes) -> None:
        key = "SecretString" if isinstance(value, str) else "SecretBinary"
        aws.ask("secretsmanager", "create_secret", Name=name, **{key: value})

    secret("shop/db", json.dumps({"username": "shop", "password": "s3cret", "port": 5432}))
    secret("shop/api-token", "abc")
    secret("shop/keystore", b"\x00\x01")
    secret("shopper/other", "no")
    for name, kind in (("/shop/LOG_LEVEL", "String"), ("/shop/inner/KEY", "SecureString")):
        aws.ask("ssm", "put_parameter", Name=name, Value=f"value of {name}", Type=kind)
    return aws


def test_a_secret_is_one_value(filled: Aws) -> None:
    assert read_value(filled, reference("secretsmanager:shop/api-token")) == b"abc"
    assert read_value(filled, reference("secretsmanager:shop/keystore")) == b"\x00\x01"


def test_a_key_of_a_secret_is_one_value(filled: Aws) -> None:
    assert read_value(filled, reference("secretsmanager:shop/db#password")) == b"s3cret"
    assert read_value(filled, reference("secretsmanager:shop/db#port")) == b"5432"


def test_a_parameter_is_one_value_decrypted(filled: Aws) -> None:
    assert read_value(filled, reference("ssm:/shop/inner/KEY")) == b"value of /shop/inner/KEY"


def test_a_secret_that_is_a_mapping_is_several_values(filled: Aws) -> None:
    assert read_values(filled, reference("secretsmanager:shop/db")) == {
        "username": b"shop",
        "password": b"s3cret",
        "port": b"5432",
    }


def test_all_secrets_below_a_prefix_are_named_by_their_last_part(filled: Aws) -> None:
    found = read_values(filled, reference("secretsmanager:shop/"))

    assert sorted(found) == ["api-token", "db", "keystore"]
    assert found["keystore"] == b"\x00\x01"


def test_all_parameters_below_a_path_are_named_by_their_last_part(filled: Aws) -> None:
    assert read_values(filled, reference("ssm:/shop/")) == {
        "LOG_LEVEL": b"value of /shop/LOG_LEVEL",
        "KEY": b"value of /shop/inner/KEY",
    }


def test_values_that_would_have_one_name_are_refused(filled: Aws) -> None:
    filled.ask("ssm", "put_parameter", Name="/shop/second/KEY", Value="x", Type="String")

    with pytest.raises(UserInputError, match="two values that would be named KEY"):
        read_values(filled, reference("ssm:/shop/"))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("secretsmanager:shop/dbx", "there is no secret shop/dbx in us-east-1"),
        ("secretsmanager:shop/db#pasword", "the secret shop/db has no key 'pasword'"),
        ("secretsmanager:shop/api-token#key", "shop/api-token is no JSON mapping"),
        ("secretsmanager:shop/", "names several values"),
        ("ssm:/shop/nothing", "there is no parameter /shop/nothing in us-east-1"),
    ],
)
def test_a_value_that_cannot_be_read_is_told_without_values(filled: Aws, text: str, said: str) -> None:
    with pytest.raises(UserInputError, match=said) as caught:
        read_value(filled, reference(text))
    assert "s3cret" not in f"{caught.value} {caught.value.remedy}"


@pytest.mark.parametrize("text", ["secretsmanager:none/", "ssm:/none/"])
def test_nothing_below_a_name_is_an_error(filled: Aws, text: str) -> None:
    with pytest.raises(UserInputError, match="there is nothing below"):
        read_values(filled, reference(text))


@pytest.mark.parametrize(
    "text", ["secretsmanager:", "secretsmanager:a#", "ssm:/a#b", "secretsmanager:a/#b", "ssm:"]
)
def test_a_place_without_a_name_is_refused(text: str) -> None:
    with pytest.raises(UserInputError, match="names no value"):
        parse_reference(text)


@pytest.mark.parametrize("text", ["qa.env", "file:secret", "s3://bucket/key", "secretsmanager"])
def test_what_names_no_place_in_aws_is_something_else(text: str) -> None:
    assert parse_reference(text) is None
