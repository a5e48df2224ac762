"""Random drains as ``kubectl drain`` does them, and that they end: an empty node, applications as before.

The node is cordoned; then its Pods are evicted, again and again where a budget says no, but for those of
DaemonSets. The budgets here always leave room for one Pod when everything is well, and there is room
elsewhere. Meanwhile other Pods fail and come back. The scheduler is a simple one: any node that takes Pods
and has room.

Source: staging/src/k8s.io/kubectl/pkg/drain (Kubernetes 1.36).
"""

from __future__ import annotations

from typing import Any

from leeward.kube.objects import Obj, controller_of, is_terminating
from leeward.kube.pods import is_active, is_finished, is_ready
from leeward.kube.status import NotFoundError, TooManyRequestsError
from tests.unit.interleavings.budgets import BUDGETS
from tests.unit.interleavings.chaos import DEPLOYMENTS, NAMESPACE, History, available

DAEMON_SETS = "daemonsets.apps"
_NODES = 4
_CONTROLLERS = (
    "deployment-controller",
    "replicaset-controller",
    "disruption-controller",
    "daemonset-controller",
)
_ROUNDS = 400  # in which every drain must end


class Drain(History):
    """A node that is drained in one random history.

    Args:
        seed: of the history.
    """

    def __init__(self, seed: int) -> None:
        super().__init__(seed, _CONTROLLERS)
        for number in range(_NODES):
            node = {"metadata": {"name": f"node-{number}"}, "status": {"allocatable": {"pods": "20"}}}
            made = self.client.create("nodes", node)
            self.client.update_status("nodes", {**made, "status": {**made["status"], **_READY}})
        self.apps = [f"app-{number}" for number in range(self.random.randint(1, 3))]
        for name in self.apps:
            self._make(name)
        labels = {"app": "agent"}
        spec = {"containers": [{"name": "c", "image": "agent:1"}]}
        template = {"metadata": {"labels": labels}, "spec": spec}
        daemons = {"selector": {"matchLabels": labels}, "template": template}
        self.client.create(
            DAEMON_SETS, {"metadata": {"name": "agent", "namespace": NAMESPACE}, "spec": daemons}
        )

    def run(self) -> None:
        """Drain one node, then look at what is there."""
        self._settle()
        node = f"node-{self.random.randrange(_NODES)}"
        self.client.patch("nodes", "", node, {"spec": {"unschedulable": True}}, patch_type="merge")
        for _ in range(_ROUNDS):
            left = self._to_evict(node)
            if not left:
                break
            self._evict(self.random.choice(left))
            self._meanwhile()
        assert not self._to_evict(node), f"{len(self._to_evict(node))} Pods are left on {node}"
        self._settle()
        self._check(node)

    # What happens -------------------------------------------------------------------------------------

    def _make(self, name: str) -> None:
        replicas = self.random.randint(1, 6)
        self.chaos.deployment(name, replicas)
        choices: tuple[dict[str, Any], ...] = (
            {"maxUnavailable": 1},
            {"maxUnavailable": "34%"},  # rounded up
            {"minAvailable": replicas - 1},
        )
        selector = {"matchLabels": {"app": name}}
        meta = {"name": name, "namespace": NAMESPACE}
        policy = self.random.choice(({}, {"unhealthyPodEvictionPolicy": "AlwaysAllow"}))
        if replicas == 1 or self.random.random() < 0.8:
            spec = {"selector": selector, **self.random.choice(choices), **policy}
            self.client.create(BUDGETS, {"metadata": meta, "spec": spec})

    def _to_evict(self, node: str) -> list[Obj]:
        """Return the Pods that are on a node and not a DaemonSet's."""
        return [
            pod
            for pod in self.client.pods_on(node)
            if (controller_of(pod) or {"kind": ""})["kind"] != "DaemonSet"
        ]

    def _evict(self, pod: Obj) -> None:
        try:
            self.client.evict(NAMESPACE, pod["metadata"]["name"])
        except (TooManyRequestsError, NotFoundError):
            return

    def _meanwhile(self) -> None:
        """Controllers work a little, the scheduler and kubelets too, and sometimes a Pod fails."""
        for _ in range(self.random.randint(0, 8)):
            self.chaos.work()
        for pod in self.chaos.pods():
            if self.random.random() < 0.5:
                self._go_on(pod)
        if self.random.random() < 0.05:
            pods = [pod for pod in self.chaos.pods() if pod["spec"].get("nodeName") and is_active(pod)]
            if pods:
                phase = self.random.choice(("Failed", "Running"))
                self.chaos.tell(self.random.choice(pods), phase, ready=False)

    def _go_on(self, pod: Obj) -> None:
        """Let a Pod be where it is to be."""
        if is_terminating(pod):
            self.chaos.gone(pod)
        elif is_finished(pod) or is_ready(pod):
            return
        elif not pod["spec"].get("nodeName"):
            self._schedule(pod)
        else:
            self.chaos.tell(pod, "Running", ready=True)

    def _schedule(self, pod: Obj) -> None:
        affinity = pod["spec"].get("affinity")
        nodes = [each for each in self.client.list("nodes") if not each["spec"].get("unschedulable")]
        if affinity:  # a DaemonSet's names its node
            terms = affinity["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
            wanted = terms["nodeSelectorTerms"][0]["matchFields"][0]["values"]
            self.client.bind(NAMESPACE, pod["metadata"]["name"], wanted[0])
            return
        chosen = self.random.choice(nodes)
        self.client.bind(NAMESPACE, pod["metadata"]["name"], chosen["metadata"]["name"])

    def _settle(self) -> None:
        for _ in range(100):
            for _ in self.chaos.settle():
                pass
            waiting = [pod for pod in self.chaos.pods() if not is_finished(pod) and not self._is_well(pod)]
            if not waiting:
                return
            for pod in waiting:
                self._go_on(pod)
        raise AssertionError("it does not come to rest")

    @staticmethod
    def _is_well(pod: Obj) -> bool:
        return is_ready(pod) and not is_terminating(pod)

    # What must hold -----------------------------------------------------------------------------------

    def _check(self, node: str) -> None:
        left = [pod["metadata"]["labels"]["app"] for pod in self.client.pods_on(node) if not is_finished(pod)]
        assert left == ["agent"], f"{left} are on {node}"
        for name in self.apps:
            wanted = self.client.get(DEPLOYMENTS, NAMESPACE, name)["spec"]["replicas"]
            own = [pod for pod in self.chaos.pods() if pod["metadata"]["labels"]["app"] == name]
            assert available(own) == wanted, f"{available(own)} of {wanted} Pods of {name} are there"


_READY = {"conditions": [{"type": "Ready", "status": "True"}]}
