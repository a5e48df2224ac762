"""Carries out :mod:`plan` for one ReplicaSet at a time."""

from __future__ import annotations

from collections.abc import Collection, Iterable

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
    is_terminating,
    key_of,
    labels_of,
    owner_reference,
)
from leeward.kube.pods import is_active, pod_from_template
from leeward.kube.selectors import matches_selector
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
        keys = list(own_or_owner_key(event, REPLICA_SETS, "ReplicaSet"))
        if event.resource == "pods" and event.type != "DELETED" and controller_of(event.object) is None:
            namespace = key_of(event.object).namespace
            candidates = self._client.list(REPLICA_SETS, namespace)
            labels = labels_of(event.object)
            keys += [
                key_of(each) for each in candidates if matches_selector(each["spec"]["selector"], labels)
            ]
        return keys

    def sync(self, key: ObjectKey) -> float | None:
        """Create or delete Pods, then report."""
        replica_set = self._client.find(REPLICA_SETS, *key)
        if replica_set is None:
            return None
        pods = self._claim(replica_set)
        failure: StatusError | None = None
        if not is_terminating(replica_set):
            planned = plan(replica_set, pods)
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

    def _claim(self, replica_set: Obj) -> list[Obj]:
        """Return its Pods: adopt matching orphans, release what matches no longer."""
        selector, uid = replica_set["spec"]["selector"], replica_set["metadata"]["uid"]
        pods = []
        for pod in self._client.controlled_by("pods", uid):
            if matches_selector(selector, labels_of(pod)):
                pods.append(pod)
            elif not is_terminating(pod):
                references = [r for r in pod["metadata"]["ownerReferences"] if r["uid"] != uid]
                self._set_owners(pod, references)
        if is_terminating(replica_set):
            return pods
        for pod in self._client.list("pods", replica_set["metadata"]["namespace"]):
            orphan = controller_of(pod) is None and is_active(pod)
            if orphan and matches_selector(selector, labels_of(pod)):
                references = [*(pod["metadata"].get("ownerReferences") or ()), owner_reference(replica_set)]
                pods.append(self._set_owners(pod, references))
        return pods

    def _set_owners(self, pod: Obj, references: list[Obj]) -> Obj:
        return self._client.update(
            "pods", {**pod, "metadata": {**pod["metadata"], "ownerReferences": references}}
        )

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
        if failure is not None:
            condition = {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate"}
            updated = with_condition(updated, {**condition, "message": str(failure)}, now)
        else:
            kept = [c for c in status.get("conditions") or () if c["type"] != "ReplicaFailure"]
            status = {k: v for k, v in status.items() if k != "conditions"}
            updated["status"] = {**status, "conditions": kept} if kept else status
        if updated["status"] != replica_set.get("status"):
            self._client.update_status(REPLICA_SETS, updated)
        return again


DESCRIPTOR = ControllerDescriptor(name="replicaset-controller", build=ReplicaSetController)
