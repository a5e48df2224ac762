"""Carries out :mod:`plan` for one StatefulSet at a time, and keeps its revisions."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from contextlib import suppress
from functools import partial

from leeward.cluster.controllers.framework.claims import adopters, claim
from leeward.cluster.controllers.framework.controller import (
    ControllerContext,
    ControllerDescriptor,
    own_or_owner_key,
)
from leeward.cluster.controllers.framework.podtemplatehash import revision_hash
from leeward.cluster.controllers.framework.revisions import Revisions
from leeward.cluster.controllers.framework.slowstart import slow_start
from leeward.cluster.controllers.statefulset.plan import (
    Plan,
    is_member,
    is_stale,
    make_claims,
    make_pod,
    ordinal_of,
    partition_of,
    plan,
    with_retention,
)
from leeward.cluster.controllers.statefulset.status import is_complete, make_status
from leeward.cluster.interface.client import Event
from leeward.kube.objects import Obj, ObjectKey, is_terminating, key_of, labels_of
from leeward.kube.status import NotFoundError, StatusError
from leeward.kube.wellknown import CONTROLLER_REVISION_HASH

STATEFUL_SETS, CLAIMS = "statefulsets.apps", "persistentvolumeclaims"


class StatefulSetController:
    """Implements Controller."""

    resources: Collection[str] = (STATEFUL_SETS, "pods", CLAIMS)

    def __init__(self, context: ControllerContext) -> None:
        self._client = context.client
        self._clock = context.clock
        self._revisions = Revisions(context.client, _digest, "controller.kubernetes.io/hash")

    def keys_for(self, event: Event) -> Iterable[ObjectKey]:
        """A StatefulSet, the owner of a Pod, who might adopt an orphan or waits until a claim is gone."""
        if event.resource == CLAIMS:
            return self._waiting(event.object) if event.type == "DELETED" else ()
        if event.resource == "pods" and (keys := adopters(self._client, STATEFUL_SETS, event)):
            return [*own_or_owner_key(event, STATEFUL_SETS, "StatefulSet"), *keys]
        return own_or_owner_key(event, STATEFUL_SETS, "StatefulSet")

    def _waiting(self, gone: Obj) -> list[ObjectKey]:
        """Return the StatefulSet that makes claims of such a name."""
        namespace, name = key_of(gone)
        return [
            key_of(each)
            for each in self._client.list(STATEFUL_SETS, namespace)
            for template in each["spec"].get("volumeClaimTemplates") or ()
            if name.startswith(f"{template['metadata']['name']}-{each['metadata']['name']}-")
        ]

    def sync(self, key: ObjectKey) -> float | None:
        """Do the next steps, then report what was there before them."""
        stateful_set = self._client.find(STATEFUL_SETS, *key)
        if stateful_set is None:
            return None
        update = self._revisions.current(stateful_set)
        pods = self._pods(stateful_set)
        failure, replaced = None, list[Obj]()
        if not is_terminating(stateful_set):
            planned = plan(stateful_set, pods, update["metadata"]["name"], self._clock.now())
            failure = self._carry_out(stateful_set, planned, update)
            replaced = [] if failure else list(planned.replace)
        again = self._report(stateful_set, update["metadata"]["name"], list(pods.values()), replaced)
        if failure is not None:
            raise failure
        return again

    def _carry_out(self, stateful_set: Obj, planned: Plan, update: Obj) -> StatusError | None:
        for pod in planned.settled:
            self._look_after_claims(stateful_set, pod)
        failure = slow_start(planned.create, lambda number: self._create(stateful_set, number, update))
        if failure is None:
            failure = slow_start(
                (*planned.delete, *planned.replace), lambda pod: self._delete(stateful_set, pod)
            )
        return failure

    def _pods(self, stateful_set: Obj) -> dict[int, Obj]:
        pods = claim(self._client, "pods", stateful_set, partial(is_member, stateful_set))
        return {ordinal_of(pod): pod for pod in pods}

    def _create(self, stateful_set: Obj, number: int, update: Obj) -> None:
        name = stateful_set["metadata"]["name"]
        pod_name = f"{name}-{number}"
        wanted = make_claims(stateful_set, number)
        for each in wanted:
            there = self._client.find(CLAIMS, *key_of(each))
            if there is not None and is_stale(pod_name, there):
                return  # until it is gone, and that is told
        for each in wanted:
            if self._client.find(CLAIMS, *key_of(each)) is None:
                what = f"Claim {key_of(each).name} Pod {pod_name} in StatefulSet {name}"
                self._try(stateful_set, "Create", what, partial(self._client.create, CLAIMS, each))
        revision = self._revision_for(stateful_set, number, update)
        template = revision["data"]["spec"]["template"]
        pod = make_pod(stateful_set, number, template, revision["metadata"]["name"])
        what = f"Pod {pod_name} in StatefulSet {name}"
        self._try(stateful_set, "Create", what, lambda: self._client.create("pods", pod))
        self._look_after_claims(stateful_set, self._client.get("pods", *key_of(pod)))

    def _look_after_claims(self, stateful_set: Obj, pod: Obj) -> None:
        """See to it that the claims of a Pod go with whom they should."""
        for wanted in make_claims(stateful_set, ordinal_of(pod)):
            found = self._client.find(CLAIMS, *key_of(wanted))
            if found is not None and (kept := with_retention(stateful_set, pod, found)) is not found:
                self._client.update(CLAIMS, kept)

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
        what = f"Pod {pod['metadata']['name']} in StatefulSet {stateful_set['metadata']['name']}"
        uid = pod["metadata"]["uid"]
        with suppress(NotFoundError):
            self._try(
                stateful_set, "Delete", what, lambda: self._client.delete("pods", *key_of(pod), uid=uid)
            )

    def _try(self, stateful_set: Obj, verb: str, what: str, do: Callable[[], object]) -> None:
        """Do something and tell how it went."""
        try:
            do()
        except StatusError as error:
            text = f"{verb} {what} failed error: {error}"
            self._client.record(stateful_set, event_type="Warning", reason=f"Failed{verb}", message=text)
            raise
        success = "success" if what.startswith("Claim") else "successful"
        self._client.record(
            stateful_set,
            event_type="Normal",
            reason=f"Successful{verb}",
            message=f"{verb} {what} {success}",
        )

    def _report(self, stateful_set: Obj, update: str, pods: list[Obj], replaced: list[Obj]) -> float | None:
        old = stateful_set.get("status") or {}
        current = old.get("currentRevision") or update
        status, again = make_status(stateful_set, pods, (current, update), self._clock.now())
        status["currentReplicas"] -= len(replaced)
        if is_complete(stateful_set, status):
            status |= {"currentRevision": update, "currentReplicas": status["updatedReplicas"]}
        always = ("replicas", "availableReplicas", "collisionCount")
        status = {name: value for name, value in status.items() if value or name in always}
        if status != old:
            self._client.update_status(STATEFUL_SETS, {**stateful_set, "status": status})
        used = {str(labels_of(pod).get(CONTROLLER_REVISION_HASH)) for pod in pods}
        self._revisions.clean_up(stateful_set, keep={current, update} | used)
        return again


def _digest(stateful_set: Obj, data: Obj) -> str:
    return revision_hash(data, (stateful_set.get("status") or {}).get("collisionCount", 0))


DESCRIPTOR = ControllerDescriptor(name="statefulset-controller", build=StatefulSetController)
