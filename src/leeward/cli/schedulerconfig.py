"""``leeward cluster start --scheduler-config FILE``: the file of kube-scheduler's ``--config``.

What is typed here is what has an effect, and what runs a real scheduler and has none here (leader election
and the like). Everything else, extenders above all, is refused by name and line.

Source: kubescheduler.config.k8s.io/v1 (Kubernetes 1.36).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from leeward.base.diagnostics import Diagnostic, Location
from leeward.base.errors import DiagnosticsError, UserInputError
from leeward.cluster.scheduler.configuration import profiles_of
from leeward.compose.findings import Findings, ValuePath
from leeward.compose.node import Node, plain
from leeward.compose.source import Sources
from leeward.compose.syntax import parse_documents
from leeward.settings.base import Extension
from leeward.settings.check import check
from leeward.settings.configfile import diagnostic_at

Free = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class _Plugin(Extension):
    name: str
    weight: int = 0


@dataclass(frozen=True, slots=True)
class _PluginSet(Extension):
    enabled: tuple[_Plugin, ...] = ()
    disabled: tuple[_Plugin, ...] = ()


@dataclass(frozen=True, slots=True)
class _Plugins(Extension):
    multi_point: _PluginSet = _PluginSet()
    score: _PluginSet = _PluginSet()


@dataclass(frozen=True, slots=True)
class _PluginConfig(Extension):
    name: str
    args: Free | None = None


@dataclass(frozen=True, slots=True)
class _Profile(Extension):
    scheduler_name: str = ""
    plugins: _Plugins = _Plugins()
    plugin_config: tuple[_PluginConfig, ...] = ()
    percentage_of_nodes_to_score: int = 0


@dataclass(frozen=True, slots=True)
class _Configuration(Extension):
    api_version: Literal["kubescheduler.config.k8s.io/v1"]
    kind: Literal["KubeSchedulerConfiguration"]
    profiles: tuple[_Profile, ...] = ()
    percentage_of_nodes_to_score: int = 0
    # without effect
    parallelism: int = 0
    leader_election: Free | None = None
    client_connection: Free | None = None
    enable_profiling: bool = False
    enable_contention_profiling: bool = False
    pod_initial_backoff_seconds: int = 0
    pod_max_backoff_seconds: int = 0
    delay_cache_until_active: bool = False


@dataclass(frozen=True, slots=True)
class _Args(Extension):
    """Of any plugin."""

    api_version: str = ""
    kind: str = ""


@dataclass(frozen=True, slots=True)
class _InterPodAffinityArgs(_Args):
    hard_pod_affinity_weight: int = 1
    ignore_preferred_terms_of_existing_pods: bool = False


@dataclass(frozen=True, slots=True)
class _NodeAffinityArgs(_Args):
    added_affinity: Free | None = None


@dataclass(frozen=True, slots=True)
class _Resource(Extension):
    name: str
    weight: int = 1


@dataclass(frozen=True, slots=True)
class _Point(Extension):
    utilization: int
    score: int


@dataclass(frozen=True, slots=True)
class _Ratio(Extension):
    shape: tuple[_Point, ...] = ()


@dataclass(frozen=True, slots=True)
class _Strategy(Extension):
    type: Literal["LeastAllocated", "MostAllocated", "RequestedToCapacityRatio"] = "LeastAllocated"
    resources: tuple[_Resource, ...] = ()
    requested_to_capacity_ratio: _Ratio = _Ratio()


@dataclass(frozen=True, slots=True)
class _FitArgs(_Args):
    ignored_resources: tuple[str, ...] = ()
    ignored_resource_groups: tuple[str, ...] = ()
    scoring_strategy: _Strategy = _Strategy()


@dataclass(frozen=True, slots=True)
class _BalancedAllocationArgs(_Args):
    resources: tuple[_Resource, ...] = ()


@dataclass(frozen=True, slots=True)
class _Constraint(Extension):
    max_skew: int
    topology_key: str
    when_unsatisfiable: Literal["DoNotSchedule", "ScheduleAnyway"]


@dataclass(frozen=True, slots=True)
class _SpreadArgs(_Args):
    default_constraints: tuple[_Constraint, ...] = ()
    defaulting_type: Literal["System", "List"] = "System"


@dataclass(frozen=True, slots=True)
class _VolumeBindingArgs(_Args):
    bind_timeout_seconds: int = 600


@dataclass(frozen=True, slots=True)
class _PreemptionArgs(_Args):
    min_candidate_nodes_percentage: int = 10
    min_candidate_nodes_absolute: int = 100


_ARGS: Mapping[str, type[Any]] = {
    "DefaultPreemption": _PreemptionArgs,
    "InterPodAffinity": _InterPodAffinityArgs,
    "NodeAffinity": _NodeAffinityArgs,
    "NodeResourcesBalancedAllocation": _BalancedAllocationArgs,
    "NodeResourcesFit": _FitArgs,
    "PodTopologySpread": _SpreadArgs,
    "VolumeBinding": _VolumeBindingArgs,
}


def read_scheduler_config(path: Path) -> dict[str, Any]:
    """Return the KubeSchedulerConfiguration in a file, as plain values.

    Raises:
        DiagnosticsError: it cannot be read, or its types are wrong.
        UserInputError: a plugin does not exist, or two profiles have one name.
    """
    findings = Findings()
    sources = Sources(Path.cwd(), findings)
    shown = sources.shown(str(path.absolute()))
    text = sources.read(str(path.absolute()), "scheduler configuration")
    documents = parse_documents(text, shown, findings) if text is not None else []
    tree = documents[0] if documents else Node({}, Location(shown, 1))
    written: Any = plain(tree)
    found = [*findings.diagnostics] or _problems(tree, (), _Configuration, written)
    if found:
        raise DiagnosticsError(found)
    result: dict[str, Any] = written
    try:
        profiles_of(result)
    except UserInputError as error:
        raise UserInputError(f"{shown}: {error}", remedy=error.remedy) from error
    if found := [
        problem
        for number, profile in enumerate(result.get("profiles") or ())
        for problem in _problems_of_args(tree, number, profile)
    ]:
        raise DiagnosticsError(found)
    return result


def _problems(tree: Node, path: ValuePath, kind: type[Any], written: Any) -> list[Diagnostic]:
    return [
        diagnostic_at(tree, (*path, *each.path), each.code, each.message, each.remedy)
        for each in check(kind, written).problems
    ]


def _problems_of_args(tree: Node, number: int, profile: Any) -> list[Diagnostic]:
    return [
        problem
        for place, each in enumerate(profile.get("pluginConfig") or ())
        for problem in _problems(
            tree,
            ("profiles", number, "pluginConfig", place, "args"),
            _ARGS.get(each["name"], _Args),
            each.get("args"),
        )
    ]
