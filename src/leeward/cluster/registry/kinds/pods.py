"""Pods and Pod templates: defaults.

Source: pkg/apis/core/v1/defaults.go, pkg/registry/core/pod/strategy.go (Kubernetes 1.36).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from leeward.cluster.registry.failures import Failure
from leeward.cluster.registry.kinds.fill import fill, fill_each, fill_zero, update
from leeward.cluster.registry.kinds.labelkeys import merge_label_keys
from leeward.cluster.registry.kinds.strategy import Part, Strategy
from leeward.cluster.registry.validation.pods import pod_create_failures, pod_failures
from leeward.cluster.registry.validation.podstatus import pod_status_failures
from leeward.cluster.registry.validation.podupdates import (
    ephemeral_update_failures,
    pod_update_failures,
    resize_failures,
)
from leeward.kube.objects import Obj
from leeward.kube.quantity import parse_quantity

_FILE_MODE = 0o644


def default_pod_spec(spec: Obj) -> Obj:
    """Fill in a Pod's spec."""
    spec = fill_zero(
        spec, restartPolicy="Always", dnsPolicy="ClusterFirst", schedulerName="default-scheduler"
    )
    spec = fill(spec, terminationGracePeriodSeconds=30, securityContext={})
    for field in ("containers", "initContainers", "ephemeralContainers"):
        spec = update(spec, field, lambda items: fill_each(items, _default_container))
    if spec.get("serviceAccountName"):
        spec = fill(spec, serviceAccount=spec["serviceAccountName"])
    elif spec.get("serviceAccount"):
        spec = fill(spec, serviceAccountName=spec["serviceAccount"])
    spec = update(spec, "imagePullSecrets", lambda items: fill_each(items, _without_empty_name))
    return update(spec, "volumes", lambda items: fill_each(items, _default_volume))


def _without_empty_name(reference: Obj) -> Obj:
    return reference if reference.get("name") else {}


def _pull_policy(image: str) -> str:
    """An image without a tag, or with the tag "latest", may be another one tomorrow."""
    latest = "@" not in image and (":" not in image.rsplit("/", 1)[-1] or image.endswith(":latest"))
    return "Always" if latest else "IfNotPresent"


def _default_container(container: Obj) -> Obj:
    container = fill_zero(
        container,
        imagePullPolicy=_pull_policy(str(container.get("image", ""))),
        terminationMessagePath="/dev/termination-log",
        terminationMessagePolicy="File",
    )
    container = fill(container, resources={})
    container = update(
        container, "ports", lambda items: fill_each(items, lambda port: fill_zero(port, protocol="TCP"))
    )
    for probe in ("livenessProbe", "readinessProbe", "startupProbe"):
        container = update(container, probe, _default_probe)
    container = update(container, "env", lambda items: fill_each(items, _default_env))
    return update(container, "lifecycle", _default_lifecycle)


def _request_limits(container: Obj) -> Obj:
    """What a container is limited to it requests, unless it says otherwise."""
    resources = container.get("resources") or {}
    if not resources.get("limits"):
        return container
    requests = {**resources["limits"], **(resources.get("requests") or {})}
    return {**container, "resources": {**resources, "requests": requests}}


def _publish_on_host(container: Obj) -> Obj:
    """In the network of the host every port is one of the host."""

    def publish(port: Obj) -> Obj:
        return fill_zero(port, hostPort=port["containerPort"]) if port.get("containerPort") else port

    return update(container, "ports", lambda items: fill_each(items, publish))


def _default_lifecycle(lifecycle: Obj) -> Obj:
    return {name: update(hook, "httpGet", _default_http) if isinstance(hook, dict) else hook
            for name, hook in lifecycle.items()}  # fmt: skip


def _default_http(action: Obj) -> Obj:
    return fill_zero(action, path="/", scheme="HTTP")


def _default_probe(probe: Obj) -> Obj:
    probe = fill_zero(probe, timeoutSeconds=1, periodSeconds=10, successThreshold=1, failureThreshold=3)
    probe = update(probe, "httpGet", _default_http)
    return update(probe, "grpc", lambda action: fill(action, service=""))


