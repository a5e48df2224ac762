"""Pods and Pod templates: defaults.

Source: pkg/apis/core/v1/defaults.go (Kubernetes 1.36).
"""

from __future__ import annotations

from typing import Any

from leeward.cluster.registry.kinds.fill import fill, fill_each, update
from leeward.cluster.registry.kinds.strategy import Strategy
from leeward.cluster.registry.validation.pods import (
    pod_create_failures,
    pod_failures,
    pod_status_failures,
    pod_update_failures,
)
from leeward.kube.objects import Obj
from leeward.kube.quantity import parse_quantity

_FILE_MODE = 0o644


def default_pod_spec(spec: Obj) -> Obj:
    """Fill in a Pod's spec."""
    spec = fill(
        spec,
        restartPolicy="Always",
        dnsPolicy="ClusterFirst",
        schedulerName="default-scheduler",
        terminationGracePeriodSeconds=30,
        securityContext={},
    )
    for field in ("containers", "initContainers", "ephemeralContainers"):
        spec = update(spec, field, lambda items: fill_each(items, _default_container))
        if spec.get("hostNetwork"):
            spec = update(spec, field, lambda items: fill_each(items, _publish_on_host))
    if spec.get("serviceAccountName"):
        spec = fill(spec, serviceAccount=spec["serviceAccountName"])
    elif spec.get("serviceAccount"):
        spec = fill(spec, serviceAccountName=spec["serviceAccount"])
    return update(spec, "volumes", lambda items: fill_each(items, _default_volume))


def _default_container(container: Obj) -> Obj:
    image = str(container.get("image", ""))
    latest = "@" not in image and (":" not in image.rsplit("/", 1)[-1] or image.endswith(":latest"))
    container = fill(
        container,
        imagePullPolicy="Always" if latest else "IfNotPresent",
        terminationMessagePath="/dev/termination-log",
        terminationMessagePolicy="File",
        resources={},
    )
    container = update(
        container, "ports", lambda items: fill_each(items, lambda port: fill(port, protocol="TCP"))
    )
    for probe in ("livenessProbe", "readinessProbe", "startupProbe"):
        container = update(container, probe, _default_probe)
    container = update(container, "env", lambda items: fill_each(items, _default_env))
    limits = (container.get("resources") or {}).get("limits")
    if limits:  # requests follow limits
        requests = {**limits, **(container["resources"].get("requests") or {})}
        container = {**container, "resources": {**container["resources"], "requests": requests}}
    lifecycle = container.get("lifecycle")
    return update(container, "lifecycle", _default_lifecycle) if lifecycle else container


def _publish_on_host(container: Obj) -> Obj:
    """In the network of the host every port is one of the host."""

    def publish(port: Obj) -> Obj:
        return fill(port, hostPort=port["containerPort"]) if "containerPort" in port else port

    return update(container, "ports", lambda items: fill_each(items, publish))


def _default_lifecycle(lifecycle: Obj) -> Obj:
    return {name: update(hook, "httpGet", _default_http) if isinstance(hook, dict) else hook
            for name, hook in lifecycle.items()}  # fmt: skip


def _default_http(action: Obj) -> Obj:
    return fill(action, path="/", scheme="HTTP")


def _default_probe(probe: Obj) -> Obj:
    probe = fill(probe, timeoutSeconds=1, periodSeconds=10, successThreshold=1, failureThreshold=3)
    probe = update(probe, "httpGet", _default_http)
    return update(probe, "grpc", lambda action: fill(action, service=""))


def _default_env(env: Obj) -> Obj:
    source = env.get("valueFrom")
    if isinstance(source, dict) and "fieldRef" in source:
        return {**env, "valueFrom": update(source, "fieldRef", lambda ref: fill(ref, apiVersion="v1"))}
    return env


def _default_volume(volume: Obj) -> Obj:
    if set(volume) == {"name"}:
        volume = {**volume, "emptyDir": {}}
    for source in ("configMap", "secret", "downwardAPI", "projected"):
        volume = update(volume, source, lambda spec: fill(spec, defaultMode=_FILE_MODE))
    volume = update(volume, "downwardAPI", _default_downward)
    volume = update(volume, "projected", _default_projected)
    volume = update(volume, "iscsi", lambda spec: fill(spec, iscsiInterface="default"))
    return update(volume, "hostPath", lambda spec: fill(spec, type=""))


def _default_downward(source: Obj) -> Obj:
    return update(source, "items", lambda items: fill_each(items, _default_downward_file))


def _default_downward_file(item: Obj) -> Obj:
    item = update(item, "fieldRef", lambda ref: fill(ref, apiVersion="v1"))
    return update(item, "resourceFieldRef", lambda ref: fill(ref, divisor="0"))


def _default_projected(volume: Obj) -> Obj:
    def source(given: Obj) -> Obj:
        given = update(given, "downwardAPI", _default_downward)
        return update(given, "serviceAccountToken", lambda token: fill(token, expirationSeconds=3600))

    return update(volume, "sources", lambda items: fill_each(items, source))


def default_template(template: Obj) -> Obj:
    """Fill in a Pod template."""
    template = fill(template, metadata={}, spec={})
    meta = dict(template.get("metadata") or {})
    return {**template, "metadata": meta, "spec": default_pod_spec(template["spec"])}


def default_pod(pod: Obj) -> Obj:
    """Fill in a Pod."""
    return {**pod, "spec": fill(default_pod_spec(pod.get("spec") or {}), enableServiceLinks=True)}


def qos_class(spec: Obj) -> str:
    """Return Guaranteed, Burstable or BestEffort."""
    guaranteed, anything = True, False
    for container in [*(spec.get("containers") or ()), *(spec.get("initContainers") or ())]:
        resources = container.get("resources") or {}
        limits, wanted = resources.get("limits") or {}, resources.get("requests") or {}
        anything = anything or any(name in {**limits, **wanted} for name in ("cpu", "memory"))
        for name in ("cpu", "memory"):
            if name not in limits or _amount(wanted.get(name, limits[name])) != _amount(limits[name]):
                guaranteed = False
    return "Guaranteed" if anything and guaranteed else "Burstable" if anything else "BestEffort"


def _prepare_pod(pod: Obj) -> Obj:
    return {**pod, "status": {**pod["status"], "qosClass": qos_class(pod["spec"])}}


def _amount(value: Any) -> Any:
    try:
        return parse_quantity(value)
    except ValueError:
        return value


POD = Strategy(
    default=default_pod,
    prepare_create=_prepare_pod,
    initial_status={"phase": "Pending"},
    validate=pod_failures,
    validate_create=pod_create_failures,
    validate_update=pod_update_failures,
    validate_status=pod_status_failures,
    has_status=True,
    has_generation=True,
)
