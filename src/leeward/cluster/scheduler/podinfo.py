"""A Pod as the scheduler sees it: everything a plugin asks for, worked out once.

Source: ``k8s.io/component-helpers/resource`` (PodRequests), ``pkg/scheduler/framework/types.go`` (PodInfo).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from weakref import WeakValueDictionary

from orjson import dumps

from leeward.kube.objects import Obj, ObjectKey, controller_of, is_terminating, key_of, labels_of
from leeward.kube.quantity import to_millis, to_units

BUILT_IN = (
    "cpu",
    "memory",
    "ephemeral-storage",
)  # of every node; others count if asked for
DEFAULT_MILLI_CPU = 100  # what scoring assumes for a container that requests nothing
DEFAULT_MEMORY = 200 * 1024 * 1024

DISKS = ("gcePersistentDisk", "awsElasticBlockStore", "iscsi", "rbd")
_UNSIGNED = {"nodeName": None, "hostname": None, "subdomain": None}
_SIGNED = ("image", "resources", "ports", "restartPolicy")  # of a container
_OWN_VOLUMES = ("projected", "configMap", "secret", "emptyDir", "downwardAPI")  # which no node lacks
_templates: WeakValueDictionary[bytes, Template] = WeakValueDictionary()

Resources = dict[str, int]  # "cpu" in thousandths, everything else in whole units
HostPort = tuple[str, str, int]  # (IP, protocol, port)


@dataclass(frozen=True, slots=True)
class AffinityTerm:
    """One PodAffinityTerm with its namespaces worked out."""

    topology_key: str
    selector: Mapping[str, Any] | None
    namespaces: frozenset[str]
    namespace_selector: Mapping[str, Any] | None
    weight: int = 0  # preferred terms only


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class Template:
    """What Pods that differ only in name have in common: one object for all of them, compared by identity."""

    namespace: str
    labels: Mapping[str, str]
    owner: tuple[str, str, str]  # API version, kind and name of the controller; empty without one
    priority: int
    requests: Resources
    scored: Resources  # cpu and memory with the defaults for containers that request nothing
    size: bytes  # the same for all that need the same
    host_ports: tuple[HostPort, ...]
    images: tuple[str, ...]  # with a tag
    claims: tuple[str, ...]  # names of the PersistentVolumeClaims it mounts, but for ephemeral ones
    disks: tuple[Obj, ...]  # volumes that two Pods cannot mount at once
    affinity: tuple[AffinityTerm, ...]
    anti_affinity: tuple[AffinityTerm, ...]
    preferred_affinity: tuple[AffinityTerm, ...]
    preferred_anti_affinity: tuple[AffinityTerm, ...]

    @property
    def has_terms(self) -> bool:
        """Tell whether there are affinity or anti-affinity terms of any kind."""
        return bool(
            self.affinity or self.anti_affinity or self.preferred_affinity or self.preferred_anti_affinity
        )


Kin = tuple[Template, bool]  # Pods no other Pod's rules can tell apart; True: they are terminating


@dataclass(frozen=True, slots=True)
class PodInfo:
    """Immutable; made anew whenever the Pod changes."""

    pod: Obj
    key: ObjectKey
    uid: str
    template: Template
    terminating: bool

    @property
    def namespace(self) -> str:
        """The Pod's namespace."""
        return self.key.namespace

    @property
    def kin(self) -> Kin:
        """Whom others take it for."""
        return (self.template, self.terminating)

    @property
    def labels(self) -> Mapping[str, str]:
        """The Pod's labels."""
        return self.template.labels

    @property
    def priority(self) -> int:
        """How important it is."""
        return self.template.priority

    @property
    def requests(self) -> Resources:
        """What it needs."""
        return self.template.requests

    @property
    def spec(self) -> Obj:
        """The Pod's spec."""
        spec: Obj = self.pod["spec"]
        return spec


def quantity_of(resource: str, text: Any) -> int:
    """Return `text` in the unit used for `resource`."""
    return to_millis(text) if resource == "cpu" else to_units(text)


def _add(into: Resources, other: Mapping[str, int]) -> None:
    for name, amount in other.items():
        into[name] = into.get(name, 0) + amount


def _container_requests(container: Obj, defaults: Mapping[str, int]) -> Resources:
    found = dict(defaults)
    for name, text in ((container.get("resources") or {}).get("requests") or {}).items():
        found[name] = quantity_of(name, text)
    return found


def pod_requests(spec: Obj, defaults: Mapping[str, int] | None = None) -> Resources:
    """Return what a Pod needs: containers and sidecars together, or its greediest start, plus overhead.

    Args:
        spec: the Pod's spec.
        defaults: what a container counts for where it requests nothing.
    """
    base = defaults or {}
    total: Resources = {}
    for container in spec.get("containers") or ():
        _add(total, _container_requests(container, base))
    sidecars: Resources = {}
    start: Resources = {}
    for container in spec.get("initContainers") or ():
        need = _container_requests(container, base)
        if container.get("restartPolicy") == "Always":
            _add(total, need)
            _add(sidecars, need)
            need = dict(sidecars)
        else:
            _add(need, sidecars)
        for name, amount in need.items():
            start[name] = max(start.get(name, 0), amount)
    for name, amount in start.items():
        total[name] = max(total.get(name, 0), amount)
    for name, text in ((spec.get("resources") or {}).get("requests") or {}).items():
        total[name] = quantity_of(name, text)
    for name, text in (spec.get("overhead") or {}).items():
        total[name] = total.get(name, 0) + quantity_of(name, text)
    return total


