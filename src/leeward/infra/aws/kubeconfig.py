"""A kubeconfig for an EKS cluster, whose tokens ``leeward aws token`` makes. Pure.

The API of a private cluster is reached from within its VPC, over a VPN, through a proxy, or over a tunnel
that ends at another address: then TLS still wants the name that the certificate has.

Source: ``client-go`` credential plug-ins of the Kubernetes documentation; ``aws eks update-kubeconfig``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from leeward.base.errors import UserInputError
from leeward.infra.aws.clusters import EksCluster
from leeward.infra.aws.session import Login
from leeward.infra.aws.tokens import EXEC_API


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """How the API is reached, where not at its own address."""

    endpoint: str | None = None  # "https://127.0.0.1:8443", the near end of a tunnel
    proxy: str | None = None  # "http://127.0.0.1:3128"


def check_way(way: Way) -> None:
    """Refuse addresses that are none.

    Raises:
        UserInputError: one is not.
    """
    wanted = (
        ("--endpoint", way.endpoint, ("https",)),
        ("--proxy-url", way.proxy, ("http", "https", "socks5")),
    )
    for option, text, schemes in wanted:
        if text is not None and (urlsplit(text).scheme not in schemes or not urlsplit(text).hostname):
            raise UserInputError(
                f"{option} {text} is no address", remedy=f"Write it as {schemes[0]}://HOST:PORT."
            )


def server_name_of(cluster: EksCluster, way: Way) -> str | None:
    """Return the name that the server's certificate has, where its address does not say so."""
    return urlsplit(cluster.endpoint).hostname if way.endpoint else None


def kubeconfig_of(cluster: EksCluster, login: Login, way: Way, command: str = "leeward") -> dict[str, Any]:
    """Return a kubeconfig whose cluster, user and context have the cluster's name.

    Args:
        cluster: as EKS describes it.
        login: who asks for tokens.
        way: how it is reached.
        command: the program that makes tokens.
    """
    name = cluster.name
    described = {
        "server": way.endpoint or cluster.endpoint,
        "certificate-authority-data": cluster.ca_data,
        "tls-server-name": server_name_of(cluster, way),
        "proxy-url": way.proxy,
    }
    plugin = {
        "apiVersion": EXEC_API,
        "command": command,
        "args": token_arguments(name, login),
        "interactiveMode": "IfAvailable",
        "provideClusterInfo": False,
        "installHint": "Install leeward with the extra for AWS: pip install 'leeward[aws]'",
    }
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": name, "cluster": {key: value for key, value in described.items() if value}}],
        "users": [{"name": name, "user": {"exec": plugin}}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": name, "namespace": "default"}}],
        "current-context": name,
    }


def token_arguments(name: str, login: Login) -> list[str]:
    """Return the arguments of leeward that make a token."""
    options = {
        "--cluster": name,
        "--region": login.region,
        "--profile": login.profile,
        "--role": login.role,
        "--account": login.account,
    }
    return ["aws", "token", *(word for key, value in options.items() if value for word in (key, value))]
