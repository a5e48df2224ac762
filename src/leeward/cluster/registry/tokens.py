"""Tokens of service accounts: made on request, bound to an object, valid for a while.

A token says who it is for (``sub``), where it counts (``aud``), and what it is bound to: when that Pod, node,
Secret or service account goes, the token is worth nothing, however long it would have lasted.

Source: pkg/serviceaccount/{claims,jwt}.go, pkg/registry/core/serviceaccount/storage/token.go
(Kubernetes 1.36).
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from jwt.algorithms import ECAlgorithm

from leeward.base.clock import PassiveClock
from leeward.base.ids import IdSource
from leeward.cluster.interface.user import User, service_account_groups
from leeward.kube.objects import Obj

ISSUER = "https://kubernetes.default.svc"
PROJECTED_SECONDS = 3607  # what Pods get; good for a year, for clients that do not read it again
_YEAR_SECONDS = 365 * 24 * 3600
_PRIVATE = "kubernetes.io"
_LEGACY_ISSUER = "kubernetes/serviceaccount"  # of tokens that are kept in Secrets
_LEGACY = "kubernetes.io/serviceaccount/"
Find = Callable[[str, str, str], Obj | None]  # resource, namespace, name


class Tokens:
    """Signs and checks tokens.

    Args:
        key_pem: a private key on the curve P-256.
        clock: when they begin and end.
        ids: their ids.
    """

    def __init__(self, key_pem: bytes, *, clock: PassiveClock, ids: IdSource) -> None:
        key = load_pem_private_key(key_pem, None)
        if not isinstance(key, EllipticCurvePrivateKey):
            raise TypeError("tokens are signed with a key on the curve P-256")
        self._key = key
        self._clock = clock
        self._ids = ids
        public = json.loads(ECAlgorithm.to_jwk(self._key.public_key()))
        self._id = f"{public['x'][:16]}"
        self._jwk = {"use": "sig", "kid": self._id, "alg": "ES256", **public}

    def sign(
        self, account: Obj, *, audiences: Sequence[str], seconds: int, bound: Obj | None, node: Obj | None
    ) -> tuple[str, datetime]:
        """Return a token and until when it was asked for.

        Args:
            account: the ServiceAccount.
            audiences: where it counts; none: at this API.
            seconds: how long.
            bound: the Pod, Secret or Node that it ends with.
            node: of a Pod.
        """
        now = self._clock.now()
        began = int(now.timestamp())
        meta = account["metadata"]
        private: dict[str, Any] = {"namespace": meta["namespace"]}
        if node is not None:
            private["node"] = _reference(node)
        if bound is not None:
            private[bound["kind"].lower()] = _reference(bound)
        private["serviceaccount"] = _reference(account)
        until = began + seconds
        if seconds == PROJECTED_SECONDS and bound is not None and bound["kind"] == "Pod" and not audiences:
            private["warnafter"], until = began + seconds, began + _YEAR_SECONDS
        claims = {
            "aud": list(audiences) or [ISSUER],
            "exp": until,
            "iat": began,
            "iss": ISSUER,
            "jti": self._ids.uid(),
            _PRIVATE: private,
            "nbf": began,
            "sub": f"system:serviceaccount:{meta['namespace']}:{meta['name']}",
        }
        token = jwt.encode(claims, self._key, algorithm="ES256", headers={"kid": self._id})
        return token, datetime.fromtimestamp(began + seconds, tz=now.tzinfo)

    def sign_for_secret(self, account: Obj, secret: Obj) -> str:
        """Return a token that is kept in a Secret, and is good as long as it is there."""
        meta = account["metadata"]
        claims = {
            "iss": _LEGACY_ISSUER,
            "sub": f"system:serviceaccount:{meta['namespace']}:{meta['name']}",
            f"{_LEGACY}namespace": meta["namespace"],
            f"{_LEGACY}secret.name": secret["metadata"]["name"],
            f"{_LEGACY}service-account.name": meta["name"],
            f"{_LEGACY}service-account.uid": meta["uid"],
        }
        return jwt.encode(claims, self._key, algorithm="ES256", headers={"kid": self._id})

    def read(self, token: str, audiences: Sequence[str] = ()) -> Mapping[str, Any] | None:
        """Return the claims of a token that is ours, in time and for one of `audiences`; else None.

        Tokens that are kept in Secrets have neither times nor audiences, and count at this API.
        """
        try:
            claims: dict[str, Any] = jwt.decode(
                token,
                self._key.public_key(),
                algorithms=["ES256"],
                options={"verify_exp": False, "verify_nbf": False, "verify_iat": False, "verify_aud": False},
            )
        except jwt.InvalidTokenError:
            return None
        if claims.get("iss") == _LEGACY_ISSUER:
            return claims if not audiences or ISSUER in audiences else None
        now = self._clock.now().timestamp()
        for_us = set(claims.get("aud") or ()) & set(audiences or (ISSUER,))
        if not for_us or claims.get("iss") != ISSUER or not claims["nbf"] - 60 <= now < claims["exp"]:
            return None
        return claims

    def keys(self) -> Obj:
        """Return the JSON web key set that others check tokens with."""
        return {"keys": [self._jwk]}

    @staticmethod
    def discovery() -> Obj:
        """Return the OpenID configuration of the issuer."""
        return {
            "issuer": ISSUER,
            "jwks_uri": f"{ISSUER}/openid/v1/jwks",
            "response_types_supported": ["id_token"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["ES256"],
        }


def _reference(obj: Obj) -> dict[str, str]:
    return {"name": obj["metadata"]["name"], "uid": obj["metadata"]["uid"]}


def still_bound(claims: Mapping[str, Any], find: Find) -> bool:
    """Tell whether everything that a token is bound to is still there."""
    private = claims.get(_PRIVATE) or {}
    namespace = private.get("namespace") or ""
    for name, resource, place in (
        ("serviceaccount", "serviceaccounts", namespace),
        ("pod", "pods", namespace),
        ("secret", "secrets", namespace),
        ("node", "nodes", ""),
    ):
        reference = private.get(name)
        if reference is None or (name == "node" and "pod" in private):
            continue
        found = find(resource, place, reference["name"])
        if found is None or found["metadata"].get("uid") != reference["uid"]:
            return False
    return "serviceaccount" in private


class AccountTokens:
    """Knows whose tokens are.

    Args:
        tokens: checks them.
        find: looks up what they are bound to.
    """

    def __init__(self, tokens: Tokens, find: Find) -> None:
        self._tokens = tokens
        self._find = find

    def user_of(self, token: str, audiences: Sequence[str] = ()) -> User | None:
        """Return the service account that a token is of; None when it is of nobody, or of no use any more."""
        claims = self._tokens.read(token, audiences)
        if claims is not None and claims["iss"] == _LEGACY_ISSUER:
            return self._of_secret(token, claims)
        if claims is None or not still_bound(claims, self._find):
            return None
        private = claims[_PRIVATE]
        groups = service_account_groups(private["namespace"])
        return User(claims["sub"], groups, private["serviceaccount"]["uid"], extra_of(claims))

    def _of_secret(self, token: str, claims: Mapping[str, Any]) -> User | None:
        """Return the account of a token that is kept in a Secret, if it still is."""
        namespace, name = claims[f"{_LEGACY}namespace"], claims[f"{_LEGACY}service-account.name"]
        account = self._find("serviceaccounts", namespace, name)
        secret = self._find("secrets", namespace, claims[f"{_LEGACY}secret.name"])
        uid = claims[f"{_LEGACY}service-account.uid"]
        if account is None or account["metadata"]["uid"] != uid or secret is None:
            return None
        if base64.b64decode((secret.get("data") or {}).get("token") or "") != token.encode():
            return None
        return User(claims["sub"], service_account_groups(namespace), uid)


def extra_of(claims: Mapping[str, Any]) -> dict[str, list[str]]:
    """Return what an authenticated user's ``extra`` says of the token."""
    private, prefix = claims.get(_PRIVATE) or {}, "authentication.kubernetes.io"
    extra = {f"{prefix}/credential-id": [f"JTI={claims['jti']}"]}
    for name in ("node", "pod"):
        if name in private:
            extra[f"{prefix}/{name}-name"] = [private[name]["name"]]
            extra[f"{prefix}/{name}-uid"] = [private[name]["uid"]]
    return extra