def _host_ports(spec: Obj) -> tuple[HostPort, ...]:
    containers = [
        *(spec.get("containers") or ()),
        *(c for c in spec.get("initContainers") or () if c.get("restartPolicy") == "Always"),
    ]
    return tuple(
        (port.get("hostIP") or "0.0.0.0", port.get("protocol") or "TCP", port["hostPort"])
        for container in containers
        for port in container.get("ports") or ()
        if port.get("hostPort")
    )


def _images(spec: Obj) -> tuple[str, ...]:
    """Return the images of all containers and image volumes."""
    names = [each.get("image") for kind in ("initContainers", "containers") for each in spec.get(kind) or ()]
    names += [(volume.get("image") or {}).get("reference") for volume in spec.get("volumes") or ()]
    return tuple(
        name if name.rfind(":") > name.rfind("/") else f"{name}:latest" for name in names if name is not None
    )


def merge_label_keys(
    selector: Mapping[str, Any] | None,
    labels: Mapping[str, str],
    match_keys: Iterable[str] = (),
    mismatch_keys: Iterable[str] = (),
) -> Mapping[str, Any] | None:
    """Return `selector` narrowed by the Pod's own values of its (mis)matchLabelKeys."""
    extra = [
        {"key": key, "operator": operator, "values": [labels[key]]}
        for operator, keys in (("In", match_keys), ("NotIn", mismatch_keys))
        for key in keys
        if key in labels
    ]
    if selector is None or not extra:
        return selector
    return {**selector, "matchExpressions": [*(selector.get("matchExpressions") or ()), *extra]}


def _term(raw: Obj, namespace: str, labels: Mapping[str, str], weight: int = 0) -> AffinityTerm:
    namespaces = frozenset(raw.get("namespaces") or ())
    namespace_selector = raw.get("namespaceSelector")
    if not namespaces and namespace_selector is None:
        namespaces = frozenset((namespace,))
    selector = merge_label_keys(
        raw.get("labelSelector"), labels, raw.get("matchLabelKeys") or (), raw.get("mismatchLabelKeys") or ()
    )
    return AffinityTerm(raw["topologyKey"], selector, namespaces, namespace_selector, weight)


def _terms(
    group: Obj | None, namespace: str, labels: Mapping[str, str]
) -> tuple[tuple[AffinityTerm, ...], tuple[AffinityTerm, ...]]:
    found = group or {}
    required = found.get("requiredDuringSchedulingIgnoredDuringExecution") or ()
    preferred = found.get("preferredDuringSchedulingIgnoredDuringExecution") or ()
    return (
        tuple(_term(raw, namespace, labels) for raw in required),
        tuple(_term(raw["podAffinityTerm"], namespace, labels, raw["weight"]) for raw in preferred),
    )


def _signature(pod: Obj, spec: Obj, namespace: str) -> bytes:
    """Return what is the same for Pods that no plugin can tell apart, but for their names."""
    meta = pod["metadata"]
    parts = {**spec, **_UNSIGNED}
    for kind in ("containers", "initContainers"):
        parts[kind] = [[each.get(name) for name in _SIGNED] for each in spec.get(kind) or ()]
    parts["volumes"] = [
        volume for volume in spec.get("volumes") or () if not any(kind in volume for kind in _OWN_VOLUMES)
    ]
    return dumps([namespace, meta.get("labels"), _owner(pod), parts])


def _owner(pod: Obj) -> tuple[str, str, str]:
    owner = controller_of(pod)
    return (owner["apiVersion"], owner["kind"], owner["name"]) if owner else ("", "", "")


def _template(pod: Obj, spec: Obj, namespace: str) -> Template:
    labels, volumes = labels_of(pod), spec.get("volumes") or ()
    affinity = spec.get("affinity") or {}
    required, preferred = _terms(affinity.get("podAffinity"), namespace, labels)
    anti, preferred_anti = _terms(affinity.get("podAntiAffinity"), namespace, labels)
    requests = pod_requests(spec)
    scored = pod_requests(spec, {"cpu": DEFAULT_MILLI_CPU, "memory": DEFAULT_MEMORY})
    return Template(
        namespace=namespace,
        labels=labels,
        owner=_owner(pod),
        priority=spec.get("priority") or 0,
        requests=requests,
        scored=scored,
        size=dumps([requests, scored]),
        host_ports=_host_ports(spec),
        images=_images(spec),
        claims=tuple(
            volume["persistentVolumeClaim"]["claimName"]
            for volume in volumes
            if volume.get("persistentVolumeClaim")
        ),
        disks=tuple(volume for volume in volumes if any(kind in volume for kind in DISKS)),
        affinity=required,
        anti_affinity=anti,
        preferred_affinity=preferred,
        preferred_anti_affinity=preferred_anti,
    )


def describe(pod: Obj) -> PodInfo:
    """Work out everything plugins ask of `pod`; Pods of one template share it."""
    spec, key = pod["spec"], key_of(pod)
    signature = _signature(pod, spec, key.namespace)
    template = _templates.get(signature)
    if template is None:
        template = _templates[signature] = _template(pod, spec, key.namespace)
    return PodInfo(pod, key, pod["metadata"].get("uid") or str(key), template, is_terminating(pod))
