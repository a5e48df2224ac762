"""How long an approval holds: what is no duration is refused, and never taken for "for good"."""

from __future__ import annotations

from typing import Any

import pytest

from leeward.cli.commands.approve import _seconds


def test_a_duration_is_taken_and_none_means_for_good() -> None:
    assert _seconds("8h") == 28800
    assert _seconds("") is None


@pytest.mark.parametrize("text", ["soon", "-1h", "0", "8"])
def test_what_is_no_duration_is_refused_before_a_cluster_is_asked(tool: Any, text: str) -> None:
    code, _, err = tool("approve", "--for", "qa", f"--expires={text}")
    assert code == 2
    assert f"--expires {text} is no duration" in err
