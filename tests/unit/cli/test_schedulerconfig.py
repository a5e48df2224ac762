"""The configuration of the scheduler: what is taken from a file, and what is said of one that is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from leeward.base.errors import UserInputError
from leeward.cli import clusters
from leeward.cli.schedulerconfig import read_scheduler_config
from leeward.cluster.statedir import config_from_record

_FILE = """\
apiVersion: kubescheduler.config.k8s.io/v1
kind: KubeSchedulerConfiguration
leaderElection: {leaderElect: false}
profiles:
- schedulerName: packing
  plugins:
    score:
      disabled:
      - name: PodTopologySpread
  pluginConfig:
  - name: NodeResourcesFit
    args:
      scoringStrategy:
        type: MostAllocated
"""


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LEEWARD_HOME", str(tmp_path / "home"))
    path = tmp_path / "scheduler.yaml"
    path.write_text(_FILE)
    return path


def test_a_cluster_keeps_the_configuration_until_it_gets_another(file: Path) -> None:
    first = clusters.StartOptions(runtime="simulated", scheduler_config=file)
    state = clusters.prepare(first)
    file.unlink()
    clusters.prepare(clusters.StartOptions())
    config, _ = config_from_record(state.root, state.load())
    (profile,) = config.scheduler["profiles"]
    assert profile["schedulerName"] == "packing"


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        (
            "/v1",
            "/v1beta3",
            "scheduler.yaml:1: error: apiVersion: It must be one of kubescheduler.config.k8s.io/v1, ",
        ),
        (
            "leaderElection:",
            "extenders:",
            'scheduler.yaml:3: error: extenders: "extenders" is not a setting here.',
        ),
        ("    score:", "    filter:", 'scheduler.yaml:7: error: profiles[0].plugins.filter: "filter" is not'),
        (
            "MostAllocated",
            "MostAlocated",
            "scheduler.yaml:14: error: profiles[0].pluginConfig[0].args.scoringStrat",
        ),
        ("ResourcesFit", "Fits", "scheduler.yaml: profile packing: no such plugin: NodeFits"),
        (
            "- schedulerName: packing",
            "- schedulerName: [packing]",
            "scheduler.yaml:5: error: profiles[0].schedulerName",
        ),
        (
            "MostAllocated",
            "RequestedToCapacityRatio",
            "scheduler.yaml:12: error: profiles[0].pluginConfig[0].args: Requested",
        ),
        (
            "        type: Most",
            "        resources: [{name: cpu, weight: -1}]\n        type: Most",
            "scheduler.yaml:14",
        ),
        ("  - name: NodeResourcesFit", "  - name: '*'", "scheduler.yaml: profile packing: no such plugin: *"),
        (_FILE, _FILE + "---\n" + _FILE, "scheduler.yaml:16: error: There may be only one document."),
        (_FILE, "- 1", "scheduler.yaml:1: error: It must be a mapping, but it is a list."),
        (_FILE, "a: [", "scheduler.yaml:2: error: The value ends too early."),
    ],
)
def test_what_is_wrong_is_told_with_its_line(file: Path, old: str, new: str, told: str) -> None:
    file.write_text(_FILE.replace(old, new, 1))
    with pytest.raises(UserInputError) as error:
        read_scheduler_config(file)
    assert str(error.value).startswith(told)


def test_numbers_may_be_strings_of_digits_and_nothing_is_as_if_it_were_not_there(file: Path) -> None:
    args = "args: {hardPodAffinityWeight: '7', ignorePreferredTermsOfExistingPods: null}"
    file.write_text(
        f"{_FILE}  - name: InterPodAffinity\n    {args}\n  - name: VolumeBinding\n    args: null\n"
    )
    found = read_scheduler_config(file)["profiles"][0]["pluginConfig"]
    assert [each["args"] for each in found[1:]] == [{"hardPodAffinityWeight": 7}, {}]


def test_a_file_that_is_not_there_is_missed(file: Path) -> None:
    with pytest.raises(UserInputError, match=r'The scheduler configuration "other\.yaml" does not exist'):
        read_scheduler_config(file.with_name("other.yaml"))
