"""Keeps a number of identical Pods, for ReplicaSets and ReplicationControllers.

What the status says is what was there before Pods were made or deleted in the same pass: the next one, which
their events cause, tells of them. Where there are many Pods, changes of their state are looked at together.

Source: pkg/controller/replicaset/replica_set.go, pkg/controller/replication (Kubernetes 1.36).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from leeward.cluster.controllers.framework.claims import adopters, claim
from leeward.cluster.controllers.framework.controller import ControllerContext, own_or_owner_key
from leeward.cluster.controllers.framework.replicaplan import Looks, View, make_status, plan
from leeward.cluster.controllers.framework.slowstart import is_namespace_ending, slow_start
from leeward.cluster.interface.client import Event
from leeward.kube.conditions import with_condition
from leeward.kube.objects import Obj, ObjectKey, controller_of, find_condition, is_terminating
from leeward.kube.pods import is_active, pod_from_template
from leeward.kube.status import NotFoundError, StatusError

MANY = 200  # Pods
SECONDS_PER_POD = 0.5 / 10_000  # how long changes of many are collected
LONGEST_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Replicated:
    """What differs between the kinds."""

    resource: str
    kind: str
    tells_terminating: bool  # in its status


class ReplicasController:
    """Implements Controller and Collecting.

    Args:
        context: clients and time.
        replicated: the kind.
    """

    def __init__(self, context: ControllerContext, replicated: Replicated) -> None:
        self._client = context.client
        self._clock = context.clock
        self._resource, self._kind = replicated.resource, replicated.kind
        self._tells_terminating = replicated.tells_terminating
        self._looks = Looks()

    @property
    def resources(self) -> Collection[str]:
        """Its own kind, and Pods."""
        return (self._resource, "pods")

    def keys_for(self, event: Event) -> Iterable[ObjectKey]:
        """The object, the owner of a Pod, or whoever might adopt an orphan."""
        if event.resource == self._resource and event.type == "DELETED":
            self._looks.forget(event.object)
        if event.resource == "pods" and (keys := adopters(self._client, self._resource, event)):
            return [*own_or_owner_key(event, self._resource, self._kind), *keys]
        return own_or_owner_key(event, self._resource, self._kind)

    def delay(self, key: ObjectKey, event: Event) -> float:
        """Collect what Pods tell where they are many; those that count no more are replaced at once."""
        if event.resource != "pods" or event.type == "ADDED":
            return 0.0
        if event.previous is not None and is_active(event.previous) and not is_active(event.object):
            return 0.0
        found = self._client.find(self._resource, *key)
        size = max(_counted(found)) if found else 0
        return min(LONGEST_SECONDS, size * SECONDS_PER_POD) if size > MANY else 0.0

    def sync(self, key: ObjectKey) -> float | None:
        """Create or delete Pods, then report what was there before."""
        replica_set = self._client.find(self._resource, *key)
        if replica_set is None:
            return None
        pods, views = self._pods(replica_set)
        active = [pod for pod, view in zip(pods, views, strict=True) if view.active]
        failure: StatusError | None = None
        if not is_terminating(replica_set):
            failure = self._manage(replica_set, active)
        again = self._report(replica_set, views, failure, too_few=len(active) < _wanted(replica_set))
        if failure is not None:
            raise failure
        return again

    def _pods(self, replica_set: Obj) -> tuple[list[Obj], list[View]]:
        """Return its Pods after adopting and releasing, which is seldom, and what is seen of them."""
        meta = replica_set["metadata"]
        pods = self._client.controlled_by("pods", meta["uid"])
        views = self._looks.at(replica_set, pods)
        orphans = self._client.uncontrolled("pods", meta["namespace"])
        if orphans or not all(view.fits for view in views):
            pods = claim(self._client, "pods", replica_set, is_active)
            views = self._looks.at(replica_set, pods)
        return pods, views

    def _manage(self, replica_set: Obj, active: list[Obj]) -> StatusError | None:
        surplus = len(active) > _wanted(replica_set)
        related = self._related(replica_set) if surplus else ()
        planned = plan(replica_set, active, list(related), self._clock.now())
        failure = slow_start(range(planned.create), lambda _: self._create(replica_set))
        for pod in planned.delete:
            failure = self._delete(replica_set, pod) or failure
        return failure

    def _related(self, replica_set: Obj) -> Iterable[Obj]:
        """Yield the Pods of all that have the same owner, its own included."""
        owner, uid = controller_of(replica_set), replica_set["metadata"]["uid"]
        siblings = self._client.controlled_by(self._resource, owner["uid"]) if owner else ()
        for each in sorted({uid, *(each["metadata"]["uid"] for each in siblings)}):
            yield from self._client.controlled_by("pods", each)

    def _create(self, replica_set: Obj) -> None:
        name, template = replica_set["metadata"]["name"], replica_set["spec"]["template"]
        try:
            pod = self._client.create(
                "pods", pod_from_template(replica_set, template, generateName=f"{name}-")
            )
        except StatusError as error:
            self._warn(replica_set, "FailedCreate", f"Error creating: {error}")
            if is_namespace_ending(error):
                return
            raise
        self._event(replica_set, "SuccessfulCreate", f"Created pod: {pod['metadata']['name']}")

    def _delete(self, replica_set: Obj, pod: Obj) -> StatusError | None:
        name = pod["metadata"]["name"]
        try:
            self._client.delete("pods", pod["metadata"]["namespace"], name, uid=pod["metadata"]["uid"])
        except NotFoundError:
            return None
        except StatusError as error:
            self._warn(replica_set, "FailedDelete", f"Error deleting: {error}")
            return error
        self._event(replica_set, "SuccessfulDelete", f"Deleted pod: {name}")
        return None

    def _event(self, replica_set: Obj, reason: str, message: str) -> None:
        self._client.record(replica_set, event_type="Normal", reason=reason, message=message)

    def _warn(self, replica_set: Obj, reason: str, message: str) -> None:
        self._client.record(replica_set, event_type="Warning", reason=reason, message=message)

    def _report(
        self, replica_set: Obj, views: Sequence[View], failure: StatusError | None, *, too_few: bool
    ) -> float | None:
        now = self._clock.now()
        status, again = make_status(replica_set, views, now)
        if not self._tells_terminating:
            del status["terminatingReplicas"]
        updated = {**replica_set, "status": status}
        if failure is None:
            kept = [c for c in status.get("conditions") or () if c["type"] != "ReplicaFailure"]
            status = {k: v for k, v in status.items() if k != "conditions"}
            updated["status"] = {**status, "conditions": kept} if kept else status
        elif find_condition(updated, "ReplicaFailure") is None:  # the message may name ever another Pod
            reason = "FailedCreate" if too_few else "FailedDelete"
            condition = {"type": "ReplicaFailure", "status": "True", "reason": reason}
            updated = with_condition(updated, {**condition, "message": str(failure)}, now)
        if updated["status"] != replica_set.get("status"):
            self._client.update_status(self._resource, updated)
        return again


def _wanted(replica_set: Obj) -> int:
    return int(replica_set["spec"].get("replicas", 1))


def _counted(replica_set: Obj) -> tuple[int, int]:
    return _wanted(replica_set), (replica_set.get("status") or {}).get("replicas", 0)
