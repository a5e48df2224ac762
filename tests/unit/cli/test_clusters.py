"""Clusters that are not there, and confirmations that nobody can give."""

from __future__ import annotations

import io
import sys
from typing import Any

import pytest


@pytest.mark.parametrize(
    ("command", "flag"), [(["ps", "-p", "x"], "--cluster dev"), (["kubeconfig"], "--name dev")]
)
def test_the_only_cluster_that_runs_is_named(cluster: Any, tool: Any, command: list[str], flag: str) -> None:
    cluster("dev")
    cluster("old", running=False)

    code, _, err = tool(*command)

    assert code == 1
    assert "cluster 'local' does not exist" in err
    assert f"Cluster 'dev' runs; add {flag}." in err


@pytest.mark.parametrize(("running", "name"), [((), "local"), (("a", "b"), "local"), (("a",), "other")])
def test_no_cluster_is_named_when_it_is_not_clear_which(
    cluster: Any, tool: Any, running: tuple[str, ...], name: str
) -> None:
    for each in running:
        cluster(each)

    code, _, err = tool("ps", "-p", "x", "--cluster", name)

    assert code == 1
    assert "runs; add" not in err


def test_stopping_an_unknown_cluster_is_an_error(cluster: Any, tool: Any) -> None:
    cluster("dev", running=False)

    for verb in ("stop", "delete", "status"):
        code, _, err = tool("cluster", verb, "--cluster", "nosuch")
        assert code == 1
        assert "there is no cluster 'nosuch'" in err
        assert "There are: dev." in err


def test_a_deletion_that_nobody_confirms_says_how(
    cluster: Any, tool: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = cluster("dev", running=False)
    monkeypatch.setattr(sys, "stdin", io.StringIO(""))

    code, _, err = tool("cluster", "delete", "--name", "dev")

    assert code == 2
    assert "Add --yes" in err
    assert state.exists()
