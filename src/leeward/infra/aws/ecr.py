"""The login to registries of Amazon ECR: a password of twelve hours for whoever has AWS credentials.

Source: "Private registry authentication" of the Amazon ECR user guide; GetAuthorizationToken of its API
reference.
"""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass, field

from leeward.infra.aws.session import Aws

_HOST = re.compile(
    r"(?P<account>[0-9]{12})\.dkr\.ecr(?:-fips)?\.(?P<region>[a-z0-9-]+)\.(?:amazonaws\.com(?:\.cn)?|on\.aws)"
    r"|(?P<account6>[0-9]{12})\.dkr-ecr(?:-fips)?\.(?P<region6>[a-z0-9-]+)\.on\.(?:aws|amazonwebservices\.com\.cn)"
)


@dataclass(frozen=True, slots=True)
class EcrHost:
    """A registry of ECR."""

    account: str
    region: str


@dataclass(frozen=True, slots=True)
class RegistryLogin:
    """A user name and password for a registry."""

    username: str
    password: str = field(repr=False)


def ecr_host(registry: str) -> EcrHost | None:
    """Return whose and where a registry is, when it is one of ECR."""
    found = _HOST.fullmatch(registry)
    if found is None:
        return None
    return EcrHost(found["account"] or found["account6"], found["region"] or found["region6"])


def registry_login(aws: Aws, host: EcrHost) -> RegistryLogin:
    """Return the login to a registry, which may be of another account that lets us in.

    Raises:
        UserInputError: there are no credentials, or they may not.
    """
    answer = aws.ask("ecr", "get_authorization_token", registryIds=[host.account])
    token = base64.b64decode(answer["authorizationData"][0]["authorizationToken"]).decode()
    username, _, password = token.partition(":")
    return RegistryLogin(username, password)
