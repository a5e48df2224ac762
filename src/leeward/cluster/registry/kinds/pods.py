"""Pods and Pod templates: defaults and rules.

Source: pkg/apis/core/v1/defaults.go, pkg/apis/core/validation/validation.go (Kubernetes 1.36).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from leeward.cluster.registry.failures import Failure, duplicate, forbidden, invalid, required, unsupported
from leeward.cluster.registry.kinds.fill import fill, fill_each, update
from leeward.cluster.registry.kinds.names import label_failures, name_failures
from leeward.cluster.registry.kinds.strategy import Strategy
from leeward.kube.objects import Obj
from leeward.kube.quantity import parse_quantity

_QUANTITY = "^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$"
_FILE_MODE = 0o644
_CHANGEABLE = ("activeDeadlineSeconds", "tolerations", "terminationGracePeriodSeconds", "schedulingGates")


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


def _amount(value: Any) -> Any:
    try:
        return parse_quantity(value)
    except ValueError:
        return value


def validate_template(template: Obj, path: str, claims: Sequence[Any] = ()) -> list[Failure]:
    """Check a Pod template; `claims` are volumes that every Pod gets besides its own."""
    labels = (template.get("metadata") or {}).get("labels")
    return [
        *label_failures(labels, f"{path}.metadata.labels"),
        *validate_pod_spec(template["spec"], f"{path}.spec", claims),
    ]


def validate_pod_spec(spec: Obj, path: str, claims: Sequence[Any] = ()) -> list[Failure]:
    """Check a Pod's spec."""
    found: list[Failure] = []
    volumes = [volume.get("name") for volume in spec.get("volumes") or ()]
    found += _unique(volumes, f"{path}.volumes")
    volumes += claims
    containers = spec.get("containers") or []
    if not containers:
        found.append(required(f"{path}.containers"))
    names = [c.get("name") for c in [*(spec.get("initContainers") or ()), *containers]]
    found += _unique(names, f"{path}.containers")
    for field in ("initContainers", "containers"):
        for index, container in enumerate(spec.get(field) or ()):
            found += _validate_container(container, volumes, f"{path}.{field}[{index}]")
    if spec.get("restartPolicy") not in ("Always", "OnFailure", "Never"):
        found.append(
            unsupported(f"{path}.restartPolicy", spec.get("restartPolicy"), ["Always", "OnFailure", "Never"])
        )
    if (spec.get("terminationGracePeriodSeconds") or 0) < 0:
        value = spec["terminationGracePeriodSeconds"]
        found.append(
            invalid(f"{path}.terminationGracePeriodSeconds", value, "must be greater than or equal to 0")
        )
    return found


def _unique(names: list[Any], path: str) -> list[Failure]:
    return [
        duplicate(f"{path}[{index}].name", name)
        for index, name in enumerate(names)
        if name and name in names[:index]
    ]


def _validate_container(container: Obj, volumes: list[Any], path: str) -> list[Failure]:
    found: list[Failure] = []
    if not container.get("name"):
        found.append(required(f"{path}.name"))
    else:
        found += name_failures(container["name"], f"{path}.name", "label")
    if not container.get("image"):
        found.append(required(f"{path}.image"))
    for index, mount in enumerate(container.get("volumeMounts") or ()):
        if not mount.get("mountPath"):
            found.append(required(f"{path}.volumeMounts[{index}].mountPath"))
        if mount.get("name") not in volumes:
            place = f"{path}.volumeMounts[{index}].name"
            found.append(Failure(place, "FieldValueNotFound", f'Not found: "{mount.get("name", "")}"'))
    for index, port in enumerate(container.get("ports") or ()):
        number = port.get("containerPort")
        if not isinstance(number, int) or not 1 <= number <= 65535:
            found.append(
                invalid(
                    f"{path}.ports[{index}].containerPort", number, "must be between 1 and 65535, inclusive"
                )
            )
    return [*found, *_validate_resources(container.get("resources") or {}, f"{path}.resources")]


def _validate_resources(resources: Obj, path: str) -> list[Failure]:
    found: list[Failure] = []
    for kind in ("limits", "requests"):
        for name, amount in (resources.get(kind) or {}).items():
            try:
                value = parse_quantity(amount)
            except ValueError:
                text = f"quantities must match the regular expression '{_QUANTITY}'"
                found.append(invalid(f"{path}.{kind}[{name}]", amount, text))
                continue
            if value < 0:
                detail = "must be greater than or equal to 0"
                found.append(invalid(f"{path}.{kind}[{name}]", amount, detail))
            limit = (resources.get("limits") or {}).get(name)
            if (
                kind == "requests"
                and limit is not None
                and not _is_bad(limit)
                and value > parse_quantity(limit)
            ):
                found.append(
                    invalid(
                        f"{path}.requests", amount, f"must be less than or equal to {name} limit of {limit}"
                    )
                )
    return found


def _is_bad(amount: Any) -> bool:
    try:
        parse_quantity(amount)
    except ValueError:
        return True
    return False


def validate_pod(pod: Obj) -> list[Failure]:
    """Check a Pod."""
    return validate_pod_spec(pod["spec"], "spec")


def validate_pod_update(new: Obj, old: Obj) -> list[Failure]:
    """Only images and a few other fields of a Pod may change."""

    def frozen(pod: Obj) -> Obj:
        spec = {key: value for key, value in pod["spec"].items() if key not in _CHANGEABLE}
        for field in ("containers", "initContainers"):
            if field in spec:
                spec[field] = [{**c, "image": ""} for c in spec[field]]
        return spec

    if frozen(new) == frozen(old):
        return []
    fields = "`spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,"
    fields += (
        "`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds`"
    )
    text = f"pod updates may not change fields other than {fields}"
    return [forbidden("spec", f"{text} (allow it to be set to 1 if it was previously negative)")]


POD = Strategy(
    default=default_pod,
    initial_status={"phase": "Pending"},
    validate=validate_pod,
    validate_update=validate_pod_update,
    has_status=True,
    has_generation=True,
)
