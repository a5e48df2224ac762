"""Profiles: which plugins decide about the Pods of a ``schedulerName``, with which weights and arguments.

The vocabulary is KubeSchedulerConfiguration's: plugins are the default ones in their order, without those a
profile disables at ``multiPoint``; weights come from ``multiPoint`` and ``score``, arguments from
``pluginConfig``.

Source: kubescheduler.config.k8s.io/v1 (Kubernetes 1.36).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from leeward.base.errors import UserInputError
from leeward.cluster.scheduler.catalog import PLUGINS
from leeward.cluster.scheduler.framework import Args, Descriptor
from leeward.cluster.scheduler.preemption import NAME as PREEMPTION
from leeward.cluster.scheduler.profile import Profile
from leeward.kube.objects import Obj

DEFAULT_SCHEDULER = "default-scheduler"


@dataclass(frozen=True, slots=True)
class ProfileConfiguration:
    """One profile."""

    scheduler_name: str = DEFAULT_SCHEDULER
    disabled: frozenset[str] = frozenset()  # "*": all that are not enabled
    enabled: frozenset[str] = frozenset()
    weights: Mapping[str, int] = field(default_factory=dict)
    args: Mapping[str, Args] = field(default_factory=dict)  # by plugin
    percentage_of_nodes_to_score: int = 0  # 0: the fewer the more nodes there are

    def has(self, plugin: str) -> bool:
        """Tell whether a plugin of the default ones takes part."""
        return plugin in self.enabled or not self.disabled & {plugin, "*"}


def profiles_of(configuration: Mapping[str, Any]) -> list[ProfileConfiguration]:
    """Return the profiles of a KubeSchedulerConfiguration.

    Raises:
        UserInputError: it names a plugin that does not exist, or a scheduler twice.
    """
    found = [
        _profile(raw, configuration.get("percentageOfNodesToScore") or 0)
        for raw in configuration.get("profiles") or [{}]
    ]
    names = [profile.scheduler_name for profile in found]
    if len(set(names)) < len(names):
        raise UserInputError(f"profiles: two have the same schedulerName: {', '.join(names)}")
    return found


def _profile(raw: Obj, percentage: int) -> ProfileConfiguration:
    plugins: Mapping[str, Any] = raw.get("plugins") or {}
    points = [plugins.get(point) or {} for point in ("multiPoint", "score")]
    enabled = [each for point in points for each in point.get("enabled") or ()]
    disabled = frozenset(each["name"] for each in points[0].get("disabled") or ())
    weights = {each["name"]: each["weight"] for each in enabled if each.get("weight")}
    weights |= {each["name"]: 0 for each in points[1].get("disabled") or () if each["name"] not in weights}
    profile = ProfileConfiguration(
        scheduler_name=raw.get("schedulerName") or DEFAULT_SCHEDULER,
        disabled=disabled,
        enabled=frozenset(each["name"] for each in enabled),
        weights=weights,
        args={each["name"]: each.get("args") or {} for each in raw.get("pluginConfig") or ()},
        percentage_of_nodes_to_score=raw.get("percentageOfNodesToScore") or percentage,
    )
    known = {PREEMPTION, "*", "PrioritySort", "DefaultBinder", *(found.name for found in PLUGINS)}
    if unknown := sorted({*profile.enabled, *disabled, *weights, *profile.args} - known):
        raise UserInputError(f"profile {profile.scheduler_name}: no such plugin: {', '.join(unknown)}")
    return profile


def build_profile(
    configuration: ProfileConfiguration, descriptors: Sequence[Descriptor] = PLUGINS
) -> Profile:
    """Make the plugins of a profile."""
    chosen = [found for found in descriptors if configuration.has(found.name)]
    plugins = [found.make(configuration.args.get(found.name, {})) for found in chosen]
    for plugin in plugins:
        plugin.weight = configuration.weights.get(plugin.name, plugin.weight)
    return Profile(
        plugins,
        name=configuration.scheduler_name,
        percentage=configuration.percentage_of_nodes_to_score,
        preemption=configuration.args.get(PREEMPTION, {}) if configuration.has(PREEMPTION) else None,
    )
