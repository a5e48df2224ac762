"""An embedded cluster in the shape of one on EKS: zones, node groups, sizes, labels and taints."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from leeward.base.errors import UserInputError
from leeward.cluster.config import NodeGroup
from leeward.compose.findings import Findings
from leeward.compose.source import Sources
from leeward.infra.capacity import allocatable
from leeward.infra.cost import sizes
from leeward.infra.fitting import node_labels, taints_of
from leeward.infra.grouprules import known_types
from leeward.infra.places import good_spec
from leeward.infra.spec import FILE_NAME, ClusterSpec
from leeward.infra.specfile import read_spec


@dataclass(frozen=True, slots=True)
class Shape:
    """What of a cluster spec an embedded cluster has."""

    region: str
    zones: tuple[str, ...]  # letters
    groups: tuple[NodeGroup, ...]


def read_shape(path: Path) -> Shape:
    """Return the shape that a cluster spec describes, with every group at its first size.

    Args:
        path: of ``cluster.yaml``, or of its directory.

    Raises:
        UserInputError: there is no such file.
        DiagnosticsError: the spec has mistakes.
    """
    from leeward.cli.infrarepository import today

    file = path / FILE_NAME if path.is_dir() else path
    if not file.is_file():
        raise UserInputError(
            f"--from {path}: there is no {file}", remedy="Name a directory with a cluster.yaml."
        )
    findings = Findings()
    read = read_spec(str(file.absolute()), Sources(Path.cwd(), findings), findings, today())
    return shape_of(good_spec(read))


def shape_of(spec: ClusterSpec) -> Shape:
    """Return the shape of a spec without mistakes."""
    groups = [_group(spec, name, zones) for name, zones in _groups(spec)]
    return Shape(spec.region, _letters(spec, spec.zone_names), tuple(groups))


def _groups(spec: ClusterSpec) -> list[tuple[str, tuple[str, ...]]]:
    return [(name, spec.zones_of(group)) for name, group in sorted(spec.node_groups.items())]


def _letters(spec: ClusterSpec, zones: Sequence[str]) -> tuple[str, ...]:
    return tuple(zone.removeprefix(spec.region) for zone in zones)


def _group(spec: ClusterSpec, name: str, zones: tuple[str, ...]) -> NodeGroup:
    group = spec.node_groups[name]
    kind = known_types(group)[0]
    free = allocatable(kind)
    labels = node_labels(spec, name, group, zones[0])
    of_zones = ("topology.kubernetes.io/zone", "topology.kubernetes.io/region", "kubernetes.io/os")
    return NodeGroup(
        name=name,
        nodes=sizes(group, len(zones))[1],
        cpu_millis=kind.vcpus * 1000,
        memory_bytes=kind.memory_mib * 2**20,
        pods=free.pods,
        kept_cpu_millis=kind.vcpus * 1000 - free.cpu_millis,
        kept_memory_bytes=(kind.memory_mib - free.memory_mib) * 2**20,
        labels={key: value for key, value in labels.items() if key not in of_zones},
        taints=taints_of(group),
        zones=_letters(spec, zones),
    )
