"""Controllers on the real registry, synced in any order, late, or not at all for a while.

The manager syncs keys as they come. Here a generator chooses which waiting key is next, so that every
interleaving of controllers with one another and with what happens around them can come up, always the same
one for the same seed.
"""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Iterator
from functools import partial
from random import Random
from typing import Any

from leeward.base.clock import VirtualClock
from leeward.base.ids import SeededIds
from leeward.cluster.controllers.catalog import CONTROLLERS
from leeward.cluster.controllers.framework.controller import Controller, ControllerContext
from leeward.cluster.interface.client import Event
from leeward.cluster.registry.admission.plugin import AdmissionOptions
from leeward.cluster.registry.registry import Registry
from leeward.cluster.store.memory import MemoryStore
from leeward.kube.objects import Obj, ObjectKey, find_condition, format_time, is_terminating
from leeward.kube.pods import is_active, is_finished, is_ready
from leeward.kube.status import StatusError

NAMESPACE = "shop"
DEPLOYMENTS, REPLICA_SETS = "deployments.apps", "replicasets.apps"
RUNS = int(os.environ.get("LEEWARD_INTERLEAVINGS", "15"))
CHUNK = 100  # runs a test
_SETTLED = 20_000  # syncs after which controllers that still have work do not come to rest


def chunks() -> list[range]:
    """Return the seeds of all runs, in ranges for one test each."""
    return [range(start, min(start + CHUNK, RUNS)) for start in range(0, RUNS, CHUNK)]


def name_of(seeds: range) -> str:
    return f"{seeds.start}-{seeds.stop - 1}"


class Chaos:
    """Some controllers, and the Pods that they make.

    Args:
        random: chooses.
        names: of the controllers.
    """

    def __init__(self, random: Random, names: Collection[str]) -> None:
        self.random = random
        self.clock, ids = VirtualClock(), SeededIds(random.randrange(1 << 30))
        disabled = ("ServiceAccount", "TaintNodesByCondition")
        registry = Registry(
            MemoryStore(), clock=self.clock, ids=ids, options=AdmissionOptions(disabled=disabled)
        )
        self.client = registry.client("system:admin")
        self.client.create("namespaces", {"metadata": {"name": NAMESPACE}})
        context = ControllerContext(client=self.client, clock=self.clock, ids=ids)
        self._waiting: dict[tuple[str, ObjectKey], None] = {}
        self._controllers: dict[str, Controller] = {}
        for found in CONTROLLERS:
            if found.name in names:
                self._controllers[found.name] = controller = found.build(context)
                self.client.watch(controller.resources, partial(self._note, found.name, controller))

    def _note(self, name: str, controller: Controller, event: Event) -> None:
        for key in controller.keys_for(event):
            self._waiting[name, key] = None

    # Controllers --------------------------------------------------------------------------------------

    def waits(self, name: str) -> bool:
        """Tell whether a controller has work."""
        return any(each == name for each, _ in self._waiting)

    def work(self, *, but: Collection[str] = ()) -> tuple[str, ObjectKey] | None:
        """Let some controller sync one key; returns which, or None when all of them rest.

        Args:
            but: controllers that do nothing now.
        """
        there = [each for each in self._waiting if each[0] not in but]
        if not there:
            return None
        chosen = name, key = self.random.choice(there)
        del self._waiting[chosen]
        try:
            again = self._controllers[name].sync(key)
        except StatusError:
            self._waiting[chosen] = None
        else:
            if again == 0:
                self._waiting.setdefault(chosen)
            elif again is not None:
                self.clock.call_later(again, lambda: self._waiting.setdefault(chosen))
        return chosen

    def settle(self) -> Iterator[tuple[str, ObjectKey]]:
        """Sync until nothing is left to do; yields each."""
        for _ in range(_SETTLED):
            done = self.work()
            if done is None:
                return
            yield done
        raise AssertionError("the controllers do not come to rest")

    # Pods ---------------------------------------------------------------------------------------------

    def pods(self) -> list[Obj]:
        return self.client.list("pods", NAMESPACE)

    def tell(self, pod: Obj, phase: str, *, ready: bool) -> None:
        """Report a Pod's status, as its kubelet does."""
        if not pod["spec"].get("nodeName"):
            self.client.bind(NAMESPACE, pod["metadata"]["name"], "node")
            pod = self.client.get("pods", NAMESPACE, pod["metadata"]["name"])
        before, text = find_condition(pod, "Ready") or {}, str(ready)
        since = before.get("lastTransitionTime") if before.get("status") == text else None
        condition = {"type": "Ready", "status": text, "lastTransitionTime": since or self.now()}
        status = {**(pod.get("status") or {}), "phase": phase, "conditions": [condition]}
        self.client.update_status("pods", {**pod, "status": status})

    def now(self) -> str:
        return format_time(self.clock.now())

    def start_all(self) -> None:
        """Make every Pod ready that can be, and let those go that are to go."""
        for pod in self.pods():
            if is_terminating(pod):
                self.gone(pod)
            elif is_active(pod) and not is_ready(pod):
                self.tell(pod, "Running", ready=True)

    def gone(self, pod: Obj) -> None:
        """A Pod has ended."""
        self.client.delete("pods", NAMESPACE, pod["metadata"]["name"], grace_period_seconds=0)

    def disturb_pod(self) -> None:
        """Let something happen to a Pod: it starts, becomes ready or not, fails, is deleted or goes."""
        there = self.pods()
        if not there:
            return
        pod = self.random.choice(there)
        if is_terminating(pod):
            self.gone(pod)
            return
        what = self.random.choices(("ready", "unready", "fail", "delete"), (10, 2, 1, 1))[0]
        if what == "delete":
            self.client.delete("pods", NAMESPACE, pod["metadata"]["name"])
        elif not is_finished(pod):
            self.tell(pod, "Failed" if what == "fail" else "Running", ready=what == "ready")

    def deployment(self, name: str, replicas: int, **more: Any) -> Obj:
        """Make a Deployment of Pods with label app=NAME."""
        labels = {"app": name}
        template = {
            "metadata": {"labels": labels},
            "spec": {"containers": [{"name": "c", "image": "web:0"}]},
        }
        spec = {"replicas": replicas, "selector": {"matchLabels": labels}, "template": template, **more}
        meta = {"name": name, "namespace": NAMESPACE, "labels": labels}
        return self.client.create(DEPLOYMENTS, {"metadata": meta, "spec": spec})


class History(ABC):
    """A random history, the same for the same seed.

    Args:
        seed: of the history.
        names: of the controllers in it.
    """

    def __init__(self, seed: int, names: Collection[str]) -> None:
        self.random = Random(seed)
        self.chaos = Chaos(self.random, names)
        self.client = self.chaos.client

    @abstractmethod
    def run(self) -> None:
        """Go through it.

        Raises:
            AssertionError: something does not hold.
        """


def available(pods: Iterable[Obj]) -> int:
    """Count the Pods that are ready and not about to end."""
    return sum(1 for pod in pods if is_active(pod) and is_ready(pod))
