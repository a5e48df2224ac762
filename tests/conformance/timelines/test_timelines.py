"""The controllers go through the states that a real kube-controller-manager 1.36 went through.

What still differs is listed in ``known_differences.txt``: a line that is no longer true fails too.
Recordings elsewhere: LEEWARD_TIMELINES=DIR; then nothing may differ.
"""

from __future__ import annotations

import logging
import os
from pathlib import Path

import pytest

from tests.conformance.timelines.cases import CaseFile, load
from tests.conformance.timelines.comparison import compare
from tests.conformance.timelines.player import play

_CASES = list(load())
_LIST = Path(__file__).with_name("known_differences.txt")
_KNOWN = set() if os.environ.get("LEEWARD_TIMELINES") else set(_LIST.read_text().splitlines())


@pytest.mark.skipif(not _CASES, reason="the recorded timelines are not here")
@pytest.mark.parametrize("recorded", _CASES, ids=lambda each: each.name)
def test_a_timeline_is_what_was_recorded(recorded: CaseFile, caplog: pytest.LogCaptureFixture) -> None:
    case = recorded.read()
    report = compare(case, play(case))
    assert not [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR]
    unequal = report.lines
    new = {name: difference for name, difference in unequal.items() if name not in _KNOWN}
    assert not new, "\n".join(f"{name}\n{difference}" for name, difference in new.items())
    gone = {line for line in _KNOWN if line.startswith(f"{case['name']}: ")} - unequal.keys()
    assert not gone, f"no longer different, to be removed from {_LIST.name}: {sorted(gone)}"
