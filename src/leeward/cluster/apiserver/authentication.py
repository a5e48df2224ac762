"""Who sends a request: a client certificate, a bearer token, or nobody.

Invariant: a credential that is wrong is refused, never taken for none.

Source: k8s.io/apiserver/pkg/authentication/request/{x509,bearertoken,websocket,anonymous,union},
pkg/serviceaccount (Kubernetes 1.36).
"""

from __future__ import annotations

import base64
import hmac
import re
from collections.abc import Mapping, Sequence
from typing import Protocol

from cryptography import x509
from cryptography.x509.oid import NameOID

from leeward.cluster.apiserver.http import NOBODY
from leeward.cluster.interface.user import AUTHENTICATED, MASTERS, User
from leeward.kube.status import UnauthorizedError

_BASE64URL = re.compile(r"[A-Za-z0-9_-]*")
ADMIN = User("kubernetes-admin", (MASTERS, AUTHENTICATED))


class ServiceAccountTokens(Protocol):
    """Knows the tokens of service accounts."""

    def user_of(self, token: str, audiences: Sequence[str] = ()) -> User | None:
        """Return whose token it is; None when it is nobody's, or of no use any more."""
        ...


class Authenticator:
    """Finds out who somebody is.

    Args:
        tokens: static tokens.
        accounts: tokens of service accounts; None: there are none.
    """

    def __init__(self, tokens: Mapping[str, User], accounts: ServiceAccountTokens | None = None) -> None:
        self._tokens = {token.encode(): user for token, user in tokens.items()}
        self._accounts = accounts

    def authenticate(self, authorization: str, certificate: bytes = b"") -> User:
        """Return who sends a request.

        Args:
            authorization: the header, "" for none.
            certificate: of the client, in DER, verified already; empty for none.

        Raises:
            UnauthorizedError: the token is nobody's.
        """
        if certificate:
            return of_certificate(certificate)
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            return NOBODY
        found = self.of_token(token.strip())
        if found is None:
            raise UnauthorizedError("Unauthorized")
        return found

    def of_token(self, token: str, audiences: Sequence[str] = ()) -> User | None:
        """Return whose token it is, or None."""
        found = None
        for known, user in self._tokens.items():  # all of them, so that time tells nothing
            if hmac.compare_digest(known, token.encode()):
                found = user
        if found is not None or self._accounts is None:
            return found
        account = self._accounts.user_of(token, audiences)
        if account is None:
            return None
        return User(account.name, (*account.groups, AUTHENTICATED), account.uid, account.extra)


def token_of_protocols(tokens: Sequence[str], protocols: Sequence[str]) -> str:
    """Return the bearer token that a WebSocket's client sends as a protocol; "" for none.

    Args:
        tokens: all that are sent so, in base64url without padding.
        protocols: the others, one of which is for the answer.

    Raises:
        UnauthorizedError: there are several, or one that cannot be read, or no other protocol.
    """
    if not tokens:
        return ""
    encoded = tokens[0]
    if len(tokens) > 1 or not _BASE64URL.fullmatch(encoded) or len(encoded) % 4 == 1:
        raise UnauthorizedError("Unauthorized")
    try:
        token = base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)).decode()
    except UnicodeDecodeError:
        raise UnauthorizedError("Unauthorized") from None
    if token and not protocols:
        raise UnauthorizedError("Unauthorized")
    return token


def of_certificate(der: bytes) -> User:
    """Return the user that a certificate names: its common name, with its organisations as groups."""
    subject = x509.load_der_x509_certificate(der).subject
    names = [str(each.value) for each in subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
    if not names or not names[0]:
        raise UnauthorizedError("Unauthorized")
    groups = [str(each.value) for each in subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)]
    return User(names[0], (*groups, *(() if AUTHENTICATED in groups else (AUTHENTICATED,))))
