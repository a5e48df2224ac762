"""The workload controllers on the real registry, in virtual time; the test plays the kubelets."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from leeward.base.clock import VirtualClock
from leeward.base.ids import SeededIds
from leeward.cluster.config import Timing
from leeward.cluster.controllers.catalog import CONTROLLERS
from leeward.cluster.controllers.framework.controller import ControllerContext
from leeward.cluster.controllers.framework.manager import ControllerManager
from leeward.cluster.interface.metrics import MetricsSource
from leeward.cluster.registry.admission.plugin import AdmissionOptions
from leeward.cluster.registry.bootstrap import bootstrap
from leeward.cluster.registry.registry import Registry
from leeward.cluster.store.memory import MemoryStore
from leeward.kube.objects import Obj, find_condition, format_time, is_terminating, key_of
from leeward.kube.pods import is_active, is_ready

_RUNNING = {
    "cronjob-controller",
    "deployment-controller",
    "replicaset-controller",
    "statefulset-controller",
    "daemonset-controller",
    "job-controller",
    "replicationcontroller-controller",
    "ttl-after-finished-controller",
    "horizontal-pod-autoscaler-controller",
}


class Stage:
    """A control plane without scheduler and kubelets; namespace "shop" is there."""

    def __init__(self, metrics: MetricsSource | None = None) -> None:
        self.clock, ids = VirtualClock(), SeededIds(7)
        registry = Registry(
            MemoryStore(),
            clock=self.clock,
            ids=ids,
            options=AdmissionOptions(disabled=("ServiceAccount", "TaintNodesByCondition")),
        )
        bootstrap(registry, api_address="127.0.0.1", api_port=6443)
        self.client = registry.client("system:admin")
        context = ControllerContext(
            client=self.client,
            clock=self.clock,
            ids=ids,
            metrics=metrics,
            timing=Timing(job_batch_seconds=0),
        )
        self.client.create("namespaces", {"metadata": {"name": "shop"}})
        self.client.create("serviceaccounts", {"metadata": {"name": "default", "namespace": "shop"}})
        built = [(found.name, found.build(context)) for found in CONTROLLERS if found.name in _RUNNING]
        ControllerManager(built, self.client, self.clock).start()

    def create(self, resource: str, name: str, spec: Obj, **meta: Any) -> Obj:
        """Create an object and let the controllers work."""
        made = self.client.create(
            resource, {"metadata": {"name": name, "namespace": "shop", **meta}, "spec": spec}
        )
        self.step()
        return made

    def workload(self, resource: str, name: str = "web", *, image: str = "web:1", **spec: Any) -> Obj:
        """Create a Deployment or the like of Pods with label app=NAME."""
        template = {
            "metadata": {"labels": {"app": name}},
            "spec": {"containers": [{"name": "c", "image": image}]},
        }
        full = {"selector": {"matchLabels": {"app": name}}, "template": template, **spec}
        return self.create(resource, name, full, labels={"app": name})

    def roll(self, resource: str, image: str, name: str = "web", **spec: Any) -> None:
        """Change the image of a workload."""
        containers = [{"name": "c", "image": image}]
        self.patch(resource, name, {"spec": {"template": {"spec": {"containers": containers}}, **spec}})

    def get(self, resource: str, name: str = "web") -> Obj:
        return self.client.get(resource, "shop", name)

    def patch(self, resource: str, name: str, patch: Obj) -> None:
        """Merge a patch and let the controllers work."""
        self.client.patch(resource, "shop", name, patch, patch_type="merge")
        self.step()

    def delete(self, resource: str, name: str) -> None:
        self.client.delete(resource, "shop", name)
        self.step()

    def orphan(self, resource: str, name: str, *dependents: str) -> None:
        """Delete an object but not its dependents, as the garbage collector does for ``--cascade=orphan``."""
        uid = self.get(resource, name)["metadata"]["uid"]
        left = [(kind, obj) for kind in dependents for obj in self.client.controlled_by(kind, uid)]
        self.client.delete(resource, "shop", name, propagation="Background")
        for kind, obj in left:
            self.client.update(kind, {**obj, "metadata": {**obj["metadata"], "ownerReferences": []}})
        self.step()

    def step(self, seconds: float = 0.01) -> None:
        self.clock.advance(seconds)

    # Reading --------------------------------------------------------------------------------------

    def pods(self, keep: Callable[[Obj], bool] = is_active) -> list[Obj]:
        return [pod for pod in self.client.list("pods", "shop") if keep(pod)]

    def images(self, keep: Callable[[Obj], bool] = is_active) -> list[str]:
        """Return the images of Pods, sorted."""
        return sorted(pod["spec"]["containers"][0]["image"] for pod in self.pods(keep))

    def sizes(self) -> dict[str, int]:
        """Return image → replicas of the ReplicaSets."""
        found = self.client.list("replicasets.apps", "shop")
        return {s["spec"]["template"]["spec"]["containers"][0]["image"]: s["spec"]["replicas"] for s in found}

    def names(self, keep: Callable[[Obj], bool] = is_active) -> list[str]:
        return [key_of(pod).name for pod in self.pods(keep)]

    def condition(self, resource: str, name: str, kind: str) -> tuple[str, str] | None:
        """Return (status, reason) of a condition."""
        found = find_condition(self.get(resource, name), kind)
        return (found["status"], found.get("reason", "")) if found else None

    def events(self, reason: str) -> list[str]:
        """Return the messages of Events, in the order of their first appearance."""
        found = [each for each in self.client.list("events", "shop") if each["reason"] == reason]
        return [
            each["message"] for each in sorted(found, key=lambda e: int(e["metadata"]["resourceVersion"]))
        ]

    # Playing the kubelets -------------------------------------------------------------------------

    def run(self, pod: Obj, *, ready: bool = True) -> None:
        """A Pod has started; without a node it gets one of its own."""
        meta = pod["metadata"]
        if not pod["spec"].get("nodeName"):
            self.client.bind(meta["namespace"], meta["name"], f"node-of-{meta['name']}"[:60])
        self.tell(meta["name"], "Running", ready=ready)

    def tell(self, name: str, phase: str, *, ready: bool = False, **status: Any) -> None:
        """Report a Pod's status; call :meth:`step` afterwards."""
        pod = self.get("pods", name)
        before = find_condition(pod, "Ready") or {}
        text = "True" if ready else "False"
        since = before.get("lastTransitionTime") if before.get("status") == text else None
        condition = {
            "type": "Ready",
            "status": text,
            "lastTransitionTime": since or format_time(self.clock.now()),
        }
        full = {**(pod.get("status") or {}), "phase": phase, "conditions": [condition], **status}
        self.client.update_status("pods", {**pod, "status": full})

    def run_all(self, *, ready: bool = True) -> None:
        """Start every Pod that has not started."""
        for pod in self.pods():
            if pod["status"].get("phase") != "Running":
                self.run(pod, ready=ready)
        self.step()

    def finish_terminating(self) -> None:
        """Terminating Pods are gone for good."""
        for pod in self.pods(is_terminating):
            self.client.delete("pods", "shop", pod["metadata"]["name"], grace_period_seconds=0)
        self.step()

    def settle(self) -> None:
        """Play perfect kubelets until nothing happens any more."""
        for _ in range(100):
            waiting = [pod for pod in self.pods() if not is_ready(pod)]
            ending = self.pods(is_terminating)
            if not waiting and not ending:
                return
            self.run_all()
            for pod in self.pods(lambda each: is_active(each) and not is_ready(each)):
                self.run(pod)
            self.finish_terminating()
        raise AssertionError("the controllers do not come to rest")


@pytest.fixture
def stage() -> Stage:
    return Stage()
