"""What an EKS of tests knows, in one account and region, and how it refuses.

Objects are JSON as the API has them, keys in its own spelling. What EKS needs of other services (the zone of
a subnet, whether a role exists) it asks through `Neighbours`.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

Json = dict[str, Any]
VERSIONS = ("1.29", "1.30", "1.31", "1.32", "1.33", "1.34", "1.35", "1.36")
CREATED = 1767225600.0  # every object's; nothing here looks at it


class EksError(Exception):
    """A request that EKS refuses.

    Attributes:
        status: of HTTP.
        code: the name of the exception in the API.
    """

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code


def invalid(message: str) -> EksError:
    """Return the error of a parameter that is no good."""
    return EksError(400, "InvalidParameterException", message)


def not_allowed(message: str) -> EksError:
    """Return the error of a request that cannot be done as things are."""
    return EksError(400, "InvalidRequestException", message)


def missing(message: str) -> EksError:
    """Return the error of something that is not there."""
    return EksError(404, "ResourceNotFoundException", message)


def in_use(message: str) -> EksError:
    """Return the error of something that is there already, or that is still needed."""
    return EksError(409, "ResourceInUseException", message)


class Neighbours(Protocol):
    """What EKS asks of EC2, IAM, KMS and Auto Scaling."""

    def subnet(self, subnet_id: str) -> tuple[str, str] | None:
        """Return the zone and VPC of a subnet; None: there is none."""

    def role_exists(self, arn: str) -> bool:
        """Say whether there is an IAM role."""

    def make_security_group(self, cluster: str, vpc: str) -> str:
        """Make the security group of a cluster and return its id."""

    def delete_security_group(self, group_id: str) -> None:
        """Delete that."""

    def template_keys(self, template_id: str) -> list[str] | None:
        """Return the KMS keys of the disks of a launch template; None: there is none."""

    def scaling_may_use(self, key: str) -> bool:
        """Say whether the policy of a key lets Auto Scaling use it."""

    def make_scaling_group(self, name: str, template_id: str, subnets: list[str], most: int) -> None:
        """Make an Auto Scaling group."""

    def delete_scaling_group(self, name: str) -> None:
        """Delete that."""


@dataclass(slots=True)
class Cluster:
    """A cluster with everything that belongs to it."""

    data: Json
    zones: frozenset[str]  # of the control plane, for life
    node_groups: dict[str, Json] = field(default_factory=dict)
    addons: dict[str, Json] = field(default_factory=dict)
    entries: dict[str, Json] = field(default_factory=dict)  # principal ARN → access entry
    policies: dict[str, dict[str, Json]] = field(default_factory=dict)  # principal → policy ARN → association
    identities: dict[str, Json] = field(default_factory=dict)  # association id → Pod identity association
    updates: dict[str, Json] = field(default_factory=dict)


class State:
    """All clusters of one account and region."""

    def __init__(self, account: str, region: str, neighbours: Neighbours) -> None:
        self.account = account
        self.region = region
        self.neighbours = neighbours
        self.clusters: dict[str, Cluster] = {}
        self._numbers = itertools.count(1)

    def number(self) -> int:
        """Return a number that was not used before."""
        return next(self._numbers)

    def arn(self, rest: str) -> str:
        """Return an ARN of EKS here."""
        return f"arn:aws:eks:{self.region}:{self.account}:{rest}"

    def cluster(self, name: str) -> Cluster:
        """Return a cluster, or refuse."""
        if name not in self.clusters:
            raise missing(f"No cluster found for name: {name}.")
        return self.clusters[name]

    def update(self, cluster: Cluster, kind: str, params: Mapping[str, Any]) -> Json:
        """Note a change that was made, and return how the API tells of it."""
        made = {
            "id": f"00000000-0000-4000-8000-{self.number():012d}",
            "status": "Successful",
            "type": kind,
            "params": [{"type": key, "value": str(value)} for key, value in params.items()],
            "createdAt": CREATED,
            "errors": [],
        }
        cluster.updates[str(made["id"])] = made
        return {"update": made}

    def tagged(self, arn: str) -> dict[str, str]:
        """Return the tags of the object with an ARN, to be changed in place."""
        for cluster in self.clusters.values():
            pools = (cluster.node_groups, cluster.addons, cluster.entries, cluster.identities)
            for data in [cluster.data, *(each for pool in pools for each in pool.values())]:
                if arn in (value for key, value in data.items() if key.endswith(("arn", "Arn"))):
                    tags: dict[str, str] = data["tags"]
                    return tags
        raise missing("The specified resource could not be found.")


def check_role(state: State, arn: str) -> None:
    """Refuse a role that does not exist."""
    if not state.neighbours.role_exists(arn):
        raise invalid(f"The role with name {arn.rpartition('/')[2]} cannot be found.")
