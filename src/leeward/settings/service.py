"""``x-leeward`` of a service: what Compose has no word for.

Source: the Kubernetes API reference, whose names and meanings these have.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from leeward.settings.base import Count, Host, Name, Quantity, Seconds, Settings


class Tls(Settings):
    """Where the certificate of the hosts comes from."""

    secret: Name | None = None  # an existing Secret of type kubernetes.io/tls
    issuer: Name | None = None  # a cert-manager ClusterIssuer that makes the Secret
    certificate_arn: str | None = None  # of AWS Certificate Manager, for load balancers of AWS


class ScalingPolicy(Settings):
    """How much may change in how long."""

    type: Literal["Pods", "Percent"]
    value: Annotated[int, Field(ge=1)]
    period_seconds: Annotated[int, Field(ge=1, le=1800)] = 60


class ScalingRules(Settings):
    """One direction of scaling."""

    stabilization_window_seconds: Annotated[int, Field(ge=0, le=3600)] | None = None
    select_policy: Literal["Max", "Min", "Disabled"] | None = None
    policies: tuple[ScalingPolicy, ...] = ()


class Behavior(Settings):
    """How fast to scale."""

    scale_up: ScalingRules | None = None
    scale_down: ScalingRules | None = None


class Autoscale(Settings):
    """A HorizontalPodAutoscaler. Without a target, 70 % of the requested CPU."""

    min: Annotated[int, Field(ge=1)] = 2
    max: Annotated[int, Field(ge=1)]
    cpu: Annotated[int, Field(ge=1)] | None = None  # per cent of the request, on average
    memory: Annotated[int, Field(ge=1)] | None = None  # per cent of the request, on average
    metrics: tuple[dict[str, Any], ...] = ()  # further MetricSpecs of autoscaling/v2
    behavior: Behavior | None = None


class Schedule(Settings):
    """A CronJob: the service runs at these times and is expected to end. A string is only ``cron``."""

    cron: str  # five fields, or @daily and the like
    time_zone: str | None = None  # such as "Europe/Berlin"; None: UTC
    concurrency: Literal["Allow", "Forbid", "Replace"] = "Forbid"
    suspend: bool = False
    starting_deadline_seconds: Seconds | None = None
    keep_successful: Count = 3
    keep_failed: Count = 1
    parallel: Annotated[int, Field(ge=1)] = 1  # Pods at a time; each knows its number


class ServiceAccount(Settings):
    """The identity of the Pods towards the Kubernetes API and the cloud."""

    name: Name | None = None  # None: the service's name
    create: bool = True
    annotations: dict[str, str] = Field(default_factory=dict)
    role_arn: str | None = None  # an AWS role (IRSA); EKS Pod Identity needs only the name
    automount_token: bool = False


class Spread(Settings):
    """How Pods are spread."""

    zones: Literal["required", "preferred", "none"] | None = None  # None: required from two replicas on
    nodes: Literal["required", "preferred", "none"] | None = None  # None: preferred
    max_skew: Annotated[int, Field(ge=1)] = 1


class Disruption(Settings):
    """The PodDisruptionBudget; one of the two, or none at all."""

    enabled: bool = True
    max_unavailable: int | str | None = None  # None: 1
    min_available: int | str | None = None


class Probe(Settings):
    """A check of our own instead of the Compose healthcheck; exactly one of the first four."""

    http: str | None = None  # path
    tcp: bool = False
    grpc: bool = False
    command: tuple[str, ...] = ()
    port: Annotated[int, Field(ge=1, le=65535)] | None = None  # None: the first container port
    period_seconds: Annotated[int, Field(ge=1)] | None = None
    timeout_seconds: Annotated[int, Field(ge=1)] | None = None
    failure_threshold: Annotated[int, Field(ge=1)] | None = None
    initial_delay_seconds: Seconds | None = None


class Alert(Settings):
    """An alert rule of the service."""

    name: str
    expr: str  # PromQL; or one of leeward's own conditions
    for_: str = Field("5m", alias="for")
    severity: Literal["critical", "warning", "info"] = "warning"
    summary: str = ""


class External(Settings):
    """The service is run by somebody else in this environment; only its name is made here."""

    host: str  # DNS name or IP address
    port: Annotated[int, Field(ge=1, le=65535)] | None = None


class ServiceSettings(Settings):
    """Everything ``x-leeward`` of a service may say."""

    replicas: Count | None = None
    size: str | None = None  # a preset of cpu and memory: see settings.sizes
    liveness: bool | Probe = False  # restart the container when it fails; True: by the healthcheck
    readiness: bool | Probe = True  # False: none is assumed for services without healthcheck
    startup: Probe | None = None
    hosts: tuple[Host, ...] = ()
    path: str = "/"
    tls: Tls | None = None
    ingress_class: Name | None = None
    ingress_annotations: dict[str, str] = Field(default_factory=dict)
    load_balancer: bool = False  # a Service of type LoadBalancer for ports that are no HTTP
    autoscale: Autoscale | None = None
    schedule: Schedule | None = None
    service_account: ServiceAccount | None = None
    spread: Spread = Spread()
    disruption: Disruption = Disruption()
    alerts: tuple[Alert, ...] = ()
    external: External | None = None
    priority_class: Name | None = None
    node_selector: dict[str, str] = Field(default_factory=dict)
    # target → what it is for
    binds: dict[str, Literal["config", "source", "data", "host", "ignore"]] = Field(default_factory=dict)
    wait: bool = True  # False: no gate for depends_on inside the Pod
    grace_seconds: Seconds | None = None  # of draining before the stop signal


class VolumeSettings(Settings):
    """Everything ``x-leeward`` of a volume may say."""

    size: Quantity = "1Gi"
    class_: Name | None = Field(None, alias="class")
    access: Literal["ReadWriteOnce", "ReadWriteMany", "ReadWriteOncePod"] | None = None
    claim: Name | None = None  # an existing claim
    retain: bool = True  # False: the data goes with the service


class NetworkSettings(Settings):
    """Everything ``x-leeward`` of a network may say."""

    egress: tuple[str, ...] = ()  # CIDRs an internal network may still reach


class ProjectSettings(Settings):
    """Everything ``x-leeward`` at the top level may say."""

    sizes: dict[str, dict[Literal["cpu", "memory"], Quantity]] = Field(default_factory=dict)
    image_pull_secrets: tuple[Name, ...] = ()
    registry: str | None = None  # prefix of images that are built, such as "123.dkr.ecr…/shop"
    pod_security: Literal["restricted", "baseline", "privileged"] | None = None
