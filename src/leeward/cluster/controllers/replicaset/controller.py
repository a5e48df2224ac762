"""Carries out :mod:`plan` for one ReplicaSet at a time."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from leeward.cluster.controllers.framework.claims import adopters, claim
from leeward.cluster.controllers.framework.controller import (
    ControllerContext,
    ControllerDescriptor,
    own_or_owner_key,
)
from leeward.cluster.controllers.replicaset.plan import make_status, plan
from leeward.cluster.interface.client import Event
from leeward.kube.conditions import with_condition
from leeward.kube.objects import (
    Obj,
    ObjectKey,
    controller_of,
    find_condition,
    is_terminating,
)
from leeward.kube.pods import is_active, pod_from_template
from leeward.kube.status import NotFoundError, StatusError

REPLICA_SETS = "replicasets.apps"


class ReplicaSetController:
    """Implements Controller."""

    resources: Collection[str] = (REPLICA_SETS, "pods")

    def __init__(self, context: ControllerContext) -> None:
        self._client = context.client
        self._clock = context.clock

    def keys_for(self, event: Event) -> Iterable[ObjectKey]:
        """A ReplicaSet, the owner of a Pod, or whoever might adopt an orphan."""
        if event.resource == "pods" and (keys := adopters(self._client, REPLICA_SETS, event)):
            return [*own_or_owner_key(event, REPLICA_SETS, "ReplicaSet"), *keys]
        return own_or_owner_key(event, REPLICA_SETS, "ReplicaSet")

    def sync(self, key: ObjectKey) -> float | None:
        """Create or delete Pods, then report."""
        replica_set = self._client.find(REPLICA_SETS, *key)
        if replica_set is None:
            return None
        pods = claim(self._client, "pods", replica_set, is_active)
        failure: StatusError | None = None
        if not is_terminating(replica_set):
            surplus = len(pods) > replica_set["spec"].get("replicas", 1)
            planned = plan(replica_set, pods, self._related(replica_set) if surplus else pods)
            try:
                self._create(replica_set, planned.create)
            except StatusError as error:
                failure = error
                self._warn(replica_set, error)
            for pod in planned.delete:
                self._delete(replica_set, pod)
        again = self._report(key, failure)
        if failure is not None:
            raise failure
        return again

    def _related(self, replica_set: Obj) -> list[Obj]:
        """Return the Pods of all ReplicaSets with the same owner, its own included."""
        owner, uid = controller_of(replica_set), replica_set["metadata"]["uid"]
        siblings = self._client.controlled_by(REPLICA_SETS, owner["uid"]) if owner else ()
        uids = {uid, *(each["metadata"]["uid"] for each in siblings)}
        return [pod for each in sorted(uids) for pod in self._client.controlled_by("pods", each)]

    def _create(self, replica_set: Obj, count: int) -> None:
        name = replica_set["metadata"]["name"]
        for _ in range(count):
            template = replica_set["spec"]["template"]
            pod = self._client.create(
                "pods", pod_from_template(replica_set, template, generateName=f"{name}-")
            )
            self._event(replica_set, "SuccessfulCreate", f"Created pod: {pod['metadata']['name']}")

    def _delete(self, replica_set: Obj, pod: Obj) -> None:
        name = pod["metadata"]["name"]
        try:
            self._client.delete("pods", pod["metadata"]["namespace"], name, uid=pod["metadata"]["uid"])
        except NotFoundError:
            return
        self._event(replica_set, "SuccessfulDelete", f"Deleted pod: {name}")

    def _event(self, replica_set: Obj, reason: str, message: str) -> None:
        self._client.record(replica_set, event_type="Normal", reason=reason, message=message)

    def _warn(self, replica_set: Obj, error: StatusError) -> None:
        message = f"Error creating: {error}"
        self._client.record(replica_set, event_type="Warning", reason="FailedCreate", message=message)

    def _report(self, key: ObjectKey, failure: StatusError | None) -> float | None:
        replica_set = self._client.find(REPLICA_SETS, *key)
        if replica_set is None:
            return None
        now = self._clock.now()
        pods = self._client.controlled_by("pods", replica_set["metadata"]["uid"])
        status, again = make_status(replica_set, pods, now)
        updated = {**replica_set, "status": status}
        if failure is None:
            kept = [c for c in status.get("conditions") or () if c["type"] != "ReplicaFailure"]
            status = {k: v for k, v in status.items() if k != "conditions"}
            updated["status"] = {**status, "conditions": kept} if kept else status
        elif (
            find_condition(updated, "ReplicaFailure") is None
        ):  # the message may name a Pod, ever another one
            condition = {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate"}
            updated = with_condition(updated, {**condition, "message": str(failure)}, now)
        if updated["status"] != replica_set.get("status"):
            self._client.update_status(REPLICA_SETS, updated)
        return again


DESCRIPTOR = ControllerDescriptor(name="replicaset-controller", build=ReplicaSetController)
