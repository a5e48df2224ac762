"""Who leeward is to registries of ECR, and what CloudWatch lines are shown."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from leeward.base.errors import UserInputError
from leeward.cli import ecrlogins
from leeward.cli.cloudwatch import last_of_each, refuse_following
from leeward.delivery.images.credentials import Credentials
from leeward.infra.aws.ecr import EcrHost
from leeward.infra.aws.logs import LogLine

ECR = "111122223333.dkr.ecr.eu-west-1.amazonaws.com"
OLD = Credentials("AWS", "of yesterday")
NEW = Credentials("AWS", "of now")


class Docker:
    """A configuration of Docker with a login for every registry, or for none."""

    def __init__(self, found: Credentials | None) -> None:
        self.found = found

    async def credentials(self, registry: str) -> Credentials | None:
        return self.found


def ask(registry: str, docker: Credentials | None) -> Credentials | None:
    return asyncio.run(ecrlogins.EcrLogins(Docker(docker)).credentials(registry))


def test_aws_is_asked_before_a_login_that_may_be_too_old(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[EcrHost] = []

    def login(host: EcrHost) -> Credentials:
        asked.append(host)
        return NEW

    monkeypatch.setattr(ecrlogins, "_login", login)

    assert ask(ECR, OLD) is NEW
    assert asked == [EcrHost("111122223333", "eu-west-1")]


def test_other_registries_are_docker_s(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ecrlogins, "_login", lambda host: pytest.fail("AWS was asked"))

    assert ask("ghcr.io", OLD) is OLD
    assert ask("ghcr.io", None) is None


def test_without_credentials_of_aws_docker_s_login_is_taken() -> None:
    assert ask(ECR, OLD) is OLD


def test_without_any_login_it_is_said_what_aws_lacks() -> None:
    with pytest.raises(UserInputError, match="there are no AWS credentials"):
        ask(ECR, None)


def test_the_last_lines_of_each_pod_are_shown_in_the_order_of_all() -> None:
    begin = datetime(2030, 1, 1, tzinfo=UTC)
    lines = [
        LogLine(begin + timedelta(seconds=number), pod, "web", f"{pod}{number}")
        for number, pod in enumerate(["a", "a", "b", "a", "b", "b"])
    ]

    assert [each.text for each in last_of_each(lines, 2)] == ["a1", "a3", "b4", "b5"]
    assert list(last_of_each(lines, 0)) == []


def test_what_was_is_not_followed() -> None:
    refuse_following(follow=False)
    with pytest.raises(UserInputError, match="does not follow"):
        refuse_following(follow=True)
