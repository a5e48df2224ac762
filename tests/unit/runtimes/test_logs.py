"""A container's output on its way to the log."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from leeward.cluster.runtimes.process.launcher.logs import LogStream


class Disk:
    """A stream whose log takes `room` bytes."""

    def __init__(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.path = path
        self.room = 1 << 20
        self.at_once = 1 << 20
        reading, self.pipe = os.pipe()
        os.set_blocking(reading, False)
        self.log = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        self.stream = LogStream(reading, self.log, "stdout")
        monkeypatch.setattr(os, "write", self._write(os.write))

    def _write(self, real: Callable[[int, bytes], int]) -> Callable[[int, bytes], int]:
        def write(descriptor: int, data: bytes) -> int:
            if descriptor != self.log:
                return real(descriptor, data)
            if self.room == 0:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            written = real(descriptor, data[: min(self.room, self.at_once)])
            self.room -= written
            return written

        return write

    def say(self, text: bytes) -> None:
        os.write(self.pipe, text)
        assert self.stream.read()

    def lines(self) -> list[str]:
        text = self.path.read_text()
        assert text == "" or text.endswith("\n")
        return [line.split(" ", 3)[3] for line in text.splitlines()]


@pytest.fixture
def disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Disk]:
    disk = Disk(tmp_path / "log", monkeypatch)
    yield disk
    for descriptor in (disk.stream.pipe, disk.pipe, disk.log):
        os.close(descriptor)


def test_lines_that_do_not_fit_on_the_disk_are_dropped(
    disk: Disk, capsys: pytest.CaptureFixture[str]
) -> None:
    disk.say(b"one\n")
    disk.room = 0
    disk.say(b"two\n")
    disk.say(b"three\n")
    disk.room = 1 << 20
    disk.say(b"four\n")

    assert disk.lines() == ["one", "four"]
    assert capsys.readouterr().err.count("No space left on device") == 1


def test_a_disk_that_fills_up_within_a_line_leaves_whole_lines(disk: Disk) -> None:
    disk.say(b"one\n")
    disk.room = len(disk.path.read_bytes()) + 42  # the next line and a part of another one
    disk.say(b"two\nthree\n")
    disk.room = 1 << 20
    disk.say(b"four\n")

    assert disk.lines() == ["one", "two", "four"]


def test_what_is_written_in_part_is_written_on(disk: Disk) -> None:
    disk.at_once = 7

    disk.say(b"one\ntwo\n")

    assert disk.lines() == ["one", "two"]
