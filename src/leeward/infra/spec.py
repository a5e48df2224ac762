"""``clusters/<name>/cluster.yaml``: a cluster on Amazon EKS in some ten lines.

Every field says what it means; ``docs/cluster-yaml.md`` and the JSON schema of editors are made of that. What
must hold between them is in ``specrules``, what it becomes in Terraform in ``tfvars``. Keys are snake_case,
as in ``leeward.yaml``, and named as Terraform's and EKS's where those have a name.

Invariant: the defaults are those of production: private API, nodes in every zone, encrypted, logged.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Literal

from leeward.infra.words import (
    AccountId,
    AddonVersion,
    AmiRelease,
    BucketName,
    Cidr,
    ClusterName,
    InstanceTypeName,
    KubernetesVersion,
    Money,
    NodeLabelKey,
    NodeLabelValue,
    PolicyName,
    Region,
    RoleArn,
    TagKey,
    TagValue,
    Taint,
    Zone,
)
from leeward.settings.base import Count, FilePart, Label, Positive, Short, Whole, doc

FILE_NAME = "cluster.yaml"
Nat = Literal["per_zone", "single", "none"]
Endpoints = Literal["s3", "standard", "full"]
Architecture = Literal["x86_64", "arm64"]
OperatingSystem = Literal["al2023", "bottlerocket"]
LogType = Literal["api", "audit", "authenticator", "controllerManager", "scheduler"]
Retention = Literal[
    1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653
]  # fmt: skip
ALL_LOGS: tuple[LogType, ...] = ("api", "audit", "authenticator", "controllerManager", "scheduler")


def _listed(one: str) -> list[str]:
    return [one]


Types = Annotated[tuple[InstanceTypeName, ...], Short("a list of instance types, or one", {str: _listed})]
Roles = Annotated[tuple[RoleArn, ...], Short("a list of ARNs of IAM roles, or one", {str: _listed})]


@dataclass(frozen=True, slots=True, kw_only=True)
class Network(FilePart):
    """The VPC of the cluster. One private, one public and one control-plane subnet a zone."""

    cidr: Cidr = field(
        default="10.0.0.0/16",
        metadata=doc(
            "Addresses of the VPC, from /16 to /19. An eighth of it is each zone's private subnet, "
            "where nodes and "
            "Pods get theirs. Cannot be changed later.",
            example="10.40.0.0/16",
        ),
    )
    nat: Nat = field(
        default="per_zone",
        metadata=doc(
            "NAT gateways: one in every zone, one for all (a single zone can then take away the way out), or "
            "none (then `endpoints: full`).",
            example="per_zone",
        ),
    )
    endpoints: Endpoints = field(
        default="s3",
        metadata=doc(
            "VPC endpoints: `s3` is the gateway endpoint, which is free; `standard` adds ECR, STS "
            "and CloudWatch "
            "Logs; `full` everything a cluster without a way out needs.",
            example="s3",
        ),
    )
    flow_logs: bool = field(default=True, metadata=doc("Whether VPC flow logs are kept.", example=True))


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiEndpoint(FilePart):
    """Where the Kubernetes API can be reached. It always can from within the VPC."""

    public_cidrs: Annotated[tuple[Cidr, ...], Short("a list of CIDRs, or one", {str: _listed})] = field(
        default=(),
        metadata=doc(
            "Addresses from which it can also be reached over the internet; never 0.0.0.0/0. Without "
            "any, it is "
            "private.",
            example=["203.0.113.0/24"],
        ),
    )
    private_cidrs: Annotated[tuple[Cidr, ...], Short("a list of CIDRs, or one", {str: _listed})] = field(
        default=(),
        metadata=doc(
            "Networks outside of the VPC, such as a VPN or a peered VPC, that may reach the private "
            "endpoint.",
            example=["10.8.0.0/16"],
        ),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeGroup(FilePart):
    """Nodes that are alike. Sizes count in each zone, unless ``per_zone: false``."""

    types: Types = field(
        metadata=doc(
            "Instance types of equal size, the first preferred. Cannot be changed without new nodes.",
            example=["m7i.large", "m6i.large"],
        )
    )
    min: Count = field(default=1, metadata=doc("The fewest nodes; the autoscaler keeps to it.", example=1))
    desired: Count | None = field(
        default=None,
        metadata=doc(
            "How many are made at first; without it, `min`. Later the autoscaler decides, and "
            "Terraform leaves it.",
            example=2,
        ),
    )
    max: Positive = field(default=3, metadata=doc("The most nodes.", example=4))
    spot: bool = field(
        default=False,
        metadata=doc("Spot instances: cheaper, and taken away with two minutes' notice.", example=False),
    )
    per_zone: bool = field(
        default=True,
        metadata=doc(
            "One EKS node group in every zone, which volumes that stay in a zone need; false: one "
            "across all.",
            example=True,
        ),
    )
    zones: Annotated[tuple[Zone, ...], Short("a list of zones, or one", {str: _listed})] = field(
        default=(), metadata=doc("Zones it is in; without any, all of the cluster's.", example=["us-east-1a"])
    )
    disk: Annotated[int, Whole(20, 16384)] = field(
        default=50, metadata=doc("The root volume of a node, GiB, gp3, encrypted.", example=50)
    )
    arch: Architecture | None = field(
        default=None,
        metadata=doc("What images must be built for; without it, that of the types.", example="arm64"),
    )
    os: OperatingSystem = field(
        default="al2023", metadata=doc("Amazon Linux 2023, or Bottlerocket.", example="bottlerocket")
    )
    ami: AmiRelease | None = field(
        default=None,
        metadata=doc(
            "The release of the AMI, so that a rebuilt cluster is the same; without it, EKS's newest "
            "when the "
            "group is made. `leeward infra versions` lists them.",
            example="1.35.0-20260415",
        ),
    )
    labels: dict[NodeLabelKey, NodeLabelValue] = field(
        default_factory=dict,
        metadata=doc(
            "Labels of the nodes. `leeward.dev/node-group`, the name of the group, is always among them.",
            example={"workload": "batch"},
        ),
    )
    taints: Annotated[tuple[Taint, ...], Short("a list of taints, or one", {str: _listed})] = field(
        default=(),
        metadata=doc("Taints of the nodes, as kubectl writes them.", example=["dedicated=batch:NoSchedule"]),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal(FilePart):
    """Who belongs to a group of people. A string or list is ``roles``."""

    roles: Roles = field(
        metadata=doc(
            "IAM roles whose sessions are in this Kubernetes group. What the group may do in an "
            "environment says "
            "`access` in `leeward.yaml`.",
            example=["arn:aws:iam::111122223333:role/Developers"],
        )
    )
    cluster: Literal["none", "view", "admin"] = field(
        default="none",
        metadata=doc("What it may do in the whole cluster, by an EKS access policy.", example="admin"),
    )


_PRINCIPAL = Short(
    "the ARN of a role, a list of them, or a mapping with roles",
    {str: lambda one: {"roles": [one]}, list: lambda roles: {"roles": roles}},
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Logging(FilePart):
    """What is kept in CloudWatch Logs."""

    control_plane: tuple[LogType, ...] = field(
        default=ALL_LOGS,
        metadata=doc("Logs of the control plane; all five are recommended.", example=["audit", "api"]),
    )
    retention_days: Retention = field(
        default=365,
        metadata=doc("How long logs are kept, in days; CloudWatch knows certain numbers.", example=365),
    )
    workloads: bool = field(
        default=True,
        metadata=doc(
            "Whether the output of Pods is sent there too; `leeward logs --env` reads it.", example=True
        ),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Encryption(FilePart):
    """Keys. Everything is encrypted; the question is with whose key."""

    secrets: Literal["aws", "customer"] = field(
        default="customer",
        metadata=doc(
            "Kubernetes Secrets: a key of your account, which shows in its audit trail, or AWS's.",
            example="customer",
        ),
    )
    disks: Literal["aws", "customer"] = field(
        default="aws", metadata=doc("Volumes of nodes and of claims.", example="customer")
    )
    logs: Literal["aws", "customer"] = field(
        default="customer", metadata=doc("Log groups.", example="customer")
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class State(FilePart):
    """Where Terraform keeps its state; ``state/`` of the repository makes the bucket."""

    bucket: BucketName = field(
        metadata=doc("An S3 bucket, versioned and encrypted.", example="acme-terraform-state")
    )
    region: Region | None = field(
        default=None, metadata=doc("Its region; without it, that of the cluster.", example="us-east-1")
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Account(FilePart):
    """The AWS account, so that nothing is done in the wrong one."""

    id: AccountId | None = field(
        default=None, metadata=doc("Terraform and leeward refuse every other one.", example="111122223333")
    )
    profile: PolicyName | None = field(
        default=None, metadata=doc("A profile of your AWS configuration.", example="acme-production")
    )
    role: RoleArn | None = field(
        default=None,
        metadata=doc("A role that is assumed first.", example="arn:aws:iam::111122223333:role/Deploy"),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate(FilePart):
    """What a cluster uses, for ``leeward infra cost``. Nothing of it reaches AWS. A month, on average."""

    nat_gb: Money = field(default=0.0, metadata=doc("GB through NAT gateways.", example=500))
    cross_zone_gb: Money = field(
        default=0.0, metadata=doc("GB between zones, in one direction.", example=1000)
    )
    egress_gb: Money = field(default=0.0, metadata=doc("GB to the internet.", example=300))
    endpoint_gb: Money = field(default=0.0, metadata=doc("GB through interface endpoints.", example=100))
    log_gb: Money = field(default=0.0, metadata=doc("GB of logs.", example=50))
    load_balancers: Count = field(default=0, metadata=doc("Application load balancers.", example=1))
    lcu: Money = field(default=0.0, metadata=doc("Load balancer capacity units, on average.", example=2))
    volume_gb: Money = field(default=0.0, metadata=doc("GB of volumes of claims.", example=200))
    spot_discount: Annotated[int, Whole(0, 95)] = field(
        default=0, metadata=doc("By how much spot is cheaper, percent; it varies.", example=60)
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterSpec(FilePart):
    """A cluster."""

    name: ClusterName = field(
        metadata=doc("Its name in EKS. Cannot be changed later: replicate it instead.", example="prod-use1")
    )
    region: Region = field(metadata=doc("Its region. Cannot be changed later.", example="us-east-1"))
    zones: tuple[Zone, ...] = field(
        default=(),
        metadata=doc(
            "Availability zones; without any, the first three of the region. Their order means "
            "nothing. Later ones "
            "get nodes, but the control plane stays in those it was made in.",
            example=["us-east-1a", "us-east-1b", "us-east-1d"],
        ),
    )
    kubernetes: KubernetesVersion = field(
        metadata=doc(
            "The version of Kubernetes, in quotes. One minor version at a time upwards.", example="1.35"
        )
    )
    node_groups: dict[Label, NodeGroup] = field(
        metadata=doc("Its nodes.", example={"general": {"types": ["m7i.large"], "min": 1, "max": 4}})
    )
    network: Network = field(default=Network(), metadata=doc("Its VPC.", example={"cidr": "10.40.0.0/16"}))
    api: ApiEndpoint = field(
        default=ApiEndpoint(),
        metadata=doc("Where its API can be reached.", example={"public_cidrs": ["203.0.113.0/24"]}),
    )
    autoscaler: Literal["cluster-autoscaler", "none"] = field(
        default="cluster-autoscaler",
        metadata=doc("What adds and removes nodes between `min` and `max`.", example="cluster-autoscaler"),
    )
    access: dict[Label, Annotated[Principal, _PRINCIPAL]] = field(
        default_factory=dict,
        metadata=doc(
            "Groups of people, by the names that `access` in `leeward.yaml` uses.",
            example={"cloudops": {"roles": ["arn:aws:iam::111122223333:role/CloudOps"], "cluster": "admin"}},
        ),
    )
    addons: dict[Label, AddonVersion] = field(
        default_factory=dict,
        metadata=doc(
            "Versions of EKS add-ons, so that a rebuilt cluster is the same; `off` leaves one out. "
            "`leeward infra versions --pin` writes those of AWS into the lock file.",
            example={"vpc-cni": "v1.20.4-eksbuild.2"},
        ),
    )
    logging: Logging = field(default=Logging(), metadata=doc("Logs.", example={"retention_days": 90}))
    encryption: Encryption = field(default=Encryption(), metadata=doc("Keys.", example={"secrets": "aws"}))
    upgrade_policy: Literal["standard", "extended"] = field(
        default="standard",
        metadata=doc(
            "At the end of standard support EKS upgrades the cluster by itself (`standard`), or charges six "
            "times as much (`extended`).",
            example="standard",
        ),
    )
    zonal_shift: bool = field(
        default=True, metadata=doc("Whether traffic can be shifted away from a zone.", example=True)
    )
    highly_available: bool = field(
        default=True,
        metadata=doc(
            "Whether losing a zone may not be noticed: three zones, nodes in each, room for all in "
            "the others. "
            "false for a cluster that may go.",
            example=True,
        ),
    )
    environments: Annotated[tuple[Label, ...], Short("a list of names, or one", {str: _listed})] = field(
        default=(),
        metadata=doc(
            "Environments of `leeward.yaml` that are here; checks and cost count them.",
            example=["production"],
        ),
    )
    tags: dict[TagKey, TagValue] = field(
        default_factory=dict, metadata=doc("Tags of everything that is made.", example={"team": "cloudops"})
    )
    state: State | None = field(
        default=None,
        metadata=doc(
            "Where Terraform's state is; without it, in the directory of the cluster.",
            example={"bucket": "acme-terraform-state"},
        ),
    )
    account: Account = field(
        default=Account(), metadata=doc("The AWS account.", example={"id": "111122223333"})
    )
    estimate: Estimate = field(
        default=Estimate(), metadata=doc("What is used, for the cost.", example={"nat_gb": 500})
    )

    @property
    def zone_names(self) -> tuple[str, ...]:
        """Return its zones by name; those that nobody wrote are the first three of the region."""
        from leeward.infra.catalogue import catalogue

        return tuple(sorted(self.zones)) or catalogue().regions.get(self.region, ())[:3]

    def zones_of(self, group: NodeGroup) -> tuple[str, ...]:
        """Return the zones that a group of nodes is in, by name."""
        return tuple(sorted(group.zones)) or self.zone_names
