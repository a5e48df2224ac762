"""What rendered objects say that no Compose file could: compared field by field, in Kubernetes' words. Pure.

Source: the Kubernetes API reference; ``ValidateStatefulSetUpdate``, ``ValidateDeploymentUpdate`` and the like
of ``pkg/apis/*/validation`` (Kubernetes 1.36) for what cannot be changed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from leeward.delivery.health import WORKLOADS
from leeward.delivery.wording.compose import containers_of, template_of
from leeward.delivery.wording.facts import base_name, subject_of
from leeward.delivery.wording.values import command, shown
from leeward.kube.objects import Obj, annotations_of
from leeward.kube.wellknown import (
    ALIAS_PREFIX,
    DEPENDS_ON,
    NETWORK_PREFIX,
    ORIGIN,
    PUBLISHED_PORTS,
    RESTART_AFTER,
)

_SAID = (ORIGIN, DEPENDS_ON, PUBLISHED_PORTS, RESTART_AFTER)  # annotations
_OF_CONTAINERS = (
    "image", "command", "args", "env", "ports", "readinessProbe", "startupProbe", "livenessProbe",
    "workingDir", "volumeMounts",
)  # fmt: skip
_OF_SPECS = {
    "Ingress": ("rules",),
    "PersistentVolumeClaim": ("accessModes", "resources", "storageClassName"),
    "HorizontalPodAutoscaler": ("minReplicas", "maxReplicas"),
}
_OF_WORKLOADS = ("replicas", "completions", "parallelism", "schedule", "timeZone", "volumeClaimTemplates")
_CHANGEABLE = re.compile(  # all else of a StatefulSet's spec is for good
    r"(replicas|ordinals|template|updateStrategy|persistentVolumeClaimRetentionPolicy|minReadySeconds"
    r"|revisionHistoryLimit)\b"
)


class Field(NamedTuple):
    """One field before and after; None where it is not there."""

    path: str
    before: Any
    after: Any


def is_content(obj: Obj) -> bool:
    """Tell whether an object is only the content of what services mount, named after it."""
    name = obj["metadata"]["name"]
    return obj["kind"] in ("ConfigMap", "Secret") and bool(obj.get("immutable")) and base_name(name) != name


def identity_of(obj: Obj) -> tuple[str, str]:
    """Return what makes an object the same one on both sides; services have one workload each."""
    if obj["kind"] in WORKLOADS:
        return "", subject_of(obj)
    if obj["kind"] == "Namespace":  # there is one, which environments call differently
        return "Namespace", ""
    return obj["kind"], obj["metadata"]["name"]


def left_of(obj: Obj) -> Obj:
    """Return what facts do not say of an object, without values of Secrets."""
    left = {key: each for key, each in obj.items() if key not in ("apiVersion", "kind", "metadata", "status")}
    if obj["kind"] == "Secret":
        left = {key: each for key, each in left.items() if key not in ("data", "stringData")}
    notes = {key: each for key, each in annotations_of(obj).items() if key not in _SAID}
    meta = {"labels": obj["metadata"].get("labels") or {}, "annotations": notes}
    if obj["kind"] in WORKLOADS:
        left["spec"] = _left_of_workload(obj)
    elif "spec" in left:
        said = _OF_SPECS.get(obj["kind"], ())
        if obj["kind"] == "Service" and subject_of(obj) in _of_one_service(obj["metadata"]["name"]):
            said = ("ports",)
        left["spec"] = _without(left["spec"], said)
    return {**left, "metadata": meta}


def _of_one_service(name: str) -> tuple[str, str]:
    """Return the services that a Service may only repeat the ports of."""
    return name, name.removesuffix("-pods")


def _without(value: Mapping[str, Any], keys: Sequence[str]) -> Obj:
    return {key: each for key, each in value.items() if key not in keys}


def _left_of_workload(obj: Obj) -> Obj:
    spec, template = _without(obj["spec"], _OF_WORKLOADS), _left_of_template(template_of(obj))
    if "jobTemplate" not in spec:
        return {**spec, "template": template}
    inner = _without(spec["jobTemplate"]["spec"], _OF_WORKLOADS)
    return {**spec, "jobTemplate": {**spec["jobTemplate"], "spec": {**inner, "template": template}}}


def _left_of_template(template: Obj) -> Obj:
    meta, pod = template.get("metadata") or {}, template["spec"]
    own = containers_of(pod)
    labels = {
        key: each
        for key, each in (meta.get("labels") or {}).items()
        if not key.startswith((NETWORK_PREFIX, ALIAS_PREFIX))
    }
    notes = _without(meta.get("annotations") or {}, _SAID)
    mounted = {mount["name"] for each in own for mount in each.get("volumeMounts") or ()}
    spec = _without(pod, ("containers", "terminationGracePeriodSeconds", "initContainers", "volumes"))
    spec["containers"] = [_left_of_container(each) for each in own]
    spec["initContainers"] = [each for each in pod.get("initContainers") or () if each not in own]
    spec["volumes"] = [each for each in pod.get("volumes") or () if each["name"] not in mounted]
    return {"metadata": {"labels": labels, "annotations": notes}, "spec": spec}


def _left_of_container(container: Obj) -> Obj:
    left = _without(container, (*_OF_CONTAINERS, "resources"))
    security = _without(container.get("securityContext") or {}, ("runAsUser", "runAsGroup"))
    resources = _without(container.get("resources") or {}, ("limits", "requests"))
    return {**left, "securityContext": security, "resources": resources}


def fields(before: Any, after: Any, path: str = "") -> Iterator[Field]:
    """Yield every field that is not the same on both sides; things with names in lists are met by name."""
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for key in dict.fromkeys((*before, *after)):
            inner = f"{path}.{key}" if path else str(key)
            yield from fields(before.get(key), after.get(key), inner)
    elif (old := named(before)) is not None and (new := named(after)) is not None:
        for name in dict.fromkeys((*old, *new)):
            yield from fields(old.get(name), new.get(name), f"{path}[{name}]")
    elif before != after and (before or after):  # what is empty is as good as absent
        yield Field(path, before, after)


def named(value: Any) -> dict[str, Any] | None:
    """Return a list of things with names by name, {} for nothing; None when it is none."""
    if not isinstance(value, list):
        return {} if value is None else None
    names = [name_of(each) for each in value]
    return dict(zip(names, value, strict=True)) if all(names) and len({*names}) == len(names) else None


def name_of(value: Any) -> str:
    """Return the name of something in a list; "" for none."""
    if not isinstance(value, Mapping):
        return ""
    return str(value.get("name") or (value.get("metadata") or {}).get("name") or "")


def is_fixed(kind: str, path: str) -> bool:
    """Tell whether the API refuses to change a field of a kind."""
    if kind in ("Deployment", "DaemonSet"):
        return path.startswith("spec.selector")
    if kind == "StatefulSet":
        return path.startswith("spec.") and _CHANGEABLE.match(path.removeprefix("spec.")) is None
    return kind == "Service" and path.startswith("spec.clusterIP")


def said(field: Field) -> str:
    """Return a field in words: ``securityContext.readOnlyRootFilesystem true → false``."""
    path, before, after = (
        short(field.path),
        text_of(field.path, field.before),
        text_of(field.path, field.after),
    )
    if field.before is None or field.after is None:
        return f"{'+' if field.before is None else '-'} {path} {after or before}".rstrip()
    return f"{path} {before} → {after}" if before != after and before and after else f"{path}: changed"


def short(path: str) -> str:
    """Return where a field is without what goes without saying."""
    path = re.sub(r"^spec\.(jobTemplate\.spec\.)?(template\.spec\.)?", "", path)
    return re.sub(r"^containers\[[^]]*\]\.", "", path)


def text_of(path: str, value: Any) -> str:
    """Return the value of a field in words; "" for what has parts, and for what is not there."""
    if isinstance(value, list) and all(isinstance(each, str) for each in value):
        return command(value)
    if value is None or isinstance(value, (Mapping, list)):
        return ""
    names = re.findall(r"[\w-]+", path)
    name = names[-2] if names[-1:] == ["value"] and len(names) > 1 else names[-1] if names else ""
    return shown(name, value)
