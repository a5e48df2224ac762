"""The launcher's loop, with descriptors that fail."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from leeward.cluster.runtimes.process.launcher.main import Launcher


@pytest.fixture
def launcher() -> Iterator[Launcher]:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs:
        launcher = Launcher(theirs)
        yield launcher
        launcher._selector.close()


def test_an_error_of_one_stream_does_not_end_the_loop(
    launcher: Launcher, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class EndOfTestError(Exception):
        pass

    seen: list[str] = []

    def handle() -> None:
        seen.append("called")
        if len(seen) == 1:
            raise OSError(28, "No space left on device")
        raise EndOfTestError

    monkeypatch.setattr("signal.set_wakeup_fd", lambda *_, **__: -1)
    monkeypatch.setattr("signal.signal", lambda *_: None)
    reading, writing = os.pipe()
    os.write(writing, b"x")
    launcher._selector.register(reading, 1, handle)

    with pytest.raises(EndOfTestError):
        launcher.run()

    assert "No space left on device" in capsys.readouterr().err


def test_a_container_whose_log_cannot_be_opened_is_not_forked(
    launcher: Launcher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "fork", lambda: pytest.fail("forked"))
    before = len(os.listdir("/dev/fd"))

    with pytest.raises(FileNotFoundError):
        launcher._op_start(
            {"id": 1, "container": "c", "spec": {"mode": "plain", "log": f"{tmp_path}/gone/log"}}
        )

    assert launcher._containers == {}
    assert len(os.listdir("/dev/fd")) == before


def test_a_container_that_cannot_be_forked_leaves_no_descriptors_open(
    launcher: Launcher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fork() -> int:
        raise BlockingIOError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(os, "fork", fork)
    before = len(os.listdir("/dev/fd"))

    with pytest.raises(BlockingIOError):
        launcher._op_start({"id": 1, "container": "c", "spec": {"mode": "plain", "log": f"{tmp_path}/log"}})

    assert len(os.listdir("/dev/fd")) == before
