"""Warnings about Pods and Pod templates.

Source: pkg/api/pod/warnings.go, pkg/api/node/util.go (Kubernetes 1.36).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from leeward.cluster.registry.validation.podannotations import (
    APP_ARMOR,
    SECCOMP_CONTAINER,
    SECCOMP_POD,
    visit_containers,
)
from leeward.cluster.registry.validation.resources import amount, canonical
from leeward.kube.objects import Obj

_REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
_PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"
_NODE_LABELS = {
    "beta.kubernetes.io/arch": 'deprecated since v1.14; use "kubernetes.io/arch" instead',
    "beta.kubernetes.io/os": 'deprecated since v1.14; use "kubernetes.io/os" instead',
    "failure-domain.beta.kubernetes.io/region": (
        'deprecated since v1.17; use "topology.kubernetes.io/region" instead'
    ),
    "failure-domain.beta.kubernetes.io/zone": (
        'deprecated since v1.17; use "topology.kubernetes.io/zone" instead'
    ),
    "beta.kubernetes.io/instance-type": (
        'deprecated since v1.17; use "node.kubernetes.io/instance-type" instead'
    ),
}
_SYSCTLS = 'non-functional in v1.11+; use the "sysctls" field instead'
_ANNOTATIONS = {
    "scheduler.alpha.kubernetes.io/critical-pod": (
        'non-functional in v1.16+; use the "priorityClassName" field instead'
    ),
    "security.alpha.kubernetes.io/sysctls": _SYSCTLS,
    "security.alpha.kubernetes.io/unsafe-sysctls": _SYSCTLS,
}
_VOLUMES = {  # as upstream spells their paths
    "photonPersistentDisk": ("photonPersistentDisk", "deprecated in v1.11, non-functional in v1.16+"),
    "gitRepo": ("gitRepo", "deprecated in v1.11, and disabled by default in v1.33+"),
    "scaleIO": ("scaleIO", "deprecated in v1.16, non-functional in v1.22+"),
    "flocker": ("flocker", "deprecated in v1.22, non-functional in v1.25+"),
    "storageos": ("storageOS", "deprecated in v1.22, non-functional in v1.25+"),
    "quobyte": ("quobyte", "deprecated in v1.22, non-functional in v1.25+"),
    "glusterfs": ("glusterfs", "deprecated in v1.25, non-functional in v1.26+"),
    "cephfs": ("cephfs", "deprecated in v1.28, non-functional in v1.31+"),
    "rbd": ("rbd", "deprecated in v1.28, non-functional in v1.31+"),
}
_SECCOMP = 'non-functional in v1.27+; use the "seccompProfile" field instead'
_APP_ARMOR = 'deprecated since v1.30; use the "appArmorProfile" field instead'
_MATCHES_NONE = "a null labelSelector results in matching no pod"
_BYTES = ("memory", "ephemeral-storage")


def pod_warnings(pod: Obj) -> list[str]:
    """Return warnings about a new Pod."""
    return list(_warnings(pod["metadata"], pod["spec"], "", is_pod=True))


def template_warnings(template: Obj | None, field: str) -> list[str]:
    """Return warnings about a template."""
    if not template:
        return []
    meta, spec = template.get("metadata") or {}, template.get("spec") or {}
    return list(_warnings(meta, spec, f"{field}.", is_pod=False))


def node_term_warnings(term: Obj, field: str) -> Iterator[str]:
    """Yield warnings about labels of nodes that have other names now."""
    for index, each in enumerate(term.get("matchExpressions") or ()):
        key = each.get("key") or ""
        if key in _NODE_LABELS:
            yield f"{field}.matchExpressions[{index}].key: {key} is {_NODE_LABELS[key]}"


def _warnings(meta: Obj, spec: Obj, prefix: str, *, is_pod: bool) -> Iterator[str]:
    """Yield warnings in upstream's order; `prefix` is where the Pod is, with a dot."""
    field = f"{prefix}spec"
    yield from _placement(spec, field)
    annotations = meta.get("annotations") or {}
    for key, text in _ANNOTATIONS.items():
        if key in annotations:
            yield f"{prefix}metadata.annotations[{key}]: {text}"
    yield from _volumes(spec, field)
    yield from _token_paths(spec, field)
    yield from _repeated(spec.get("hostAliases") or (), f"{field}.hostAliases", "ip")
    yield from _repeated(spec.get("imagePullSecrets") or (), f"{field}.imagePullSecrets", "name")
    for index, each in enumerate(spec.get("imagePullSecrets") or ()):
        if not each.get("name"):
            yield f'{field}.imagePullSecrets[{index}].name: invalid empty name ""'
    yield from _fractions(spec.get("overhead") or {}, f"{field}.overhead")
    context = spec.get("securityContext") or {}
    if SECCOMP_POD in annotations and context.get("seccompProfile") is None:
        yield f"{prefix}metadata.annotations[{SECCOMP_POD}]: {_SECCOMP}"
    for container, path in visit_containers(spec, field):
        if annotations:
            profiled = is_pod or context.get("appArmorProfile") is not None
            yield from _profiles(container, annotations, f"{prefix}metadata.annotations", profiled=profiled)
        yield from _container(container, path)
    yield from _ports(spec, field)
    grace = spec.get("terminationGracePeriodSeconds")
    if grace is not None and grace < 0:
        text = "must be >= 0; negative values are invalid and will be treated as 1"
        yield f"{field}.terminationGracePeriodSeconds: {text}"
    yield from _selectors(spec.get("affinity") or {}, f"{field}.affinity")


