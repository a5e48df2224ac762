"""Which Secrets and ConfigMaps a Pod refers to.

Source: pkg/api/pod/util.go VisitPodSecretNames, VisitPodConfigmapNames (Kubernetes 1.36).
"""

from __future__ import annotations

from collections.abc import Iterator

from leeward.kube.objects import Obj

CONTAINERS = ("initContainers", "containers", "ephemeralContainers")
_SECRET_REFS = ("secretRef", "nodePublishSecretRef")  # of volumes of many kinds


def containers_of(spec: Obj) -> Iterator[Obj]:
    """Yield the containers of all three kinds."""
    for field in CONTAINERS:
        yield from spec.get(field) or ()


def secret_names(spec: Obj) -> Iterator[str]:
    """Yield the Secrets that a Pod's spec refers to."""
    for reference in spec.get("imagePullSecrets") or ():
        yield reference.get("name") or ""
    for container in containers_of(spec):
        yield from _of_container(container, "secretRef", "secretKeyRef")
    for volume in spec.get("volumes") or ():
        yield from _of_volume(volume)


def _of_volume(volume: Obj) -> Iterator[str]:
    for kind in ("secret", "azureFile"):
        if kind in volume:
            yield volume[kind].get("secretName") or ""
    for source in (volume.get("projected") or {}).get("sources") or ():
        if "secret" in source:
            yield source["secret"].get("name") or ""
    for source in volume.values():
        for field in _SECRET_REFS if isinstance(source, dict) else ():
            if field in source:
                yield source[field].get("name") or ""


def config_map_names(spec: Obj) -> Iterator[str]:
    """Yield the ConfigMaps that a Pod's spec refers to."""
    for container in containers_of(spec):
        yield from _of_container(container, "configMapRef", "configMapKeyRef")
    for volume in spec.get("volumes") or ():
        if "configMap" in volume:
            yield volume["configMap"].get("name") or ""
        for source in (volume.get("projected") or {}).get("sources") or ():
            if "configMap" in source:
                yield source["configMap"].get("name") or ""


def _of_container(container: Obj, whole: str, one_key: str) -> Iterator[str]:
    for source in container.get("envFrom") or ():
        if whole in source:
            yield source[whole].get("name") or ""
    for variable in container.get("env") or ():
        reference = (variable.get("valueFrom") or {}).get(one_key)
        if reference:
            yield reference.get("name") or ""
