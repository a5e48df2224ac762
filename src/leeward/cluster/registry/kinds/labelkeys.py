"""Label keys of affinity terms and spread constraints: the new Pod's own values become part of the selector.

Source: pkg/registry/core/pod/strategy.go mutatePodAffinity, mutateTopologySpreadConstraints
(Kubernetes 1.36).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from leeward.kube.objects import Obj

_REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
_PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"


def merge_label_keys(spec: Obj, labels: Mapping[str, str]) -> Obj:
    """Return a Pod's spec with the keys merged; the same object where there are none."""
    constraints = spec.get("topologySpreadConstraints") or ()
    if any(each.get("matchLabelKeys") for each in constraints):
        spec = {**spec, "topologySpreadConstraints": [_merged(each, labels) for each in constraints]}
    affinity = spec.get("affinity")
    if not affinity:
        return spec
    changed = {
        kind: _affinity(affinity[kind], labels)
        for kind in ("podAffinity", "podAntiAffinity")
        if affinity.get(kind)
    }
    return {**spec, "affinity": {**affinity, **changed}} if changed else spec


def _affinity(affinity: Obj, labels: Mapping[str, str]) -> Obj:
    result = dict(affinity)
    if affinity.get(_REQUIRED):
        result[_REQUIRED] = [_merged(term, labels) for term in affinity[_REQUIRED]]
    if affinity.get(_PREFERRED):
        result[_PREFERRED] = [
            {**each, "podAffinityTerm": _merged(each.get("podAffinityTerm") or {}, labels)}
            for each in affinity[_PREFERRED]
        ]
    return result


def _merged(term: Obj, labels: Mapping[str, str]) -> Obj:
    selector = term.get("labelSelector")
    if selector is None:  # it matches nothing
        return term
    added: list[dict[str, Any]] = [
        {"key": key, "operator": operator, "values": [labels[key]]}
        for name, operator in (("matchLabelKeys", "In"), ("mismatchLabelKeys", "NotIn"))
        for key in term.get(name) or ()
        if key in labels
    ]
    if not added:
        return term
    expressions = [*(selector.get("matchExpressions") or ()), *added]
    return {**term, "labelSelector": {**selector, "matchExpressions": expressions}}
