"""Tokens for the API of an EKS cluster: a request to STS, signed and not sent, that tells who asks.

The cluster sends it for us and learns the IAM identity. It is good for 15 minutes; a minute less is told, as
the AWS CLI does.

Source: ``awscli/customizations/eks/get_token.py`` (2.17); the README of
``kubernetes-sigs/aws-iam-authenticator``.
"""

from __future__ import annotations

import base64
from collections.abc import MutableMapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from leeward.base.clock import PassiveClock
from leeward.infra.aws.errors import Asked, explained
from leeward.infra.aws.session import Aws

PREFIX = "k8s-aws-v1."
_LIFETIME = timedelta(minutes=14)
_URL_SECONDS = 60
_HEADER = "x-k8s-aws-id"  # the cluster that the token is for
EXEC_API = "client.authentication.k8s.io/v1"


@dataclass(frozen=True, slots=True)
class Token:
    """A bearer token for one cluster."""

    text: str = field(repr=False)
    expires: datetime  # aware

    def exec_credential(self) -> dict[str, Any]:
        """Return what a credential plug-in of a kubeconfig answers."""
        status = {"expirationTimestamp": self.expires.strftime("%Y-%m-%dT%H:%M:%SZ"), "token": self.text}
        return {"kind": "ExecCredential", "apiVersion": EXEC_API, "spec": {}, "status": status}


def make_token(aws: Aws, cluster: str, clock: PassiveClock) -> Token:
    """Return a token for the cluster named; nothing is asked of AWS but who we are, where that is guarded.

    Raises:
        UserInputError: there are no credentials, or they are of another account than the session's.
    """
    aws.check_account()
    client = aws.client("sts")
    events, unique = client.meta.events, "leeward-token"
    take, put = "provide-client-params.sts.GetCallerIdentity", "before-sign.sts.GetCallerIdentity"

    def remember(params: MutableMapping[str, Any], context: MutableMapping[str, Any], **_: Any) -> None:
        if _HEADER in params:
            context[_HEADER] = params.pop(_HEADER)

    def write(request: Any, **_: Any) -> None:
        if _HEADER in request.context:
            request.headers[_HEADER] = request.context[_HEADER]

    events.register(take, remember, unique_id=f"{unique}-take")
    events.register(put, write, unique_id=f"{unique}-put")
    expires = clock.now() + _LIFETIME
    with explained(Asked("sts", "GetCallerIdentity", aws.login)):
        url = client.generate_presigned_url(
            "get_caller_identity", Params={_HEADER: cluster}, ExpiresIn=_URL_SECONDS, HttpMethod="GET"
        )
    encoded = base64.urlsafe_b64encode(url.encode()).decode("ascii").rstrip("=")
    return Token(PREFIX + encoded, expires)
