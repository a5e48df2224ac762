"""Containers of a Pod: regular, init and ephemeral ones.

Source: pkg/apis/core/validation/validation.go validateContainers, validateInitContainers,
validateEphemeralContainers, validateContainerCommon (Kubernetes 1.36).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from leeward.cluster.registry.failures import (
    Failure,
    duplicate,
    forbidden,
    invalid,
    not_found,
    required,
    too_many,
    unsupported,
)
from leeward.cluster.registry.validation.environment import env_failures
from leeward.cluster.registry.validation.formats import dns_label, each_failure, port_name, port_number
from leeward.cluster.registry.validation.paths import descending_failures, has_backsteps
from leeward.cluster.registry.validation.probes import probe_failures
from leeward.cluster.registry.validation.resources import requirement_failures
from leeward.cluster.registry.validation.security import container_security_failures
from leeward.kube.objects import Obj

PULL_POLICIES = ("Always", "IfNotPresent", "Never")
_MESSAGE_POLICIES = ("File", "FallbackToLogsOnError")
_RESTARTS = ("Always", "Never", "OnFailure")
_ACTIONS = ("Restart", "RestartAllContainers")
_PROTOCOLS = ("SCTP", "TCP", "UDP")
_PROPAGATIONS = ("Bidirectional", "HostToContainer", "None")
_OF_SIDECARS = "may not be set for init containers without restartPolicy=Always"
_NOT_EPHEMERAL = "cannot be set for an Ephemeral Container"
_EPHEMERAL = frozenset(
    (
        "name", "image", "command", "args", "workingDir", "envFrom", "env", "volumeMounts", "volumeDevices",
        "terminationMessagePath", "terminationMessagePolicy", "imagePullPolicy", "securityContext", "stdin",
        "stdinOnce", "tty", "targetContainerName",
    )
)  # fmt: skip
_ORDER = (
    "ports", "resources", "resizePolicy", "restartPolicy", "restartPolicyRules", "livenessProbe",
    "readinessProbe", "startupProbe", "lifecycle",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class PodContext:
    """What a container is checked against."""

    volumes: Mapping[str, Obj]  # name → source; those of volumeClaimTemplates too
    claims: frozenset[str] = field(default_factory=frozenset)  # names of resource claims
    grace: int | None = None  # seconds
    restart_policy: str = "Always"
    host_users: bool = True


def container_failures(spec: Obj, path: str, pod: PodContext) -> list[Failure]:
    """Check all containers of a Pod's spec."""
    regular, init = spec.get("containers") or (), spec.get("initContainers") or ()
    found = _regular(regular, f"{path}.containers", pod)
    if init:
        found += _init(init, regular, f"{path}.initContainers", pod)
    ephemeral = spec.get("ephemeralContainers")
    if ephemeral:
        found += _ephemeral(ephemeral, [*regular, *init], f"{path}.ephemeralContainers", pod)
    return found


def _regular(containers: Sequence[Obj], path: str, pod: PodContext) -> list[Failure]:
    if not containers:
        return [required(path)]
    found: list[Failure] = []
    names: set[str] = set()
    for index, container in enumerate(containers):
        place = f"{path}[{index}]"
        found += _common(container, place, pod)
        name = container.get("name") or ""
        if name in names:
            found.append(duplicate(f"{place}.name", name))
        names.add(name)
        found += probe_failures(container, place, pod.grace)
        found += _restart_rules(container, place)
    return found + _host_ports(enumerate(containers), path)


