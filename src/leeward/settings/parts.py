"""The parts of a service's ``x-leeward``: what its longer settings consist of.

Source: the Kubernetes API reference, whose names and meanings these have.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from leeward.settings.base import (
    Count,
    Extension,
    Host,
    LabelKey,
    Name,
    PodShare,
    PortNumber,
    Positive,
    Quantity,
    Seconds,
    Short,
    Whole,
    Word,
    doc,
)
from leeward.settings.times import Cron, PromDuration, TimeZone

Pull = Literal["required", "preferred", "none"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tls(Extension):
    """Where the certificate of the hosts comes from. ``true``: see ``secret``; a string is the secret."""

    secret: Name | None = field(
        default=None,
        metadata=doc(
            "A Secret of type kubernetes.io/tls; without it, `<service>-tls`.",
            becomes="Ingress `spec.tls[].secretName`",
            example="shop-tls",
        ),
    )
    issuer: Name | None = field(
        default=None,
        metadata=doc(
            "A cert-manager ClusterIssuer that makes the Secret; without it, the project's `tlsIssuer`.",
            becomes="annotation `cert-manager.io/cluster-issuer`",
            example="letsencrypt",
        ),
    )
    certificate_arn: (
        Annotated[str, Word(r"arn:aws[-a-z]*:acm:.+", "the ARN of a certificate, arn:aws:acm:…", 2048)] | None
    ) = field(
        default=None,
        metadata=doc(
            "A certificate of AWS Certificate Manager, for the AWS Load Balancer Controller, without Secret.",
            becomes="annotation `alb.ingress.kubernetes.io/certificate-arn`",
            example="arn:aws:acm:eu-west-1:123456789012:certificate/1a2b",
        ),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ScalingPolicy(Extension):
    """How much may change in how long."""

    type: Literal["Pods", "Percent"] = field(metadata=doc("What `value` counts.", becomes="`type`"))
    value: Positive = field(metadata=doc("The most Pods, or per cent of them.", becomes="`value`"))
    period_seconds: Annotated[int, Whole(1, 1800)] = field(
        default=60, metadata=doc("In how many seconds.", becomes="`periodSeconds`")
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ScalingRules(Extension):
    """One direction of scaling."""

    stabilization_window_seconds: Annotated[int, Whole(0, 3600)] | None = field(
        default=None,
        metadata=doc(
            "Seconds of past recommendations to be careful about.", becomes="`stabilizationWindowSeconds`"
        ),
    )
    select_policy: Literal["Max", "Min", "Disabled"] | None = field(
        default=None, metadata=doc("Which of the policies counts.", becomes="`selectPolicy`")
    )
    policies: tuple[ScalingPolicy, ...] = field(
        default=(), metadata=doc("How much may change in how long.", becomes="`policies`")
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Behavior(Extension):
    """How fast to scale."""

    scale_up: ScalingRules | None = field(
        default=None, metadata=doc("Adding Pods.", becomes="`behavior.scaleUp`")
    )
    scale_down: ScalingRules | None = field(
        default=None,
        metadata=doc(
            "Removing Pods.",
            becomes="`behavior.scaleDown`",
            example={"stabilizationWindowSeconds": 600},
        ),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Autoscale(Extension):
    """How many Pods, by load. Without a target, 70 % of the requested CPU. A number is ``max``."""

    min: Positive = field(
        default=2, metadata=doc("The fewest Pods.", becomes="HorizontalPodAutoscaler `spec.minReplicas`")
    )
    max: Positive = field(
        metadata=doc("The most Pods.", becomes="HorizontalPodAutoscaler `spec.maxReplicas`", example=10)
    )
    cpu: Positive | None = field(
        default=None,
        metadata=doc(
            "Per cent of the requested CPU, on average over the Pods.",
            becomes="`spec.metrics[]` of type Resource",
            example=70,
        ),
    )
    memory: Positive | None = field(
        default=None,
        metadata=doc(
            "Per cent of the requested memory, on average over the Pods.",
            becomes="`spec.metrics[]` of type Resource",
            example=80,
        ),
    )
    metrics: tuple[dict[str, Any], ...] = field(
        default=(),
        metadata=doc(
            "Further metrics, as MetricSpecs of autoscaling/v2.",
            becomes="`spec.metrics[]`",
            example=[
                {
                    "type": "Pods",
                    "pods": {
                        "metric": {"name": "queue_length"},
                        "target": {"type": "AverageValue", "averageValue": "30"},
                    },
                }
            ],
        ),
    )
    behavior: Behavior | None = field(
        default=None, metadata=doc("How fast to scale.", becomes="`spec.behavior`")
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule(Extension):
    """When the service runs; it is expected to end. A string is ``cron``."""

    cron: Cron = field(
        metadata=doc(
            "Five fields, or @daily and the like.", becomes="CronJob `spec.schedule`", example="0 3 * * *"
        )
    )
    time_zone: TimeZone | None = field(
        default=None,
        metadata=doc(
            "Of `cron`; without it, UTC.", becomes="CronJob `spec.timeZone`", example="Europe/Berlin"
        ),
    )
    concurrency: Literal["Allow", "Forbid", "Replace"] = field(
        default="Forbid",
        metadata=doc(
            "What happens when the last run has not ended.", becomes="CronJob `spec.concurrencyPolicy`"
        ),
    )
    suspend: bool = field(
        default=False, metadata=doc("Do not run for now.", becomes="CronJob `spec.suspend`")
    )
    starting_deadline_seconds: Seconds | None = field(
        default=None,
        metadata=doc(
            "How late a run may start; without it, any time.", becomes="CronJob `startingDeadlineSeconds`"
        ),
    )
    keep_successful: Count = field(
        default=3, metadata=doc("Runs to keep.", becomes="CronJob `successfulJobsHistoryLimit`")
    )
    keep_failed: Count = field(
        default=1, metadata=doc("Failed runs to keep.", becomes="CronJob `failedJobsHistoryLimit`")
    )
    parallel: Positive = field(
        default=1,
        metadata=doc(
            "Pods of a run, at the same time; each knows its number as JOB_COMPLETION_INDEX.",
            becomes="Job `parallelism` and `completions`, Indexed",
        ),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceAccount(Extension):
    """The identity of the Pods towards the Kubernetes API and the cloud. A string is ``name``."""

    name: Name | None = field(
        default=None,
        metadata=doc("Without it, the service's name.", becomes="`serviceAccountName`", example="shop-api"),
    )
    create: bool = field(
        default=True, metadata=doc("False: it exists already.", becomes="a ServiceAccount object")
    )
    annotations: dict[LabelKey, str] = field(
        default_factory=dict,
        metadata=doc("Further annotations.", becomes="ServiceAccount `metadata.annotations`"),
    )
    role_arn: (
        Annotated[str, Word(r"arn:aws[-a-z]*:iam::[0-9]{12}:role/.+", "the ARN of an AWS role", 2048)] | None
    ) = field(
        default=None,
        metadata=doc(
            "An AWS role, taken through IRSA. EKS Pod Identity needs only `name`: it is associated in AWS.",
            becomes="annotation `eks.amazonaws.com/role-arn`",
            example="arn:aws:iam::123456789012:role/shop-api",
        ),
    )
    automount_token: bool = field(
        default=False,
        metadata=doc("Let the Pods call the Kubernetes API.", becomes="`automountServiceAccountToken`"),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread(Extension):
    """How Pods are spread. A word is for both zones and nodes."""

    zones: Pull | None = field(
        default=None,
        metadata=doc(
            "Over availability zones; without it, required from two replicas on.",
            becomes="`topologySpreadConstraints` by `topology.kubernetes.io/zone`",
            example="preferred",
        ),
    )
    nodes: Pull | None = field(
        default=None,
        metadata=doc(
            "Over nodes; without it, preferred.",
            becomes="`topologySpreadConstraints` by `kubernetes.io/hostname`",
            example="required",
        ),
    )
    max_skew: Positive = field(
        default=1, metadata=doc("By how many Pods zones or nodes may differ.", becomes="`maxSkew`")
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Disruption(Extension):
    """How many Pods a drain or an upgrade of nodes may take at a time. One of the two numbers.

    ``false``: any number; a number or a percentage is ``maxUnavailable``.
    """

    enabled: bool = field(default=True, metadata=doc("False: no budget.", becomes="a PodDisruptionBudget"))
    max_unavailable: PodShare | None = field(
        default=None,
        metadata=doc(
            "Without both, 1 for services of two replicas or more.", becomes="`maxUnavailable`", example="25%"
        ),
    )
    min_available: PodShare | None = field(
        default=None, metadata=doc("How many always stay.", becomes="`minAvailable`", example=2)
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe(Extension):
    """A check of our own instead of the Compose healthcheck; exactly one of the first four."""

    http: Annotated[str, Word(r"/\S*", 'a path such as "/healthz"', 2048)] | None = field(
        default=None, metadata=doc("The path to GET.", becomes="`httpGet`", example="/healthz")
    )
    tcp: bool = field(default=False, metadata=doc("The port takes connections.", becomes="`tcpSocket`"))
    grpc: bool = field(default=False, metadata=doc("The gRPC health protocol.", becomes="`grpc`"))
    command: tuple[str, ...] = field(
        default=(), metadata=doc("A program that ends with 0.", becomes="`exec`", example=["pg_isready"])
    )
    port: PortNumber | None = field(
        default=None, metadata=doc("Without it, the first container port.", becomes="`port`", example=8080)
    )
    period_seconds: Positive | None = field(
        default=None, metadata=doc("From one check to the next.", becomes="`periodSeconds`")
    )
    timeout_seconds: Positive | None = field(
        default=None, metadata=doc("How long an answer may take.", becomes="`timeoutSeconds`")
    )
    failure_threshold: Positive | None = field(
        default=None, metadata=doc("Failures in a row that count.", becomes="`failureThreshold`")
    )
    initial_delay_seconds: Seconds | None = field(
        default=None, metadata=doc("Before the first check.", becomes="`initialDelaySeconds`")
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert(Extension):
    """An alert rule of the service."""

    name: Annotated[str, Word(r"[a-zA-Z_][a-zA-Z0-9_]*", "a word such as HighErrorRate", 128)] = field(
        metadata=doc("What it is called.", becomes="`alert`", example="HighErrorRate")
    )
    expr: str = field(
        metadata=doc(
            "A PromQL expression; the alert is on while it gives anything.",
            becomes="`expr`",
            example='sum(rate(http_requests_total{code=~"5.."}[5m])) > 1',
        )
    )
    for_: PromDuration = field(
        default="5m", metadata=doc("How long before somebody is told.", becomes="`for`")
    )
    severity: Literal["critical", "warning", "info"] = field(
        default="warning", metadata=doc("How bad it is.", becomes="`labels.severity`")
    )
    summary: str = field(
        default="", metadata=doc("A sentence for whoever is told.", becomes="`annotations.summary`")
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Bind(Extension):
    """What a bind mount is for. A word is ``kind``."""

    kind: Literal["config", "source", "data", "host", "ignore"] = field(
        metadata=doc(
            "config: files to read; source: what the image has already; data: a volume; host: a directory of "
            "the node, which needs a waiver; ignore: nothing.",
            becomes="ConfigMap, nothing, PersistentVolumeClaim, hostPath, nothing",
            example="data",
        )
    )
    size: Quantity | None = field(
        default=None,
        metadata=doc("How much data it holds.", becomes="`resources.requests.storage`", example="20Gi"),
    )
    class_: Name | None = field(
        default=None,
        metadata=doc("The storage class of data.", becomes="`storageClassName`", example="gp3"),
    )
    reason: str = field(
        default="",
        metadata=doc("Why, for the report.", becomes="the finding", example="uploads of customers"),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class External(Extension):
    """The service is run by somebody else in this environment; only its name is made here.

    A string is ``host``.
    """

    host: Annotated[
        str,
        Word(
            r"[A-Za-z0-9]([-A-Za-z0-9.]*[A-Za-z0-9])?|[0-9a-fA-F:]+:[0-9a-fA-F:.]*",
            "a DNS name or an IP address",
        ),
    ] = field(
        metadata=doc(
            "A DNS name or an IP address.",
            becomes="Service of type ExternalName; for an address, a Service and its EndpointSlice",
            example="shop.abc.eu-west-1.rds.amazonaws.com",
        )
    )
    port: PortNumber | None = field(
        default=None,
        metadata=doc(
            "Where it listens, when that is not the service's own port.", becomes="the EndpointSlice's port"
        ),
    )


def _enabled(mapping: Mapping[str, Any]) -> Any:
    """Return a form for true and false: the mapping, or nothing."""
    return lambda value: dict(mapping) if value else None


ServiceHosts = Annotated[
    tuple[Host, ...], Short("a list of host names, or one host name", {str: lambda host: [host]})
]
ServiceTls = Annotated[
    Tls,
    Short("true, a Secret's name, or a mapping", {bool: _enabled({}), str: lambda name: {"secret": name}}),
]
ServiceAutoscale = Annotated[
    Autoscale, Short("a mapping with max, or a number of Pods", {int: lambda most: {"max": most}})
]
ServiceSchedule = Annotated[
    Schedule, Short("a cron expression, or a mapping with cron", {str: lambda cron: {"cron": cron}})
]
ServiceIdentity = Annotated[
    ServiceAccount,
    Short("a name, true, or a mapping", {bool: _enabled({}), str: lambda name: {"name": name}}),
]
ServiceSpread = Annotated[
    Spread,
    Short(
        "required, preferred, none, or a mapping with zones and nodes",
        {str: lambda word: {"zones": word, "nodes": word}},
    ),
]
ServiceDisruption = Annotated[
    Disruption,
    Short(
        "true, false, a number of Pods, a percentage, or a mapping",
        {
            bool: lambda value: {"enabled": value},
            int: lambda number: {"maxUnavailable": number},
            str: lambda share: {"maxUnavailable": share},
        },
    ),
]
ServiceProbe = Annotated[
    bool | Probe, Short("true, false, or a mapping with http, tcp, grpc or command", {bool: bool}, of=Probe)
]
_BINDS = "config, source, data, host, ignore, or a mapping with kind"
ServiceBind = Annotated[Bind, Short(_BINDS, {str: lambda kind: {"kind": kind}})]
ServiceExternal = Annotated[
    External, Short("a host, or a mapping with host and port", {str: lambda host: {"host": host}})
]
