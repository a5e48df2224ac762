"""Carries out :mod:`plan` for one StatefulSet at a time, and keeps its revisions."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from leeward.cluster.controllers.framework.controller import (
    ControllerContext,
    ControllerDescriptor,
    own_or_owner_key,
)
from leeward.cluster.controllers.framework.revisions import Revisions
from leeward.cluster.controllers.statefulset.plan import (
    make_claims,
    make_pod,
    ordinal_of,
    plan,
    wanted_ordinals,
)
from leeward.cluster.interface.client import Event
from leeward.kube.objects import Obj, ObjectKey, is_terminating, key_of, labels_of
from leeward.kube.pods import available_in, is_active, is_ready
from leeward.kube.wellknown import CONTROLLER_REVISION_HASH

STATEFUL_SETS, CLAIMS = "statefulsets.apps", "persistentvolumeclaims"


class StatefulSetController:
    """Implements Controller."""

    resources: Collection[str] = (STATEFUL_SETS, "pods")

    def __init__(self, context: ControllerContext) -> None:
        self._client = context.client
        self._clock = context.clock
        self._revisions = Revisions(context.client)

    def keys_for(self, event: Event) -> Iterable[ObjectKey]:
        """A StatefulSet, or the owner of a Pod."""
        return own_or_owner_key(event, STATEFUL_SETS, "StatefulSet")

    def sync(self, key: ObjectKey) -> float | None:
        """Do the next steps, then report."""
        stateful_set = self._client.find(STATEFUL_SETS, *key)
        if stateful_set is None:
            return None
        update = self._revisions.current(stateful_set)
        if not is_terminating(stateful_set):
            planned = plan(stateful_set, self._pods(stateful_set), update["metadata"]["name"])
            for number in planned.create:
                self._create(stateful_set, number, update)
            for pod in planned.delete:
                self._delete(stateful_set, pod)
        return self._report(key, update["metadata"]["name"])

    def _pods(self, stateful_set: Obj) -> dict[int, Obj]:
        pods = self._client.controlled_by("pods", stateful_set["metadata"]["uid"])
        return {ordinal_of(pod): pod for pod in pods}

    def _create(self, stateful_set: Obj, number: int, update: Obj) -> None:
        for claim in make_claims(stateful_set, number):
            if self._client.find(CLAIMS, *key_of(claim)) is None:
                self._client.create(CLAIMS, claim)
                self._event(stateful_set, "SuccessfulCreate", f"create Claim {claim['metadata']['name']}")
        revision = self._revision_for(stateful_set, number, update)
        template = revision["data"]["spec"]["template"]
        pod = self._client.create(
            "pods", make_pod(stateful_set, number, template, revision["metadata"]["name"])
        )
        name = stateful_set["metadata"]["name"]
        text = f"create Pod {pod['metadata']['name']} in StatefulSet {name} successful"
        self._event(stateful_set, "SuccessfulCreate", text)

    def _revision_for(self, stateful_set: Obj, number: int, update: Obj) -> Obj:
        """Below the partition a Pod is made anew as it was before the update."""
        strategy = stateful_set["spec"].get("updateStrategy") or {}
        partition = (strategy.get("rollingUpdate") or {}).get("partition", 0)
        current = (stateful_set.get("status") or {}).get("currentRevision")
        if number < partition and current:
            found = self._client.find(
                "controllerrevisions.apps", stateful_set["metadata"]["namespace"], current
            )
            return found or update
        return update

    def _delete(self, stateful_set: Obj, pod: Obj) -> None:
        self._client.delete("pods", *key_of(pod), uid=pod["metadata"]["uid"])
        name = stateful_set["metadata"]["name"]
        text = f"delete Pod {pod['metadata']['name']} in StatefulSet {name} successful"
        self._event(stateful_set, "SuccessfulDelete", text)

    def _event(self, stateful_set: Obj, reason: str, message: str) -> None:
        self._client.record(stateful_set, event_type="Normal", reason=reason, message=message)

    def _report(self, key: ObjectKey, update: str) -> float | None:
        stateful_set = self._client.find(STATEFUL_SETS, *key)
        if stateful_set is None:
            return None
        old = stateful_set.get("status") or {}
        pods = [pod for pod in self._pods(stateful_set).values() if is_active(pod)]
        seconds = stateful_set["spec"].get("minReadySeconds", 0)
        ages = [available_in(pod, seconds, self._clock.now()) for pod in pods]
        updated = [pod for pod in pods if labels_of(pod).get(CONTROLLER_REVISION_HASH) == update]
        current = old.get("currentRevision") or update
        whole = len(updated) == len(wanted_ordinals(stateful_set)) == len(pods) and all(map(is_ready, pods))
        if whole or not pods:
            current = update
        status: Obj = {
            "observedGeneration": stateful_set["metadata"].get("generation", 0),
            "replicas": len(pods),
            "readyReplicas": sum(1 for age in ages if age is not None),
            "availableReplicas": sum(1 for age in ages if age == 0),
            "currentReplicas": sum(1 for p in pods if labels_of(p).get(CONTROLLER_REVISION_HASH) == current),
            "updatedReplicas": len(updated),
            "currentRevision": current,
            "updateRevision": update,
            "collisionCount": old.get("collisionCount", 0),
        }
        always = ("replicas", "availableReplicas", "collisionCount")
        status = {name: value for name, value in status.items() if value or name in always}
        if status != old:
            self._client.update_status(STATEFUL_SETS, {**stateful_set, "status": status})
        self._revisions.clean_up(stateful_set, keep={current, update})
        return min((age for age in ages if age), default=None)


DESCRIPTOR = ControllerDescriptor(name="statefulset-controller", build=StatefulSetController)
