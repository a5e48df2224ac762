"""Who leeward is to a registry: what ``docker login`` left in Docker's configuration, or a helper has.

Secrets are in no message and no ``repr``.

Source: docs.docker.com/reference/cli/docker/login, "Credential stores" and "Credential helpers".
"""

from __future__ import annotations

import asyncio
import base64
import json
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from leeward.base.clock import Clock, within
from leeward.base.errors import OperationError, UserInputError
from leeward.delivery.images.references import DOCKER_HUB

_HUB_KEY = "https://index.docker.io/v1/"  # what Docker Hub is called in Docker's configuration
_HELPER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*\Z")
_HELPER_SECONDS = 60.0  # a helper may ask its user for a passphrase
_TOKEN_USER = "<token>"  # the user name with which helpers give identity tokens
_NOT_FOUND = "credentials not found"  # how helpers say that they have none


@dataclass(frozen=True, slots=True)
class Credentials:
    """A user name and password, or a token that stands for both."""

    username: str
    secret: str = field(repr=False)
    is_identity_token: bool = False  # `secret` is exchanged for tokens by OAuth, and never sent as a password


def config_directory(variables: Mapping[str, str], home: Path) -> Path:
    """Return where Docker's configuration is, as ``DOCKER_CONFIG`` among `variables` says."""
    given = variables.get("DOCKER_CONFIG")
    return Path(given) if given else home / ".docker"


class DockerConfig:
    """Credentials by registry, from Docker's ``config.json``.

    Args:
        directory: where it is; it need not exist.
        clock: for the patience with helpers.
        path: where ``docker-credential-…`` programs are, as in ``PATH``; None: the process's own.
    """

    def __init__(self, directory: Path, clock: Clock, path: str | None = None) -> None:
        self._file = directory / "config.json"
        self._clock = clock
        self._path = path

    async def credentials(self, registry: str) -> Credentials | None:
        """Return the credentials for a registry (``docker.io``, ``ghcr.io``, ``localhost:5000``), or None.

        Raises:
            UserInputError: the file is damaged.
            OperationError: a helper fails.
        """
        config = self._read()
        key = _HUB_KEY if registry == DOCKER_HUB else registry
        helper = _mapping(config.get("credHelpers")).get(registry) or config.get("credsStore")
        if helper and (found := await self._ask_helper(str(helper), key)) is not None:
            return found
        for name, entry in _mapping(config.get("auths")).items():
            if name == key or _host_of(name) == registry:
                return self._entry(name, _mapping(entry))
        return None

    def _read(self) -> Mapping[str, Any]:
        try:
            return _mapping(json.loads(self._file.read_bytes()))
        except (FileNotFoundError, NotADirectoryError):
            return {}
        except OSError as error:
            raise UserInputError(f"{self._file} cannot be read: {error.strerror}") from error
        except ValueError:
            # Not chained: the text that was no JSON may be in the error, and it has secrets.
            raise UserInputError(f"{self._file} is no JSON", remedy="Repair or remove it.") from None

    def _entry(self, name: str, entry: Mapping[str, Any]) -> Credentials | None:
        username, password = str(entry.get("username") or ""), str(entry.get("password") or "")
        if entry.get("auth"):
            try:
                both = base64.b64decode(str(entry["auth"]), validate=True).decode()
            except ValueError:
                raise UserInputError(
                    f"{self._file}: `auth` of {name} is damaged",
                    remedy=f"Log in again: `docker login {name}`.",
                ) from None
            username, _, password = both.rstrip("\0").partition(":")
        if entry.get("identitytoken"):
            return Credentials(username, str(entry["identitytoken"]), is_identity_token=True)
        return Credentials(username, password) if username and password else None

    async def _ask_helper(self, helper: str, key: str) -> Credentials | None:
        program = f"docker-credential-{helper}"
        where = shutil.which(program, path=self._path) if _HELPER.match(helper) else None
        if where is None:
            raise OperationError(
                f"{self._file} names the credential helper {program!r}, which is not there",
                remedy=f"Install it, or take it out of {self._file}.",
            )
        try:
            code, answer = await within(self._clock, _HELPER_SECONDS, _get(where, key))
        except TimeoutError:
            raise OperationError(f"{program} did not answer in {_HELPER_SECONDS:.0f} seconds") from None
        except OSError as error:
            raise OperationError(f"{program} cannot be run: {error.strerror}") from error
        if code != 0:
            if _NOT_FOUND in answer:
                return None
            raise OperationError(f"{program} failed with exit code {code}", remedy=f"Try `{program} list`.")
        try:
            found = _mapping(json.loads(answer))
        except ValueError:
            raise OperationError(f"the answer of {program} is no JSON") from None
        username, secret = str(found.get("Username") or ""), str(found.get("Secret") or "")
        return Credentials(username, secret, username == _TOKEN_USER) if secret else None


async def _get(program: str, key: str) -> tuple[int, str]:
    """Return the exit code and the standard output of a helper that is asked for `key`."""
    process = await asyncio.create_subprocess_exec(
        program,
        "get",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        answer, _ = await process.communicate(key.encode())
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return process.returncode or 0, answer.decode("utf-8", "replace")


def _host_of(key: str) -> str:
    """Return the registry of a key of ``auths``: ``https://registry.example.com/v1/`` is an old form."""
    return re.sub(r"\Ahttps?://", "", key).partition("/")[0]


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