def _init(containers: Sequence[Obj], regular: Iterable[Obj], path: str, pod: PodContext) -> list[Failure]:
    found: list[Failure] = []
    names = {each.get("name") or "" for each in regular}
    for index, container in enumerate(containers):
        place = f"{path}[{index}]"
        found += _common(container, place, pod)
        policy = container.get("restartPolicy")
        found += _restart_rules(container, place)
        name = container.get("name") or ""
        if name in names:
            found.append(duplicate(f"{place}.name", name))
        elif name:
            names.add(name)
        found += _host_ports([(0, container)], path)
        if policy == "Always":
            found += probe_failures(container, place, pod.grace)
            continue
        for part in ("lifecycle", "livenessProbe", "readinessProbe", "startupProbe"):
            if container.get(part) is not None:
                found.append(forbidden(f"{place}.{part}", _OF_SIDECARS))
    return found


def _restart_rules(container: Obj, path: str) -> list[Failure]:
    policy, rules = container.get("restartPolicy"), container.get("restartPolicyRules") or ()
    found: list[Failure] = []
    if policy is not None and policy not in _RESTARTS:
        found.append(unsupported(f"{path}.restartPolicy", policy, _RESTARTS))
    if policy is None and rules:
        text = "must specify restartPolicy when restart rules are used"
        found.append(required(f"{path}.restartPolicy", text))
    if len(rules) > 20:
        found.append(too_many(f"{path}.restartPolicyRules", len(rules), 20))
    for index, rule in enumerate(rules):
        found += _restart_rule(rule, f"{path}.restartPolicyRules[{index}]")
    return found


def _restart_rule(rule: Obj, path: str) -> list[Failure]:
    action, codes = rule.get("action") or "", rule.get("exitCodes")
    found: list[Failure] = []
    if action not in _ACTIONS:
        found.append(unsupported(f"{path}.action", action, _ACTIONS))
    if codes is None:
        return [*found, required(f"{path}.exitCodes", "must be specified")]
    operator, values = codes.get("operator") or "", codes.get("values") or ()
    if operator not in ("In", "NotIn"):
        found.append(unsupported(f"{path}.exitCodes.operator", operator, ("In", "NotIn")))
    if len(values) > 255:
        found.append(too_many(f"{path}.exitCodes.values", len(values), 255))
    return found


def _ephemeral(containers: Sequence[Obj], others: Iterable[Obj], path: str, pod: PodContext) -> list[Failure]:
    found: list[Failure] = []
    targets = {each.get("name") or "" for each in others}
    names = set(targets)
    for index, container in enumerate(containers):
        place = f"{path}[{index}]"
        found += _common(container, place, pod) + image_failures(container, place)
        name, target = container.get("name") or "", container.get("targetContainerName")
        if name in names:
            found.append(duplicate(f"{place}.name", name))
        names.add(name)
        if target and target not in targets:
            found.append(not_found(f"{place}.targetContainerName", target))
        for part in _ORDER:
            if part not in _EPHEMERAL and container.get(part):
                found.append(forbidden(f"{place}.{part}", _NOT_EPHEMERAL))
        for at, mount in enumerate(container.get("volumeMounts") or ()):
            for part in ("subPath", "subPathExpr"):
                if mount.get(part):
                    found.append(forbidden(f"{place}.volumeMounts[{at}].{part}", _NOT_EPHEMERAL))
    return found


def image_failures(container: Obj, path: str) -> list[Failure]:
    """Check what only Pods, not templates, have to keep."""
    image = container.get("image") or ""
    if image == image.strip():
        return []
    return [invalid(f"{path}.image", image, "must not have leading or trailing whitespace")]