def _default_env(env: Obj) -> Obj:
    return update(env, "valueFrom", _default_env_source)


def _default_env_source(source: Obj) -> Obj:
    source = update(source, "fileKeyRef", lambda ref: fill(ref, optional=False))
    return _default_downward_file(source)


def _default_volume(volume: Obj) -> Obj:
    if not volume.keys() - {"name"}:
        volume = {**volume, "emptyDir": {}}
    for name, source in volume.items():
        filler = _VOLUMES.get(name)
        if filler is not None and source is not None:
            return {**volume, name: filler(source)}
    return volume


def _default_files(source: Obj) -> Obj:
    return fill(source, defaultMode=_FILE_MODE)


def _default_image(source: Obj) -> Obj:
    return fill_zero(source, pullPolicy=_pull_policy(str(source.get("reference", ""))))


def _default_ephemeral(source: Obj) -> Obj:
    def template(given: Obj) -> Obj:
        return {
            **given,
            "metadata": given.get("metadata") or {},
            "spec": fill(given.get("spec"), volumeMode="Filesystem"),
        }

    return update(source, "volumeClaimTemplate", template)


def _default_downward(source: Obj) -> Obj:
    return update(_default_files(source), "items", _default_downward_files)


def _default_downward_files(items: Any) -> Any:
    return fill_each(items, _default_downward_file)


def _default_downward_file(item: Obj) -> Obj:
    item = update(item, "fieldRef", lambda ref: fill_zero(ref, apiVersion="v1"))
    return update(item, "resourceFieldRef", lambda ref: fill(ref, divisor="0"))


def _default_projected(volume: Obj) -> Obj:
    def source(given: Obj) -> Obj:
        given = update(given, "downwardAPI", lambda each: update(each, "items", _default_downward_files))
        given = update(given, "podCertificate", lambda each: fill(each, maxExpirationSeconds=86400))
        return update(given, "serviceAccountToken", lambda token: fill(token, expirationSeconds=3600))

    return update(_default_files(volume), "sources", lambda items: fill_each(items, source))


_VOLUMES: Mapping[str, Callable[[Obj], Obj]] = {
    "configMap": _default_files,
    "secret": _default_files,
    "downwardAPI": _default_downward,
    "projected": _default_projected,
    "ephemeral": _default_ephemeral,
    "image": _default_image,
    "hostPath": lambda source: fill(source, type=""),
    "iscsi": lambda source: fill_zero(source, iscsiInterface="default"),
    "rbd": lambda source: fill_zero(source, pool="rbd", user="admin", keyring="/etc/ceph/keyring"),
    "scaleIO": lambda source: fill_zero(source, storageMode="ThinProvisioned", fsType="xfs"),
    "azureDisk": lambda source: fill(
        source, cachingMode="ReadWrite", fsType="ext4", readOnly=False, kind="Shared"
    ),
}


def default_template(template: Obj) -> Obj:
    """Fill in a Pod template."""
    template = fill(template, metadata={}, spec={})
    meta = dict(template.get("metadata") or {})
    return {**template, "metadata": meta, "spec": default_pod_spec(template["spec"])}


def default_pod(pod: Obj) -> Obj:
    """Fill in a Pod, which has some defaults that a template has not."""
    spec = fill(default_pod_spec(pod.get("spec") or {}), enableServiceLinks=True)
    if spec["terminationGracePeriodSeconds"] < 0:
        spec["terminationGracePeriodSeconds"] = 1
    for field in ("containers", "initContainers"):
        spec = update(spec, field, lambda items: fill_each(items, _request_limits))
        if spec.get("hostNetwork"):
            spec = update(spec, field, lambda items: fill_each(items, _publish_on_host))
    return {**pod, "spec": spec}


