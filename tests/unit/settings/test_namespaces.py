"""Two environments never have one namespace of one cluster."""

from __future__ import annotations

from pathlib import Path

import pytest

from leeward.compose.findings import Findings
from leeward.compose.source import Sources
from leeward.settings.configfile import read_config


def told(tmp_path: Path, text: str) -> list[str]:
    (tmp_path / "leeward.yaml").write_text(text)
    findings = Findings()
    found = read_config(str(tmp_path / "leeward.yaml"), Sources(tmp_path, findings), findings).diagnostics
    return [f"{each.location}: {each.message}" for each in found]


@pytest.mark.parametrize(
    ("text", "line", "shown"),
    [
        ("environments:\n  a: {namespace: x}\n  b: {namespace: x}\n", 3, "x"),
        ("app: shop\nenvironments:\n  a: {}\n  b: {namespace: shop-a}\n", 4, "shop-a"),
        ("app: my_shop\nenvironments:\n  a: {namespace: my-shop-b}\n  b: {}\n", 4, "my-shop-b"),
        ("app: shop\nenvironments:\n  local: {}\n  b: {namespace: shop}\n", 4, "shop"),
        (
            "environments:\n  a: {namespace: x, cluster: c}\n  b: {namespace: x, cluster: d}\n"
            "clusters:\n  c: {context: eks}\n  d: {context: eks}\n",
            3,
            "x",
        ),
        (
            "environments:\n  a: {namespace: x}\n  b: {namespace: x, cluster: d}\n"
            "clusters:\n  d: {embedded: true}\n",
            3,
            "x",
        ),
    ],
)
def test_one_namespace_for_two_environments_is_told_with_the_line_of_the_second(
    tmp_path: Path, text: str, line: int, shown: str
) -> None:
    first = "local" if "local:" in text else "a"
    assert told(tmp_path, text) == [
        f'leeward.yaml:{line}: b and {first} would have one namespace, "{shown}", on the same cluster.'
    ]


@pytest.mark.parametrize(
    "text",
    [
        "environments:\n  a: {}\n  b: {}\n",
        "environments:\n  a: {}\n  b: {namespace: shop-a}\n",  # what the application is called is not known
        "environments:\n  a: {namespace: x}\n  b: {namespace: x, cluster: d}\n"
        "clusters:\n  d: {context: eks}\n",
        "app: shop\nenvironments:\n  a: {}\n  b: {namespace: other-a}\n",
    ],
)
def test_namespaces_that_differ_or_are_on_different_clusters_are_fine(tmp_path: Path, text: str) -> None:
    assert told(tmp_path, text) == []
