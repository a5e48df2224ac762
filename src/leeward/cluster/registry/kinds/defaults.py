"""Defaults of kinds that have few rules of their own: access, policy, CSI, templates, ingress classes.

Source: pkg/apis/{core,discovery,networking,rbac,scheduling,storage}/v1/defaults.go and the PrepareForCreate
of pkg/registry (Kubernetes 1.36).
"""

from __future__ import annotations

from leeward.cluster.registry.kinds.fill import fill, fill_each, update
from leeward.cluster.registry.kinds.pods import default_template
from leeward.cluster.registry.kinds.strategy import Strategy
from leeward.cluster.registry.validation import admissionregistration, events, objects, policies
from leeward.cluster.registry.validation.networking import (
    ingress_class_failures,
    ingress_class_update_failures,
)
from leeward.cluster.registry.validation.pods import template_failures
from leeward.cluster.registry.validation.services import endpoints_failures
from leeward.cluster.registry.validation.storage import driver_object_failures
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


def _default_autoregistration(obj: Obj) -> Obj:
    """Webhooks and policies match equivalent requests, and fail closed."""

    def hook(each: Obj) -> Obj:
        each = fill(
            each,
            failurePolicy="Fail",
            matchPolicy="Equivalent",
            namespaceSelector={},
            objectSelector={},
            timeoutSeconds=10,
        )
        if obj.get("kind") == "MutatingWebhookConfiguration":
            each = fill(each, reinvocationPolicy="Never")
        each = update(each, "clientConfig", _default_client)
        return update(each, "rules", lambda rules: fill_each(rules, lambda rule: fill(rule, scope="*")))

    return update(obj, "webhooks", lambda hooks: fill_each(hooks, hook))


def _default_client(client: Obj) -> Obj:
    return update(client, "service", lambda service: fill(service, port=443))


def _default_admission_policy(obj: Obj) -> Obj:
    def spec(given: Obj) -> Obj:
        given = fill(given, failurePolicy="Fail")
        return update(given, "matchConstraints", _default_match)

    return update(obj, "spec", spec)


def _default_match(resources: Obj) -> Obj:
    resources = fill(resources, matchPolicy="Equivalent", namespaceSelector={}, objectSelector={})
    for name in ("resourceRules", "excludeResourceRules"):
        resources = update(
            resources, name, lambda rules: fill_each(rules, lambda rule: fill(rule, scope="*"))
        )
    return resources


def _default_policy_binding(obj: Obj) -> Obj:
    return update(obj, "spec", lambda spec: update(spec, "matchResources", _default_match))


_ADMISSION = "admissionregistration.k8s.io"
STRATEGIES = {
    "events": Strategy(default=_default_event, validate=events.event_failures),
    "endpoints": Strategy(default=_default_endpoints, validate=endpoints_failures),
    "limitranges": Strategy(default=_default_limit_range, validate=policies.limit_range_failures),
    "podtemplates": Strategy(
        default=lambda obj: update(obj, "template", default_template),
        validate=lambda obj: template_failures(obj.get("template") or {}, "template"),
        has_generation=True,
    ),
    "leases.coordination.k8s.io": Strategy(
        default=lambda obj: fill(obj, spec={}), validate=objects.lease_failures
    ),
    f"roles.{_RBAC}": Strategy(default=_default_role, validate=objects.role_failures),
    f"clusterroles.{_RBAC}": Strategy(default=_default_role, validate=objects.cluster_role_failures),
    f"rolebindings.{_RBAC}": Strategy(
        default=_default_binding,
        validate=objects.binding_failures,
        validate_update=objects.binding_update_failures,
    ),
    f"clusterrolebindings.{_RBAC}": Strategy(
        default=_default_binding,
        validate=objects.cluster_binding_failures,
        validate_update=objects.binding_update_failures,
    ),
    "csidrivers.storage.k8s.io": Strategy(default=_default_driver, validate=driver_object_failures),
    "volumeattachments.storage.k8s.io": Strategy(has_status=True, initial_status={"attached": False}),
    "ingressclasses.networking.k8s.io": Strategy(
        default=_default_ingress_class,
        validate=ingress_class_failures,
        validate_update=ingress_class_update_failures,
        has_generation=True,
    ),
    "priorityclasses.scheduling.k8s.io": Strategy(
        default=lambda obj: fill(obj, preemptionPolicy="PreemptLowerPriority"),
        validate=policies.priority_class_failures,
        validate_update=policies.priority_class_update_failures,
        has_generation=True,
    ),
    "runtimeclasses.node.k8s.io": Strategy(
        validate=policies.runtime_class_failures, validate_update=policies.runtime_class_update_failures
    ),
    **{
        f"{kind}.{_ADMISSION}": Strategy(
            default=_default_autoregistration,
            validate=admissionregistration.webhook_failures,
            has_generation=True,
        )
        for kind in ("validatingwebhookconfigurations", "mutatingwebhookconfigurations")
    },
    **{
        f"{kind}.{_ADMISSION}": Strategy(
            default=_default_admission_policy,
            validate=admissionregistration.policy_failures,
            has_status=True,
            has_generation=True,
            initial_status={},
        )
        for kind in ("validatingadmissionpolicies", "mutatingadmissionpolicies")
    },
    **{
        f"{kind}.{_ADMISSION}": Strategy(
            default=_default_policy_binding,
            validate=admissionregistration.policy_binding_failures,
            has_generation=True,
        )
        for kind in ("validatingadmissionpolicybindings", "mutatingadmissionpolicybindings")
    },
}
