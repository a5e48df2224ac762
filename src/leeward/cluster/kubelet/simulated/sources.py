"""What a Pod cannot start without: ConfigMaps, Secrets and claims that it names. It only reads.

Source: pkg/kubelet/kubelet_pods.go (makeEnvironmentVariables), pkg/volume/{configmap,secret} (1.36).
"""

from __future__ import annotations

from collections.abc import Iterator

from leeward.cluster.interface.client import Reader
from leeward.kube.objects import Obj

_RESOURCES = {"configMap": "configmaps", "secret": "secrets"}


def missing_volume(reader: Reader, pod: Obj) -> str:
    """Return what a volume of a Pod lacks; "" for nothing."""
    namespace = pod["metadata"]["namespace"]
    for volume in pod["spec"].get("volumes") or ():
        for resource, name, optional in _volume_sources(volume):
            if not optional and reader.find(resource, namespace, name) is None:
                kind = resource.rstrip("s")
                return f'MountVolume.SetUp failed for volume "{volume["name"]}" : {kind} "{name}" not found'
    return ""


def _volume_sources(volume: Obj) -> Iterator[tuple[str, str, bool]]:
    """Yield (resource, name, whether it may be missing) of a volume's sources."""
    if "persistentVolumeClaim" in volume:
        yield "persistentvolumeclaims", volume["persistentVolumeClaim"]["claimName"], False
    for source in (volume, *((volume.get("projected") or {}).get("sources") or ())):
        for kind, resource in _RESOURCES.items():
            found = source.get(kind)
            if found:
                yield (
                    resource,
                    found.get("name") or found.get("secretName") or "",
                    bool(found.get("optional")),
                )


def missing_variable(reader: Reader, pod: Obj, container: Obj) -> str:
    """Return what the environment of a container lacks; "" for nothing."""
    namespace = pod["metadata"]["namespace"]
    for entry in container.get("envFrom") or ():
        for kind, resource in (("configMapRef", "configmaps"), ("secretRef", "secrets")):
            found = entry.get(kind)
            if (
                found
                and not found.get("optional")
                and reader.find(resource, namespace, found["name"]) is None
            ):
                return f'{resource.rstrip("s")} "{found["name"]}" not found'
    for entry in container.get("env") or ():
        for kind, resource in (("configMapKeyRef", "configmaps"), ("secretKeyRef", "secrets")):
            found = (entry.get("valueFrom") or {}).get(kind)
            if not found or found.get("optional"):
                continue
            source = reader.find(resource, namespace, found["name"])
            if source is None:
                return f'{resource.rstrip("s")} "{found["name"]}" not found'
            if found["key"] not in {**(source.get("data") or {}), **(source.get("binaryData") or {})}:
                where = f"{'ConfigMap' if resource == 'configmaps' else 'Secret'} {namespace}/{found['name']}"
                return f"couldn't find key {found['key']} in {where}"
    return ""
