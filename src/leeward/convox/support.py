"""What becomes of every key of ``convox.yml``: the table that reading, the report and docs/convox.md share.

A key is written as its path; ``*`` stands for a name the user chose or the place in a list. A key that
has no row is unknown and an error.

Source: Convox documentation, "convox.yml"; the manifest package of Convox 3.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass


class Handling(enum.StrEnum):
    """How much of a key's meaning the Compose file keeps."""

    EXACT = "exact"
    APPROXIMATED = "approximated"
    IGNORED = "ignored"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Row:
    """One key."""

    key: str
    handling: Handling
    becomes: str  # in Compose's words, or why there is nothing
    fix: str = ""  # what to do by hand; "" when nothing is to be done
    shape: str = "any"  # any, map, list, text, integer, boolean; several are joined by "|"


_S = "services.*."
_E, _A, _I = Handling.EXACT, Handling.APPROXIMATED, Handling.IGNORED


def _of_service(key: str, handling: Handling, becomes: str, fix: str = "", shape: str = "any") -> Row:
    return Row(_S + key, handling, becomes, fix, shape)


_INT, _BOOL, _TEXT, _LIST, _MAP = "integer", "boolean", "text", "list", "map"

ROWS: tuple[Row, ...] = (
    Row("environment", _E, "`environment` of every service", "", _LIST),
    Row("labels", _E, "`labels` of every service", "", _MAP),
    Row("labels.*", _E, "one label"),
    Row("params", _I, "parameters of a rack's app have no counterpart", "Remove it.", _MAP),
    Row("params.*", _I, "see `params`"),
    Row("appSettings", _I, "log retention is the cluster's", "Set it where the logs are kept.", _MAP),
    Row("appSettings.awsLogs", _I, "log retention is the cluster's", "Set it in CloudWatch.", _MAP),
    Row("appSettings.awsLogs.*", _I, "see `appSettings.awsLogs`"),
    Row("budget", _I, "a cost cap is the account's", "Use a budget of your cloud account.", _MAP),
    Row("budget.*", _I, "see `budget`"),
    Row("configs", _E, "`configs`", "", _LIST),
    Row("configs.*", _E, "one entry of `configs`", "", _MAP),
    Row("configs.*.id", _E, "its name", "", _TEXT),
    Row("configs.*.name", _E, "its `name`", "", _TEXT),
    Row("configs.*.value", _E, "its `content`; without, a required variable", "", _TEXT),
    Row("resources", _E, "a service each, with a volume and a health check", "", _MAP),
    Row("resources.*", _E, "a service", "", _MAP),
    Row("resources.*.type", _E, "`image`, `environment` and `healthcheck`", "", _TEXT),
    Row("resources.*.image", _E, "`image`", "", _TEXT),
    Row(
        "resources.*.options",
        _A,
        "`version` the tag, `storage` the volume's size, `cpu` and `mem` the limits",
        "Set other options where the managed database is made.",
        _MAP,
    ),
    Row("resources.*.options.*", _A, "see `resources.*.options`"),
    Row("balancers", _A, "published ports and `x-leeward.loadBalancer` of the service", "", _MAP),
    Row("balancers.*", _A, "ports of the service", "", _MAP),
    Row("balancers.*.service", _E, "where the ports are published", "", _TEXT),
    Row("balancers.*.ports", _E, "`ports`", "", _MAP),
    Row("balancers.*.ports.*", _E, "one port", "", "integer|map"),
    Row("balancers.*.ports.*.port", _E, "`target`", "", _INT),
    Row("balancers.*.ports.*.protocol", _A, "`protocol`; TLS is plain TCP", "", _TEXT),
    Row(
        "balancers.*.annotations",
        _I,
        "they are about the load balancer",
        "Use a NetworkPolicy or the cloud.",
        _LIST,
    ),
    Row("balancers.*.whitelist", _I, "Compose has no source ranges", "Use a security group.", "list|text"),
    Row("timers", _E, "a service `timer-…` with `x-leeward.schedule`", "", _MAP),
    Row("timers.*", _E, "a service", "", _MAP),
    Row("timers.*.schedule", _E, "`schedule.cron`, in UTC", "", _TEXT),
    Row("timers.*.command", _E, "`command`", "", _TEXT),
    Row("timers.*.service", _E, "image, environment and resources of that service", "", _TEXT),
    Row("timers.*.concurrency", _E, "`schedule.concurrency`", "", _TEXT),
    Row(
        "timers.*.parallelCount",
        _A,
        "`schedule.parallel`",
        "Read the number as JOB_COMPLETION_INDEX where TIMER_INDEX is not set.",
        _INT,
    ),
    Row("timers.*.annotations", _E, "`annotations`", "", _LIST),
    Row("services", _E, "`services`", "", _MAP),
    Row("services.*", _E, "a service", "", _MAP),
    _of_service("environment", _E, "`environment`; without a default, a required variable", "", _LIST),
    _of_service("build", _E, "`build`", "", "text|map"),
    _of_service("build.path", _E, "`build.context`", "", _TEXT),
    _of_service("build.manifest", _E, "`build.dockerfile`", "", _TEXT),
    _of_service("build.args", _E, "`build.args`", "", _LIST),
    _of_service("image", _E, "`image`", "", _TEXT),
    _of_service("command", _E, "`command`", "", _TEXT),
    _of_service("init", _E, "`init`", "", _BOOL),
    _of_service(
        "test", _I, "a test is a step of the pipeline", "Run it with `docker compose run` there.", _TEXT
    ),
    _of_service("port", _E, "`ports`, or `expose` of an internal service", "", "integer|text|map"),
    _of_service("port.port", _E, "see `port`", "", "integer|text"),
    _of_service("port.scheme", _E, "`app_protocol`", "", _TEXT),
    _of_service("ports", _E, "`expose`", "", _LIST),
    _of_service("internal", _E, "no published ports", "", _BOOL),
    _of_service(
        "internalRouter",
        _A,
        "no published ports",
        "Add an Ingress of the internal class where needed.",
        _BOOL,
    ),
    _of_service("domain", _E, "`x-leeward.hosts`", "", "text|list"),
    _of_service("certificate", _A, "`x-leeward.tls`", "", _MAP),
    _of_service("certificate.id", _A, "`x-leeward.tls.secret`", "Make the Secret of that name.", _TEXT),
    _of_service("certificate.duration", _I, "the issuer decides", "Set it at the issuer.", _TEXT),
    _of_service("tls", _E, "see `tls.redirect`", "", _MAP),
    _of_service("tls.redirect", _E, "annotation of the Ingress", "", _BOOL),
    _of_service("whitelist", _E, "annotation of the Ingress", "", _TEXT),
    _of_service("sticky", _E, "annotation of the Ingress", "", _BOOL),
    _of_service("timeout", _E, "annotations of the Ingress", "", _INT),
    _of_service("ingressAnnotations", _E, "`x-leeward.ingressAnnotations`", "", _LIST),
    _of_service("health", _E, "`x-leeward.readiness`", "", "text|map"),
    *(
        _of_service(f"health.{key}", _E, "see `health`", "", shape)
        for key, shape in (
            ("grace", _INT),
            ("interval", _INT),
            ("path", _TEXT),
            ("timeout", _INT),
            ("disable", _BOOL),
        )
    ),
    _of_service("health.port", _E, "see `health`", "", "integer|text|map"),
    _of_service("health.port.*", _E, "see `health`"),
    _of_service("liveness", _E, "`x-leeward.liveness`", "", _MAP),
    *(
        _of_service(f"liveness.{key}", _E, "see `liveness`", "", shape)
        for key, shape in (
            ("grace", _INT),
            ("interval", _INT),
            ("path", _TEXT),
            ("timeout", _INT),
            ("failureThreshold", _INT),
            ("port", "integer|text|map"),
        )
    ),
    _of_service("liveness.port.*", _E, "see `liveness`"),
    _of_service("liveness.successThreshold", _E, "Kubernetes allows only 1", "", _INT),
    _of_service("startupProbe", _E, "`x-leeward.startup`", "", _MAP),
    *(
        _of_service(f"startupProbe.{key}", _E, "see `startupProbe`", "", shape)
        for key, shape in (
            ("grace", _INT),
            ("interval", _INT),
            ("path", _TEXT),
            ("timeout", _INT),
            ("failureThreshold", _INT),
            ("tcpSocketPort", "text|integer"),
        )
    ),
    _of_service("startupProbe.successThreshold", _E, "Kubernetes allows only 1", "", _INT),
    _of_service("grpcHealthEnabled", _E, "gRPC `x-leeward.readiness` and `liveness`", "", _BOOL),
    _of_service("scale", _E, "`deploy.replicas`, `deploy.resources`", "", "integer|text|map"),
    _of_service(
        "scale.count",
        _E,
        "`deploy.replicas`; a range with targets: `x-leeward.autoscale`",
        "",
        "integer|text",
    ),
    _of_service("scale.min", _E, "see `scale.count`", "", _INT),
    _of_service("scale.max", _E, "see `scale.count`", "", _INT),
    _of_service("scale.cpu", _E, "`deploy.resources.reservations.cpus`", "", _INT),
    _of_service("scale.memory", _E, "`deploy.resources.reservations.memory`", "", _INT),
    _of_service("scale.limit", _E, "`deploy.resources.limits`", "", _MAP),
    _of_service("scale.limit.cpu", _E, "`limits.cpus`", "", _INT),
    _of_service("scale.limit.memory", _E, "`limits.memory`", "", _INT),
    _of_service("scale.gpu", _E, "`reservations.devices`", "", "integer|map"),
    _of_service("scale.gpu.count", _E, "see `scale.gpu`", "", _INT),
    _of_service("scale.gpu.vendor", _E, "`driver`", "", _TEXT),
    _of_service("scale.targets", _A, "`x-leeward.autoscale`", "", _MAP),
    _of_service("scale.targets.cpu", _E, "`autoscale.cpu`", "", _INT),
    _of_service("scale.targets.memory", _E, "`autoscale.memory`", "", _INT),
    *(
        _of_service(f"scale.targets.{key}", _I, "it needs a metrics adapter", "Write `autoscale.metrics`.")
        for key in ("requests", "custom", "external")
    ),
    _of_service("scale.targets.custom.*", _I, "see `scale.targets.custom`"),
    _of_service("scale.targets.custom.*.*", _I, "see `scale.targets.custom`"),
    _of_service("scale.autoscale", _A, "`x-leeward.autoscale`", "", _MAP),
    *(_of_service(f"scale.autoscale.{key}", _A, f"`autoscale.{key}`", "", _MAP) for key in ("cpu", "memory")),
    *(_of_service(f"scale.autoscale.{key}.*", _A, f"`autoscale.{key}`") for key in ("cpu", "memory")),
    *(
        _of_service(f"scale.autoscale.{key}", _I, "it needs KEDA", "Write `autoscale.metrics`.")
        for key in ("gpuUtilization", "queueDepth", "custom", "cooldownPeriod", "pollingInterval")
    ),
    *(
        _of_service(f"scale.autoscale.{key}.*", _I, "it needs KEDA")
        for key in ("gpuUtilization", "queueDepth")
    ),
    _of_service("scale.keda", _I, "it needs KEDA", "Write `autoscale.metrics`, or a ScaledObject.", _MAP),
    _of_service("scale.keda.*", _I, "see `scale.keda`"),
    _of_service("scale.vpa", _I, "a vertical autoscaler is not part of Kubernetes", "Set fixed sizes.", _MAP),
    _of_service("scale.vpa.*", _I, "see `scale.vpa`"),
    _of_service("deployment", _A, "`deploy.update_config`", "", _MAP),
    _of_service("deployment.minimum", _A, "a number of Pods instead of per cent", "", _INT),
    _of_service("deployment.maximum", _A, "a number of Pods instead of per cent", "", _INT),
    _of_service("singleton", _E, "`deploy.update_config.order: stop-first`", "", _BOOL),
    _of_service("drain", _A, "`x-leeward.graceSeconds`", "", _INT),
    _of_service("termination", _E, "`stop_grace_period`", "", _MAP),
    _of_service("termination.grace", _E, "`stop_grace_period`", "", _INT),
    _of_service("lifecycle", _E, "`post_start` and `pre_stop`", "", _MAP),
    _of_service("lifecycle.preStop", _E, "`pre_stop`", "", _TEXT),
    _of_service("lifecycle.postStart", _E, "`post_start`", "", _TEXT),
    _of_service("agent", _E, "`deploy.mode: global`", "", _BOOL),
    _of_service("initContainer", _E, "`pre_start`", "", _MAP),
    _of_service("initContainer.image", _E, "`image` of the hook", "", _TEXT),
    _of_service("initContainer.command", _E, "`command` of the hook", "", _TEXT),
    *(
        _of_service(f"initContainer.{key}", _A, "the hook sees the volumes of the service", "", _LIST)
        for key in ("volumeOptions", "configMounts")
    ),
    _of_service("resources", _E, "the variables of the contract, and `depends_on`", "", _LIST),
    _of_service("volumes", _A, "a named volume; `source:target` is a bind of the host", "", _LIST),
    _of_service("volumeOptions", _E, "`volumes`", "", _LIST),
    _of_service("volumeOptions.*", _E, "one volume", "", _MAP),
    *(
        _of_service(f"volumeOptions.*.{key}", handling, becomes, "", _MAP)
        for key, handling, becomes in (
            ("emptyDir", _E, "an anonymous volume; `tmpfs` when in memory"),
            ("awsEfs", _A, "a volume with `access: ReadWriteMany`"),
            ("azureFiles", _A, "a volume with `access: ReadWriteMany`"),
        )
    ),
    *(
        _of_service(f"volumeOptions.*.{key}.*", _A, f"see `{key}`")
        for key in ("emptyDir", "awsEfs", "azureFiles")
    ),
    _of_service("configMounts", _E, "`configs`", "", _LIST),
    _of_service("configMounts.*", _E, "one of `configs`", "", _MAP),
    *(
        _of_service(f"configMounts.*.{key}", _E, "its `source` and `target`", "", _TEXT)
        for key in ("id", "dir", "filename")
    ),
    _of_service("accessControl", _A, "`x-leeward.serviceAccount`", "", _MAP),
    _of_service(
        "accessControl.awsPodIdentity",
        _A,
        "`x-leeward.serviceAccount`",
        "Associate a role that has the policies with the service account.",
        _MAP,
    ),
    _of_service(
        "accessControl.awsPodIdentity.policyArns", _A, "see `accessControl.awsPodIdentity`", "", _LIST
    ),
    _of_service(
        "securityContext", _E, "`user`, `read_only`, `security_opt`, `cap_add`, `cap_drop`", "", _MAP
    ),
    *(
        _of_service(f"securityContext.{key}", _E, becomes, "", shape)
        for key, becomes, shape in (
            ("runAsUser", "`user`", _INT),
            ("runAsGroup", "`user`", _INT),
            ("readOnlyRootFilesystem", "`read_only`", _BOOL),
            ("allowPrivilegeEscalation", "`security_opt: no-new-privileges`", _BOOL),
            ("capabilities", "`cap_add`, `cap_drop`", _MAP),
            ("capabilities.add", "`cap_add`", _LIST),
            ("capabilities.drop", "`cap_drop`", _LIST),
            ("seccompProfile", "`security_opt: seccomp`", _TEXT),
        )
    ),
    _of_service("securityContext.runAsNonRoot", _A, "`user` says it", "", _BOOL),
    _of_service("privileged", _E, "`privileged`", "", _BOOL),
    _of_service("disableHostUsers", _I, "Compose has no such key", "Use a policy of the cluster.", _BOOL),
    _of_service("nodeSelectorLabels", _E, "`x-leeward.nodeSelector`", "", _MAP),
    _of_service("nodeSelectorLabels.*", _E, "one label"),
    _of_service("nodeAffinityLabels", _I, "a preference among nodes", "Use `x-leeward.nodeSelector`.", _LIST),
    _of_service(
        "imagePullSecrets",
        _A,
        "`x-leeward.imagePullSecrets` of the project",
        "Make a Secret of each name with `kubectl create secret docker-registry`.",
        _LIST,
    ),
    _of_service("labels", _E, "`labels`", "", _MAP),
    _of_service("labels.*", _E, "one label"),
    _of_service("annotations", _E, "`annotations`", "", _LIST),
    _of_service("dnsConfig", _E, "`dns_opt`", "", _MAP),
    _of_service("dnsConfig.ndots", _E, "`dns_opt: ndots`", "", _INT),
)
BY_KEY = {row.key: row for row in ROWS}
