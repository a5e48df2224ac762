"""Specs for tests: a good one as text, and how to read one."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from leeward.compose.findings import Findings
from leeward.compose.source import Sources
from leeward.infra.spec import ClusterSpec
from leeward.infra.specfile import SpecFile, read_spec

TODAY = date(2026, 11, 28)
GOOD = """\
name: prod-use1
region: us-east-1
kubernetes: "1.35"
node_groups:
  general:
    types: [m7i.large, m6i.large]
    min: 1
    desired: 2
    max: 4
"""


def spec_file(directory: Path, text: str) -> SpecFile:
    """Return the spec file whose content is `text`."""
    path = directory / "cluster.yaml"
    path.write_text(text, encoding="utf-8")
    return read_spec(str(path), Sources(directory, findings := Findings()), findings, TODAY)


def good_spec(directory: Path, text: str = GOOD) -> ClusterSpec:
    """Return a spec with which nothing is wrong."""
    read = spec_file(directory, text)
    assert read.diagnostics == ()
    assert read.spec is not None
    return read.spec