def _prepare_pod(pod: Obj) -> Obj:
    """Say how a Pod is served, and that it waits at a gate if it does; let label keys count as a selector."""
    spec = merge_label_keys(pod["spec"], pod["metadata"].get("labels") or {})
    if spec is not pod["spec"]:
        pod = {**pod, "spec": spec}
    status = {**(pod.get("status") or {}), "qosClass": qos_class(spec)}
    if spec.get("schedulingGates"):
        status["conditions"] = [{**_GATED, "lastTransitionTime": pod["metadata"]["creationTimestamp"]}]
    return {**pod, "status": status}


_GATED = {
    "type": "PodScheduled",
    "status": "False",
    "lastProbeTime": None,
    "reason": "SchedulingGated",
    "message": "Scheduling is blocked due to non-empty scheduling gates",
}


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


def _amount(value: Any) -> Any:
    try:
        return parse_quantity(value)
    except ValueError:
        return value


def _fill_status(status: Obj, old: Obj) -> Obj:
    """What a status always has; the class of service stays, and the first address is the address."""
    if old.get("qosClass"):
        status = fill(status, qosClass=old["qosClass"])
    ip, ips = status.get("podIP"), status.get("podIPs") or ()
    if ip and (not ips or ips[0].get("ip") != ip):
        status = {**status, "podIPs": [{"ip": ip}]}
    elif ips and not ip:
        status = {**status, "podIP": ips[0].get("ip")}
    status = update(status, "conditions", lambda items: fill_each(items, _fill_condition))
    for kind in ("initContainerStatuses", "containerStatuses", "ephemeralContainerStatuses"):
        status = update(status, kind, lambda items: fill_each(items, _fill_container_status))
    return status


def _fill_condition(condition: Obj) -> Obj:
    return {"lastProbeTime": None, "lastTransitionTime": None, **condition}


def _fill_container_status(status: Obj) -> Obj:
    return fill(status, state={}, lastState={}, ready=False, restartCount=0, image="", imageID="")


def _take_ephemeral(new: Obj, old: Obj) -> Obj:
    """Only ephemeral containers change."""
    spec = {key: value for key, value in old["spec"].items() if key != "ephemeralContainers"}
    added = new["spec"].get("ephemeralContainers")
    return {**old, "spec": {**spec, "ephemeralContainers": added} if added else spec}


def _take_resources(new: Obj, old: Obj) -> Obj:
    """Only resources change; containers that are others than before are left for the rules to refuse."""
    spec = dict(old["spec"])
    for kind in ("containers", "initContainers"):
        after, before = new["spec"].get(kind) or (), old["spec"].get(kind) or ()
        if [each.get("name") for each in after] != [each.get("name") for each in before]:
            return {**new, "metadata": old["metadata"], "status": old.get("status") or {}}
        if before:
            spec[kind] = [_resized(has, had) for has, had in zip(after, before, strict=True)]
    if new["spec"].get("resources") != old["spec"].get("resources"):
        spec.pop("resources", None)
        if new["spec"].get("resources") is not None:
            spec["resources"] = new["spec"]["resources"]
    return {**old, "spec": spec}


def _resized(has: Obj, had: Obj) -> Obj:
    given = {name: has[name] for name in ("resources", "resizePolicy") if has.get(name) is not None}
    return {**{key: value for key, value in had.items() if key != "resizePolicy"}, **given}


def _resize_failures(new: Obj, old: Obj) -> list[Failure]:
    before = (old.get("status") or {}).get("qosClass") or qos_class(old["spec"])
    return resize_failures(new, old, (before, qos_class(new["spec"])))


POD = Strategy(
    status_metadata=("labels", "annotations", "finalizers"),
    default=default_pod,
    prepare_create=_prepare_pod,
    initial_status={"phase": "Pending"},
    validate=pod_failures,
    validate_create=pod_create_failures,
    validate_update=pod_update_failures,
    fill_status=_fill_status,
    validate_status=pod_status_failures,
    parts={
        "ephemeralcontainers": Part(take=_take_ephemeral, validate=ephemeral_update_failures),
        "resize": Part(take=_take_resources, validate=_resize_failures),
    },
    has_status=True,
    has_generation=True,
)
