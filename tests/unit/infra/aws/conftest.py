"""AWS in process, by moto: nothing leaves this machine, and nothing of the developer's own is read."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from leeward.infra.aws.session import Aws, Login

ACCOUNT = "123456789012"  # moto's
Stub = Callable[..., Aws]


class SharedAws(Aws):
    """A session whose clients are made once for all tests: making one takes longer than most of them."""

    def __init__(self, login: Login) -> None:
        super().__init__(shared_session(), login)
        self._clients = shared_clients()


@cache
def shared_session() -> Any:
    import boto3

    return boto3.Session("AKIAIOSFODNN7EXAMPLE", "testing", region_name="us-east-1")


@cache
def shared_clients() -> dict[str, Any]:
    import moto.core  # clients that are made before this are not moto's

    assert moto.core
    return {}


@pytest.fixture(autouse=True)
def configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Let AWS be configured by this test alone; returns the directory of its configuration."""
    for name in list(os.environ):
        if name.startswith("AWS_"):
            monkeypatch.delenv(name)
    directory = tmp_path / "aws"
    directory.mkdir()
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(directory / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(directory / "credentials"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    return directory


@pytest.fixture
def keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have credentials that are worth nothing."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")


@pytest.fixture
def aws(keys: None) -> Iterator[Aws]:
    """Yield a session with an AWS that has nothing in it."""
    from moto import mock_aws

    with mock_aws(config={"core": {"mock_credentials": False}}):
        yield SharedAws(Login(region="us-east-1"))


@pytest.fixture
def stub() -> Iterator[Stub]:
    """Yield a maker of sessions whose answers to one service are given."""
    from botocore.stub import Stubber

    with ExitStack() as active:

        def make(service: str, *answers: tuple[str, Any], login: Login | None = None) -> Aws:
            aws = SharedAws(login or Login(region="us-east-1"))
            active.close()  # that of another answer before
            stubber = Stubber(aws.client(service))
            for operation, answer in answers:
                if isinstance(answer, tuple):
                    code, message = answer
                    stubber.add_client_error(operation, code, message)
                else:
                    stubber.add_response(operation, answer)
            active.enter_context(stubber)
            return aws

        yield make
