"""Profiles: which plugins decide about the Pods of a ``schedulerName``, with which weights and arguments.

The vocabulary is KubeSchedulerConfiguration's: plugins are the default ones in their order, without those a
profile disables at ``multiPoint``; weights come from ``multiPoint`` and ``score``, arguments from
``pluginConfig``.

Source: kubescheduler.config.k8s.io/v1 (Kubernetes 1.36).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from leeward.base.errors import UserInputError
from leeward.cluster.scheduler.catalog import PLUGINS
from leeward.cluster.scheduler.framework import NO_ARGS, Args
from leeward.cluster.scheduler.preemption import NAME as PREEMPTION
from leeward.cluster.scheduler.profile import Profile

DEFAULT_SCHEDULER = "default-scheduler"
_FIXED = ("PrioritySort", "DefaultBinder")  # always there
_DEFAULTS: Mapping[str, int] = {
    **{found.name: found.make(NO_ARGS).weight for found in PLUGINS},
    PREEMPTION: 0,
}


@dataclass(frozen=True, slots=True)
class ProfileConfiguration:
    """One profile."""

    scheduler_name: str = DEFAULT_SCHEDULER
    plugins: Mapping[str, int] = field(default_factory=lambda: dict(_DEFAULTS))  # that take part, and weights
    scores: Mapping[str, int] = field(default_factory=dict)  # weights that `score` gives
    unscored: frozenset[str] = frozenset()  # that `score` disables; "*": all that it does not enable
    args: Mapping[str, Args] = field(default_factory=dict)  # by plugin
    percentage_of_nodes_to_score: int = 0  # 0: the fewer the more nodes there are

    def weight_of(self, plugin: str) -> int:
        """Return the weight of a plugin's score; 0 when it does not count."""
        if plugin in self.scores:
            return self.scores[plugin]
        return 0 if self.unscored & {plugin, "*"} else self.plugins[plugin]


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


def _profile(raw: Mapping[str, Any], percentage: int) -> ProfileConfiguration:
    name = raw.get("schedulerName") or DEFAULT_SCHEDULER
    plugins: Mapping[str, Any] = raw.get("plugins") or {}
    everywhere, score = (plugins.get(point) or {} for point in ("multiPoint", "score"))
    configured = [each["name"] for each in raw.get("pluginConfig") or ()]
    named = {each["name"] for part in (everywhere, score) for each in (*_enabled(part), *_disabled(part))}
    _refuse(name, "no such plugin", {*named, *configured} - {*_DEFAULTS, *_FIXED, "*"})
    _refuse(name, "no such plugin", {"*"} & set(configured))
    _refuse(name, "configured twice", {each for each in configured if configured.count(each) > 1})
    taking_part = _merged(everywhere)
    scores = {each["name"]: each.get("weight") or 1 for each in _enabled(score)}
    _refuse(name, "it does not score", {each for each in scores if not _DEFAULTS.get(each)})
    _refuse(name, "enabled for its score only; enable it at multiPoint", scores.keys() - taking_part.keys())
    return ProfileConfiguration(
        scheduler_name=name,
        plugins=taking_part,
        scores=scores,
        unscored=frozenset(each["name"] for each in _disabled(score)),
        args={each["name"]: each.get("args") or {} for each in raw.get("pluginConfig") or ()},
        percentage_of_nodes_to_score=raw.get("percentageOfNodesToScore") or percentage,
    )


def _enabled(part: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    return part.get("enabled") or ()


def _disabled(part: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    return part.get("disabled") or ()


def _merged(custom: Mapping[str, Any]) -> dict[str, int]:
    """Return plugins laid over the default ones, as upstream's mergePluginSet, with their weights."""
    disabled = {each["name"] for each in _disabled(custom)}
    kept = (
        {} if "*" in disabled else {name: found for name, found in _DEFAULTS.items() if name not in disabled}
    )
    enabled = {
        each["name"]: (each.get("weight") or 1) if _DEFAULTS.get(each["name"]) else 0
        for each in _enabled(custom)
    }
    return {**kept, **enabled}


def _refuse(profile: str, why: str, plugins: Collection[str]) -> None:
    if plugins:
        raise UserInputError(f"profile {profile}: {why}: {', '.join(sorted(plugins))}")


def build_profile(configuration: ProfileConfiguration) -> Profile:
    """Make the plugins of a profile."""
    chosen = [found for found in PLUGINS if found.name in configuration.plugins]
    plugins = [found.make(configuration.args.get(found.name, {})) for found in chosen]
    for plugin in plugins:
        plugin.weight = configuration.weight_of(plugin.name)
    preempts = PREEMPTION in configuration.plugins
    return Profile(
        plugins,
        name=configuration.scheduler_name,
        percentage=configuration.percentage_of_nodes_to_score,
        preemption=configuration.args.get(PREEMPTION, {}) if preempts else None,
    )
