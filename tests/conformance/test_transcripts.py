"""What a real kube-apiserver 1.36 answered, asked of ours; docs/api-differences.md lists what is left."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conformance.kubectl import DATA, World
from tests.conformance.server import REPLAY

ENOUGH = 0.97
_SUMMARY = re.compile(r"^(\w+) +\d+ +\d+ +(\d+) +(\d+)$", re.MULTILINE)
_FAILED = re.compile(r"^FAIL ([\w/-]+): (\d+) of \d+ steps", re.MULTILINE)
_LISTED = re.compile(r"^\| `(?P<case>[\w/-]+)` ", re.MULTILINE)
DIFFERENCES = Path(__file__).resolve().parents[2] / "docs" / "api-differences.md"


def listed() -> set[str]:
    return set(_LISTED.findall(DIFFERENCES.read_text()))


@pytest.mark.timeout(600)
@pytest.mark.skipif(not REPLAY.exists(), reason="the transcripts are not beside this checkout")
def test_at_least_97_of_100_steps_of_the_transcripts_are_answered_as_recorded() -> None:
    command = [sys.executable, str(Path(__file__).with_name("server.py")), "--replay"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)

    counts = [(int(good), int(bad)) for _, good, bad in _SUMMARY.findall(done.stdout)]
    good, bad = (sum(each) for each in zip(*counts, strict=True))
    failed = {case for case, _ in _FAILED.findall(done.stdout)}
    assert good + bad > 1600, done.stdout + done.stderr
    assert good / (good + bad) >= ENOUGH, done.stdout
    assert failed == listed(), f"{DIFFERENCES.name} lists others: {failed ^ listed()}\n{done.stdout}"


@pytest.mark.timeout(600)
@pytest.mark.skipif(not DATA.exists(), reason="the recorded commands are not beside this checkout")
def test_at_least_97_of_100_kubectl_commands_print_what_they_printed_to_a_real_cluster(
    tmp_path: Path,
) -> None:
    world = World(tmp_path)
    try:
        world.build()
        outcomes = list(world.outcomes())
    finally:
        world.close()

    different = [outcome for outcome in outcomes if outcome.differences]
    assert len(outcomes) > 250
    assert 1 - len(different) / len(outcomes) >= ENOUGH, [outcome.title for outcome in different]
