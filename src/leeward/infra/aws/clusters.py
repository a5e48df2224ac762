"""Clusters of EKS: where their API is and whom to trust there.

Source: DescribeCluster and ListClusters of the Amazon EKS API reference.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass

from leeward.base.errors import OperationError, UserInputError
from leeward.compose.findings import did_you_mean
from leeward.infra.aws.errors import AwsNotFoundError
from leeward.infra.aws.session import Aws

_REACHABLE = frozenset(("ACTIVE", "UPDATING"))


@dataclass(frozen=True, slots=True, kw_only=True)
class EksCluster:
    """A cluster as EKS describes it."""

    name: str
    region: str
    arn: str
    endpoint: str  # "https://….eks.amazonaws.com"
    ca_data: str  # certificates in PEM, in base64
    version: str  # of Kubernetes, such as "1.35"
    is_private: bool  # its API is reached from within the VPC, or over a tunnel

    @property
    def ca_pem(self) -> str:
        """The certificates that its API is trusted by."""
        return base64.b64decode(self.ca_data).decode("ascii", "replace")


def find_cluster(aws: Aws, name: str) -> EksCluster:
    """Return a cluster of the session's region.

    Raises:
        UserInputError: there is none of that name; says which are.
        OperationError: it has no API yet, or no more.
    """
    try:
        found = aws.ask("eks", "describe_cluster", name=name)["cluster"]
    except AwsNotFoundError as error:
        raise _no_such_cluster(aws, name) from error
    status, endpoint = str(found.get("status")), found.get("endpoint")
    if status not in _REACHABLE or not endpoint:
        raise OperationError(
            f"the cluster {name} is {status.lower()}: its API cannot be reached",
            remedy="Wait until it is active; one that failed is told of in the EKS console.",
        )
    public = (found.get("resourcesVpcConfig") or {}).get("endpointPublicAccess", True)
    return EksCluster(
        name=name,
        region=aws.region,
        arn=str(found.get("arn") or ""),
        endpoint=str(endpoint).rstrip("/"),
        ca_data=str((found.get("certificateAuthority") or {}).get("data") or ""),
        version=str(found.get("version") or ""),
        is_private=not public,
    )


def cluster_names(aws: Aws) -> list[str]:
    """Return the names of all clusters of the session's region."""
    return [name for page in aws.pages("eks", "list_clusters") for name in page["clusters"]]


def _no_such_cluster(aws: Aws, name: str) -> UserInputError:
    known = cluster_names(aws)
    there = (
        f"There are: {', '.join(known)}."
        if known
        else f"There are none in {aws.region}; is it another region?"
    )
    return UserInputError(
        f"there is no cluster {name} in {aws.region}", remedy=did_you_mean(name, known) or there
    )
