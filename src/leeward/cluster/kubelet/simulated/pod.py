"""One Pod of the simulated fleet: its containers follow their stages. It writes nothing itself.

Invariant: :meth:`SimulatedPod.step` depends on the Pod, the time and what was drawn, so that the same seed
gives the same life; between two steps nothing happens.

Source: pkg/kubelet/kuberuntime/kuberuntime_manager.go (Kubernetes 1.36), for what follows upon an end.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise
from random import Random

from leeward.cluster.kubelet import actions
from leeward.cluster.kubelet.containers import all_containers
from leeward.cluster.kubelet.podworker import IMAGE_BACKOFF
from leeward.cluster.kubelet.records import Record, make_status, record_from_status
from leeward.cluster.kubelet.simulated.stages import Course, Stages, draw_course
from leeward.kube.objects import Obj, parse_time
from leeward.kube.pods import is_finished
from leeward.kube.quantity import to_millis, to_units

Tell = Callable[[str, str], None]  # of a Warning: reason, message
Missing = Callable[[Obj], str]  # what a container lacks, "" for nothing
_STOPPED, _KILLED = 143, 137  # exit codes: by SIGTERM, by SIGKILL
_PULLS = ("ErrImagePull", "ImagePullBackOff")
_STATUSES = ("initContainerStatuses", "containerStatuses", "ephemeralContainerStatuses")


class SimulatedPod:
    """What a kubelet would know of a Pod.

    Args:
        pod: as first seen.
        stages: of its containers.
        seed: of what is drawn.
        now: the time.
        lives: its containers run still, as nothing but the kubelet was restarted.
    """

    __slots__ = (
        "_began",
        "_courses",
        "_failure",
        "_lives",
        "_seed",
        "_started_at",
        "due",
        "ip",
        "killed_at",
        "lacks",
        "pod",
        "prepared",
        "queued_at",
        "records",
        "stages",
        "stop_at",
    )

    def __init__(self, pod: Obj, stages: Stages, seed: int, now: datetime, *, lives: bool) -> None:
        self.pod = pod
        self.stages = stages
        self.ip = ""
        self.lacks = False  # something that it names is not there
        self.prepared = False  # its volumes were there
        self.queued_at: float | None = None  # when the fleet will look at it
        self.due: float | None = 0.0  # monotonic time of the next step; None: when something happens
        self.stop_at: float | None = None  # when its containers obey, if it is being deleted
        self.killed_at = math.inf  # when they are killed
        self._seed = seed
        self._lives = lives
        self._started_at = now
        self._failure: tuple[str, str] | None = None
        self._courses: dict[str, Course] = {}
        self._began: dict[str, float] = {}  # monotonic time at which the course of a container began
        status = pod.get("status") or {}
        known = {each["name"]: each for part in _STATUSES for each in status.get(part) or ()}
        self.records: dict[str, Record] = {}
        for container in all_containers(pod):
            before = known.get(container["name"])
            record = (
                _taken_up(container, before, now) if lives else record_from_status(container, before, now)
            )
            if record.reason == "ContainerStatusUnknown":
                record.failures = 1  # started again at once
            self.records[container["name"]] = record

    @property
    def uid(self) -> str:
        """The Pod's uid."""
        uid: str = self.pod["metadata"]["uid"]
        return uid

    @property
    def is_over(self) -> bool:
        """Tell whether it has ended for good."""
        return is_finished(self.pod) or actions.is_over(self.pod, self.records)

    def step(self, mono: float, wall: datetime, missing: Missing, tell: Tell) -> None:
        """Bring the containers to where they are now, and decide when to look again."""
        if self.fails(wall):
            return
        if self._lives:
            self._take_up(mono, wall)
        waits: list[float] = []
        while self._failure is None and not self.is_over:
            waits = list(self._advance(mono, wall, tell))
            planned = actions.plan(self.pod, self.records, mono)
            begun = [name for name in planned.start if self._begin(name, mono, missing, tell)]
            if planned.look_again_at is not None:
                waits.append(planned.look_again_at)
            if not begun:
                break
        if self.is_over:
            self._end_all(wall, 0)  # sidecars
            self.due = None
            return
        left = self._deadline_left(wall)
        if left is not None:
            waits.append(mono + left)
        self.due = min(waits, default=None)

    def _take_up(self, mono: float, wall: datetime) -> None:
        """Go on with the courses of containers that run already."""
        self._lives = False
        for name, record in self.records.items():
            if record.phase == "running" and record.started_at:
                course = self._course(name, self._spec(name), record.attempt)
                ran = (wall - record.started_at).total_seconds()
                self._courses[name], self._began[name] = course, mono - ran - course.running

    def _advance(self, mono: float, wall: datetime, tell: Tell) -> Iterator[float]:
        """Let what is due happen; yields the times of what comes next."""
        for name, course in list(self._courses.items()):
            record, began = self.records[name], self._began[name]
            if record.phase != "running":
                due = began + (course.pulled if course.pull_fails else course.running)
                if due > mono:
                    yield due
                    continue
                if course.pull_fails:
                    self._image_failed(record, mono, tell)
                    continue
                record.phase, record.reason, record.message = "running", "", ""
                record.restarts += record.last is not None
                record.started_at, record.started = wall - timedelta(seconds=mono - due), True
            if course.exit is not None and began + course.exit <= mono:
                self._ended(record, wall, mono, course.code, tell)
                continue
            if course.ready is not None and not record.ready:
                record.ready = began + course.ready <= mono
                if not record.ready:
                    yield began + course.ready
            if course.exit is not None:
                yield began + course.exit

    def _begin(self, name: str, mono: float, missing: Missing, tell: Tell) -> bool:
        """Begin a run of a container; tells whether one has begun."""
        if name in self._courses:
            return False
        record, spec = self.records[name], self._spec(name)
        lacks = missing(spec)
        if lacks:
            if (record.reason, record.message) != ("CreateContainerConfigError", lacks):
                tell("Failed", f"Error: {lacks}")
            record.reason, record.message = "CreateContainerConfigError", lacks
            self.lacks = True
            return False
        if record.phase == "terminated":
            record.last = record.terminated()
        if record.last is not None and record.reason not in _PULLS:
            record.attempt += 1
        record.image_id = spec["image"]
        record.container_id = f"simulated://{self.uid}/{name}/{record.attempt}"
        record.phase, record.reason, record.message = "waiting", "", ""
        self._began[name] = mono
        self._courses[name] = self._course(name, spec, record.attempt)
        return True

    def _course(self, name: str, spec: Obj, attempt: int) -> Course:
        ending = _ending(spec)
        random = Random(f"{self._seed}/{self.uid}/{name}/{attempt}")
        course = draw_course(self.stages, random)
        if ending is None:
            return course
        seconds, code = ending
        return replace(course, exit=course.running + seconds, code=code)

    def _ended(self, record: Record, wall: datetime, mono: float, code: int, tell: Tell) -> None:
        """Note the end of a container and when it starts again."""
        del self._courses[record.name]
        actions.note_end(record, code, _reason(code), wall, mono)
        told = actions.wait_in_backoff(self.pod, record, mono)
        if told:
            tell("BackOff", told)

    def _image_failed(self, record: Record, mono: float, tell: Tell) -> None:
        del self._courses[record.name]
        first, most = IMAGE_BACKOFF
        record.reason = "ImagePullBackOff" if record.failures else "ErrImagePull"
        record.message = f'failed to pull image "{record.image}": simulated'
        record.failures += 1
        record.attempt += 1  # another pull is drawn
        record.retry_at = mono + min(first * 2.0 ** (record.failures - 1), most)
        tell("Failed", f'Failed to pull image "{record.image}": simulated')

    def _deadline_left(self, wall: datetime) -> float | None:
        return actions.deadline_left(self.pod, self._started_at, wall)

    def fails(self, wall: datetime) -> bool:
        """Give the Pod up if its deadline is over; tells whether it was."""
        left = self._deadline_left(wall)
        if left is not None and left <= 0 and not self.is_over:
            message = "Pod was active on the node longer than the specified deadline"
            self._failure = ("DeadlineExceeded", message)
        if self._failure is not None:
            self._end_all(wall, _KILLED)
            self.due = None
        return self._failure is not None

    def wait_for_deadline(self, mono: float, wall: datetime) -> None:
        """Look again only when the deadline is over, or something happens."""
        left = self._deadline_left(wall)
        self.due = None if left is None else mono + left

    def _end_all(self, wall: datetime, code: int) -> bool:
        """End the containers that run, for good; tells whether there were any."""
        self._courses.clear()
        running = [record for record in self.records.values() if record.phase == "running"]
        for record in running:
            actions.note_end(record, code, _reason(code), wall, math.inf)
        return bool(running)

    def end(self, wall: datetime, *, obeyed: bool) -> bool:
        """End the containers that run; tells whether there were any.

        Args:
            wall: the time.
            obeyed: the stop signal, rather than being killed.
        """
        return self._end_all(wall, _STOPPED if obeyed else _KILLED)

    def final_status(self, wall: datetime, host_ip: str) -> Obj:
        """Return the status of a Pod whose containers were stopped: it has failed, unless it had ended."""
        status = self.status(wall, host_ip)
        return status if is_finished({"status": status}) else {**status, "phase": "Failed"}

    def stop_seconds(self) -> float:
        """Return how long the containers take to obey the stop signal."""
        return self.stages.stop.draw(Random(f"{self._seed}/{self.uid}/stop"))

    def status(self, wall: datetime, host_ip: str) -> Obj:
        """Return its status as of now."""
        spec, records = self.pod["spec"], self.records
        return make_status(
            self.pod,
            [records[each["name"]] for each in spec["containers"]],
            [records[each["name"]] for each in spec.get("initContainers") or ()],
            [
                records[each["name"]]
                for each in spec.get("ephemeralContainers") or ()
                if each["name"] in records
            ],
            pod_ip=host_ip if spec.get("hostNetwork") else self.ip,
            host_ip=host_ip,
            started_at=self._started_at,
            now=wall,
            failure=self._failure,
        )

    def update(self, pod: Obj) -> None:
        """Take a new state of the Pod."""
        self.pod = pod
        for container in pod["spec"].get("ephemeralContainers") or ():
            self.records.setdefault(container["name"], Record(container["name"], container["image"]))

    def _spec(self, name: str) -> Obj:
        return next(each for each in all_containers(self.pod) if each["name"] == name)

    def running_since(self, container_id: str) -> tuple[datetime, Obj] | None:
        """Return since when a container runs, and its spec; None: it does not."""
        for record in self.records.values():
            if record.container_id == container_id and record.phase == "running" and record.started_at:
                return record.started_at, self._spec(record.name)
        return None


