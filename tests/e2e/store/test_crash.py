"""``kill -9`` at random points under load: no acknowledged write is lost.

A child process writes into the store and says on a pipe what was acknowledged; it is killed after a random
number of acknowledgements, wherever it is then. The next child goes on with the same files, after everything
that was acknowledged has been found in them.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from pathlib import Path
from typing import IO

import orjson
import pytest

from leeward.cluster.store.sqlite import SQLiteStore

CRASHES = 200
pytestmark = pytest.mark.e2e


def write(path: Path, seed: int) -> None:
    """Create, replace and delete at random until killed; tell every acknowledged write."""
    store, rng = SQLiteStore(path), random.Random(seed)
    objects = {obj["metadata"]["name"]: obj for obj in store.list("configmaps", "load")}
    said = sys.stdout.buffer
    for number in range(1_000_000):
        name = f"c{rng.randrange(200)}"
        if name not in objects:
            made = store.create("configmaps", {"metadata": {"namespace": "load", "name": name}, "n": number})
        elif rng.random() < 0.3:
            gone = store.delete("configmaps", "load", name)
            del objects[name]
            said.write(orjson.dumps([name, gone["metadata"]["resourceVersion"], None]) + b"\n")
            said.flush()
            continue
        else:
            made = store.update(
                "configmaps", {**objects[name], "n": number, "padding": "x" * rng.randrange(900)}
            )
        objects[name] = made
        said.write(orjson.dumps([name, made["metadata"]["resourceVersion"], made]) + b"\n")
        said.flush()


def acknowledged(pipe: IO[bytes], at_least: int, process: subprocess.Popen[bytes]) -> list[list[object]]:
    """Read `at_least` acknowledgements, kill the process, read what else it had said."""
    lines = [pipe.readline() for _ in range(at_least)]
    os.kill(process.pid, signal.SIGKILL)
    lines += pipe.read().splitlines()
    process.wait()
    whole = [line for line in lines if line.strip().endswith(b"]")]
    return [orjson.loads(line) for line in whole]


def test_no_acknowledged_write_is_lost_at_200_crash_points(tmp_path: Path) -> None:
    path, rng = tmp_path / "state.db", random.Random(7)
    known: dict[str, object] = {}
    newest = writes = 0
    for crash in range(CRASHES):
        command = [sys.executable, __file__, str(path), str(crash)]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            said = acknowledged(process.stdout, rng.randrange(1, 120), process)
        for name, revision, obj in said:
            assert isinstance(name, str)
            assert isinstance(revision, str)
            assert int(revision) > newest
            newest = int(revision)
            known[name] = obj
        writes += len(said)
        store = SQLiteStore(path)
        found = {obj["metadata"]["name"]: obj for obj in store.list("configmaps", "load")}
        store.close()
        # The one write that was under way may be there without having been acknowledged.
        differing = [name for name in {*found, *known} if found.get(name) != known.get(name)]
        assert len(differing) <= 1, differing
        known = {name: found.get(name) for name in {*found, *known}}
        newest = max([newest, *(int(obj["metadata"]["resourceVersion"]) for obj in found.values())])
    assert writes >= CRASHES


if __name__ == "__main__":
    write(Path(sys.argv[1]), int(sys.argv[2]))
