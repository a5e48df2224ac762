"""Who sends a request: bearer tokens, compared in constant time.

Invariant: without a known token nothing but the health checks and ``/version`` is answered.

Source: ``k8s.io/apiserver/pkg/authentication`` (token file); anonymous access as with the
``system:public-info-viewer`` role.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

PUBLIC_PATHS = frozenset(("healthz", "livez", "readyz", "version"))


@dataclass(frozen=True, slots=True)
class User:
    """An authenticated identity."""

    name: str
    groups: Sequence[str] = ()


ADMIN = User("kubernetes-admin", ("system:masters", "system:authenticated"))


class TokenAuthenticator:
    """Knows a fixed set of tokens.

    Args:
        tokens: token to user.
    """

    def __init__(self, tokens: Mapping[str, User]) -> None:
        self._tokens = {token.encode(): user for token, user in tokens.items()}

    def authenticate(self, authorization: str) -> User | None:
        """Return the user of an ``Authorization`` header, or None."""
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer":
            return None
        sent = token.strip().encode()
        found = None
        for known, user in self._tokens.items():
            if hmac.compare_digest(known, sent):
                found = user
        return found


def is_public(path: str) -> bool:
    """Tell whether `path` is answered without a token."""
    return path.strip("/").partition("/")[0] in PUBLIC_PATHS
