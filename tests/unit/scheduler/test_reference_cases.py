"""Replays recorded cases of a real kube-scheduler, whole, on the registry and the scheduler."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from leeward.cluster.scheduler.cache import Cache
from leeward.cluster.scheduler.profile import top_of
from leeward.kube.objects import Obj, find_condition
from tests.unit.scheduler.replay import GO, Replay, outcome

_DATA = Path(__file__).parents[4] / "shared" / "data" / "scheduler"
_CASES = [
    pytest.param(case, id=case["name"])
    for path in sorted(_DATA.glob("*.json"))
    for case in json.loads(path.read_text())
]
_TOLD = ("result", "node", "reason", "message", "nominatedNode")


def _without_zeros(scores: Obj) -> Obj:
    return {plugin: score for plugin, score in scores.items() if score}


def _check_choice(found: Obj, expected: Obj) -> None:
    """Compare the feasible nodes, their scores, and the choice."""
    if expected.get("best"):
        assert found["choice"] in expected["best"]
    if expected.get("feasible"):
        assert found["feasible"] == sorted(expected["feasible"])
    scores = expected.get("scores") or {}
    wanted = {name: _without_zeros(row["plugins"]) for name, row in scores.items()}
    assert {name: _without_zeros(found["scores"][name]) for name in wanted} == wanted


def _check_victims(victims: list[Obj], expected: Obj) -> None:
    assert sorted(victim["metadata"]["name"] for victim in victims) == sorted(expected.get("victims", ()))
    for victim in victims:
        condition = find_condition(victim, "DisruptionTarget") or {}
        wanted = expected["victim_condition"]
        assert {name: condition.get(name) for name in wanted} == wanted


def _check(replay: Replay, pod: Obj, expected: Obj) -> None:
    name = pod["metadata"]["name"]
    told = len(replay.victims)
    assert outcome(replay.offer(pod, expected)) == {key: expected[key] for key in _TOLD if key in expected}
    if name in replay.found:
        _check_choice(replay.found[name], expected)
    _check_victims(list(replay.victims.values())[told:], expected)
    if expected.get("after_victims_gone"):
        replay.remove_victims()
        assert outcome(replay.state(name)) == expected["after_victims_gone"]
    if expected.get("then_bound"):
        replay.wait_for_backoff()
        for waiting, node in expected["then_bound"].items():
            assert outcome(replay.state(waiting)) == {"result": "bound", "node": node}


@pytest.mark.skipif(not _CASES, reason="recorded decisions are not part of this checkout")
@pytest.mark.parametrize("case", _CASES)
def test_decides_as_the_real_scheduler_did(case: Any) -> None:
    replay = Replay(case)
    entries = [*replay.case["pending"], *([GO] if case.get("hold_victims") else [])]
    for entry, expected in zip(entries, replay.case["expected"], strict=True):
        if "op" in entry:
            replay.do(entry, expected)
            for name, wanted in expected["pods"].items():
                assert outcome(replay.state(name)) == wanted
        else:
            _check(replay, entry, expected)
    assert replay.pods_per_node() == case["runs_final_pods_per_node"][0]


@pytest.mark.skipif(not _CASES, reason="recorded decisions are not part of this checkout")
def test_of_equal_nodes_that_is_chosen_which_the_real_scheduler_mostly_chose() -> None:
    ties = same = 0
    for case in (param.values[0] for param in _CASES):
        cache = Cache()
        for node in case["nodes"]:  # type: ignore[index]
            cache.set_node(node)
        for expected in case["expected"]:  # type: ignore[index]
            if len(expected.get("best") or ()) > 1 and expected.get("node"):
                names = [name for name in cache.nodes if name in expected["scores"]]
                if len(names) == len(expected["scores"]):
                    ties += 1
                    top = top_of([expected["scores"][name]["total"] for name in names])
                    same += names[top] == expected["node"]
    assert same / ties > 0.9  # its filters run in threads, so that nodes may change places
