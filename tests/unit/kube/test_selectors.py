"""Label selectors and node selectors."""

from __future__ import annotations

from typing import Any

import pytest

from leeward.kube.selectors import (
    matches_labels,
    matches_node_selector,
    matches_requirement,
    matches_selector,
)

LABELS = {"app": "web", "weight": "5"}


@pytest.mark.parametrize(
    ("requirement", "expected"),
    [
        ({"key": "app", "operator": "In", "values": ["web", "api"]}, True),
        ({"key": "app", "operator": "In", "values": ["api"]}, False),
        ({"key": "none", "operator": "In", "values": ["api"]}, False),
        ({"key": "app", "operator": "NotIn", "values": ["web"]}, False),
        ({"key": "none", "operator": "NotIn", "values": ["web"]}, True),
        ({"key": "app", "operator": "Exists"}, True),
        ({"key": "app", "operator": "DoesNotExist"}, False),
        ({"key": "weight", "operator": "Gt", "values": ["4"]}, True),
        ({"key": "weight", "operator": "Lt", "values": ["5"]}, False),
        ({"key": "app", "operator": "Gt", "values": ["4"]}, False),
    ],
)
def test_operators_mean_what_they_mean_upstream(requirement: dict[str, Any], expected: bool) -> None:
    assert matches_requirement(requirement, LABELS) is expected


def test_no_selector_selects_nothing_and_an_empty_one_everything() -> None:
    assert not matches_selector(None, LABELS)
    assert matches_selector({}, LABELS)


def test_labels_and_expressions_must_both_match() -> None:
    expression = {"key": "weight", "operator": "Exists"}
    assert matches_selector({"matchLabels": {"app": "web"}, "matchExpressions": [expression]}, LABELS)
    assert not matches_selector({"matchLabels": {"app": "api"}, "matchExpressions": [expression]}, LABELS)
    assert matches_labels(None, LABELS)


def test_terms_of_a_node_selector_are_alternatives_and_an_empty_term_selects_nothing() -> None:
    by_name = {"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["n1"]}]}
    by_label = {"matchExpressions": [{"key": "app", "operator": "In", "values": ["api"]}]}
    assert matches_node_selector({"nodeSelectorTerms": [by_label, by_name]}, LABELS, "n1")
    assert not matches_node_selector({"nodeSelectorTerms": [by_label, by_name]}, LABELS, "n2")
    assert not matches_node_selector({"nodeSelectorTerms": [{}]}, LABELS, "n1")
    assert matches_node_selector(None, LABELS, "n1")
