"""Random evictions against PodDisruptionBudgets, and what must hold in all of them.

A budget's status is what the disruption controller counted last; evictions take from it. What happens to
Pods afterwards, and the controller does not know yet, is not an eviction's fault. So: when an eviction of a
ready Pod is granted, at least as many ready Pods stay as the budget wants, less those that were lost on the
way since the controller last counted. One of a Pod that is not ready takes none away. A budget that was
changed is not obeyed in its old form: until the controller has seen it, nothing is granted.
"""

from __future__ import annotations

import math
from typing import Any

from leeward.kube.objects import Obj, ObjectKey, is_terminating
from leeward.kube.pods import is_active, is_ready
from leeward.kube.status import StatusError, TooManyRequestsError
from tests.unit.interleavings.chaos import DEPLOYMENTS, NAMESPACE, History, available

BUDGETS = "poddisruptionbudgets.policy"
_STEPS = 80
_CONTROLLERS = ("deployment-controller", "replicaset-controller", "disruption-controller")
_VALUES: tuple[int | str, ...] = (0, 1, 2, 3, "20%", "50%", "80%", "100%")


class Evictions(History):
    """One Deployment with a budget in one random history.

    Args:
        seed: of the history.
    """

    def __init__(self, seed: int) -> None:
        super().__init__(seed, _CONTROLLERS)
        self.chaos.deployment("web", self.random.randint(1, 7))
        selector = {"matchLabels": {"app": "web"}}
        meta = {"name": "web", "namespace": NAMESPACE}
        self.client.create(BUDGETS, {"metadata": meta, "spec": {"selector": selector, **self._wanted()}})
        self.least = 0  # that the controller saw wanted when it last counted
        self.seen = 0  # generation
        self.lost: set[str] = set()  # Pods since then, by uid
        self.granted = 0

    def run(self) -> None:
        """Go through the history."""
        self._settle()
        for _ in range(_STEPS):
            draw = self.random.random()
            if draw < 0.4:
                self._work()
            elif draw < 0.7:
                self._evict()
            elif draw < 0.9:
                self._disturb()
            elif draw < 0.95:
                patch = {"spec": {"minAvailable": None, "maxUnavailable": None, **self._wanted()}}
                self.client.patch(BUDGETS, NAMESPACE, "web", patch, patch_type="merge")
            else:
                self._disturbed(self._scale)
        self._settle()

    # What happens -------------------------------------------------------------------------------------

    def _wanted(self) -> dict[str, Any]:
        kind = self.random.choice(("minAvailable", "maxUnavailable"))
        policy = self.random.choice(({}, {"unhealthyPodEvictionPolicy": "AlwaysAllow"}))
        return {kind: self.random.choice(_VALUES), **policy}

    def _settle(self) -> None:
        while self._work():
            pass
        self.chaos.start_all()
        while self._work():
            pass

    def _work(self) -> bool:
        """Let a controller work; what ReplicaSets take away is no eviction either."""
        before = self._ready()
        done = self.chaos.work()
        self.lost |= before - self._ready()
        if done == ("disruption-controller", ObjectKey(NAMESPACE, "web")):
            self._counted()
        return done is not None

    def _disturb(self) -> None:
        self._disturbed(self.chaos.disturb_pod)

    def _disturbed(self, happen: Any) -> None:
        before = self._ready()
        happen()
        self.lost |= before - self._ready()

    def _scale(self) -> None:
        patch = {"spec": {"replicas": self.random.randint(1, 7)}}
        self.client.patch(DEPLOYMENTS, NAMESPACE, "web", patch, patch_type="merge")

    def _counted(self) -> None:
        """The controller has counted: what it should have found."""
        budget, self.lost = self._budget(), set()
        spec, pods = budget["spec"], self.chaos.pods()
        self.seen = budget["metadata"]["generation"]
        replicas = self._deployment()["spec"]["replicas"] if pods else 0
        if spec.get("maxUnavailable") is not None:
            self.least = max(replicas - _of(spec["maxUnavailable"], replicas), 0)
        else:
            self.least = _of(spec["minAvailable"], replicas)
        told, there = budget["status"], available(pods)
        assert told["currentHealthy"] == there, f"{told} although {there} are healthy"
        assert told["desiredHealthy"] == self.least, f"{told} although {self.least} are wanted"
        assert told["observedGeneration"] == self.seen

    def _evict(self) -> None:
        pods = self.chaos.pods()
        if not pods:
            return
        pod = self.random.choice(pods)
        before, budget = self._ready(), self._budget()
        try:
            self.client.evict(NAMESPACE, pod["metadata"]["name"])
        except TooManyRequestsError:
            assert self._ready() == before, "a refused eviction took a Pod away"
            self._check_refusal(pod, budget)
            return
        except StatusError as error:
            raise AssertionError(f"an eviction failed: {error}") from error
        self._check_granted(pod, budget, before)

    # What must hold -----------------------------------------------------------------------------------

    def _check_granted(self, pod: Obj, budget: Obj, before: set[str]) -> None:
        left = len(self._ready())
        if not is_ready(pod) or not is_active(pod):
            assert left == len(before), "a Pod that was not ready was counted as one"
            return
        self.granted += 1
        generation = budget["metadata"]["generation"]
        assert self.seen == generation, f"generation {generation} is not seen yet, but {self.seen}"
        least = self.least - len(self.lost)
        assert left >= least, f"{left} ready Pods are left of {len(before)}, {self.least} - {len(self.lost)}"

    def _check_refusal(self, pod: Obj, budget: Obj) -> None:
        """What cannot hurt is not refused: a Pod that is ready, with enough others as the status says."""
        fresh = self.seen == budget["metadata"]["generation"]
        allowed = budget["status"]["disruptionsAllowed"]
        assert not (fresh and allowed > 0 and is_ready(pod)), f"refused with {allowed} allowed"
        assert pod["status"]["phase"] == "Running", "it needs no budget"
        assert not is_terminating(pod), "it goes already"

    # Reading ------------------------------------------------------------------------------------------

    def _ready(self) -> set[str]:
        return {each["metadata"]["uid"] for each in self.chaos.pods() if is_active(each) and is_ready(each)}

    def _budget(self) -> Obj:
        return self.client.get(BUDGETS, NAMESPACE, "web")

    def _deployment(self) -> Obj:
        return self.client.get(DEPLOYMENTS, NAMESPACE, "web")


def _of(value: int | str, replicas: int) -> int:
    return value if isinstance(value, int) else math.ceil(int(value[:-1]) * replicas / 100)
