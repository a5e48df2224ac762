"""Autoscalers do what those of a real kube-controller-manager 1.36 did, state by state.

The recording played the kubelets and the metrics API; so does this.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from leeward.cluster.interface.metrics import PodUsage, Usage
from leeward.kube.objects import Obj, ObjectKey, format_time, is_terminating, key_of

if TYPE_CHECKING:
    from leeward.base.clock import VirtualClock
    from tests.unit.controllers_workload.conftest import Stage

_DATA = Path(__file__).parents[4] / "shared" / "data" / "controllers"
_CASES = sorted(_DATA.glob("hpa-*.json"))
AUTOSCALERS, DEPLOYMENTS = "horizontalpodautoscalers.autoscaling", "deployments.apps"
WINDOW = 10.0


class Meter:
    """Says that every running Pod uses what the last step set."""

    def __init__(self) -> None:
        self.clock: VirtualClock | None = None
        self.millis, self.mode = 0, "each"

    def known(self, pods: Iterable[Obj]) -> Mapping[ObjectKey, PodUsage]:
        assert self.clock is not None
        running = [key_of(pod) for pod in pods if (pod.get("status") or {}).get("phase") == "Running"]
        each = self.millis if self.mode == "each" or not running else self.millis / len(running)
        usage = {"c": Usage(round(each * 1_000_000), 0)}
        return {key: PodUsage(self.clock.now(), WINDOW, usage) for key in running}

    async def ask(self, pods: Iterable[Obj]) -> Mapping[ObjectKey, PodUsage]:
        return self.known(pods)


class Player:
    """Plays the steps of a case and writes down the states of the autoscaler and its target."""

    def __init__(self, stage: Stage, meter: Meter) -> None:
        self.stage = stage
        self.meter = meter
        self.states: list[Obj] = []
        self.replicas: list[int] = []

    def play(self, step: Mapping[str, Any]) -> None:
        ((kind, given),) = step.items()
        if kind == "create":
            resource = DEPLOYMENTS if given["kind"] == "Deployment" else AUTOSCALERS
            self.stage.create(resource, given["metadata"]["name"], given["spec"])
        elif kind == "usage":
            self.meter.millis, self.meter.mode = given["cpu"], given["mode"]
        elif kind == "sleep":
            for _ in range(given * 2):
                self._half_a_second()
        self._note()

    def _half_a_second(self) -> None:
        """Every Pod that is there starts or ends half a second later."""
        new = [pod for pod in self.stage.pods() if pod["status"].get("phase") != "Running"]
        ending = self.stage.pods(is_terminating)
        for _ in range(50):
            self.stage.step(0.0099)  # the recorded controller was late by some tenths of a second
            self._note()
        for pod in new:
            self.stage.run(pod)
            started = {"startTime": format_time(self.stage.clock.now())}
            self.stage.tell(pod["metadata"]["name"], "Running", ready=True, **started)
        for pod in ending:
            self.stage.client.delete("pods", "shop", pod["metadata"]["name"], grace_period_seconds=0)

    def _note(self) -> None:
        found = self.stage.client.find(DEPLOYMENTS, "shop", "web")
        if found is not None and self.replicas[-1:] != [found["spec"]["replicas"]]:
            self.replicas.append(found["spec"]["replicas"])
        found = self.stage.client.find(AUTOSCALERS, "shop", "web")
        if found is not None:
            state = projected(found["status"])
            if self.states[-1:] != [state]:
                self.states.append(state)


def projected(status: Obj) -> Obj:
    conditions = [
        {key: each[key] for key in ("message", "reason", "status", "type")}
        for each in status.get("conditions") or ()
    ]
    current = [
        {**each["resource"]["current"], "name": each["resource"]["name"]}
        for each in status.get("currentMetrics") or ()
        if "resource" in each
    ]
    return anonymous(
        {
            "conditions": conditions,
            "current": current,
            "currentReplicas": status.get("currentReplicas"),
            "desiredReplicas": status["desiredReplicas"],
        }
    )


def anonymous(state: Obj) -> Obj:
    """Return a state without the names of Pods."""
    text = re.sub(r"Pod web-[\w<>-]+", "Pod <pod>", json.dumps(state))
    found: Obj = json.loads(text)
    return found


def recorded(rows: Iterable[Mapping[str, Any]]) -> list[Obj]:
    """Return the states of a series, of which later rows have what changed."""
    states: list[Obj] = []
    whole: Obj = {}
    for row in rows:
        whole = {**whole, **row}
        keys = ("conditions", "current", "currentReplicas", "desiredReplicas")
        states.append(anonymous({key: whole[key] for key in keys}))
    return states


@pytest.mark.skipif(not _CASES, reason="the recorded timelines are not here")
@pytest.mark.parametrize("path", _CASES, ids=lambda path: path.stem)
def test_an_autoscaler_goes_through_the_states_that_were_recorded(path: Path) -> None:
    from tests.unit.controllers_workload.conftest import Stage

    case = json.loads(path.read_text())
    meter = Meter()
    stage = Stage(meter)
    meter.clock = stage.clock
    player = Player(stage, meter)
    for step in case["steps"]:
        player.play(step)
    assert player.states == recorded(case["series"]["HorizontalPodAutoscaler/web"])
    rows = case["series"].get("Deployment/web") or ()
    assert player.replicas == [row["replicas"] for row in rows if "replicas" in row]
    events = [event for event in case["events"] if event["object"].startswith("Horizontal")]
    for reason in {event["reason"] for event in events}:
        wanted = [anonymous(event)["message"] for event in events if event["reason"] == reason]
        said = [anonymous({"message": each})["message"] for each in stage.events(reason)]
        assert [re.sub(r"of Pod .*", "", each) for each in said] == [
            re.sub(r"of Pod .*", "", each) for each in wanted
        ]
