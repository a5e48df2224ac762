"""Alert rules, as files that Prometheus reads, or as PrometheusRules where the project asks for them.

A ConfigMap needs nothing on the cluster and can be mounted, collected by its label, or read by leeward; a
PrometheusRule is refused by clusters without the Prometheus Operator, which cannot be known beforehand.

Source: prometheus.io/docs/prometheus/latest/configuration/alerting_rules; the Prometheus Operator's API.
"""

from __future__ import annotations

from typing import Any

import yaml

from leeward.kube.objects import Obj
from leeward.kube.wellknown import ALERTS
from leeward.render import naming
from leeward.render.model import PodDraft, Renderer, ServiceContext
from leeward.settings.service import Alert


def _rule(context: ServiceContext, alert: Alert) -> dict[str, Any]:
    labels = {
        "severity": alert.severity,
        "namespace": context.project.namespace,
        "service": context.plan.name,
    }
    rule: dict[str, Any] = {"alert": alert.name, "expr": alert.expr, "for": alert.for_, "labels": labels}
    return {**rule, "annotations": {"summary": alert.summary}} if alert.summary else rule


def _service(context: ServiceContext, draft: PodDraft) -> list[Obj]:
    plan = context.plan
    if not plan.settings.alerts:
        return []
    rules = [_rule(context, alert) for alert in plan.settings.alerts]
    groups = {"groups": [{"name": f"{context.project.namespace}.{plan.name}", "rules": rules}]}
    name, path = naming.join_label("alerts", plan.name), ("x-leeward", "alerts")
    if context.project.plan.settings.alert_rules == "PrometheusRule" and not context.options.on_embedded:
        head = context.object("monitoring.coreos.com/v1", "PrometheusRule", name, *path)
        return [{**head, "spec": groups}]
    head = context.object("v1", "ConfigMap", name, *path)
    head["metadata"]["labels"][ALERTS] = "true"
    text = yaml.safe_dump(groups, sort_keys=False, width=1000, allow_unicode=True)
    return [{**head, "data": {f"{context.project.plan.part_of}-{plan.name}.rules.yaml": text}}]


DESCRIPTOR = Renderer(name="alerts", service=_service)
