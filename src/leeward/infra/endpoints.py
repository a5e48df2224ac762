"""Which VPC endpoints a cluster has besides the gateway endpoint of S3, which is free and always there.

Source: "Deploy private clusters with limited internet access" of the Amazon EKS user guide.
"""

from __future__ import annotations

from leeward.infra.spec import ClusterSpec

_STANDARD = ("ec2", "ecr.api", "ecr.dkr", "logs", "sts")
_FULL = (
    *_STANDARD,
    "autoscaling",
    "eks",
    "eks-auth",  # Pod Identity
    "elasticloadbalancing",
    "kms",
    "monitoring",
    "ssm",
    "ssmmessages",  # Session Manager, one way to the private API
)


def interface_endpoints(spec: ClusterSpec) -> tuple[str, ...]:
    """Return the services with an interface endpoint, by the last part of their names, in order."""
    chosen = {"s3": (), "standard": _STANDARD, "full": _FULL}
    return tuple(sorted(chosen[spec.network.endpoints]))