def _placement(spec: Obj, field: str) -> Iterator[str]:
    for key in spec.get("nodeSelector") or {}:
        if key in _NODE_LABELS:
            yield f"{field}.nodeSelector[{key}]: {_NODE_LABELS[key]}"
    of_node = (spec.get("affinity") or {}).get("nodeAffinity") or {}
    place = f"{field}.affinity.nodeAffinity"
    for index, term in enumerate((of_node.get(_REQUIRED) or {}).get("nodeSelectorTerms") or ()):
        yield from node_term_warnings(term, f"{place}.{_REQUIRED}.nodeSelectorTerms[{index}]")
    for index, each in enumerate(of_node.get(_PREFERRED) or ()):
        yield from node_term_warnings(
            each.get("preference") or {}, f"{place}.{_PREFERRED}[{index}].preference"
        )
    for index, each in enumerate(spec.get("topologySpreadConstraints") or ()):
        place, key = f"{field}.topologySpreadConstraints[{index}]", each.get("topologyKey")
        if key in _NODE_LABELS:
            yield f"{place}.topologyKey: {key} is {_NODE_LABELS[key]}"
        if each.get("labelSelector") is None:
            yield f"{place}.labelSelector: {_MATCHES_NONE}"


def _volumes(spec: Obj, field: str) -> Iterator[str]:
    for index, volume in enumerate(spec.get("volumes") or ()):
        for name, (shown, text) in _VOLUMES.items():
            if volume.get(name) is not None:
                yield f"{field}.volumes[{index}].{shown}: {text}"
        template = (volume.get("ephemeral") or {}).get("volumeClaimTemplate") or {}
        place = f"{field}.volumes[{index}].ephemeral.volumeClaimTemplate.spec"
        yield from claim_warnings(template.get("spec") or {}, place)


def claim_warnings(spec: Obj, field: str) -> Iterator[str]:
    """Yield warnings about a claim."""
    requests = (spec.get("resources") or {}).get("requests") or {}
    yield from _fractions(requests, f"{field}.resources.requests", ("storage",))


def _token_paths(spec: Obj, field: str) -> Iterator[str]:
    """Yield warnings about files that take the place of a token."""
    sources = [
        (index, source)
        for index, volume in enumerate(spec.get("volumes") or ())
        for source in (volume.get("projected") or {}).get("sources") or ()
    ]
    tokens = {
        each["serviceAccountToken"].get("path") for _, each in sources if each.get("serviceAccountToken")
    }
    if not tokens:
        return
    for index, source in sources:
        place = f"{field}.volumes[{index}].projected.sources"
        for kind, shown in (
            ("configMap", "configMap"),
            ("secret", "secrets"),
            ("downwardAPI", "downwardAPI"),
        ):
            for at, item in enumerate((source.get(kind) or {}).get("items") or ()):
                if item.get("path") in tokens:
                    text = f"has duplicated path with ServiceAccountToken {json.dumps(item['path'])}"
                    yield f"{place}.{shown}[{at}]: {text}"
        bundle = (source.get("clusterTrustBundle") or {}).get("path")
        if bundle in tokens:
            text = f"has duplicated path with ServiceAccountToken {json.dumps(bundle)}"
            yield f"{place}.ClusterTrustBundle: {text}"


