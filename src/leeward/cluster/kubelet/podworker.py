"""One Pod on one node: from its sandbox to its end.

A worker is a task. It wakes when the Pod changes, a container ends, a probe changes its mind or a
back-off is over; then it does what :func:`actions.plan` says and writes the status if it changed.

Source: pkg/kubelet/pod_workers.go, kuberuntime_manager.go, kuberuntime_container.go (Kubernetes 1.36).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

from leeward.base.clock import Clock
from leeward.cluster.interface.client import Client
from leeward.cluster.interface.runtime import (
    ContainerExit,
    ImageFailureError,
    ImageService,
    RuntimeFailureError,
    RuntimeService,
    Sandbox,
)
from leeward.cluster.kubelet import actions
from leeward.cluster.kubelet.containers import all_containers, container_config, sandbox_config
from leeward.cluster.kubelet.environment import make_environment
from leeward.cluster.kubelet.prober import Prober
from leeward.cluster.kubelet.records import Record, make_status, record_from_status
from leeward.cluster.kubelet.termination import run_hook, shut_down
from leeward.cluster.kubelet.volumes import Volumes, make_mounts
from leeward.kube.objects import Obj, is_terminating, key_of, parse_time
from leeward.kube.status import ConflictError, NotFoundError

logger = logging.getLogger(__name__)
T = TypeVar("T")
RETRY_SECONDS = 1.0  # for volumes and sandboxes that could not be made
SHUTDOWN_SECONDS = 10.0  # grace period at most when the cluster is stopped
IMAGE_BACKOFF = (10.0, 300.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """What the Pods of one node share."""

    node: str
    client: Client
    clock: Clock
    runtime: RuntimeService
    images: ImageService
    pods_dir: Path
    logs_dir: Path
    host_ip: str
    dns: str  # address of the cluster's DNS; "" for none
    isolated: bool  # Pods have a network of their own
    allocatable: dict[str, str] = field(default_factory=dict)


class PodWorker:
    """Runs one Pod.

    Args:
        host: the node.
        pod: as first seen.
    """

    def __init__(self, host: Host, pod: Obj) -> None:
        self._host = host
        self.pod = pod
        self.uid: str = pod["metadata"]["uid"]
        self._wake = asyncio.Event()
        self._sandbox: Sandbox | None = None
        self._probers: dict[str, Prober] = {}
        self._restart: set[str] = set()  # containers whose liveness or startup probe failed
        self._problems: dict[str, str] = {}
        self._failure: tuple[str, str] | None = None
        self._facts = {
            "spec.nodeName": host.node,
            "status.hostIP": host.host_ip,
            "status.hostIPs": host.host_ip,
            "spec.serviceAccountName": pod["spec"].get("serviceAccountName", "default"),
            **{f"allocatable.{name}": amount for name, amount in host.allocatable.items()},
        }
        self._volumes = Volumes(host.client, host.pods_dir / self.uid, self._facts, host.clock)
        now = host.clock.now()
        self._started_at: datetime = now
        statuses = pod.get("status") or {}
        known = {
            each["name"]: each
            for kind in ("initContainerStatuses", "containerStatuses", "ephemeralContainerStatuses")
            for each in statuses.get(kind) or ()
        }
        specs = all_containers(pod)
        self.records = {c["name"]: record_from_status(c, known.get(c["name"]), now) for c in specs}
        for record in self.records.values():
            if record.reason == "ContainerStatusUnknown":
                record.failures = 1  # started again at once

    def update(self, pod: Obj) -> None:
        """Take note of a new state of the Pod."""
        self.pod = pod
        for container in _ephemeral(pod):
            self.records.setdefault(container["name"], Record(container["name"], container["image"]))
        self._wake.set()

    def exited(self, exit_: ContainerExit) -> None:
        """Take note of the end of a container."""
        record = next((r for r in self.records.values() if r.container_id == exit_.container_id), None)
        if record is None or record.phase != "running":
            return
        clock = self._host.clock
        actions.note_end(record, exit_.exit_code, exit_.reason, clock.now(), clock.monotonic())
        self._stop_probes(record.name)
        self._wake.set()

    def refresh(self) -> None:
        """Look again at ConfigMaps and Secrets."""
        self._problems.clear()
        self._wake.set()

    async def run(self) -> None:
        """Run the Pod until it is gone; whatever goes wrong is tried again, so that nothing is left over."""
        gone = False
        while not gone:
            self._wake.clear()
            delay: float | None = RETRY_SECONDS
            try:
                if is_terminating(self.pod):
                    await self._terminate()
                    gone = True
                else:
                    delay = await self._step()
            except Exception as error:
                logger.exception("%s: Pod %s", self._host.node, self.pod["metadata"]["name"])
                self._problem("sync", "FailedSync", f"error syncing pod: {error!r}")
            if not gone and not (is_terminating(self.pod) and delay is None):
                await self._wait(delay)

    async def _wait(self, seconds: float | None) -> None:
        timer = self._host.clock.call_later(seconds, self._wake.set) if seconds is not None else None
        try:
            await self._wake.wait()
        finally:
            if timer is not None:
                timer.cancel()

    async def _until(self, condition: Callable[[], bool], work: Coroutine[Any, Any, T]) -> T | None:
        """Do `work` and return its result; drop it, and return None, as soon as `condition` holds."""
        task = asyncio.ensure_future(work)
        try:
            while not task.done() and not condition():
                self._wake.clear()
                waking = asyncio.ensure_future(self._wake.wait())
                await asyncio.wait((task, waking), return_when=asyncio.FIRST_COMPLETED)
                waking.cancel()
            return task.result() if task.done() else None
        finally:
            if not task.done():
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
            self._wake.set()  # what woke this is looked at again

    def _is_deleted(self) -> bool:
        return is_terminating(self.pod)

    async def _step(self) -> float | None:
        """Do what is to be done now; returns seconds until the next look."""
        clock = self._host.clock
        over = (self.pod.get("status") or {}).get("phase") in ("Succeeded", "Failed")
        left = self._deadline_left()
        if over or (left is not None and left <= 0):
            await self._finish(deadline=not over)
            return None
        await self._restart_unhealthy()
        if actions.is_over(self.pod, self.records):
            await self._remove_sandbox()
            self.report()
            return None
        self._notice_lost_sandbox()
        try:
            if self._sandbox is None:
                self._paths = self._volumes.prepare(self.pod)
                self._problems.pop("volumes", None)
                self.report()
                await self._make_sandbox()
            else:
                self._volumes.refresh(self.pod)
        except (RuntimeFailureError, OSError, ValueError) as error:
            self._problem("volumes", getattr(error, "reason", "FailedMount"), str(error))
            self.report()
            return RETRY_SECONDS
        planned = actions.plan(self.pod, self.records, clock.monotonic())
        for name in planned.start:
            await self._start(name)
        self._mark_waiting()
        self.report()
        later = actions.plan(self.pod, self.records, clock.monotonic())
        if later.start:
            return 0.0 if not planned.start else 0.02
        waits = [] if later.look_again_at is None else [max(0.0, later.look_again_at - clock.monotonic())]
        return min([*waits, *([] if left is None else [left])], default=None)

    def _deadline_left(self) -> float | None:
        """Return how many seconds the Pod may still be active; None: for ever."""
        return actions.deadline_left(self.pod, None, self._host.clock.now())

    async def _finish(self, *, deadline: bool) -> None:
        """Stop a Pod that is not to run any more."""
        if deadline:
            message = "Pod was active on the node longer than the specified deadline"
            self._failure = ("DeadlineExceeded", message)
            self._problem("deadline", "DeadlineExceeded", message)
        await self._until(self._is_deleted, self._end_containers(self._grace()))
        if not self._is_deleted():
            await self._remove_sandbox()
            self.report()

    def _notice_lost_sandbox(self) -> None:
        if self._sandbox is not None and not self._host.runtime.is_alive(self._sandbox.id):
            self._sandbox = None
            self._event("Normal", "SandboxChanged", "Pod sandbox changed, it will be killed and re-created.")

    def _mark_waiting(self) -> None:
        """A container in its back-off waits, and its last state says how it ended."""
        for record in self.records.values():
            told = actions.wait_in_backoff(self.pod, record, self._host.clock.monotonic())
            if told:
                self._event("Warning", "BackOff", told)

    async def _make_sandbox(self) -> None:
        config = sandbox_config(self._host, self.pod)
        self._sandbox = await self._host.runtime.run_sandbox(config)
        ip = self._host.host_ip if self.pod["spec"].get("hostNetwork") else self._sandbox.ip
        self._facts["status.podIP"] = self._facts["status.podIPs"] = ip
        for container in self.pod["spec"].get("initContainers") or ():
            self.records[container["name"]].run_again()  # what they did is gone with an earlier sandbox

    async def _start(self, name: str) -> None:
        """Pull, create and start one container; what goes wrong becomes its waiting reason."""
        host, record, spec = self._host, self.records[name], self._spec(name)
        clock = host.clock
        if self._sandbox is None:
            return
        try:
            image = await host.images.pull(spec["image"])
            environment = make_environment(host.client, self.pod, spec, self._facts)
            mounts = tuple(make_mounts(spec, self._paths, environment))
            again = record.phase == "terminated" or record.last is not None
            if record.phase == "terminated":
                record.last = record.terminated()
            config = container_config(
                host,
                self.pod,
                spec,
                image,
                environment,
                mounts,
                attempt=record.attempt + (1 if again else 0),
                shares_with=self.records[target].container_id if (target := _target(spec)) else "",
            )
            container_id = await host.runtime.create_container(self._sandbox.id, config)
            record.container_id, record.image_id = container_id, image.id
            if again:
                record.restarts += 1
                record.attempt += 1
            self._event("Normal", "Created", f"Created container: {name}")
            record.phase, record.started_at = "running", clock.now()
            record.reason = record.message = ""
            await host.runtime.start_container(container_id)
        except ImageFailureError as error:
            self._image_failed(record, error)
            return
        except RuntimeFailureError as error:
            self._start_failed(record, error)
            return
        except (OSError, ValueError) as error:
            self._start_failed(record, RuntimeFailureError(str(error), reason="CreateContainerError"))
            return
        self._event("Normal", "Started", f"Started container {name}")
        if name not in {each["name"] for each in _ephemeral(self.pod)}:
            self._begin_probes(record, spec)
        post_start = (spec.get("lifecycle") or {}).get("postStart")
        if post_start:
            problem = await self._until(
                self._is_deleted,
                run_hook(host.runtime, record.container_id, spec, post_start, self._sandbox.ip, clock),
            )
            if problem:
                self._event("Warning", "FailedPostStartHook", problem)
                self._restart.add(name)
                self._wake.set()

    def _image_failed(self, record: Record, error: ImageFailureError) -> None:
        first, most = IMAGE_BACKOFF
        record.phase, record.message = "waiting", str(error)
        record.reason = (
            "ImagePullBackOff" if record.reason in ("ErrImagePull", "ImagePullBackOff") else error.reason
        )
        record.failures += 1
        record.retry_at = self._host.clock.monotonic() + min(first * 2.0 ** (record.failures - 1), most)
        self._event("Warning", "Failed", f'Failed to pull image "{record.image}": {error}')

    def _start_failed(self, record: Record, error: RuntimeFailureError) -> None:
        clock = self._host.clock
        record.failures += 1
        record.retry_at = clock.monotonic() + max(actions.backoff(record.failures), RETRY_SECONDS)
        if error.reason == "StartError":
            record.phase, record.exit_code = "terminated", 128
            record.reason, record.message = "StartError", str(error)
            record.started_at = record.finished_at = clock.now()
        else:
            record.phase, record.reason, record.message = "waiting", error.reason, str(error)
        self._problem(record.name, "Failed", f"Error: {error}")

    def _begin_probes(self, record: Record, spec: Obj) -> None:
        record.started = "startupProbe" not in spec
        record.ready = record.started and "readinessProbe" not in spec
        prober = Prober(
            clock=self._host.clock,
            runtime=self._host.runtime,
            container_id=record.container_id,
            container=spec,
            pod_ip=self._facts["status.podIP"],
            on_result=lambda kind, passed, text: self._probed(record, spec, kind, passed),
            on_failure=lambda kind, text: self._event(
                "Warning", "Unhealthy", f"{kind.capitalize()} probe failed: {text}"
            ),
        )
        self._probers[record.name] = prober
        prober.start()

    def _probed(self, record: Record, spec: Obj, kind: str, passed: bool) -> None:
        if kind == "readiness":
            record.ready = passed
        elif kind == "startup" and passed:
            record.started = True
            record.ready = "readinessProbe" not in spec
        elif not passed:
            self._restart.add(record.name)
            text = f"Container {record.name} failed {kind} probe, will be restarted"
            self._event("Normal", "Killing", text)
        self._wake.set()

    def _stop_probes(self, name: str) -> None:
        prober = self._probers.pop(name, None)
        if prober is not None:
            prober.stop()

    async def _restart_unhealthy(self) -> None:
        """Stop containers whose probes say so; their exit starts them again."""
        names, self._restart = self._restart, set()
        for name in names:
            self._stop_probes(name)
            stop = self._host.runtime.stop_container(self.records[name].container_id, self._grace())
            await self._until(self._is_deleted, stop)

    def _grace(self) -> float:
        """Return the grace period that holds now, seconds."""
        grace = self.pod["metadata"].get("deletionGracePeriodSeconds")
        return float(self.pod["spec"].get("terminationGracePeriodSeconds", 30) if grace is None else grace)

    async def _end_containers(self, grace: float, *, hooks: bool = True) -> None:
        if self._sandbox is not None:
            running = [record for record in self.records.values() if record.phase == "running"]
            await shut_down(
                self._host.runtime,
                self._host.clock,
                self.pod,
                running,
                self._spec,
                self._sandbox.ip,
                grace=grace,
                hooks=hooks,
            )

    async def halt(self) -> None:
        """End all containers because the cluster stops; the API is not told, so that they start again."""
        await self._end_containers(min(self._grace(), SHUTDOWN_SECONDS))

    async def _terminate(self) -> None:
        """End all containers within the grace period, then have the API forget the Pod."""
        host = self._host
        for name in list(self._probers):
            if "preStop" not in (self._spec(name).get("lifecycle") or {}):
                self._stop_probes(name)
        for record in self.records.values():
            if record.phase == "running":
                self._event("Normal", "Killing", f"Stopping container {record.name}")
        await self._end_within(self._grace(), hooks=True)
        for name in list(self._probers):
            self._stop_probes(name)
        await self._host.clock.sleep(0)  # lets the last exits be noted
        self.report()
        await self._remove_sandbox()
        self._volumes.remove()
        namespace, name = key_of(self.pod)
        with contextlib.suppress(NotFoundError, ConflictError):
            host.client.delete("pods", namespace, name, uid=self.uid, grace_period_seconds=0)

    async def _end_within(self, grace: float, *, hooks: bool) -> None:
        """End all containers within `grace` seconds, or sooner when the API shortens them meanwhile."""
        await self._until(lambda: self._grace() < grace, self._end_containers(grace, hooks=hooks))
        if self._grace() < grace:
            await self._end_within(self._grace(), hooks=False)

    async def _remove_sandbox(self) -> None:
        for name in list(self._probers):
            self._stop_probes(name)
        if self._sandbox is not None:
            sandbox, self._sandbox = self._sandbox, None
            await self._host.runtime.remove_sandbox(sandbox.id)

    def abandon(self) -> None:
        """Forget everything without a word: the machine has lost its power."""
        for name in list(self._probers):
            self._stop_probes(name)

    def _spec(self, name: str) -> Obj:
        return next(container for container in all_containers(self.pod) if container["name"] == name)

    def _problem(self, about: str, reason: str, message: str) -> None:
        """Record a Warning once per message."""
        if self._problems.get(about) != message:
            self._problems[about] = message
            self._event("Warning", reason, message)

    def _event(self, kind: Any, reason: str, message: str) -> None:
        self._host.client.record(self.pod, event_type=kind, reason=reason, message=message)

    def report(self) -> None:
        """Write the status, if it changed."""
        namespace, name = key_of(self.pod)
        current = self._host.client.find("pods", namespace, name)
        if current is None or current["metadata"]["uid"] != self.uid:
            return
        status = current.get("status") or {}
        started = status.get("startTime")
        spec = self.pod["spec"]
        new = make_status(
            current,
            [self.records[c["name"]] for c in spec["containers"]],
            [self.records[c["name"]] for c in spec.get("initContainers") or ()],
            [self.records[c["name"]] for c in _ephemeral(self.pod) if c["name"] in self.records],
            pod_ip=self._facts.get("status.podIP", status.get("podIP", "")),
            host_ip=self._host.host_ip,
            started_at=parse_time(started) if started else self._started_at,
            now=self._host.clock.now(),
            failure=self._failure,
        )
        if new != status:
            with contextlib.suppress(NotFoundError, ConflictError):
                self.pod = self._host.client.update_status("pods", {**current, "status": new})


def _ephemeral(pod: Obj) -> Sequence[Obj]:
    """Return the containers that were added to look into a Pod."""
    return pod["spec"].get("ephemeralContainers") or ()


def _target(container: Obj) -> str:
    """Return the container whose processes an ephemeral one sees; "" for none."""
    return str(container.get("targetContainerName") or "")
