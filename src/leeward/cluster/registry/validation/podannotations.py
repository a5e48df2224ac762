"""Annotations that mean something to a Pod: mirror, deletion cost, tolerations, seccomp, AppArmor.

Source: pkg/apis/core/validation/validation.go ValidatePodSpecificAnnotations and its helpers
(Kubernetes 1.36).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from leeward.cluster.registry.failures import Failure, forbidden, invalid
from leeward.cluster.registry.validation.paths import descending_failures
from leeward.cluster.registry.validation.scheduling import toleration_failures
from leeward.kube.objects import Obj

MIRROR = "kubernetes.io/config.mirror"
_COST = "controller.kubernetes.io/pod-deletion-cost"
_TOLERATIONS = "scheduler.alpha.kubernetes.io/tolerations"
SECCOMP_POD = "seccomp.security.alpha.kubernetes.io/pod"
SECCOMP_CONTAINER = "container.seccomp.security.alpha.kubernetes.io/"
APP_ARMOR = "container.apparmor.security.beta.kubernetes.io/"
_LOCAL = "localhost/"
_NUMBER = re.compile("0|-?[1-9][0-9]*")
_CONTAINERS = ("initContainers", "containers", "ephemeralContainers")
_DEFAULTS = ("runtime/default", "docker/default")


def visit_containers(spec: Obj, field: str) -> Iterator[tuple[Obj, str]]:
    """Yield each container with its path, in upstream's order."""
    for kind in _CONTAINERS:
        for index, container in enumerate(spec.get(kind) or ()):
            yield container, f"{field}.{kind}[{index}]"


def pod_annotation_failures(meta: Obj, spec: Obj, field: str) -> list[Failure]:
    """Check annotations of a Pod or template; `field` is their path."""
    annotations = meta.get("annotations")
    if not annotations:
        return []
    found: list[Failure] = []
    if MIRROR in annotations and not spec.get("nodeName"):
        text = "must set spec.nodeName if mirror pod annotation is set"
        found.append(invalid(f"{field}[{MIRROR}]", annotations[MIRROR], text))
    if annotations.get(_TOLERATIONS):
        found += _old_tolerations(annotations[_TOLERATIONS], field)
    cost = annotations.get(_COST)
    if cost is not None and not (_NUMBER.fullmatch(cost) and -(2**31) <= int(cost) < 2**31):
        found.append(invalid(f"{field}[{_COST}]", cost, "must be a 32bit integer"))
    for key in sorted(annotations):
        if key == SECCOMP_POD or key.startswith(SECCOMP_CONTAINER):
            found += _profile(annotations[key], f"{field}.{key}")
        elif key.startswith(APP_ARMOR):
            found += _app_armor(key, annotations[key], spec, f"{field}[{key}]")
    return found


def _old_tolerations(text: str, field: str) -> list[Failure]:
    try:
        tolerations = json.loads(text)
    except ValueError as error:
        return [invalid(field, _TOLERATIONS, str(error))]
    return toleration_failures(tolerations, f"{field}.{_TOLERATIONS}") if tolerations else []


def _profile(profile: str, field: str) -> list[Failure]:
    if profile in (*_DEFAULTS, "unconfined"):
        return []
    if profile.startswith(_LOCAL):
        return descending_failures(profile.removeprefix(_LOCAL), field)
    return [invalid(field, profile, "must be a valid seccomp profile")]


def _app_armor(key: str, profile: str, spec: Obj, field: str) -> list[Failure]:
    name = key.removeprefix(APP_ARMOR)
    found: list[Failure] = []
    if not any(container.get("name") == name for container, _ in visit_containers(spec, "")):
        found.append(invalid(field, name, "container not found"))
    if profile not in ("", "runtime/default", "unconfined") and not profile.startswith(_LOCAL):
        found.append(invalid(field, profile, f"invalid AppArmor profile name: {json.dumps(profile)}"))
    return found


def pod_annotation_update_failures(new: Obj, old: Obj) -> list[Failure]:
    """Check that a Pod keeps what says that it is a mirror, and its AppArmor profiles."""
    after, before = (each["metadata"].get("annotations") or {} for each in (new, old))
    if after == before:
        return []
    found: list[Failure] = []
    for key in sorted({*after, *before}):
        if after.get(key) == before.get(key):
            continue
        change = "remove or update" if key in before else "add"
        place = f"metadata.annotations[{key}]"
        if key.startswith(APP_ARMOR):
            found.append(forbidden(place, f"may not {change} AppArmor annotations"))
        if key == MIRROR:
            found.append(forbidden(place, f"may not {change} mirror pod annotation"))
    return found


# Annotations beside fields ------------------------------------------------------------------------


def profile_match_failures(meta: Obj, spec: Obj, field: str, *, app_armor: bool) -> list[Failure]:
    """Check that profiles that are given by a field and by its old annotation are the same."""
    annotations = meta.get("annotations")
    if not annotations:
        return []
    of_pod = spec.get("securityContext") or {}
    found = _matches(annotations.get(SECCOMP_POD), of_pod, "seccomp", f"{field}.securityContext")
    containers = list(visit_containers(spec, field))
    for container, path in containers:
        annotation = annotations.get(SECCOMP_CONTAINER + (container.get("name") or ""))
        context = container.get("securityContext") or {}
        found += _matches(annotation, context, "seccomp", f"{path}.securityContext")
    if not app_armor or (spec.get("os") or {}).get("name") == "windows":
        return found
    for container, path in containers:
        annotation = annotations.get(APP_ARMOR + (container.get("name") or ""))
        context = {**of_pod, **(container.get("securityContext") or {})}
        found += _matches(annotation, context, "apparmor", f"{path}.securityContext")
    return found


_FIELDS = {"seccomp": "seccompProfile", "apparmor": "appArmorProfile"}


def _matches(annotation: str | None, context: Mapping[str, Any], what: str, field: str) -> list[Failure]:
    profile = context.get(_FIELDS[what])
    if annotation is None or not profile:
        return []
    place, kind = f"{field}.{_FIELDS[what]}", profile.get("type")
    defaults = _DEFAULTS if what == "seccomp" else _DEFAULTS[:1]
    local = annotation.startswith(_LOCAL)
    fits = {
        "Unconfined": annotation == "unconfined",
        "RuntimeDefault": annotation in defaults,
        "Localhost": local,
    }
    if not fits.get(kind, True):
        return [forbidden(f"{place}.type", f"{what} type in annotation and field must match")]
    if kind == "Localhost" and annotation.removeprefix(_LOCAL) != profile.get("localhostProfile"):
        text = f"{what} profile in annotation and field must match"
        return [forbidden(f"{place}.localhostProfile", text)]
    return []
