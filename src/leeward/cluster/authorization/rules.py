"""Policy rules: what they allow, and whether some of them hold what others would grant.

Source: pkg/apis/rbac/v1/evaluation_helpers.go, pkg/registry/rbac/validation/policy_comparator.go and
policy_compact.go (Kubernetes 1.36).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from leeward.cluster.authorization.attributes import Attributes

Rule = dict[str, Any]
ALL = "*"
_FIELDS = ("apiGroups", "resources", "nonResourceURLs", "resourceNames", "verbs")
_SHOWN = ("APIGroups", "Resources", "NonResourceURLs", "ResourceNames", "Verbs")


def allows(rule: Rule, asked: Attributes) -> bool:
    """Tell whether a rule allows what is asked."""
    if not _has(rule, "verbs", asked.verb):
        return False
    if asked.path:
        return any(_is_path(pattern, asked.path) for pattern in rule.get("nonResourceURLs") or ())
    names = rule.get("resourceNames")
    return (
        _has(rule, "apiGroups", asked.group)
        and any(_is_resource(pattern, asked.combined) for pattern in rule.get("resources") or ())
        and (not names or asked.name in names)
    )


def _has(rule: Rule, field: str, wanted: str) -> bool:
    given = rule.get(field) or ()
    return wanted in given or ALL in given


def _is_path(pattern: str, path: str) -> bool:
    return pattern in (ALL, path) or (pattern.endswith(ALL) and path.startswith(pattern[:-1]))


def _is_resource(pattern: str, combined: str) -> bool:
    if pattern in (ALL, combined):
        return True
    _, slash, subresource = combined.partition("/")
    return bool(slash) and pattern == f"*/{subresource}"


def missing(held: Sequence[Rule], granted: Iterable[Rule]) -> list[Rule]:
    """Return what of `granted` is not in `held`, one verb on one resource a rule, put together again."""
    parts = (part for rule in granted for part in _parts(rule))
    return _compact([part for part in parts if not any(_covers(rule, part) for rule in held)])


def _parts(rule: Rule) -> Iterator[Rule]:
    """Yield a rule as rules that cannot be divided."""
    names = [[name] for name in rule.get("resourceNames") or ()] or [[]]
    for verb in rule.get("verbs") or ():
        for group in rule.get("apiGroups") or ():
            for resource in rule.get("resources") or ():
                for name in names:
                    part = {"apiGroups": [group], "resources": [resource], "verbs": [verb]}
                    yield {**part, "resourceNames": name} if name else part
        for url in rule.get("nonResourceURLs") or ():
            yield {"nonResourceURLs": [url], "verbs": [verb]}


def _covers(rule: Rule, part: Rule) -> bool:
    if not all(_has(rule, "verbs", verb) for verb in part["verbs"]):
        return False
    if "nonResourceURLs" in part:
        urls = rule.get("nonResourceURLs") or ()
        return all(any(_is_path(own, url) for own in urls) for url in part["nonResourceURLs"])
    own, names = rule.get("resourceNames") or (), part.get("resourceNames") or ()
    return (
        all(_has(rule, "apiGroups", group) for group in part["apiGroups"])
        and all(
            any(_is_resource(pattern, resource) for pattern in rule.get("resources") or ())
            for resource in part["resources"]
        )
        and (not own or (bool(names) and set(names) <= set(own)))
    )


def _compact(parts: list[Rule]) -> list[Rule]:
    """Put the verbs of each resource without names together."""
    plain: dict[tuple[str, str], Rule] = {}
    found: list[Rule] = []
    for part in parts:
        if "resources" not in part or "resourceNames" in part:
            found.append(part)
            continue
        key = (part["apiGroups"][0], part["resources"][0])
        if key in plain:
            plain[key]["verbs"] = [*plain[key]["verbs"], *part["verbs"]]
        else:
            plain[key] = dict(part)
            found.append(plain[key])
    return found


def shown(rule: Rule) -> str:
    """Return a rule in one line, as Kubernetes writes it."""
    parts = (
        f"{name}:[{' '.join(json.dumps(each) for each in rule[field])}]"
        for field, name in zip(_FIELDS, _SHOWN, strict=True)
        if rule.get(field)
    )
    return "{" + ", ".join(parts) + "}"
