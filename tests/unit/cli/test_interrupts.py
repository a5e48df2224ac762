"""Ctrl-C: what stops, what stays, and what is said of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from leeward.cli import clusters
from leeward.cli.commands import up
from leeward.cli.interrupts import finish


def press(*args: object, **kwargs: object) -> None:
    raise KeyboardInterrupt


def nothing(*args: object, **kwargs: object) -> None:
    """Succeed."""


@pytest.fixture(autouse=True)
def project(cluster: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a cluster seem to run and everything on it succeed."""
    Path("compose.yaml").write_text("name: shop\nservices: {web: {image: python:3}}\n")
    cluster("local", runtime="simulated")
    for step in ("_deploy", "_tell", "_stop"):
        monkeypatch.setattr(up, step, nothing)


def test_an_interrupted_detached_start_says_what_keeps_running(
    tool: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(up, "_deploy", press)

    code, _, err = tool("up", "-d")

    assert code == 130
    assert "interrupted: what was started keeps running; `leeward down` stops it" in err


@pytest.mark.parametrize("moment", ["_deploy", "_follow"])
def test_an_interrupted_attached_start_stops_the_project(
    moment: str, tool: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    stopped: list[object] = []
    monkeypatch.setattr(up, moment, press)
    monkeypatch.setattr(up, "_stop", stopped.append)

    code, _, err = tool("up")

    assert (code, len(stopped)) == (130, 1)
    assert "stopping shop (volumes stay" in err
    assert err.endswith("interrupted: shop is stopped\n")


def test_a_second_interrupt_ends_at_once(tool: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(up, "_deploy", press)
    monkeypatch.setattr(up, "_stop", press)

    code, _, err = tool("up")

    assert code == 130
    assert err.endswith("interrupted: shop is not all down yet; `leeward down` finishes it\n")


def test_an_interrupt_anywhere_else_is_told_too(tool: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clusters, "state_of", press)

    assert tool("up") == (130, "", "interrupted\n")


@pytest.mark.parametrize(("work", "said"), [(nothing, "done"), (press, "left")])
def test_finishing_tells_whether_it_was_cut_short(work: Callable[[], object], said: str) -> None:
    assert str(finish(work, "done", "left")) == said


@pytest.mark.parametrize(("second", "said"), [(nothing, "is stopped"), (press, "was told to stop")])
def test_an_interrupted_start_of_a_cluster_ends_its_process(
    second: Callable[[], object], said: str, tool: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended: list[int] = []

    class Process:
        pid = 4242

    def end(pid: int, process: object) -> None:
        ended.append(pid)
        second()

    monkeypatch.setattr("subprocess.Popen", lambda *args, **kwargs: Process())
    monkeypatch.setattr(clusters, "_await_ready", press)
    monkeypatch.setattr(clusters, "_end", end)

    code, _, err = tool("cluster", "start", "--name", "fresh", "--runtime", "simulated")

    assert (code, ended) == (130, [4242])
    assert f"interrupted: cluster fresh {said}" in err
