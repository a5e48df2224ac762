"""Defaults of kinds that have few rules of their own: access, policy, CSI, templates, ingress classes.

Source: pkg/apis/{core,discovery,networking,rbac,scheduling,storage}/v1/defaults.go and the PrepareForCreate
of pkg/registry (Kubernetes 1.36).
"""

from __future__ import annotations

from leeward.cluster.registry.kinds.fill import fill, fill_each, update
from leeward.cluster.registry.kinds.pods import default_template
from leeward.cluster.registry.kinds.strategy import Strategy
from leeward.kube.objects import Obj

_RBAC = "rbac.authorization.k8s.io"


def _default_role(obj: Obj) -> Obj:
    return {**obj, "rules": obj.get("rules")}


def _default_binding(obj: Obj) -> Obj:
    obj = update(obj, "roleRef", lambda ref: fill(ref, apiGroup=_RBAC))
    return update(obj, "subjects", lambda items: fill_each(items, _default_subject))


def _default_subject(subject: Obj) -> Obj:
    return fill(subject, apiGroup=_RBAC) if subject.get("kind") in ("User", "Group") else subject


def _default_limit_range(obj: Obj) -> Obj:
    limits = lambda items: fill_each(items, _default_limit)  # noqa: E731 - one line, used once
    return update(obj, "spec", lambda spec: update(spec, "limits", limits))


def _default_limit(limit: Obj) -> Obj:
    """What a container may use at most is its default, which is what it requests; a minimum comes last."""
    if limit.get("type") != "Container":
        return limit
    default = {**(limit.get("max") or {}), **(limit.get("default") or {})}
    wanted = {**(limit.get("min") or {}), **default, **(limit.get("defaultRequest") or {})}
    return {
        **limit,
        **({"default": default} if default else {}),
        **({"defaultRequest": wanted} if wanted else {}),
    }


def _default_driver(obj: Obj) -> Obj:
    spec = fill(
        obj.get("spec"),
        attachRequired=True,
        podInfoOnMount=False,
        volumeLifecycleModes=["Persistent"],
        storageCapacity=False,
        fsGroupPolicy="ReadWriteOnceWithFSType",
        requiresRepublish=False,
        seLinuxMount=False,
    )
    return {**obj, "spec": spec}


def _default_ingress_class(obj: Obj) -> Obj:
    return update(
        obj, "spec", lambda spec: update(spec, "parameters", lambda ref: fill(ref, scope="Cluster"))
    )


def _default_endpoints(obj: Obj) -> Obj:
    return update(obj, "subsets", lambda items: fill_each(items, _default_subset))


def _default_subset(subset: Obj) -> Obj:
    return update(subset, "ports", lambda items: fill_each(items, lambda port: fill(port, protocol="TCP")))


def _default_event(obj: Obj) -> Obj:
    obj = fill(obj, source={}, reportingComponent="", reportingInstance="")
    absent = ("eventTime", "firstTimestamp", "lastTimestamp")
    return {**dict.fromkeys(absent), **obj}


STRATEGIES = {
    "events": Strategy(default=_default_event),
    "endpoints": Strategy(default=_default_endpoints),
    "limitranges": Strategy(default=_default_limit_range),
    "podtemplates": Strategy(
        default=lambda obj: update(obj, "template", default_template), has_generation=True
    ),
    "leases.coordination.k8s.io": Strategy(default=lambda obj: fill(obj, spec={})),
    "roles.rbac.authorization.k8s.io": Strategy(default=_default_role),
    "clusterroles.rbac.authorization.k8s.io": Strategy(default=_default_role),
    "rolebindings.rbac.authorization.k8s.io": Strategy(default=_default_binding),
    "clusterrolebindings.rbac.authorization.k8s.io": Strategy(default=_default_binding),
    "csidrivers.storage.k8s.io": Strategy(default=_default_driver),
    "volumeattachments.storage.k8s.io": Strategy(has_status=True, initial_status={"attached": False}),
    "ingressclasses.networking.k8s.io": Strategy(default=_default_ingress_class, has_generation=True),
    "priorityclasses.scheduling.k8s.io": Strategy(
        default=lambda obj: fill(obj, preemptionPolicy="PreemptLowerPriority"), has_generation=True
    ),
}