def requests_of(container: Obj) -> tuple[int, int]:
    """Return what a container requests: thousandths of a CPU, and bytes."""
    requests = (container.get("resources") or {}).get("requests") or {}
    return to_millis(requests.get("cpu", 0)), to_units(requests.get("memory", 0))


def _reason(code: int) -> str:
    return "Completed" if code == 0 else "Error"


def _taken_up(container: Obj, status: Obj | None, now: datetime) -> Record:
    """Return the record of a container that has gone on while nobody looked."""
    record = record_from_status(container, status, now)
    running = ((status or {}).get("state") or {}).get("running")
    if status and running:
        record.phase, record.reason, record.message = "running", "", ""
        record.exit_code, record.finished_at = 0, None
        record.started_at = parse_time(running["startedAt"]) if running.get("startedAt") else now
        record.image_id, record.ready = status.get("imageID", ""), bool(status.get("ready"))
        record.started = bool(status.get("started"))
    return record


def _ending(container: Obj) -> tuple[float, int] | None:
    """Return (seconds, exit code) of a command that says how it ends; None: it runs until stopped."""
    words = " ".join((*(container.get("command") or ()), *(container.get("args") or ()))).split()
    for verb, number in pairwise(words):
        if verb in ("sleep", "exit") and re.fullmatch("[0-9]{1,9}", number):
            return (float(number), 0) if verb == "sleep" else (0.0, int(number) % 256)
    return None