def _common(container: Obj, path: str, pod: PodContext) -> list[Failure]:
    found: list[Failure] = []
    name = container.get("name")
    found += each_failure(dns_label, name, f"{path}.name") if name else [required(f"{path}.name")]
    if not container.get("image"):
        found.append(required(f"{path}.image"))
    policy = container.get("terminationMessagePolicy")
    if policy not in _MESSAGE_POLICIES:
        place = f"{path}.terminationMessagePolicy"
        found.append(unsupported(place, policy, _MESSAGE_POLICIES) if policy else required(place))
    if container.get("ports"):
        found += _ports(container["ports"], f"{path}.ports")
    found += env_failures(container, path)
    if container.get("volumeMounts") or container.get("volumeDevices"):
        found += _mounts(container, pod.volumes, path) + _devices(container, pod.volumes, path)
    pull = container.get("imagePullPolicy")
    if pull not in PULL_POLICIES:
        place = f"{path}.imagePullPolicy"
        found.append(unsupported(place, pull, PULL_POLICIES) if pull else required(place))
    found += requirement_failures(container.get("resources"), f"{path}.resources", pod.claims)
    if container.get("resizePolicy"):
        found += _resize(container["resizePolicy"], f"{path}.resizePolicy", pod.restart_policy)
    security = container.get("securityContext")
    if security:
        place = f"{path}.securityContext"
        found += container_security_failures(security, place, host_users=pod.host_users)
    return found


def _ports(ports: Sequence[Obj], path: str) -> list[Failure]:
    found: list[Failure] = []
    names: set[str] = set()
    for index, port in enumerate(ports):
        place = f"{path}[{index}]"
        name, number, on_host = port.get("name"), port.get("containerPort"), port.get("hostPort")
        if name:
            wrong = each_failure(port_name, name, f"{place}.name")
            if not wrong and name in names:
                wrong.append(duplicate(f"{place}.name", name))
            names.add(name)
            found += wrong
        if not number:
            found.append(required(f"{place}.containerPort"))
        else:
            found += [invalid(f"{place}.containerPort", number, text) for text in port_number(number)]
        if on_host:
            found += [invalid(f"{place}.hostPort", on_host, text) for text in port_number(on_host)]
        protocol = port.get("protocol")
        if protocol not in _PROTOCOLS:
            wanted = f"{place}.protocol"
            found.append(unsupported(wanted, protocol, _PROTOCOLS) if protocol else required(wanted))
    return found


def _host_ports(containers: Iterable[tuple[int, Obj]], path: str) -> list[Failure]:
    found: list[Failure] = []
    taken: set[str] = set()
    for index, container in containers:
        for at, port in enumerate(container.get("ports") or ()):
            if not port.get("hostPort"):
                continue
            text = f"{port.get('protocol', '')}/{port.get('hostIP') or ''}/{port['hostPort']}"
            if text in taken:
                found.append(duplicate(f"{path}[{index}].ports[{at}].hostPort", text))
            taken.add(text)
    return found


def _mounts(container: Obj, volumes: Mapping[str, Obj], path: str) -> list[Failure]:
    devices = {each.get("name"): each.get("devicePath") for each in container.get("volumeDevices") or ()}
    found: list[Failure] = []
    points: set[str] = set()
    whole = f"{path}.volumeMounts"
    for index, mount in enumerate(container.get("volumeMounts") or ()):
        place = f"{whole}[{index}]"
        name, point = mount.get("name") or "", mount.get("mountPath") or ""
        if not name:
            found.append(required(f"{place}.name"))
        if name not in volumes:
            found.append(not_found(f"{place}.name", name))
        if not point:
            found.append(required(f"{place}.mountPath"))
        if point in points:
            found.append(invalid(f"{place}.mountPath", point, "must be unique"))
        points.add(point)
        if name in devices:
            found.append(invalid(f"{place}.name", name, "must not already exist in volumeDevices"))
        if point in devices.values():
            text = "must not already exist as a path in volumeDevices"
            found.append(invalid(f"{place}.mountPath", point, text))
        found += _mount_details(container, mount, volumes.get(name) or {}, place, whole)
    return found


