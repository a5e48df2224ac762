"""What a Pod cannot start without: ConfigMaps, Secrets and claims that it names. It only reads.

Source: pkg/volume/{configmap,secret,projected} (Kubernetes 1.36).
"""

from __future__ import annotations

from leeward.cluster.interface.client import Reader
from leeward.cluster.interface.runtime import RuntimeFailureError
from leeward.cluster.kubelet.environment import find_source, make_environment
from leeward.kube.objects import Obj

_KINDS = (("configMap", "configmaps"), ("secret", "secrets"))


def missing_volume(reader: Reader, pod: Obj) -> str:
    """Return what a volume of a Pod lacks; "" for nothing."""
    for volume in pod["spec"].get("volumes") or ():
        try:
            _find_sources(reader, pod["metadata"]["namespace"], volume)
        except RuntimeFailureError as error:
            return f'MountVolume.SetUp failed for volume "{volume["name"]}" : {error}'
    return ""


def _find_sources(reader: Reader, namespace: str, volume: Obj) -> None:
    claim = volume.get("persistentVolumeClaim")
    if claim:
        find_source(reader, "persistentvolumeclaims", namespace, {"name": claim["claimName"]})
    for source in (volume, *((volume.get("projected") or {}).get("sources") or ())):
        for kind, resource in _KINDS:
            if source.get(kind):
                find_source(reader, resource, namespace, source[kind])


def missing_variable(reader: Reader, pod: Obj, container: Obj) -> str:
    """Return what the environment of a container lacks; "" for nothing."""
    if not container.get("envFrom") and not any("valueFrom" in each for each in container.get("env") or ()):
        return ""
    try:
        make_environment(reader, pod, container, {})
    except RuntimeFailureError as error:
        return str(error)
    return ""
