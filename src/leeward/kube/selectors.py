"""Label selectors and node selectors: does this set of labels match?

Invariant: pure; selectors are what the API stores, already validated. A selector that is None selects
nothing, an empty one everything.

Source: ``k8s.io/apimachinery/pkg/labels`` and ``k8s.io/component-helpers/scheduling/corev1/nodeaffinity``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def matches_requirement(requirement: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    """Tell whether `labels` meet one ``{key, operator, values}`` (all operators of both selector kinds)."""
    key, operator = requirement["key"], requirement["operator"]
    values = requirement.get("values") or ()
    if operator == "In":
        return key in labels and labels[key] in values
    if operator == "NotIn":
        return key not in labels or labels[key] not in values
    if operator == "Exists":
        return key in labels
    if operator == "DoesNotExist":
        return key not in labels
    return _compares(operator, labels.get(key), values)


def _compares(operator: str, actual: str | None, values: Any) -> bool:
    try:
        left, right = int(actual or ""), int(values[0])
    except (ValueError, IndexError):
        return False
    return left > right if operator == "Gt" else left < right


def matches_labels(wanted: Mapping[str, str] | None, labels: Mapping[str, str]) -> bool:
    """Tell whether `labels` contain every pair of `wanted` (a Service's or nodeSelector map)."""
    return not wanted or wanted.items() <= labels.items()


def matches_selector(selector: Mapping[str, Any] | None, labels: Mapping[str, str]) -> bool:
    """Tell whether a metav1.LabelSelector selects `labels`."""
    if selector is None:
        return False
    wanted, further = selector.get("matchLabels"), selector.get("matchExpressions")
    if wanted and not wanted.items() <= labels.items():
        return False
    return not further or all(matches_requirement(found, labels) for found in further)


def matches_node_term(term: Mapping[str, Any], labels: Mapping[str, str], name: str) -> bool:
    """Tell whether one NodeSelectorTerm selects the node; an empty term selects none."""
    expressions = term.get("matchExpressions") or ()
    fields = term.get("matchFields") or ()
    if not expressions and not fields:
        return False
    return all(matches_requirement(found, labels) for found in expressions) and all(
        matches_requirement(found, {"metadata.name": name}) for found in fields
    )


def matches_node_selector(selector: Mapping[str, Any] | None, labels: Mapping[str, str], name: str) -> bool:
    """Tell whether a NodeSelector (terms are alternatives) selects the node; None selects every node."""
    if selector is None:
        return True
    return any(matches_node_term(term, labels, name) for term in selector.get("nodeSelectorTerms") or ())
