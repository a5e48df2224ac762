"""How the servers behind APIServices are told who asks.

Source: k8s.io/client-go/transport/round_trippers.go (SetAuthProxyHeaders, Kubernetes 1.36).
"""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import quote

from leeward.cluster.interface.user import MASTERS, User
from leeward.kube.objects import Obj

CHECKER = User("system:kube-aggregator", (MASTERS,))
_SAFE = "!#$&'*+-.^_`|~"  # in names of headers, besides letters and digits


class UnansweredError(Exception):
    """A server did not answer; the text is upstream's."""


def server_name(api_service: Obj) -> str:
    """Return the name that the certificate of an APIService's server is for."""
    service = api_service["spec"]["service"]
    return f"{service['name']}.{service['namespace']}.svc"


def identity(user: User) -> Sequence[tuple[str, str]]:
    """Return the headers that tell an aggregated API server who asks."""
    named = [("x-remote-user", user.name), *([("x-remote-uid", user.uid)] if user.uid else ())]
    groups = [("x-remote-group", group) for group in user.groups]
    extra = [
        (f"x-remote-extra-{quote(key.lower(), safe=_SAFE)}", value)
        for key, values in user.extra.items()
        for value in values
    ]
    return [*named, *groups, *extra]
