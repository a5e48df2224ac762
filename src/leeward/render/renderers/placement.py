"""Where Pods go: spread over zones and nodes without being asked, and what the file asks for.

``x-leeward`` may loosen or tighten the spread, pick nodes by label and give the Pods a priority; the embedded
cluster has neither these labels nor these priorities.

With two replicas or more the zones must be balanced (``DoNotSchedule``), but only the zones that can
take Pods count (``nodeTaintsPolicy: Honor``), so the Pods of a lost zone find a place elsewhere. On a
real cluster they leave a lost node after 30 s; the embedded cluster has its own, shorter default.

Source: kubernetes.io/docs/concepts/scheduling-eviction/topology-spread-constraints; Docker's
placement constraints.
"""

from __future__ import annotations

import re
from typing import Any

from leeward.kube.wellknown import (
    ARCH,
    HOSTNAME,
    OS,
    POD_TEMPLATE_HASH,
    TAINT_NOT_READY,
    TAINT_UNREACHABLE,
    ZONE,
)
from leeward.render import naming
from leeward.render.model import PodDraft, Renderer, ServiceContext
from leeward.render.plan import Kind

LOST_NODE_SECONDS = 30  # then Pods without data are replaced elsewhere
_CONSTRAINT = re.compile(r"\s*([\w.\-/]+)\s*(==|!=)\s*(.+?)\s*")
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
_KEYS = {"node.hostname": HOSTNAME, "node.platform.arch": ARCH, "node.platform.os": OS}


def _spread(context: ServiceContext, key: str, *, strict: bool) -> dict[str, Any]:
    constraint: dict[str, Any] = {
        "maxSkew": context.plan.settings.spread.max_skew,
        "topologyKey": key,
        "whenUnsatisfiable": "DoNotSchedule" if strict else "ScheduleAnyway",
        "labelSelector": {"matchLabels": context.selector},
    }
    if strict:
        constraint["nodeTaintsPolicy"] = "Honor"
    if context.plan.kind is Kind.DEPLOYMENT:
        constraint["matchLabelKeys"] = [POD_TEMPLATE_HASH]
    return constraint


def _topology(context: ServiceContext) -> list[dict[str, Any]]:
    if context.plan.kind is Kind.DAEMON_SET or (context.plan.ends and context.plan.replicas < 2):
        return []
    serving = context.plan.kind in (Kind.DEPLOYMENT, Kind.STATEFUL_SET)
    wanted = context.plan.settings.spread
    usual = "required" if serving and context.plan.replicas >= 2 else "preferred"
    pulls = {ZONE: wanted.zones or usual, HOSTNAME: wanted.nodes or "preferred"}
    constraints = [
        _spread(context, key, strict=pull == "required") for key, pull in pulls.items() if pull != "none"
    ]
    placement = context.service.deploy.placement if context.service.deploy else None
    for preference in placement.spread if placement else ():
        key = preference.removeprefix("node.labels.").removeprefix("engine.labels.")
        if key not in (ZONE, HOSTNAME, "zone"):
            constraints.append(_spread(context, key, strict=False))
    return constraints


def _expression(context: ServiceContext, index: int, text: str) -> dict[str, Any] | None:
    """Return what a placement constraint asks of nodes; None, reported, when it cannot be asked."""
    path = ("deploy", "placement", "constraints", index)
    match = _CONSTRAINT.fullmatch(text)
    written = match[1] if match else ""
    key = _KEYS.get(written) or (
        written.removeprefix("node.labels.") if written.startswith("node.labels.") else ""
    )
    if not match or not key:
        context.warn(
            path,
            "ignored",
            f"{text!r} has no counterpart and is left out.",
            "Use node.labels.KEY == VALUE.",
        )
        return None
    value = _ARCHITECTURES.get(match[3], match[3])
    if not (naming.is_label_key(key) and naming.is_label_value(value)):
        message = f"No node has the label {key}={value}: Kubernetes does not allow it."
        context.error(path, "invalid-label", message, "Correct the label.")
        return None
    return {"key": key, "operator": "In" if match[2] == "==" else "NotIn", "values": [value]}


def _affinity(context: ServiceContext) -> dict[str, Any]:
    placement = context.service.deploy.placement if context.service.deploy else None
    if placement is None:
        return {}
    path = ("deploy", "placement")
    found = [_expression(context, index, text) for index, text in enumerate(placement.constraints)]
    expressions = [each for each in found if each is not None]
    affinity: dict[str, Any] = {}
    if expressions:
        terms = {"nodeSelectorTerms": [{"matchExpressions": expressions}]}
        affinity["nodeAffinity"] = {"requiredDuringSchedulingIgnoredDuringExecution": terms}
    if placement.max_replicas_per_node == 1:
        apart = [{"labelSelector": {"matchLabels": context.selector}, "topologyKey": HOSTNAME}]
        affinity["podAntiAffinity"] = {"requiredDuringSchedulingIgnoredDuringExecution": apart}
    elif placement.max_replicas_per_node:
        context.warn(
            (*path, "max_replicas_per_node"),
            "ignored",
            "Only 1 per node can be promised; replicas are spread over nodes instead.",
        )
    return affinity


def _tolerations() -> list[dict[str, Any]]:
    """Return how long Pods stay with a lost node: less than Kubernetes' five minutes."""
    return [
        {"key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": LOST_NODE_SECONDS}
        for key in (TAINT_NOT_READY, TAINT_UNREACHABLE)
    ]


def _pod(context: ServiceContext, draft: PodDraft) -> None:
    if context.plan.kind is Kind.DEPLOYMENT and not context.options.on_embedded:
        draft.spec["tolerations"] = _tolerations()
    if constraints := _topology(context):
        draft.spec["topologySpreadConstraints"] = constraints
    if affinity := _affinity(context):
        draft.spec["affinity"] = affinity
    settings, embedded = context.plan.settings, context.options.on_embedded
    if settings.priority_class and not embedded:
        draft.spec["priorityClassName"] = settings.priority_class
    selector = {} if embedded else dict(settings.node_selector)
    platform = context.service.platform
    if platform and embedded:
        context.note(
            ("platform",), "ignored", f"{platform}: the embedded cluster runs what this machine can run."
        )
    elif platform and "/" in platform:
        selector.setdefault(ARCH, _ARCHITECTURES.get(platform.split("/")[1], platform.split("/")[1]))
    if selector:
        draft.spec["nodeSelector"] = selector


DESCRIPTOR = Renderer(name="placement", pod=_pod)
