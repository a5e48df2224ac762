"""Keeps a number of identical Pods, for ReplicaSets and ReplicationControllers.

What the status says is what was there before Pods were made or deleted in the same pass: the next one, which
their events cause, tells of them. Where there are many Pods, changes of their state are looked at together.

Source: pkg/controller/replicaset/replica_set.go, pkg/controller/replication (Kubernetes 1.36).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from leeward.cluster.controllers.framework.census import Census, Count
from leeward.cluster.controllers.framework.claims import adopters, claim, selector_of
from leeward.cluster.controllers.framework.controller import ControllerContext, collected, own_or_owner_key
from leeward.cluster.controllers.framework.replicaplan import make_status, plan
from leeward.cluster.controllers.framework.slowstart import is_namespace_ending, slow_start
from leeward.cluster.interface.client import Event
from leeward.kube.conditions import with_condition
from leeward.kube.objects import Obj, ObjectKey, controller_of, find_condition, is_terminating
from leeward.kube.pods import is_active, pod_from_template
from leeward.kube.status import NotFoundError, StatusError

A_SECOND = 10_000.0  # Pods that a pass may look at


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
        self._census = Census(context.client)

    @property
    def resources(self) -> Collection[str]:
        """Its own kind, and Pods."""
        return (self._resource, "pods")

    def keys_for(self, event: Event) -> Iterable[ObjectKey]:
        """The object, the owner of a Pod, or whoever might adopt an orphan."""
        if event.resource == self._resource and event.type == "DELETED":
            self._census.forget(event.object["metadata"]["uid"])
        if event.resource == "pods":
            self._census.note(event)
        if event.resource == "pods" and (keys := adopters(self._client, self._resource, event)):
            return [*own_or_owner_key(event, self._resource, self._kind), *keys]
        return own_or_owner_key(event, self._resource, self._kind)

    def delay(self, key: ObjectKey, event: Event, rested: float) -> float:
        """Collect what Pods tell where they are many; those that count no more are replaced sooner."""
        before = event.previous
        if event.type == "ADDED" or (event.resource == self._resource and not _tells_status(event)):
            return 0.0
        found = self._client.find(self._resource, *key)
        seconds = collected(max(_counted(found)), A_SECOND, rested) if found else 0.0
        goes = event.resource == "pods" and before and is_active(before) and not is_active(event.object)
        return seconds / 10 if goes else seconds

    def sync(self, key: ObjectKey) -> float | None:
        """Create or delete Pods, then report what was there before."""
        replica_set = self._client.find(self._resource, *key)
        if replica_set is None:
            return None
        count = self._claimed(replica_set)
        failure: StatusError | None = None
        if not is_terminating(replica_set):
            failure = self._manage(replica_set, count)
        again = self._report(replica_set, count, failure)
        if failure is not None:
            raise failure
        return again

    def _claimed(self, replica_set: Obj) -> Count:
        """Return the count of its Pods, after adopting and releasing where there is something to."""
        selector = selector_of(replica_set)
        count = self._census.take(replica_set, selector)
        if count.strangers or self._client.uncontrolled("pods", replica_set["metadata"]["namespace"]):
            claim(self._client, "pods", replica_set, is_active)
            return self._census.take(replica_set, selector)
        return count

    def _manage(self, replica_set: Obj, count: Count) -> StatusError | None:
        surplus = count.active > replica_set["spec"].get("replicas", 1)
        related = list(self._related(replica_set)) if surplus else ()
        planned = plan(replica_set, count, related, self._clock.now())
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

    def _report(self, replica_set: Obj, count: Count, failure: StatusError | None) -> float | None:
        now = self._clock.now()
        status, again = make_status(replica_set, count, now)
        if not self._tells_terminating:
            del status["terminatingReplicas"]
        updated = {**replica_set, "status": status}
        if failure is None:
            kept = [c for c in status.get("conditions") or () if c["type"] != "ReplicaFailure"]
            status = {k: v for k, v in status.items() if k != "conditions"}
            updated["status"] = {**status, "conditions": kept} if kept else status
        elif find_condition(updated, "ReplicaFailure") is None:  # the message may name ever another Pod
            reason = (
                "FailedCreate" if count.active < replica_set["spec"].get("replicas", 1) else "FailedDelete"
            )
            condition = {"type": "ReplicaFailure", "status": "True", "reason": reason}
            updated = with_condition(updated, {**condition, "message": str(failure)}, now)
        if updated["status"] != replica_set.get("status"):
            self._client.update_status(self._resource, updated)
        return again


def _tells_status(event: Event) -> bool:
    """Tell whether nothing but the status of an object has changed."""
    before, now = event.previous, event.object
    if event.type != "MODIFIED" or before is None or before["spec"] != now["spec"]:
        return False
    parts = ("labels", "annotations", "ownerReferences", "finalizers", "deletionTimestamp")
    return all(before["metadata"].get(part) == now["metadata"].get(part) for part in parts)


def _counted(replica_set: Obj) -> tuple[int, int]:
    return replica_set["spec"].get("replicas", 1), (replica_set.get("status") or {}).get("replicas", 0)
