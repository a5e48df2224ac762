"""The kubelets that the recordings were made with: no containers, only states that follow an image's name.

``sim/ok``; ``sim/never-ready``; ``sim/ready-after-N``; ``sim/unready-after-N``; ``sim/exit-C-after-N``: exit
code C, N seconds after start; ``sim/pull-error``; ``sim/slow-term-N``: N seconds until it is gone.
A stopped node neither renews its lease nor acts on its Pods; what is left to do is done when it is back.

Source: the READMEs of the recorded kubectl commands and controller timelines.
"""

from __future__ import annotations

import contextlib
import itertools
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC
from typing import Any

from leeward.base.clock import Clock
from leeward.cluster.interface.client import Event
from leeward.cluster.registry.registry import Registry
from leeward.kube.objects import Obj
from leeward.kube.status import StatusError

START_SECONDS = 0.5
APART_SECONDS = 0.015  # between what kubelets do at about the same time: they are not one machine
RESTART_SECONDS = 2.0
HEARTBEAT_SECONDS = 10.0
_READY = {"reason": "KubeletReady", "message": "kubelet is posting ready status"}
_NOT_READY = {"reason": "KubeletNotReady", "message": "container runtime is down"}
_IMAGE = re.compile(r"sim/(?P<what>[a-z-]+?)(-(?P<code>\d+)-after)?(-(?P<seconds>\d+))?(:.*)?$")


