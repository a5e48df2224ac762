"""Clusters of EKS from the command line: that of a spec, or one that is named with its region."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from leeward.base.errors import DiagnosticsError, UserInputError

if TYPE_CHECKING:
    from leeward.infra.aws.session import Aws, Login
    from leeward.infra.spec import ClusterSpec
    from leeward.kube.kubeconfig import Access

PRIVATE = (
    "Is the cluster private? Reach it over a VPN or from within its VPC, or over a tunnel: "
    "`leeward infra kubeconfig NAME --endpoint https://127.0.0.1:PORT --merge`, then --context NAME."
)


def spec_of(path: str) -> ClusterSpec:
    """Return a cluster spec, as far as reaching the cluster takes it: what `check` finds does not matter.

    Raises:
        DiagnosticsError: it cannot be read.
    """
    from leeward.base.clock import SystemClock
    from leeward.compose.findings import Findings
    from leeward.compose.source import Sources
    from leeward.infra.specfile import read_spec

    findings = Findings()
    read = read_spec(path, Sources(Path.cwd(), findings), findings, SystemClock().now().date())
    if read.spec is None:
        raise DiagnosticsError(read.diagnostics)
    return read.spec


def spec_path_of(name: str) -> Path:
    """Return the path of the spec of a cluster of the repository that we are in.

    Raises:
        UserInputError: there is no repository, or no such cluster in it.
    """
    from leeward.infra.places import find_places

    return find_places(Path.cwd()).spec_path(name)


def login_for(name: str, given: Login) -> Login:
    """Return how a cluster's account is reached: as its spec says, unless its region is given.

    Args:
        name: of the cluster.
        given: on the command line, which wins.

    Raises:
        UserInputError: there is no spec of that name.
        DiagnosticsError: it cannot be read.
    """
    from leeward.infra.aws.session import login_of

    if given.region is not None:
        return given
    path = spec_path_of(name)
    known = login_of(spec_of(str(path)), _shown(path))
    return replace(
        known,
        profile=given.profile or known.profile,
        role=given.role or known.role,
        account=given.account or known.account,
    )


@cache
def aws_of_spec(path: str) -> Aws:
    """Return a session with AWS as the spec at `path` wants it.

    Raises:
        LeewardError: the spec cannot be read, or there is no session.
    """
    from leeward.infra.aws.session import login_of, open_aws

    return open_aws(login_of(spec_of(path), _shown(Path(path))))


@cache
def access_to_spec(path: str) -> Access:
    """Return how to reach the API of the cluster that the spec at `path` describes; EKS is asked once.

    Raises:
        DiagnosticsError: the spec cannot be read.
        UserInputError: AWS does not know who asks, or not the cluster.
        OperationError: AWS cannot be reached.
    """
    from leeward.base.clock import SystemClock
    from leeward.infra.aws.clusters import find_cluster
    from leeward.infra.aws.tokens import make_token
    from leeward.kube.credentials import Credential, CredentialCache
    from leeward.kube.kubeconfig import Access

    aws, clock = aws_of_spec(path), SystemClock()
    found = find_cluster(aws, spec_of(path).name)

    def fetch() -> Credential:
        token = make_token(aws, found.name, clock)
        return Credential(token=token.text, expires=token.expires)

    return Access(
        server=found.endpoint,
        ca_pem=found.ca_pem,
        credentials=CredentialCache(fetch, clock),
        remedy=PRIVATE.replace("NAME", found.name) if found.is_private else "",
    )


def aws_of_environment(config_spec: str | None) -> Aws:
    """Return the session of an environment's cluster where that has a spec, else that of whoever asks.

    Raises:
        LeewardError: there is no session.
    """
    from leeward.infra.aws.session import Login, open_aws

    return aws_of_spec(config_spec) if config_spec else open_aws(Login())


def require_spec(config_spec: str | None, what: str) -> str:
    """Return the spec of a cluster that must have one.

    Raises:
        UserInputError: it has none.
    """
    if config_spec is None:
        raise UserInputError(
            f"{what} needs a cluster of EKS that leeward has a spec of",
            remedy="Write it in leeward.yaml: clusters: {NAME: {spec: clusters/NAME/cluster.yaml}}.",
        )
    return config_spec


def _shown(path: Path) -> str:
    """Return a path for people, from here where that is shorter."""
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)
