"""``x-leeward``: what Compose has no word for, on a service, a volume, a network and the whole project.

Every field says what it means and what it becomes; ``docs/x-leeward.md`` and the JSON schema of editors are
made of that. Rules between fields are in ``rules``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Literal

from leeward.settings.base import Count, Extension, LabelKey, LabelValue, Name, Quantity, Seconds, Word, doc
from leeward.settings.parts import (
    Alert,
    Autoscale,
    Behavior,
    Bind,
    Disruption,
    External,
    Probe,
    ScalingPolicy,
    ScalingRules,
    Schedule,
    ServiceAccount,
    ServiceAutoscale,
    ServiceBind,
    ServiceDisruption,
    ServiceExternal,
    ServiceHosts,
    ServiceIdentity,
    ServiceProbe,
    ServiceSchedule,
    ServiceSpread,
    ServiceTls,
    Spread,
    Tls,
)

__all__ = [
    "Alert",
    "Autoscale",
    "Behavior",
    "Bind",
    "Disruption",
    "External",
    "NetworkSettings",
    "Probe",
    "ProjectSettings",
    "ScalingPolicy",
    "ScalingRules",
    "Schedule",
    "ServiceAccount",
    "ServiceSettings",
    "Size",
    "Spread",
    "Tls",
    "VolumeSettings",
]

Cidr = Annotated[
    str,
    Word(r"[0-9]{1,3}(\.[0-9]{1,3}){3}/[0-9]{1,2}|[0-9a-fA-F:]+/[0-9]{1,3}", 'a CIDR such as "10.0.0.0/8"'),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Size(Extension):
    """A preset of CPU and memory."""

    cpu: Quantity = field(metadata=doc("Cores to request.", becomes="`requests.cpu`", example="500m"))
    memory: Quantity = field(
        metadata=doc(
            "Bytes to request, and the limit.", becomes="`requests.memory`, `limits.memory`", example="1Gi"
        )
    )


SIZES: Mapping[str, Size] = {
    "small": Size(cpu="250m", memory="512Mi"),
    "medium": Size(cpu="500m", memory="1Gi"),
    "large": Size(cpu="1", memory="2Gi"),
    "xlarge": Size(cpu="2", memory="4Gi"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceSettings(Extension):
    """Everything ``x-leeward`` of a service may say."""

    replicas: Count | None = field(
        default=None,
        metadata=doc("How many Pods; wins over `deploy.replicas`.", becomes="`spec.replicas`", example=3),
    )
    size: str | None = field(
        default=None,
        metadata=doc(
            "A preset of CPU and memory: small, medium, large, xlarge or one of the project's `sizes`. "
            "What the Compose file says itself wins.",
            becomes="`resources`",
            example="medium",
        ),
    )
    liveness: ServiceProbe = field(
        default=False,
        metadata=doc(
            "Restart the container when this fails; true: when its healthcheck fails.",
            becomes="`livenessProbe`",
            example={"http": "/healthz"},
        ),
    )
    readiness: ServiceProbe = field(
        default=True,
        metadata=doc(
            "Send requests only while this succeeds; true: by the healthcheck, else the published port; "
            "false: nothing is assumed for services without healthcheck.",
            becomes="`readinessProbe`",
            example={"http": "/ready", "port": 8080},
        ),
    )
    startup: Probe | None = field(
        default=None,
        metadata=doc(
            "Other probes wait until this has succeeded once.",
            becomes="`startupProbe`",
            example={"tcp": True, "failureThreshold": 60},
        ),
    )
    hosts: ServiceHosts = field(
        default=(),
        metadata=doc(
            "Host names under which the first HTTP port is reached from outside.",
            becomes="Ingress `spec.rules[].host`",
            example=["shop.example.com"],
        ),
    )
    path: Annotated[str, Word(r"/\S*", 'a path such as "/api"', 2048)] = field(
        default="/",
        metadata=doc(
            "The part of the hosts that is this service's, with everything below it.",
            becomes="Ingress `path`, Prefix",
            example="/api",
        ),
    )
    tls: ServiceTls | None = field(
        default=None,
        metadata=doc(
            "Where the certificate of the hosts comes from; without it, HTTP only.",
            becomes="Ingress `spec.tls` or annotations",
            example=True,
        ),
    )
    ingress_class: Name | None = field(
        default=None,
        metadata=doc(
            "Who serves the hosts; without it, the project's `ingressClass`, else the cluster's default.",
            becomes="Ingress `spec.ingressClassName`",
            example="nginx",
        ),
    )
    ingress_annotations: dict[LabelKey, str] = field(
        default_factory=dict,
        metadata=doc(
            "For whoever serves the hosts.",
            becomes="Ingress `metadata.annotations`",
            example={"nginx.ingress.kubernetes.io/proxy-body-size": "50m"},
        ),
    )
    load_balancer: bool = field(
        default=False,
        metadata=doc("Reach ports that are no HTTP from outside.", becomes="a Service of type LoadBalancer"),
    )
    autoscale: ServiceAutoscale | None = field(
        default=None,
        metadata=doc(
            "As many Pods as the load needs; the workload then has no `replicas`.",
            becomes="a HorizontalPodAutoscaler",
            example={"min": 2, "max": 10, "cpu": 70},
        ),
    )
    schedule: ServiceSchedule | None = field(
        default=None,
        metadata=doc(
            "Run at these times instead of always.",
            becomes="a CronJob",
            example={"cron": "0 3 * * *", "timeZone": "Europe/Berlin"},
        ),
    )
    service_account: ServiceIdentity | None = field(
        default=None,
        metadata=doc(
            "The identity of the Pods.",
            becomes="a ServiceAccount",
            example={"roleArn": "arn:aws:iam::123456789012:role/shop-api"},
        ),
    )
    spread: ServiceSpread = field(
        default=Spread(),
        metadata=doc(
            "How Pods are spread over zones and nodes.",
            becomes="`topologySpreadConstraints`",
            example={"zones": "preferred"},
        ),
    )
    disruption: ServiceDisruption = field(
        default=Disruption(),
        metadata=doc(
            "How many Pods maintenance may take at a time.",
            becomes="a PodDisruptionBudget",
            example={"minAvailable": 2},
        ),
    )
    alerts: tuple[Alert, ...] = field(
        default=(),
        metadata=doc(
            "Whom to tell when.",
            becomes="a ConfigMap of Prometheus rules, or a PrometheusRule",
            example=[{"name": "Down", "expr": 'up{job="api"} == 0', "severity": "critical"}],
        ),
    )
    external: ServiceExternal | None = field(
        default=None,
        metadata=doc(
            "Somebody else runs it, here; only the name is made.",
            becomes="a Service without Pods",
            example="shop.abc.eu-west-1.rds.amazonaws.com",
        ),
    )
    priority_class: Name | None = field(
        default=None,
        metadata=doc(
            "Who goes first when nodes are full.", becomes="`priorityClassName`", example="business-critical"
        ),
    )
    node_selector: dict[LabelKey, LabelValue] = field(
        default_factory=dict,
        metadata=doc(
            "Labels that nodes must have.",
            becomes="`nodeSelector`",
            example={"karpenter.sh/capacity-type": "on-demand"},
        ),
    )
    binds: dict[str, ServiceBind] = field(
        default_factory=dict,
        metadata=doc(
            "What a bind mount is for, by its target, where the guess is wrong.",
            becomes="ConfigMap, PersistentVolumeClaim, hostPath or nothing",
            example={"/var/lib/app": "data", "/uploads": {"kind": "data", "size": "20Gi"}},
        ),
    )
    wait: bool = field(
        default=True,
        metadata=doc("False: do not wait inside the Pod for `depends_on`.", becomes="an init container"),
    )
    grace_seconds: Seconds | None = field(
        default=None,
        metadata=doc(
            "How long a Pod goes on serving after it left rotation, before the stop signal.",
            becomes="`preStop`, `terminationGracePeriodSeconds`",
            example=15,
        ),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class VolumeSettings(Extension):
    """Everything ``x-leeward`` of a volume may say."""

    size: Quantity = field(
        default="1Gi",
        metadata=doc("How much it holds.", becomes="`resources.requests.storage`", example="10Gi"),
    )
    class_: Name | None = field(
        default=None,
        metadata=doc(
            "The storage class; without it, the cluster's default.",
            becomes="`storageClassName`",
            example="gp3",
        ),
    )
    access: Literal["ReadWriteOnce", "ReadWriteMany", "ReadWriteOncePod"] | None = field(
        default=None,
        metadata=doc("Without it, by who mounts it.", becomes="`accessModes`", example="ReadWriteMany"),
    )
    claim: Name | None = field(
        default=None,
        metadata=doc("A claim that exists; none is made.", becomes="`claimName`", example="shared-media"),
    )
    retain: bool = field(
        default=True,
        metadata=doc(
            "False: the data goes with the service.", becomes="`persistentVolumeClaimRetentionPolicy`"
        ),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkSettings(Extension):
    """Everything ``x-leeward`` of a network may say."""

    egress: tuple[Cidr, ...] = field(
        default=(),
        metadata=doc(
            "What an internal network may still reach.",
            becomes="NetworkPolicy `egress[].to[].ipBlock`",
            example=["10.20.0.0/16"],
        ),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectSettings(Extension):
    """Everything ``x-leeward`` at the top level may say."""

    sizes: dict[str, Size] = field(
        default_factory=dict,
        metadata=doc(
            "Presets of your own; one of a known name replaces it.",
            becomes="`resources`",
            example={"worker": {"cpu": "2", "memory": "3Gi"}},
        ),
    )
    image_pull_secrets: tuple[Name, ...] = field(
        default=(),
        metadata=doc("Secrets for private registries.", becomes="`imagePullSecrets`", example=["registry"]),
    )
    registry: (
        Annotated[str, Word(r"[a-z0-9][-a-zA-Z0-9.:/_]*[a-zA-Z0-9]", "the address of a registry")] | None
    ) = field(
        default=None,
        metadata=doc(
            "Where images that are built here are pushed to.",
            becomes="the prefix of `image`",
            example="123456789012.dkr.ecr.eu-west-1.amazonaws.com/shop",
        ),
    )
    pod_security: Literal["restricted", "baseline", "privileged"] | None = field(
        default=None,
        metadata=doc(
            "The Pod Security level to enforce; without it, the strictest one that the services allow.",
            becomes="label `pod-security.kubernetes.io/enforce` of the Namespace",
            example="restricted",
        ),
    )
    ingress_class: Name | None = field(
        default=None,
        metadata=doc(
            "Who serves hosts, unless a service says otherwise.",
            becomes="Ingress `spec.ingressClassName`",
            example="nginx",
        ),
    )
    tls_issuer: Name | None = field(
        default=None,
        metadata=doc(
            "The cert-manager ClusterIssuer of every `tls`, unless it says otherwise.",
            becomes="annotation `cert-manager.io/cluster-issuer`",
            example="letsencrypt",
        ),
    )
    alert_rules: Literal["ConfigMap", "PrometheusRule"] = field(
        default="ConfigMap",
        metadata=doc(
            "The form of alert rules; PrometheusRule needs the Prometheus Operator's resource.",
            becomes="the kind of object",
        ),
    )
