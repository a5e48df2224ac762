"""Carries out :mod:`plan` for one StatefulSet at a time, and keeps its revisions."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from functools import partial

from leeward.cluster.controllers.framework.claims import adopters, claim
from leeward.cluster.controllers.framework.controller import (
    ControllerContext,
    ControllerDescriptor,
    own_or_owner_key,
)
from leeward.cluster.controllers.framework.podtemplatehash import revision_hash
from leeward.cluster.controllers.framework.revisions import Revisions
from leeward.cluster.controllers.statefulset.plan import (
    is_member,
    make_claims,
    make_pod,
    ordinal_of,
    partition_of,
    plan,
    wanted_ordinals,
)
from leeward.cluster.interface.client import Event
from leeward.kube.objects import Obj, ObjectKey, is_terminating, key_of, labels_of
from leeward.kube.pods import available_in
from leeward.kube.wellknown import CONTROLLER_REVISION_HASH

STATEFUL_SETS, CLAIMS = "statefulsets.apps", "persistentvolumeclaims"


class StatefulSetController:
    """Implements Controller."""

    resources: Collection[str] = (STATEFUL_SETS, "pods")

    def __init__(self, context: ControllerContext) -> None:
        self._client = context.client
        self._clock = context.clock
        self._revisions = Revisions(context.client, _digest, "controller.kubernetes.io/hash")

    def keys_for(self, event: Event) -> Iterable[ObjectKey]:
        """A StatefulSet, the owner of a Pod, or whoever might adopt an orphan."""
        if event.resource == "pods" and (keys := adopters(self._client, STATEFUL_SETS, event)):
            return [*own_or_owner_key(event, STATEFUL_SETS, "StatefulSet"), *keys]
        return own_or_owner_key(event, STATEFUL_SETS, "StatefulSet")

    def sync(self, key: ObjectKey) -> float | None:
        """Do the next steps, then report."""
        stateful_set = self._client.find(STATEFUL_SETS, *key)
        if stateful_set is None:
            return None
        update = self._revisions.current(stateful_set)
        if not is_terminating(stateful_set):
            revision = update["metadata"]["name"]
            planned = plan(stateful_set, self._pods(stateful_set), revision, self._clock.now())
            for number in planned.create:
                self._create(stateful_set, number, update)
            for pod in planned.delete:
                self._delete(stateful_set, pod)
        return self._report(key, update["metadata"]["name"])

    def _pods(self, stateful_set: Obj) -> dict[int, Obj]:
        pods = claim(self._client, "pods", stateful_set, partial(is_member, stateful_set))
        return {ordinal_of(pod): pod for pod in pods}

    def _create(self, stateful_set: Obj, number: int, update: Obj) -> None:
        name = stateful_set["metadata"]["name"]
        pod_name = f"{name}-{number}"
        for wanted in make_claims(stateful_set, number):
            if self._client.find(CLAIMS, *key_of(wanted)) is None:
                self._client.create(CLAIMS, wanted)
                text = f"Create Claim {key_of(wanted).name} Pod {pod_name} in StatefulSet {name} success"
                self._event(stateful_set, "SuccessfulCreate", text)
        revision = self._revision_for(stateful_set, number, update)
        template = revision["data"]["spec"]["template"]
        self._client.create("pods", make_pod(stateful_set, number, template, revision["metadata"]["name"]))
        text = f"Create Pod {pod_name} in StatefulSet {name} successful"
        self._event(stateful_set, "SuccessfulCreate", text)

    def _revision_for(self, stateful_set: Obj, number: int, update: Obj) -> Obj:
        """Below the partition a Pod is made anew as it was before the update."""
        current = (stateful_set.get("status") or {}).get("currentRevision")
        if number < partition_of(stateful_set) and current:
            found = self._client.find(
                "controllerrevisions.apps", stateful_set["metadata"]["namespace"], current
            )
            return found or update
        return update

    def _delete(self, stateful_set: Obj, pod: Obj) -> None:
        self._client.delete("pods", *key_of(pod), uid=pod["metadata"]["uid"])
        name = stateful_set["metadata"]["name"]
        text = f"Delete Pod {pod['metadata']['name']} in StatefulSet {name} successful"
        self._event(stateful_set, "SuccessfulDelete", text)

    def _event(self, stateful_set: Obj, reason: str, message: str) -> None:
        self._client.record(stateful_set, event_type="Normal", reason=reason, message=message)

    def _report(self, key: ObjectKey, update: str) -> float | None:
        stateful_set = self._client.find(STATEFUL_SETS, *key)
        if stateful_set is None:
            return None
        old = stateful_set.get("status") or {}
        pods = list(self._pods(stateful_set).values())
        seconds = stateful_set["spec"].get("minReadySeconds", 0)
        ages = [available_in(pod, seconds, self._clock.now()) for pod in pods]
        revisions = [labels_of(p).get(CONTROLLER_REVISION_HASH) for p in pods if not is_terminating(p)]
        ready, updated = sum(1 for age in ages if age is not None), revisions.count(update)
        current = old.get("currentRevision") or update
        on_delete = (stateful_set["spec"].get("updateStrategy") or {}).get("type") == "OnDelete"
        if not on_delete and {updated, ready, len(pods)} == {len(wanted_ordinals(stateful_set))}:
            current = update
        status: Obj = {
            "observedGeneration": stateful_set["metadata"].get("generation", 0),
            "replicas": len(pods),
            "readyReplicas": ready,
            "availableReplicas": sum(1 for age in ages if age == 0),
            "currentReplicas": revisions.count(current),
            "updatedReplicas": updated,
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


def _digest(stateful_set: Obj, data: Obj) -> str:
    return revision_hash(data, (stateful_set.get("status") or {}).get("collisionCount", 0))


DESCRIPTOR = ControllerDescriptor(name="statefulset-controller", build=StatefulSetController)
