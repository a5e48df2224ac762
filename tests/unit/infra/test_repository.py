"""What follows from specs: the same files in whatever order, and replicas that differ in nothing else."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from leeward.infra.lock import new_lock
from leeward.infra.proposal import cloned
from leeward.infra.repository import Member, member, repository_files
from leeward.infra.spec import ClusterSpec
from leeward.infra.specdiff import differences, replica_differences
from tests.unit.infra.specs import good_spec, spec_file

_ZONES = [f"us-east-1{letter}" for letter in "abcdf"]
_TYPES = [["m7i.large", "m6i.large"], ["r7i.large"], ["m7g.large"], ["c7i.xlarge", "c6i.xlarge"]]
_GROUP = st.fixed_dictionaries(
    {"types": st.sampled_from(_TYPES), "max": st.integers(3, 6)},
    optional={
        "per_zone": st.booleans(),
        "spot": st.booleans(),
        "labels": st.dictionaries(st.sampled_from(["team", "example.com/a", "x"]), st.just("y"), max_size=3),
        "zones": st.lists(st.sampled_from(_ZONES[:3]), min_size=1, unique=True),
    },
)
_SPEC = st.fixed_dictionaries(
    {
        "name": st.just("one"),
        "region": st.just("us-east-1"),
        "kubernetes": st.just("1.35"),
        "zones": st.lists(st.sampled_from(_ZONES[3:]), unique=True).map(lambda more: [*_ZONES[:3], *more]),
        "node_groups": st.dictionaries(st.sampled_from(["general", "data", "batch"]), _GROUP, min_size=1),
    },
    optional={
        "network": st.sampled_from([{}, {"nat": "single"}, {"cidr": "10.7.0.0/16", "flow_logs": False}]),
        "tags": st.dictionaries(st.sampled_from(["team", "cost", "a:b"]), st.just("z"), max_size=3),
        "state": st.sampled_from([{"bucket": "acme-state"}, {"bucket": "acme-state", "region": "us-east-1"}]),
        "environments": st.lists(st.sampled_from(["qa", "production"]), unique=True),
    },
)
_QUICK = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def _files(spec: ClusterSpec) -> Mapping[str, str]:
    return repository_files({"one": Member(spec, new_lock(spec))})


def _shuffled(written: Any, draw: Any) -> Any:
    if isinstance(written, dict):
        keys: list[str] = draw(st.permutations([str(key) for key in written]))
        return {key: _shuffled(written[key], draw) for key in keys}
    return written


@given(st.data())
@_QUICK
def test_no_order_of_keys_zones_and_groups_shows_in_any_file(tmp_path: Path, data: st.DataObject) -> None:
    written: Any = data.draw(_SPEC)
    other = _shuffled(written, data.draw)
    other["zones"] = data.draw(st.permutations([str(zone) for zone in written["zones"]]))
    for group in other["node_groups"].values():
        if "zones" in group:
            group["zones"] = data.draw(st.permutations([str(zone) for zone in group["zones"]]))

    one, two = (good_spec(tmp_path, yaml.safe_dump(each, sort_keys=False)) for each in (written, other))

    assert _files(one) == _files(two)
    assert list(differences(one, two)) == []


@given(
    _SPEC,
    st.sampled_from([None, True]),
    st.sampled_from(["us-east-1", "us-east-2", "eu-west-1", "us-west-2"]),
)
@_QUICK
def test_a_replica_differs_in_nothing_but_its_own(
    tmp_path: Path, written: dict[str, Any], flow: bool | None, region: str
) -> None:
    width = len(written["zones"])
    if region != "us-east-1" and width > (4 if region == "us-west-2" else 3):
        written = {**written, "zones": written["zones"][:3]}
    text = yaml.safe_dump(written, sort_keys=False, default_flow_style=flow)
    read = spec_file(tmp_path, text)
    assert read.diagnostics == ()
    assert read.spec is not None

    replica = good_spec(tmp_path, cloned(read, text, name="two", region=region, cidr="10.9.0.0/16"))

    assert (replica.name, replica.region, replica.network.cidr) == ("two", region, "10.9.0.0/16")
    assert list(replica_differences(read.spec, replica)) == []
    if read.spec.state and replica.state:
        assert (replica.state.region or region) == "us-east-1"


@given(st.lists(st.sets(st.sampled_from(_ZONES[3:])), min_size=1, max_size=5))
@_QUICK
def test_the_addresses_of_zones_stay_whatever_zones_come_and_go(tmp_path: Path, more: list[set[str]]) -> None:
    text = "name: one\nregion: us-east-1\nkubernetes: '1.35'\nnode_groups: {a: {types: m7i.large}}\n"
    spec = good_spec(tmp_path, text)
    lock, seen = None, dict[str, int]()
    for extra in more:
        now = replace(spec, zones=(*_ZONES[:3], *extra))
        each, problems = member(now, lock)
        assert problems == []
        values = json.loads(repository_files({"one": each})["clusters/one/cluster.auto.tfvars.json"])
        assert set(values["zone_slots"]) == set(now.zones)
        for zone, slot in values["zone_slots"].items():
            assert seen.setdefault(zone, slot) == slot
        lock = each.lock
    assert len(set(seen.values())) == len(seen)


def test_what_people_write_is_not_among_the_files(tmp_path: Path) -> None:
    text = "name: one\nregion: us-east-1\nkubernetes: '1.35'\nnode_groups: {a: {types: m7i.large}}\n"
    files = _files(good_spec(tmp_path, text))

    assert {name.split("/")[0] for name in files} >= {
        ".gitignore",
        "README.md",
        "clusters",
        "modules",
        "tests",
    }
    assert not [name for name in files if name.endswith(("cluster.yaml", "extra.tf"))]


def test_plans_that_the_readme_makes_are_kept_out_of_version_control(tmp_path: Path) -> None:
    text = "name: one\nregion: us-east-1\nkubernetes: '1.35'\nnode_groups: {a: {types: m7i.large}}\n"
    files = _files(good_spec(tmp_path, text))
    plans = re.findall(r"-out[ =](\S+)", files["README.md"])

    assert plans
    for plan in plans:
        assert any(fnmatch(plan, pattern) for pattern in files[".gitignore"].splitlines()), plan


def test_a_lock_is_written_before_what_follows_from_it(tmp_path: Path) -> None:
    text = "name: one\nregion: us-east-1\nkubernetes: '1.35'\nnode_groups: {a: {types: m7i.large}}\n"

    assert next(iter(_files(good_spec(tmp_path, text)))) == "clusters/one/cluster.lock.json"
