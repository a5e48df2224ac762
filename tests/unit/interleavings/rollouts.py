"""Random rollouts of one Deployment, and what must hold in all of them.

What upstream guarantees is about what the controllers decide, with what they were told:

* The sizes of all ReplicaSets together never grow beyond ``replicas + maxSurge``. Where somebody makes that
  bound smaller, they do not grow until they are below it.
* A ReplicaSet that was synced has no more active Pods than its size; so once all were, there are no more
  active Pods than the bound. (Before that, one may have grown whose counterpart has not let its Pods go
  yet.)
* Sizes together with what ReplicaSets report as available say how many Pods stay available: for each, the
  lesser of both. A step of a rollout never takes that below ``replicas - maxUnavailable``, or further below
  where Pods that failed have. Resizing after somebody has changed ``replicas`` is no step of a rollout.
* A ReplicaSet takes Pods away that are not available before it takes one that is.
"""

from __future__ import annotations

import math
from typing import Any

from leeward.cluster.controllers.deployment.rolling import is_scaling
from leeward.kube.objects import Obj, ObjectKey
from leeward.kube.pods import is_active, is_finished
from tests.unit.interleavings.chaos import DEPLOYMENTS, NAMESPACE, REPLICA_SETS, History, available

_STEPS = 60
_CONTROLLERS = ("deployment-controller", "replicaset-controller")
_SURGES: tuple[int | str, ...] = (0, 1, 2, 3, "10%", "25%", "50%", "100%")
_UNAVAILABLE: tuple[int | str, ...] = (0, 0, 1, 2, "10%", "25%", "50%", "100%")