def _stamp(clock: Clock) -> str:
    return clock.now().astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class Kubelets:
    """Registers nodes, keeps their leases, and plays their Pods.

    Args:
        registry: what they write through.
        clock: their time.
        nodes: as they register: metadata and status.
        first_heartbeat: seconds until leases are renewed for the first time after they were made.
    """

    def __init__(
        self,
        registry: Registry,
        clock: Clock,
        nodes: Sequence[Obj],
        first_heartbeat: float = HEARTBEAT_SECONDS,
    ) -> None:
        self._clock = clock
        self._nodes = nodes
        self._first_heartbeat = first_heartbeat
        self._client = registry.client("system:kubelet").tracked("unknown", "v1")
        self._untracked = registry.client("system:kubelet")
        self._addresses = itertools.count(3)
        self._played: dict[str, str] = {}  # Pod uid → its address
        self._ending: set[str] = set()
        self._host_ips: dict[str, str] = {}
        self._stopped: set[str] = set()
        self._busy_until = 0.0

    def start(self) -> None:
        """Register the nodes and follow Pods."""
        for node in self._nodes:
            self.add(node)
        self._client.watch(["pods"], self._on_event)
        self._clock.call_later(self._first_heartbeat, self._heartbeat)

    # Nodes -----------------------------------------------------------------------------------------

    def add(self, node: Obj) -> None:
        """Register a node."""
        name = node["metadata"]["name"]
        self._client.create("nodes", {**node, "spec": node.get("spec") or {}})
        live = self._client.get("nodes", "", name)
        self._client.update_status("nodes", {**live, "status": self._fresh(node["status"])})
        addresses = {each["type"]: each["address"] for each in node["status"]["addresses"]}
        self._host_ips[name] = addresses["InternalIP"]
        self._renew(name)

    def remove(self, name: str) -> None:
        """Take a node away: nobody plays it any more, and it is deleted."""
        self._host_ips.pop(name)
        self._stopped.discard(name)
        self._client.delete("nodes", "", name)

    def stop_nodes(self, names: Iterable[str]) -> None:
        """Let nodes fall silent."""
        self._stopped.update(names)

    def resume_nodes(self, names: Iterable[str]) -> None:
        """Let nodes come back: they report, and finish what was asked of their Pods meanwhile."""
        self._stopped.difference_update(names)
        for name in names:
            self._renew(name)
            self.set_node_ready(name, "True")
            for pod in self._client.pods_on(name):
                if pod["metadata"].get("deletionTimestamp") or pod["metadata"]["uid"] not in self._played:
                    self._take_up(pod)
                elif pod["status"].get("phase") == "Running":
                    self.set_pod_ready(pod, ready=True)

    def set_node_ready(self, name: str, status: str) -> None:
        """Report the Ready condition of a node."""
        told = _READY if status == "True" else _NOT_READY
        live = self._client.get("nodes", "", name)
        conditions = [
            {**each, **told, "status": status} if each["type"] == "Ready" else each
            for each in live["status"]["conditions"]
        ]
        self._client.update_status("nodes", {**live, "status": {**live["status"], "conditions": conditions}})

    def set_pod_ready(self, pod: Obj, *, ready: bool) -> None:
        """Report that the containers of a running Pod are ready, or are not."""
        states = pod["status"].get("containerStatuses") or [{}]
        state, restarts = states[0].get("state") or {}, states[0].get("restartCount", 0)
        self._write(pod, self._status(pod, "Running", state, ready=ready, restarts=restarts))

    def _fresh(self, status: Mapping[str, Any]) -> Obj:
        now = _stamp(self._clock)
        times = {"lastHeartbeatTime": now, "lastTransitionTime": now}
        return {**status, "conditions": [{**each, **times} for each in status["conditions"]]}

    def _heartbeat(self) -> None:
        for name in self._host_ips.keys() - self._stopped:
            self._renew(name)
        self._clock.call_later(HEARTBEAT_SECONDS, self._heartbeat)

    def _renew(self, name: str) -> None:
        now = self._clock.now().astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        spec = {"holderIdentity": name, "leaseDurationSeconds": 40, "renewTime": now}
        meta = {"name": name, "namespace": "kube-node-lease"}
        resource = "leases.coordination.k8s.io"
        found = self._client.find(resource, "kube-node-lease", name)
        if found is None:
            self._client.create(resource, {"metadata": meta, "spec": spec})
        else:
            self._client.update(resource, {**found, "spec": spec})

    # Pods ------------------------------------------------------------------------------------------

    def _on_event(self, event: Event) -> None:
        if event.type != "DELETED" and self._acts(event.object):
            self._take_up(event.object)

    def _acts(self, pod: Obj) -> bool:
        """Tell whether the kubelet of a Pod's node is there and running."""
        node = pod["spec"].get("nodeName")
        return node in self._host_ips and node not in self._stopped

    def _take_up(self, pod: Obj) -> None:
        uid = pod["metadata"]["uid"]
        if pod["metadata"].get("deletionTimestamp"):
            if uid not in self._ending:
                self._ending.add(uid)
                self._later(self._termination(pod), lambda: self._end(pod))
        elif uid not in self._played:
            self._played[uid] = f"10.244.0.{next(self._addresses)}"
            self._later(START_SECONDS, lambda: self._begin(pod))

    def _later(self, seconds: float, action: Callable[[], object]) -> None:
        """Do something in so many seconds, not just when something else is done."""
        now = self._clock.monotonic()
        soonest = max(now + seconds, self._busy_until + APART_SECONDS)
        due = soonest if soonest < now + seconds + START_SECONDS / 2 else now + seconds
        self._busy_until = max(due, self._busy_until)
        self._clock.call_later(due - now, action)

    def _termination(self, pod: Obj) -> float:
        found = re.match(r"sim/slow-term-(\d+)", pod["spec"]["containers"][0]["image"])
        if found is None:
            return START_SECONDS
        return min(float(found[1]), float(pod["metadata"].get("deletionGracePeriodSeconds") or 0))

    def _live(self, pod: Obj) -> Obj | None:
        meta = pod["metadata"]
        live = self._client.find("pods", meta["namespace"], meta["name"])
        return live if live is not None and live["metadata"]["uid"] == meta["uid"] else None

    def _write(self, pod: Obj, status: Obj) -> None:
        live = self._live(pod)
        if live is not None and self._acts(live):
            try:
                self._client.update_status("pods", {**live, "status": {**live["status"], **status}})
            except StatusError:  # it went meanwhile
                return

    def _begin(self, pod: Obj, restarts: int = 0) -> None:
        found = _IMAGE.match(pod["spec"]["containers"][0]["image"])
        what, seconds = (found["what"], float(found["seconds"] or 0)) if found else ("ok", 0.0)
        if what == "pull-error":
            image = pod["spec"]["containers"][0]["image"]
            waiting = {"reason": "ImagePullBackOff", "message": f'Back-off pulling image "{image}"'}
            self._write(pod, self._status(pod, "Pending", {"waiting": waiting}, restarts=restarts))
            return
        ready = what not in ("never-ready", "ready-after")
        running = {"running": {"startedAt": _stamp(self._clock)}}
        self._write(pod, self._status(pod, "Running", running, ready=ready, restarts=restarts))
        if found and found["code"]:
            code = int(found["code"])
            late = seconds + APART_SECONDS  # until the kubelet notices
            self._clock.call_later(late, lambda: self._exit(pod, code, restarts))
        elif what in ("ready-after", "unready-after"):
            status = self._status(pod, "Running", running, ready=not ready)
            self._clock.call_later(seconds, lambda: self._write(pod, status))

    def _exit(self, pod: Obj, code: int, restarts: int) -> None:
        live = self._live(pod)
        if live is None or live["metadata"].get("deletionTimestamp"):
            return
        policy = pod["spec"].get("restartPolicy")
        ended = self._terminated(code)
        if policy == "Always" or (policy == "OnFailure" and code):
            waiting = {"reason": "CrashLoopBackOff", "message": "back-off restarting failed container"}
            status = self._status(pod, "Running", {"waiting": waiting}, last=ended, restarts=restarts)
            self._write(pod, status)
            self._clock.call_later(RESTART_SECONDS, lambda: self._begin(pod, restarts + 1))
            return
        self._write(pod, self._status(pod, "Failed" if code else "Succeeded", ended, restarts=restarts))

    def _terminated(self, code: int) -> Obj:
        now = _stamp(self._clock)
        reason = "Error" if code else "Completed"
        times = {"startedAt": now, "finishedAt": now}
        return {"terminated": {"exitCode": code, "reason": reason, **times, "containerID": "sim://container"}}

    def _end(self, pod: Obj) -> None:
        live = self._live(pod)
        if live is None or not self._acts(live):
            self._ending.discard(pod["metadata"]["uid"])
            return
        if live["status"].get("phase") not in ("Succeeded", "Failed"):
            self._write(pod, self._status(pod, "Failed", self._terminated(137)))
        self._clock.call_later(APART_SECONDS, lambda: self._forget(pod))

    def _forget(self, pod: Obj) -> None:
        meta = pod["metadata"]
        with contextlib.suppress(StatusError):
            self._untracked.delete(
                "pods", meta["namespace"], meta["name"], uid=meta["uid"], grace_period_seconds=0
            )

    def _status(
        self,
        pod: Obj,
        phase: str,
        state: Obj,
        *,
        ready: bool = False,
        last: Obj | None = None,
        restarts: int = 0,
    ) -> Obj:
        live = self._live(pod) or pod
        before = {each["type"]: each for each in live["status"].get("conditions") or ()}
        names = ", ".join(each["name"] for each in pod["spec"]["containers"])
        why: Obj = {"Succeeded": {"reason": "PodCompleted"}, "Failed": {"reason": "PodFailed"}}.get(
            phase,
            {"reason": "ContainersNotReady", "message": f"containers with unready status: [{names}]"},
        )
        unready = {} if ready else why

        def condition(kind: str, status: bool, more: Obj) -> Obj:
            word = "True" if status else "False"
            then = before.get(kind)
            changed = then is None or then["status"] != word
            since = _stamp(self._clock) if then is None or changed else then["lastTransitionTime"]
            return {"type": kind, "status": word, "lastProbeTime": None, "lastTransitionTime": since, **more}

        conditions = [
            condition("PodReadyToStartContainers", True, {}),
            condition("Initialized", True, {}),
            condition("Ready", ready, unready),
            condition("ContainersReady", ready, unready),
        ]
        told = {each["type"] for each in conditions}
        conditions += [each for kind, each in before.items() if kind not in told]
        host, address = self._host_ips[live["spec"]["nodeName"]], self._played[pod["metadata"]["uid"]]
        status: Obj = {
            "phase": phase,
            "conditions": conditions,
            "hostIP": host,
            "hostIPs": [{"ip": host}],
            "podIP": address,
            "podIPs": [{"ip": address}],
            "startTime": live["status"].get("startTime") or _stamp(self._clock),
            "containerStatuses": [
                self._container(each, state, ready=ready, last=last or {}, restarts=restarts)
                for each in pod["spec"]["containers"]
            ],
        }
        if pod["spec"].get("initContainers"):
            done = self._terminated(0)
            status["initContainerStatuses"] = [
                {**self._container(each, done, ready=True, last={}, restarts=0), "started": False}
                for each in pod["spec"]["initContainers"]
            ]
        return status

    def _container(self, container: Obj, state: Obj, *, ready: bool, last: Obj, restarts: int) -> Obj:
        return {
            "name": container["name"],
            "state": state,
            "lastState": last,
            "ready": ready,
            "restartCount": restarts,
            "image": container["image"],
            "imageID": "sim://image",
            "containerID": "sim://container",
            "started": "running" in state,
        }
