"""Who leeward is to registries of Amazon ECR: whoever has AWS credentials; else as Docker has it.

A login that is in Docker's configuration has ended after twelve hours, so AWS is asked first.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from leeward.base.errors import LeewardError
from leeward.infra.aws.ecr import EcrHost, ecr_host

if TYPE_CHECKING:
    from leeward.delivery.images.credentials import Credentials
    from leeward.delivery.images.registry import CredentialSource


class EcrLogins:
    """Credentials by registry, as :class:`leeward.delivery.images.registry.CredentialSource`.

    Args:
        others: the credentials for all other registries, and where AWS gives none.
    """

    def __init__(self, others: CredentialSource) -> None:
        self._others = others

    async def credentials(self, registry: str) -> Credentials | None:
        """Return the credentials for a registry, or None.

        Raises:
            LeewardError: it is one of ECR, AWS gives none, and Docker's configuration has none either.
        """
        host = ecr_host(registry)
        if host is None:
            return await self._others.credentials(registry)
        try:
            return await asyncio.to_thread(_login, host)
        except LeewardError:
            found = await self._others.credentials(registry)
            if found is None:
                raise
            return found


def _login(host: EcrHost) -> Credentials:
    from leeward.delivery.images.credentials import Credentials
    from leeward.infra.aws.ecr import registry_login
    from leeward.infra.aws.session import Login, open_aws

    found = registry_login(open_aws(Login(region=host.region)), host)
    return Credentials(found.username, found.password)