class Rollout(History):
    """One Deployment in one random history.

    Args:
        seed: of the history.
    """

    def __init__(self, seed: int) -> None:
        super().__init__(seed, _CONTROLLERS)
        self.chaos.deployment("web", self.random.randint(0, 8), strategy=self._strategy())
        self._image = 0
        self.bound = 0  # of sizes together

    def run(self) -> None:
        """Go through the history, then let the rollout end."""
        if self.random.random() < 0.7:  # most begin with a Deployment at rest
            self._end()
        for _ in range(_STEPS):
            draw = self.random.random()
            if draw < 0.6:
                self._sync()
            elif draw < 0.9:
                self.chaos.disturb_pod()
            else:
                self._change()
        self._end()
        self._check_end()

    # What happens -------------------------------------------------------------------------------------

    def _strategy(self) -> Obj:
        surge, unavailable = self.random.choice(_SURGES), self.random.choice(_UNAVAILABLE)
        if surge == 0 and unavailable == 0:
            surge = 1
        return {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": surge, "maxUnavailable": unavailable}}

    def _change(self) -> None:
        """Somebody changes the Deployment."""
        what = self.random.choices(("roll", "back", "scale", "strategy", "pause"), (5, 1, 3, 1, 1))[0]
        spec: dict[str, Any]
        if what in ("roll", "back"):
            self._image = self._image + 1 if what == "roll" else self.random.randint(0, self._image)
            spec = {"template": {"spec": {"containers": [{"name": "c", "image": f"web:{self._image}"}]}}}
        elif what == "scale":
            spec = {"replicas": self.random.randint(0, 8)}
        elif what == "strategy":
            spec = {"strategy": self._strategy()}
        else:
            spec = {"paused": not self._deployment()["spec"].get("paused", False)}
        self.client.patch(DEPLOYMENTS, NAMESPACE, "web", {"spec": spec}, patch_type="merge")

    def _end(self) -> None:
        """Let everything happen that is left to happen, with Pods that become ready."""
        self.client.patch(DEPLOYMENTS, NAMESPACE, "web", {"spec": {"paused": False}}, patch_type="merge")
        for _ in range(200):
            while self._sync():
                pass
            if self._complete():
                return
            self.chaos.start_all()
        raise AssertionError("the rollout does not end")

    def _complete(self) -> bool:
        wanted, sets = self._deployment()["spec"]["replicas"], self._sets()
        pods = [pod for pod in self.chaos.pods() if not is_finished(pod)]  # what has failed stays
        image = self._deployment()["spec"]["template"]["spec"]["containers"][0]["image"]
        new = [each for each in pods if each["spec"]["containers"][0]["image"] == image]
        sizes = sum(each["spec"]["replicas"] for each in sets)
        return {sizes, len(pods), len(new), available(pods)} == {wanted}

    def _sync(self) -> bool:
        before, deployment, pods = self._sets(), self._deployment(), self.chaos.pods()
        done = self.chaos.work()
        if done is None:
            return False
        name, key = done
        if name == "deployment-controller":
            self._check_decision(deployment, before)
        else:
            self._check_carried_out(key, before, pods)
        return True

    # What must hold -----------------------------------------------------------------------------------

    def _check_decision(self, deployment: Obj, before: list[Obj]) -> None:
        spec, after = deployment["spec"], self._sets()
        surge, unavailable = fenceposts(spec)
        had, has = total(before), total(after)
        bound = spec["replicas"] + surge
        assert has <= max(had, bound), f"sizes grew from {had} to {has}, beyond {bound}"
        self.bound = max(has, bound)
        if spec.get("paused") or is_scaling(deployment, before):
            return
        least = spec["replicas"] - unavailable
        stayed, stays = kept(before), kept(after)
        assert stays >= min(stayed, least), f"{stays} of {stayed} stay available, less than {least}"

    def _check_carried_out(self, key: ObjectKey, before: list[Obj], pods: list[Obj]) -> None:
        replica_set = self.client.find(REPLICA_SETS, *key)
        if replica_set is None:
            return
        size, uid = replica_set["spec"]["replicas"], replica_set["metadata"]["uid"]
        own = [each for each in pods if _owner(each) == uid]
        now = self.client.controlled_by("pods", uid)
        active = sum(map(is_active, now))
        assert active == size, f"{active} active Pods of {size}"
        least = min(available(own), size)
        assert available(now) >= least, f"{available(now)} of {available(own)} stay available, not {least}"
        if not self.chaos.waits("replicaset-controller"):
            count = sum(map(is_active, self.chaos.pods()))
            assert count <= max(self.bound, total(before)), f"{count} active Pods, more than {self.bound}"

    def _check_end(self) -> None:
        status, wanted = self._deployment()["status"], self._deployment()["spec"]["replicas"]
        for field in ("replicas", "updatedReplicas", "availableReplicas", "readyReplicas"):
            assert status.get(field, 0) == wanted, f"{field} is {status.get(field)}, not {wanted}"

    # Reading ------------------------------------------------------------------------------------------

    def _deployment(self) -> Obj:
        return self.client.get(DEPLOYMENTS, NAMESPACE, "web")

    def _sets(self) -> list[Obj]:
        return self.client.list(REPLICA_SETS, NAMESPACE)


def fenceposts(spec: Obj) -> tuple[int, int]:
    """Return maxSurge and maxUnavailable in Pods: percents of replicas, rounded up and down."""
    rolling, replicas = spec["strategy"]["rollingUpdate"], spec["replicas"]
    surge, unavailable = rolling["maxSurge"], rolling["maxUnavailable"]
    if isinstance(surge, str):
        surge = math.ceil(int(surge[:-1]) * replicas / 100)
    if isinstance(unavailable, str):
        unavailable = int(unavailable[:-1]) * replicas // 100
    if surge == 0 and unavailable == 0:
        unavailable = 1
    return surge, min(unavailable, replicas)


def total(sets: list[Obj]) -> int:
    """Return the sizes together."""
    return sum(each["spec"]["replicas"] for each in sets)


def kept(sets: list[Obj]) -> int:
    """Return how many available Pods the sizes leave."""
    reported = [(each["spec"]["replicas"], each["status"].get("availableReplicas", 0)) for each in sets]
    return sum(min(size, there) for size, there in reported)


def _owner(pod: Obj) -> str:
    references = pod["metadata"].get("ownerReferences") or [{"uid": ""}]
    uid: str = references[0]["uid"]
    return uid
