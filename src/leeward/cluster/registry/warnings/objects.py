"""What is odd or deprecated about objects that are neither Pods nor make any.

Source: WarningsOnCreate and WarningsOnUpdate in pkg/registry, pkg/api/{service,persistentvolume}/warnings.go,
k8s.io/apimachinery/pkg/util/validation/ip.go (Kubernetes 1.36).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from leeward.cluster.registry.validation.formats import parse_ip
from leeward.kube.objects import Obj, annotations_of

_RECYCLE = (
    "spec.persistentVolumeReclaimPolicy: The Recycle reclaim policy is deprecated. Instead, the recommended "
    "approach is to use dynamic provisioning."
)
_INGRESS = "kubernetes.io/ingress.class"
_OLD_SOURCES = (  # of volumes that Kubernetes has no driver for any more
    ("cephfs", "deprecated in v1.28, non-functional in v1.31+"),
    ("photonPersistentDisk", "deprecated in v1.11, non-functional in v1.16+"),
    ("scaleIO", "deprecated in v1.16, non-functional in v1.22+"),
    ("storageos", "deprecated in v1.22, non-functional in v1.25+"),
    ("glusterfs", "deprecated in v1.25, non-functional in v1.26+"),
    ("rbd", "deprecated in v1.28, non-functional in v1.31+"),
)


def volume_warnings(new: Obj, old: Obj | None) -> list[str]:
    """Warn about a PersistentVolume."""
    spec = new.get("spec") or {}
    found = [_RECYCLE] if spec.get("persistentVolumeReclaimPolicy") == "Recycle" else []
    return found + [f"spec.{name}: {text}" for name, text in _OLD_SOURCES if spec.get(name) is not None]


def ingress_warnings(new: Obj, old: Obj | None) -> list[str]:
    """Warn about the annotation that was a field later."""
    if old is None and _INGRESS in annotations_of(new):
        return [f"annotation \"{_INGRESS}\" is deprecated, please use 'spec.ingressClassName' instead"]
    return []


def slice_warnings(new: Obj, old: Obj | None) -> list[str]:
    """Warn about EndpointSlices of names and addresses that are written in a way of their own."""
    if new.get("addressType") == "FQDN":
        return ["spec.addressType: FQDN endpoints are deprecated"]
    found = []
    for index, endpoint in enumerate(new.get("endpoints") or ()):
        for position, address in enumerate(endpoint.get("addresses") or ()):
            found += address_warnings(address, f"endpoints[{index}].addresses[{position}]")
    return found


def service_warnings(new: Obj, old: Obj | None) -> list[str]:
    """Warn about a Service's addresses, and about what has no effect."""
    spec = new.get("spec") or {}
    found = list(_service_addresses(spec))
    if spec.get("externalIPs"):
        found.append("spec.externalIPs is deprecated and may no longer be implemented in some clusters")
    headless = spec.get("clusterIP") == "None"
    if headless and spec.get("loadBalancerIP"):
        found.append("spec.loadBalancerIP: field is ignored for headless services")
    if headless and spec.get("externalIPs"):
        found.append("spec.externalIPs: field is ignored for headless services")
    if headless and spec.get("sessionAffinity") not in (None, "None"):
        found.append("spec.SessionAffinity: field is ignored for headless services")
    return found


def _service_addresses(spec: Obj) -> Iterator[str]:
    for index, address in enumerate(spec.get("clusterIPs") or ()):
        if address != "None":
            yield from address_warnings(address, f"spec.clusterIPs[{index}]")
    for index, address in enumerate(spec.get("externalIPs") or ()):
        yield from address_warnings(address, f"spec.externalIPs[{index}]")
    if spec.get("loadBalancerIP"):
        yield from address_warnings(spec["loadBalancerIP"], "spec.loadBalancerIP")


def address_warnings(text: Any, field: str) -> list[str]:
    """Warn about an address that is not written in the one way in which it is compared."""
    address = parse_ip(str(text))
    if address is None:
        return []
    mapped = getattr(address, "ipv4_mapped", None)
    if mapped is not None or (address.version == 4 and str(address) != text):
        return [f'{field}: non-standard IP address "{text}" is invalid: use "{mapped or address}"']
    if str(address) != text:
        return [f'{field}: IPv6 address "{text}" should be in RFC 5952 canonical format ("{address}")']
    return []
