"""Rules between the settings of a service, as a table: what must hold, and what to do when it does not.

What an environment may have switched off (a certificate without hosts) is a note, not an error: the same
service has hosts elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from leeward.base.diagnostics import Severity
from leeward.compose.project import Service
from leeward.settings.service import Disruption, Probe, ServiceSettings

_METRIC_TYPES = {
    "Resource": "resource",
    "ContainerResource": "containerResource",
    "Pods": "pods",
    "Object": "object",
    "External": "external",
}


@dataclass(frozen=True, slots=True)
class Rule:
    """Something that must not be.

    Attributes:
        path: the setting to change, below ``x-leeward``.
        broken: whether it is so.
        message, remedy: what is wrong and what to do.
        severity: how bad that is.
    """

    path: tuple[str, ...]
    broken: Callable[[Service, ServiceSettings], bool]
    message: str
    remedy: str
    severity: Severity = Severity.ERROR


def _has_two_certificates(_service: Service, settings: ServiceSettings) -> bool:
    tls = settings.tls
    return tls is not None and tls.certificate_arn is not None and bool(tls.secret or tls.issuer)


def _has_crossed_limits(_service: Service, settings: ServiceSettings) -> bool:
    return settings.autoscale is not None and settings.autoscale.min > settings.autoscale.max


def _is_scaled_and_global(service: Service, settings: ServiceSettings) -> bool:
    mode = service.deploy.mode if service.deploy else ""
    return settings.autoscale is not None and mode.startswith("global")


def least_replicas(service: Service, settings: ServiceSettings) -> int:
    """Return how many Pods a service has when there is no load."""
    if settings.autoscale is not None:
        return settings.autoscale.min
    return service.replicas if settings.replicas is None else settings.replicas


def _blocks_drains(service: Service, settings: ServiceSettings) -> bool:
    budget, replicas = settings.disruption, least_replicas(service, settings)
    kept = budget.min_available
    stays = kept == "100%" or (isinstance(kept, int) and kept >= replicas > 0)
    return budget.enabled and (budget.max_unavailable in (0, "0%") or stays)


def _has_two_budgets(_service: Service, settings: ServiceSettings) -> bool:
    return None not in (settings.disruption.max_unavailable, settings.disruption.min_available)


def _is_idle_budget(budget: Disruption) -> bool:
    return not budget.enabled and (budget.max_unavailable is not None or budget.min_available is not None)


def _is_no_metric(metric: dict[str, object]) -> bool:
    kind = metric.get("type")
    return not isinstance(kind, str) or not isinstance(metric.get(_METRIC_TYPES.get(kind, "")), dict)


def _has_bad_probe(name: str) -> Callable[[Service, ServiceSettings], bool]:
    def broken(_service: Service, settings: ServiceSettings) -> bool:
        probe = getattr(settings, name)
        if not isinstance(probe, Probe):
            return False
        return [bool(way) for way in (probe.http, probe.tcp, probe.grpc, probe.command)].count(True) != 1

    return broken


RULES: tuple[Rule, ...] = (
    Rule(
        ("tls",), _has_two_certificates,
        "A certificate of AWS and a Secret exclude each other.",
        "Keep certificateArn, or secret and issuer.",
    ),
    Rule(
        ("tls",), lambda _, settings: settings.tls is not None and not settings.hosts,
        "There is a certificate, but no host that it could be for.",
        "Add hosts.", Severity.NOTE,
    ),
    Rule(
        ("autoscale",), _has_crossed_limits,
        "The fewest Pods are more than the most; without min, there are at least 2.",
        "Lower min, or raise max.",
    ),
    Rule(
        ("autoscale",), _is_scaled_and_global,
        "A service with one Pod on every node cannot be scaled.",
        "Remove autoscale, or deploy.mode.",
    ),
    Rule(
        ("autoscale",), lambda _, settings: settings.autoscale is not None and settings.schedule is not None,
        "A service that runs at certain times cannot be scaled by load.",
        "Remove autoscale, or schedule.",
    ),
    Rule(
        ("autoscale", "metrics"),
        lambda _, settings: any(map(_is_no_metric, settings.autoscale.metrics if settings.autoscale else ())),
        "A metric needs a type and the part that the type names.",
        f"The types are {', '.join(_METRIC_TYPES)}; write {{type: Pods, pods: {{…}}}}.",
    ),
    Rule(
        ("replicas",), lambda _, settings: settings.replicas is not None and settings.autoscale is not None,
        "The autoscaler decides how many Pods there are, so this has no effect.",
        "Remove replicas, or set autoscale.min.", Severity.WARNING,
    ),
    Rule(
        ("hosts",), lambda _, settings: bool(settings.hosts) and settings.schedule is not None,
        "A service that runs at certain times cannot serve hosts.",
        "Remove hosts, or schedule.",
    ),
    Rule(
        ("disruption",),
        _has_two_budgets,
        "A budget has maxUnavailable or minAvailable, not both.",
        "Remove one of the two.",
    ),
    Rule(
        ("disruption", "enabled"), lambda _, settings: _is_idle_budget(settings.disruption),
        "There is no budget, so its numbers have no effect.",
        "Remove enabled, or the numbers.", Severity.WARNING,
    ),
    Rule(
        ("disruption",), _blocks_drains,
        "No Pod may ever go, so no node can be drained or upgraded.",
        "Let at least one go.", Severity.WARNING,
    ),
    Rule(
        ("serviceAccount", "roleArn"),
        lambda _, settings: settings.service_account is not None
        and settings.service_account.role_arn is not None
        and not settings.service_account.create,
        "The role is an annotation of a service account that is made elsewhere.",
        "Remove create: false, or write the role where the account is made.",
    ),
    *(
        Rule(
            (name,), _has_bad_probe(name),
            "A probe is exactly one of http, tcp, grpc and command.",
            "Keep one of them.",
        )
        for name in ("liveness", "readiness", "startup")
    ),
)  # fmt: skip


def broken_rules(service: Service, settings: ServiceSettings) -> Iterator[Rule]:
    """Yield the rules that the settings of `service` break."""
    return (rule for rule in RULES if rule.broken(service, settings))