def _mount_details(container: Obj, mount: Obj, volume: Obj, place: str, whole: str) -> list[Failure]:
    found: list[Failure] = []
    sub, expression = mount.get("subPath"), mount.get("subPathExpr")
    if volume.get("image") is not None and expression:
        found.append(invalid(f"{place}.subPathExpr", expression, "not allowed in image volume sources"))
    if sub:
        found += descending_failures(sub, f"{whole}.subPath")
    if expression:
        if sub:
            text = "subPathExpr and subPath are mutually exclusive"
            found.append(invalid(f"{place}.subPathExpr", expression, text))
        found += descending_failures(expression, f"{whole}.subPathExpr")
    propagation = mount.get("mountPropagation")
    if propagation is not None:
        field_path = f"{whole}.mountPropagation"
        if propagation not in _PROPAGATIONS:
            found.append(unsupported(field_path, propagation, _PROPAGATIONS))
        privileged = (container.get("securityContext") or {}).get("privileged")
        if propagation == "Bidirectional" and not privileged:
            text = "Bidirectional mount propagation is available only to privileged containers"
            found.append(forbidden(field_path, text))
    recursive = mount.get("recursiveReadOnly")
    return found if recursive is None else found + _recursive(mount, recursive, f"{whole}.recursiveReadOnly")


def _recursive(mount: Obj, recursive: Any, path: str) -> list[Failure]:
    supported = ("Disabled", "Enabled", "IfPossible")
    if recursive not in supported:
        return [unsupported(path, recursive, supported)]
    if recursive == "Disabled":
        return []
    found: list[Failure] = []
    if not mount.get("readOnly"):
        found.append(forbidden(path, "may only be specified when readOnly is true"))
    if mount.get("mountPropagation") not in (None, "None"):
        found.append(forbidden(path, "may only be specified when mountPropagation is None or not specified"))
    return found


def _devices(container: Obj, volumes: Mapping[str, Obj], path: str) -> list[Failure]:
    mounts = {each.get("name"): each.get("mountPath") for each in container.get("volumeMounts") or ()}
    found: list[Failure] = []
    names: set[str] = set()
    paths: set[str] = set()
    for index, device in enumerate(container.get("volumeDevices") or ()):
        place = f"{path}.volumeDevices[{index}]"
        name, at = device.get("name") or "", device.get("devicePath") or ""
        if not name:
            found.append(required(f"{place}.name"))
        if name in names:
            found.append(invalid(f"{place}.name", name, "must be unique"))
        if name not in volumes:
            found.append(not_found(f"{place}.name", name))
        elif not {"persistentVolumeClaim", "ephemeral"} & volumes[name].keys():
            text = "can only use volume source type of PersistentVolumeClaim or Ephemeral for block mode"
            found.append(invalid(f"{place}.name", name, text))
        found += _device_path(at, paths, f"{place}.devicePath")
        if name in mounts:
            found.append(invalid(f"{place}.name", name, "must not already exist in volumeMounts"))
        if at in mounts.values():
            text = "must not already exist as a path in volumeMounts"
            found.append(invalid(f"{place}.devicePath", at, text))
        names.add(name)
        paths.add(at)
    return found


def _device_path(path: str, taken: set[str], field_path: str) -> list[Failure]:
    found = [] if path else [required(field_path)]
    if path in taken:
        found.append(invalid(field_path, path, "must be unique"))
    if has_backsteps(path):
        found.append(invalid(field_path, path, "can not contain backsteps ('..')"))
    return found


def _resize(policies: Sequence[Obj], path: str, restart_policy: str) -> list[Failure]:
    found: list[Failure] = []
    seen: set[str] = set()
    for index, policy in enumerate(policies):
        name, how = policy.get("resourceName") or "", policy.get("restartPolicy") or ""
        if name in seen:
            found.append(duplicate(f"{path}[{index}]", name))
        seen.add(name)
        for value, supported in (
            (name, ("cpu", "memory")),
            (how, ("NotRequired", "RestartContainer")),
        ):
            if value not in supported:
                found.append(unsupported(path, value, supported) if value else required(path))
        if restart_policy == "Never" and how != "NotRequired":
            found.append(invalid(path, how, "must be 'NotRequired' when `restartPolicy` is 'Never'"))
    return found