def _repeated(items: Any, field: str, name: str) -> Iterator[str]:
    seen: set[str] = set()
    for index, each in enumerate(items):
        value = each.get(name) or ""
        if value in seen:
            yield f"{field}[{index}].{name}: duplicate {name} {json.dumps(value)}"
        seen.add(value)


def _fractions(amounts: Obj, field: str, names: tuple[str, ...] = _BYTES) -> Iterator[str]:
    for name in names:
        number = amount(amounts[name]) if name in amounts else None
        if number is not None and number.denominator != 1:
            text = f'fractional byte value "{canonical(amounts[name])}" is invalid, must be an integer'
            yield f"{field}[{name}]: {text}"


def _profiles(container: Obj, annotations: Obj, field: str, *, profiled: bool) -> Iterator[str]:
    name, context = container.get("name") or "", container.get("securityContext") or {}
    if SECCOMP_CONTAINER + name in annotations and context.get("seccompProfile") is None:
        yield f"{field}[{SECCOMP_CONTAINER}{name}]: {_SECCOMP}"
    if APP_ARMOR + name in annotations and not profiled and context.get("appArmorProfile") is None:
        yield f"{field}[{APP_ARMOR}{name}]: {_APP_ARMOR}"


def _container(container: Obj, path: str) -> Iterator[str]:
    resources = container.get("resources") or {}
    for name in _BYTES:
        for kind in ("limits", "requests"):
            yield from _fractions(resources.get(kind) or {}, f"{path}.resources.{kind}", (name,))
    seen: set[str] = set()
    for index, variable in enumerate(container.get("env") or ()):
        name, value = variable.get("name") or "", variable.get("value") or ""
        reference = f"$({name})"
        extends = variable.get("valueFrom") is None and reference in value and value != reference
        if name in seen and not extends:
            text = f"hides previous definition of {json.dumps(name)}, which may be dropped when using apply"
            yield f"{path}.env[{index}]: {text}"
        seen.add(name)


def _ports(spec: Obj, field: str) -> Iterator[str]:
    """Yield warnings about ports that are there twice, in one container or in several."""
    taken: dict[tuple[Any, Any], list[tuple[str, Obj]]] = {}
    for container, path in visit_containers(spec, field):
        for index, port in enumerate(container.get("ports") or ()):
            place = f"{path}.ports[{index}]"
            if port.get("hostIP") and not port.get("hostPort"):
                yield f"{place}: hostIP set without hostPort: {_go_port(port)}"
            others = taken.setdefault((port.get("containerPort"), port.get("protocol")), [])
            for where, other in others:
                problem = _clash(port, other)
                if problem:
                    yield f"{place}: {problem} port definition with {where}"
            others.append((place, port))


def _clash(port: Obj, other: Obj) -> str:
    ip, other_ip = port.get("hostIP") or "", other.get("hostIP") or ""
    on_host, other_on_host = port.get("hostPort") or 0, other.get("hostPort") or 0
    if (ip, on_host) == (other_ip, other_on_host):
        return "duplicate"
    if not on_host or not other_on_host:
        return "overlapping"
    return "dangerously ambiguous" if on_host == other_on_host and bool(ip) != bool(other_ip) else ""


def _go_port(port: Obj) -> str:
    fields = ("name", ""), ("hostPort", 0), ("containerPort", 0), ("protocol", ""), ("hostIP", "")
    shown = (f"{name[0].upper()}{name[1:]}:{port.get(name) or zero}" for name, zero in fields)
    return "{" + " ".join(shown) + "}"


def _selectors(affinity: Obj, field: str) -> Iterator[str]:
    for kind in ("podAffinity", "podAntiAffinity"):
        terms = affinity.get(kind) or {}
        for index, term in enumerate(terms.get(_REQUIRED) or ()):
            if term.get("labelSelector") is None:
                yield f"{field}.{kind}.{_REQUIRED}[{index}].labelSelector: {_MATCHES_NONE}"
        for index, each in enumerate(terms.get(_PREFERRED) or ()):
            if (each.get("podAffinityTerm") or {}).get("labelSelector") is None:
                place = f"{field}.{kind}.{_PREFERRED}[{index}].podAffinityTerm.labelSelector"
                yield f"{place}: {_MATCHES_NONE}"
