"""PersistentVolumeClaims.

Source: pkg/apis/core/validation/validation.go ValidatePersistentVolumeClaim* (Kubernetes 1.36).
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from leeward.cluster.registry.failures import Failure, forbidden, go_struct, invalid, required, unsupported
from leeward.cluster.registry.validation.diff import struct_diff
from leeward.cluster.registry.validation.formats import (
    dns_label,
    dns_subdomain,
    each_failure,
    label_selector_failures,
)
from leeward.cluster.registry.validation.resources import amount, quantity_failures
from leeward.kube.objects import Obj

ACCESS_MODES = ("ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod")
VOLUME_MODES = ("Block", "Filesystem")


def access_mode_failures(modes: Sequence[str], field: str) -> list[Failure]:
    """Check the modes of a claim or volume."""
    found = [unsupported(field, mode, ACCESS_MODES) for mode in modes if mode not in ACCESS_MODES]
    if "ReadWriteOncePod" in modes and any(m in ACCESS_MODES[:3] for m in modes):
        found.append(forbidden(field, "may not use ReadWriteOncePod with other access modes"))
    return found


def claim_spec_failures(spec: Obj, field: str) -> list[Failure]:
    """Check ``spec`` of a claim or of a template of one."""
    found: list[Failure] = []
    modes = spec.get("accessModes") or ()
    if not modes:
        found.append(required(f"{field}.accessModes", "at least 1 access mode is required"))
    found += label_selector_failures(spec.get("selector"), f"{field}.selector")
    found += access_mode_failures(modes, f"{field}.accessModes")
    size = ((spec.get("resources") or {}).get("requests") or {}).get("storage")
    place = f"{field}.resources[storage]"
    found += [required(place)] if size is None else quantity_failures(size, place, positive=True)
    if spec.get("storageClassName"):
        found += each_failure(dns_subdomain, spec["storageClassName"], f"{field}.storageClassName")
    mode = spec.get("volumeMode")
    if mode is not None and mode not in VOLUME_MODES:
        found.append(unsupported(f"{field}.volumeMode", mode, VOLUME_MODES))
    found += _data_source_failures(spec, field)
    if spec.get("volumeAttributesClassName"):
        place = f"{field}.volumeAttributesClassName"
        found += each_failure(dns_subdomain, spec["volumeAttributesClassName"], place)
    return found


def _data_source_failures(spec: Obj, field: str) -> list[Failure]:
    source, ref = spec.get("dataSource"), spec.get("dataSourceRef")
    found: list[Failure] = []
    for name, given in (("dataSource", source), ("dataSourceRef", ref)):
        if given is None:
            continue
        place = f"{field}.{name}"
        found += [required(f"{place}.{part}") for part in ("name", "kind") if not given.get(part)]
        group, kind = given.get("apiGroup") or "", given.get("kind") or ""
        if not group and kind != "PersistentVolumeClaim":
            text = "must be 'PersistentVolumeClaim' when referencing the default apiGroup"
            found.append(invalid(place, kind, text))
        if group:
            found += each_failure(dns_subdomain, group, f"{place}.apiGroup")
        if given.get("namespace") and name == "dataSourceRef":
            found += each_failure(dns_label, given["namespace"], f"{place}.namespace")
    if source is not None and ref is not None:
        if ref.get("namespace"):
            text = "may not be specified when dataSourceRef.namespace is specified"
            found.append(invalid(field, f"{field}.dataSource", text))
        elif any(source.get(part) != ref.get(part) for part in ("apiGroup", "kind", "name")):
            found.append(invalid(field, f"{field}.dataSource", "must match dataSourceRef"))
    return found


def claim_failures(obj: Obj) -> list[Failure]:
    """Check a claim."""
    return claim_spec_failures(obj.get("spec") or {}, "spec")


def claim_update_failures(new: Obj, old: Obj) -> list[Failure]:
    """Check what may change of a claim: its size once it is bound, its volume once."""
    after, before = dict(new["spec"]), dict(old["spec"])
    if not before.get("volumeName"):
        before["volumeName"] = after.get("volumeName")
    if before.get("storageClassName") is None and after.get("storageClassName") is not None:
        before["storageClassName"] = after["storageClassName"]
    bound = (old.get("status") or {}).get("phase") == "Bound"
    wanted, had = _size(new), _size(old)
    if bound:
        after["resources"] = before.get("resources")
        if after.get("volumeAttributesClassName") is not None:
            after["volumeAttributesClassName"] = before.get("volumeAttributesClassName")
    found: list[Failure] = []
    if _internal(after) != _internal(before):
        text = "spec is immutable after creation except resources.requests and volumeAttributesClassName"
        changed = struct_diff(_internal(before), _internal(after))
        found.append(forbidden("spec", f"{text} for bound claims\n{changed}"))
    status = (old.get("status") or {}).get("capacity") or {}
    there = amount(status.get("storage", "0")) or 0
    if wanted is not None and had is not None and wanted < had and wanted <= there:
        text = "field can not be less than status.capacity"
        found.append(forbidden("spec.resources.requests.storage", text))
    if new["spec"].get("volumeMode") != old["spec"].get("volumeMode"):
        found.append(invalid("volumeMode", new["spec"].get("volumeMode"), "field is immutable"))
    return found


def _size(claim: Obj) -> Fraction | None:
    size = ((claim["spec"].get("resources") or {}).get("requests") or {}).get("storage")
    return None if size is None else amount(size)


def _internal(spec: Obj) -> Obj:
    resources = go_struct(spec.get("resources"), Limits=None, Requests=None)
    made = go_struct(
        spec,
        AccessModes=None, Selector=None, Resources=None, VolumeName="", StorageClassName=None,
        VolumeMode=None, DataSource=None, DataSourceRef=None, VolumeAttributesClassName=None,
    )  # fmt: skip
    return {**made, "Resources": resources, "VolumeName": spec.get("volumeName") or ""}
