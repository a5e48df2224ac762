"""``leeward cluster start --scheduler-config FILE``: the file of kube-scheduler's ``--config``.

What is typed here is what has an effect, and what runs a real scheduler and has none here (leader election
and the like). Everything else, extenders above all, is refused by name and line.

Source: kubescheduler.config.k8s.io/v1 (Kubernetes 1.36).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from leeward.base.diagnostics import Diagnostic, Location
from leeward.base.errors import DiagnosticsError, UserInputError
from leeward.cluster.scheduler.configuration import build_profile, profiles_of
from leeward.compose.findings import Findings, ValuePath
from leeward.compose.node import Node, plain
from leeward.compose.source import Sources
from leeward.compose.syntax import parse_documents
from leeward.settings.base import Extension, Whole
from leeward.settings.check import check, written
from leeward.settings.configfile import diagnostic_at, several_documents

Free = Mapping[str, Any]
Percent = Annotated[int, Whole(0, 100)]
Weight = Annotated[int, Whole(0, 10_000)]
ResourceWeight = Annotated[int, Whole(1, 100)]
Seconds = Annotated[int, Whole(0, 1_000_000)]


@dataclass(frozen=True, slots=True)
class _Plugin(Extension):
    name: str
    weight: Weight = 0


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
    percentage_of_nodes_to_score: Percent = 0


@dataclass(frozen=True, slots=True)
class _Configuration(Extension):
    api_version: Literal["kubescheduler.config.k8s.io/v1"]
    kind: Literal["KubeSchedulerConfiguration"]
    profiles: tuple[_Profile, ...] = ()
    percentage_of_nodes_to_score: Percent = 0
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
    hard_pod_affinity_weight: Percent = 1
    ignore_preferred_terms_of_existing_pods: bool = False


@dataclass(frozen=True, slots=True)
class _Requirement(Extension):
    key: str
    operator: Literal["In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt"]
    values: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Term(Extension):
    match_expressions: tuple[_Requirement, ...] = ()
    match_fields: tuple[_Requirement, ...] = ()


@dataclass(frozen=True, slots=True)
class _NodeSelector(Extension):
    node_selector_terms: tuple[_Term, ...]


@dataclass(frozen=True, slots=True)
class _Preference(Extension):
    weight: ResourceWeight
    preference: _Term


@dataclass(frozen=True, slots=True)
class _NodeAffinity(Extension):
    required_during_scheduling_ignored_during_execution: _NodeSelector | None = None
    preferred_during_scheduling_ignored_during_execution: tuple[_Preference, ...] = ()


@dataclass(frozen=True, slots=True)
class _NodeAffinityArgs(_Args):
    added_affinity: _NodeAffinity | None = None


@dataclass(frozen=True, slots=True)
class _Resource(Extension):
    name: str
    weight: ResourceWeight = 1


@dataclass(frozen=True, slots=True)
class _Point(Extension):
    utilization: Percent
    score: Annotated[int, Whole(0, 10)]


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
    max_skew: Annotated[int, Whole(1, 1_000_000)]
    topology_key: str
    when_unsatisfiable: Literal["DoNotSchedule", "ScheduleAnyway"]


@dataclass(frozen=True, slots=True)
class _SpreadArgs(_Args):
    default_constraints: tuple[_Constraint, ...] = ()
    defaulting_type: Literal["System", "List"] = "System"


@dataclass(frozen=True, slots=True)
class _VolumeBindingArgs(_Args):
    bind_timeout_seconds: Seconds = 600


@dataclass(frozen=True, slots=True)
class _PreemptionArgs(_Args):
    min_candidate_nodes_percentage: Percent = 10
    min_candidate_nodes_absolute: Annotated[int, Whole(0, 1_000_000)] = 100


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
    """Return the KubeSchedulerConfiguration in a file, as plain values of the right types.

    Raises:
        DiagnosticsError: it cannot be used; says why, with lines.
        UserInputError: a plugin does not exist, or is asked for what it cannot do.
    """
    findings = Findings()
    sources = Sources(Path.cwd(), findings)
    shown = sources.shown(str(path.absolute()))
    text = sources.read(str(path.absolute()), "scheduler configuration")
    documents = parse_documents(text, shown, findings) if text is not None else []
    tree = documents[0] if documents else Node({}, Location(shown, 1))
    problems = list(findings.diagnostics)
    if len(documents) > 1:
        problems.append(several_documents(documents[1]))
    found = _checked(tree, (), _Configuration, plain(tree), problems)
    if problems:
        raise DiagnosticsError(problems)
    for number, profile in enumerate(found.get("profiles") or ()):
        for place, each in enumerate(profile.get("pluginConfig") or ()):
            at = ("profiles", number, "pluginConfig", place, "args")
            kind = _ARGS.get(each["name"], _Args)
            each["args"] = _checked(tree, at, kind, each.get("args"), problems)
            problems += [diagnostic_at(tree, at, "bad-setting", *text) for text in _rules(each["args"])]
    _refuse_unknown(shown, found)
    if problems:
        raise DiagnosticsError(problems)
    return found


def _refuse_unknown(shown: str, found: dict[str, Any]) -> None:
    try:
        for profile in profiles_of(found):
            build_profile(profile)
    except UserInputError as error:
        raise UserInputError(f"{shown}: {error}", remedy=error.remedy) from error


def _checked(
    tree: Node, path: ValuePath, kind: type[Any], given: Any, problems: list[Diagnostic]
) -> dict[str, Any]:
    """Return what is written as plain values of the right types; adds what is wrong to `problems`."""
    checked = check(kind, given)
    problems += [
        diagnostic_at(tree, (*path, *each.path), each.code, each.message, each.remedy)
        for each in checked.problems
    ]
    return {} if checked.problems or checked.settings is None else written(checked.settings)


def _rules(args: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield what must hold between arguments and does not, with the remedy."""
    strategy = args.get("scoringStrategy") or {}
    shape = (strategy.get("requestedToCapacityRatio") or {}).get("shape") or ()
    if strategy.get("type") == "RequestedToCapacityRatio" and not shape:
        yield (
            "RequestedToCapacityRatio needs requestedToCapacityRatio.shape.",
            "Add points, such as {utilization: 0, score: 10}.",
        )
    rising = [point["utilization"] for point in shape]
    if rising != sorted(set(rising)):
        yield "The utilization of a shape's points has to rise.", "Order the points."
    if args.get("defaultConstraints") and args.get("defaultingType", "System") == "System":
        yield "defaultConstraints are for defaultingType List.", "Add defaultingType: List."
