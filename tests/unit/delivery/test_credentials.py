"""Docker's configuration, as far as it has credentials."""

from __future__ import annotations

import asyncio
import base64
import json
from pathlib import Path
from typing import Any

import pytest

from leeward.base.clock import SystemClock
from leeward.base.errors import LeewardError, OperationError, UserInputError
from leeward.delivery.images.credentials import Credentials, DockerConfig, config_directory


def found(directory: Path, registry: str, **config: Any) -> Credentials | None:
    """Return the credentials for `registry` by a configuration; programs are in the same directory."""
    (directory / "config.json").write_text(json.dumps(config))
    return asyncio.run(DockerConfig(directory, SystemClock(), str(directory)).credentials(registry))


def helper(directory: Path, name: str, script: str) -> None:
    path = directory / f"docker-credential-{name}"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def auth(text: str) -> dict[str, str]:
    return {"auth": base64.b64encode(text.encode()).decode()}


def test_the_configuration_is_where_docker_has_it() -> None:
    assert config_directory({}, Path("/home/jane")) == Path("/home/jane/.docker")
    assert config_directory({"DOCKER_CONFIG": "/etc/d"}, Path("/home/jane")) == Path("/etc/d")


def test_without_a_configuration_there_are_no_credentials(tmp_path: Path) -> None:
    config = DockerConfig(tmp_path / "none", SystemClock())
    assert asyncio.run(config.credentials("ghcr.io")) is None


@pytest.mark.parametrize("key", ["ghcr.io", "https://ghcr.io", "https://ghcr.io/v1/", "http://ghcr.io/v2/"])
def test_a_login_is_found_under_all_names_of_its_registry(tmp_path: Path, key: str) -> None:
    assert found(tmp_path, "ghcr.io", auths={key: auth("jane:pass:word")}) == Credentials("jane", "pass:word")


def test_docker_hub_has_a_name_of_its_own(tmp_path: Path) -> None:
    auths = {"https://index.docker.io/v1/": auth("jane:x")}
    assert found(tmp_path, "docker.io", auths=auths) == Credentials("jane", "x")
    assert found(tmp_path, "quay.io", auths=auths) is None


def test_an_identity_token_is_known_as_one(tmp_path: Path) -> None:
    auths = {"r.io": {**auth("00000000-0000-0000-0000-000000000000:"), "identitytoken": "t"}}
    assert found(tmp_path, "r.io", auths=auths) == Credentials(
        "0" * 8 + "-0000" * 3 + "-" + "0" * 12, "t", True
    )


def test_the_helper_of_a_registry_is_asked_with_its_name(tmp_path: Path) -> None:
    helper(tmp_path, "one", 'read key; echo "{\\"Username\\": \\"$1\\", \\"Secret\\": \\"$key\\"}"')
    config = {"credHelpers": {"r.io": "one"}, "credsStore": "absent", "auths": {"r.io": auth("jane:x")}}
    assert found(tmp_path, "r.io", **config) == Credentials("get", "r.io")


def test_the_store_is_asked_for_docker_hub_by_its_own_name(tmp_path: Path) -> None:
    helper(tmp_path, "all", 'read key; echo "{\\"Username\\": \\"<token>\\", \\"Secret\\": \\"$key\\"}"')
    expected = Credentials("<token>", "https://index.docker.io/v1/", True)
    assert found(tmp_path, "docker.io", credsStore="all") == expected


def test_what_a_helper_has_not_may_be_in_the_file(tmp_path: Path) -> None:
    helper(tmp_path, "all", 'echo "credentials not found in native keychain"; exit 1')
    assert found(tmp_path, "r.io", credsStore="all", auths={"r.io": auth("jane:x")}) == Credentials(
        "jane", "x"
    )
    assert found(tmp_path, "r.io", credsStore="all", auths={"r.io": {}}) is None


@pytest.mark.parametrize(
    ("script", "why"),
    [
        ("echo secret-words; exit 3", "failed with exit code 3"),
        ("echo secret-words", "is no JSON"),
    ],
)
def test_a_helper_that_fails_is_told_without_what_it_said(tmp_path: Path, script: str, why: str) -> None:
    helper(tmp_path, "all", script)
    with pytest.raises(OperationError, match=why) as caught:
        found(tmp_path, "r.io", credsStore="all")
    assert "secret-words" not in f"{caught.value}{caught.value.remedy}"


@pytest.mark.parametrize("name", ["absent", "../../bin/sh", "a b"])
def test_a_helper_that_is_not_there_is_told(tmp_path: Path, name: str) -> None:
    with pytest.raises(OperationError, match="which is not there"):
        found(tmp_path, "r.io", credsStore=name)


@pytest.mark.parametrize("text", ['{"auths": {"r.io": {"auth": "%%%"}}}', "{secret-words"])
def test_a_damaged_configuration_is_told_without_its_content(tmp_path: Path, text: str) -> None:
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(LeewardError) as caught:
        asyncio.run(DockerConfig(tmp_path, SystemClock()).credentials("r.io"))
    assert isinstance(caught.value, UserInputError)
    assert "secret-words" not in str(caught.value)
    assert caught.value.__suppress_context__


def test_secrets_are_not_shown() -> None:
    assert "hidden" not in repr(Credentials("jane", "hidden"))
