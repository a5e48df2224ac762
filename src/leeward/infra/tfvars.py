"""From a cluster spec and its lock to the variables of its Terraform: ``cluster.auto.tfvars.json``.

Not Terraform's are ``state`` (a backend takes no variables: ``hclfiles.backend_file``), ``account.profile``
and ``account.role`` (whoever runs Terraform has them in the environment), ``highly_available``,
``environments`` and ``estimate`` (checks and cost). Everything else has an effect here.

Invariant: the order of zones, groups, tags and of every list that is a set does not show in the result, and
every key is always there; a value that is null is EKS's to choose.
"""

from __future__ import annotations

from typing import Any

from leeward.infra.catalogue import catalogue
from leeward.infra.endpoints import interface_endpoints
from leeward.infra.lock import Lock
from leeward.infra.spec import Architecture, ClusterSpec, NodeGroup
from leeward.infra.specrules import ADDONS
from leeward.kube.wellknown import NODE_GROUP

FILE_NAME = "cluster.auto.tfvars.json"
_AMI_TYPES = {
    ("al2023", "x86_64"): "AL2023_x86_64_STANDARD",
    ("al2023", "arm64"): "AL2023_ARM_64_STANDARD",
    ("bottlerocket", "x86_64"): "BOTTLEROCKET_x86_64",
    ("bottlerocket", "arm64"): "BOTTLEROCKET_ARM_64",
}
_LOG_SHIPPER = "amazon-cloudwatch-observability"


def tfvars(spec: ClusterSpec, lock: Lock) -> dict[str, Any]:
    """Return the variables of a cluster, sorted, as JSON has values.

    Args:
        spec: without mistakes.
        lock: with a slot for every zone of `spec`.

    Raises:
        KeyError: it has none for one; see `leeward.infra.lock.extended`.
    """
    values = {
        "name": spec.name,
        "region": spec.region,
        "account_id": spec.account.id,
        "kubernetes_version": spec.kubernetes,
        "support_type": spec.upgrade_policy.upper(),
        "zonal_shift": spec.zonal_shift,
        "node_groups": {name: _group(spec, name, group) for name, group in spec.node_groups.items()},
        "autoscaler": spec.autoscaler,
        "access": {
            name: {"roles": sorted(people.roles), "cluster": people.cluster}
            for name, people in spec.access.items()
        },
        "addons": _addons(spec, lock),
        "tags": dict(spec.tags),
        **_network(spec, lock),
        **_logs_and_keys(spec),
    }
    return {key: _sorted(value) for key, value in sorted(values.items())}


def _network(spec: ClusterSpec, lock: Lock) -> dict[str, Any]:
    return {
        "cidr": spec.network.cidr,
        "zone_slots": {zone: lock.zones[zone] for zone in spec.zone_names},
        "control_plane_zones": sorted(lock.control_plane_zones),
        "nat": spec.network.nat,
        "interface_endpoints": list(interface_endpoints(spec)),
        "flow_logs": spec.network.flow_logs,
        "endpoint_public_cidrs": sorted(spec.api.public_cidrs),
        "endpoint_private_cidrs": sorted(spec.api.private_cidrs),
    }


def _logs_and_keys(spec: ClusterSpec) -> dict[str, Any]:
    return {
        "control_plane_logs": sorted(spec.logging.control_plane),
        "retention_days": spec.logging.retention_days,
        "workload_logs": spec.logging.workloads,
        "secrets_key": spec.encryption.secrets,
        "disks_key": spec.encryption.disks,
        "logs_key": spec.encryption.logs,
    }


def _group(spec: ClusterSpec, name: str, group: NodeGroup) -> dict[str, Any]:
    return {
        "instance_types": list(group.types),  # in their order: the first is preferred
        "min": group.min,
        "desired": group.min if group.desired is None else group.desired,
        "max": group.max,
        "capacity_type": "SPOT" if group.spot else "ON_DEMAND",
        "per_zone": group.per_zone,
        "zones": list(spec.zones_of(group)),
        "disk_gib": group.disk,
        "ami_type": _AMI_TYPES[group.os, architecture(group)],
        "ami_release": group.ami,
        "labels": {**group.labels, NODE_GROUP: name},
        "taints": [_taint(text) for text in sorted(group.taints)],
    }


def architecture(group: NodeGroup) -> Architecture:
    """Return what images of a group's nodes are built for; a type that is not known is taken for x86_64."""
    if group.arch is not None:
        return group.arch
    known = [catalogue().types[name].arch for name in group.types if name in catalogue().types]
    return known[0] if known else "x86_64"


def _taint(text: str) -> dict[str, str]:
    word, _, effect = text.rpartition(":")
    key, _, value = word.partition("=")
    return {"key": key, "value": value, "effect": effect}


def _addons(spec: ClusterSpec, lock: Lock) -> dict[str, str | None]:
    chosen: dict[str, str | None] = {}
    for name in ADDONS:
        version = spec.addons.get(name)
        unwanted = name == _LOG_SHIPPER and version is None and not spec.logging.workloads
        if version != "off" and not unwanted:
            chosen[name] = version or lock.addons.get(name)
    return chosen


def _sorted(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _sorted(each) for key, each in sorted(value.items())}
    return value
