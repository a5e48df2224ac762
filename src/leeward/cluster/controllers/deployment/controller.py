"""Carries a Deployment out: finds or makes its ReplicaSet, sizes all of them, reports.

Source: pkg/controller/deployment/{deployment_controller,sync}.go (Kubernetes 1.36).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from leeward.cluster.controllers.deployment.rolling import (
    DESIRED,
    MAXIMUM,
    fenceposts_of,
    is_scaling,
    plan_recreate,
    plan_resize,
    plan_rolling,
    wanted_of,
)
from leeward.cluster.controllers.deployment.status import (
    is_complete,
    make_status,
    seconds_to_deadline,
    with_pause,
    with_progressing,
)
from leeward.cluster.controllers.framework.claims import adopters, claim
from leeward.cluster.controllers.framework.controller import (
    ControllerContext,
    ControllerDescriptor,
    own_or_owner_key,
)
from leeward.cluster.controllers.framework.podtemplatehash import template_hash
from leeward.cluster.controllers.framework.slowstart import is_namespace_ending
from leeward.cluster.interface.client import Event
from leeward.kube.objects import (
    Obj,
    ObjectKey,
    annotations_of,
    controller_of,
    find_condition,
    is_terminating,
    key_of,
    owner_reference,
)
from leeward.kube.pods import is_finished
from leeward.kube.status import AlreadyExistsError, StatusError
from leeward.kube.wellknown import POD_TEMPLATE_HASH

DEPLOYMENTS, REPLICA_SETS = "deployments.apps", "replicasets.apps"
REVISION = "deployment.kubernetes.io/revision"
HISTORY = "deployment.kubernetes.io/revision-history"
_NOT_COPIED = ("kubectl.kubernetes.io/last-applied-configuration", REVISION, HISTORY, DESIRED, MAXIMUM)


class DeploymentController:
    """Implements Controller."""

    resources: Collection[str] = (DEPLOYMENTS, REPLICA_SETS, "pods")

    def __init__(self, context: ControllerContext) -> None:
        self._client = context.client
        self._clock = context.clock

    def keys_for(self, event: Event) -> Iterable[ObjectKey]:
        """A Deployment, or the owner of a ReplicaSet; Pods matter when the last one of Recreate goes."""
        if event.resource == "pods":
            return self._recreating(event.object) if event.type == "DELETED" else ()
        if event.resource == REPLICA_SETS and (keys := adopters(self._client, DEPLOYMENTS, event)):
            return [*own_or_owner_key(event, DEPLOYMENTS, "Deployment"), *keys]
        return own_or_owner_key(event, DEPLOYMENTS, "Deployment")

    def _recreating(self, pod: Obj) -> list[ObjectKey]:
        owner = controller_of(pod)
        if owner is None or owner["kind"] != "ReplicaSet":
            return []
        replica_set = self._client.find(REPLICA_SETS, pod["metadata"]["namespace"], owner["name"])
        parent = controller_of(replica_set) if replica_set else None
        if parent is None:
            return []
        deployment = self._client.find(DEPLOYMENTS, pod["metadata"]["namespace"], parent["name"])
        return [key_of(deployment)] if deployment and self._is_recreate(deployment) else []

    def sync(self, key: ObjectKey) -> float | None:
        """Do the next step of a Deployment, and report what was there before it."""
        deployment = self._client.find(DEPLOYMENTS, *key)
        if deployment is None:
            return None
        sets = self._claim(deployment)
        if is_terminating(deployment):
            return self._report(deployment, self._find_new(deployment, sets), sets, rolls=False)
        deployment = self._note_pause(deployment)
        new = self._find_new(deployment, sets)
        if new is not None:
            new, changed = self._keep_revision(deployment, new, sets)
            if changed and not deployment["spec"].get("paused"):
                return None  # its event brings the next step
            sets = [*self._others(new, sets), new]
            if not changed:
                told = f"Found new {_called(new)}"
                deployment = self._tell_new(
                    deployment, annotations_of(new)[REVISION], "FoundNewReplicaSet", told
                )
        if deployment["spec"].get("paused") or is_scaling(deployment, sets):
            return self._rest(deployment, new, sets)
        return self._roll(deployment, new, sets)

    def _note_pause(self, deployment: Obj) -> Obj:
        noted = with_pause(deployment, self._clock.now())
        return deployment if noted is deployment else self._client.update_status(DEPLOYMENTS, noted)

    def _rest(self, deployment: Obj, new: Obj | None, sets: list[Obj]) -> float | None:
        """Carry no rollout on: only sizes follow the wanted number."""
        self._resize(deployment, plan_resize(deployment, new, self._others(new, sets)))
        if deployment["spec"].get("paused"):
            self._clean_up(deployment, self._others(new, sets))
        return self._report(deployment, new, sets, rolls=False)

    def _roll(self, deployment: Obj, new: Obj | None, sets: list[Obj]) -> float | None:
        """Do one step of a rollout."""
        recreates = self._is_recreate(deployment)
        if recreates:
            old = self._others(new, sets)
            pods = self._count_pods(old)
            if self._resize(deployment, plan_recreate(deployment, None, old, pods)) or pods:
                return self._report(deployment, new, sets)
        if new is None:
            deployment, new = self._create_new(deployment, sets)
            sets = [*sets, new]
        old = self._others(new, sets)
        planned = plan_recreate(deployment, new, old, 0) if recreates else plan_rolling(deployment, new, old)
        resized = self._resize(deployment, planned)
        if (recreates or not resized) and is_complete(deployment):
            self._clean_up(deployment, old)
        return self._report(deployment, new, sets)

    # ReplicaSets -----------------------------------------------------------------------------------

    def _claim(self, deployment: Obj) -> list[Obj]:
        """Return its ReplicaSets, oldest first."""
        found = claim(self._client, REPLICA_SETS, deployment)
        return sorted(found, key=lambda each: (each["metadata"]["creationTimestamp"], _revision(each)))

    @staticmethod
    def _find_new(deployment: Obj, sets: list[Obj]) -> Obj | None:
        wanted = _comparable(deployment["spec"]["template"])
        return next((each for each in sets if _comparable(each["spec"]["template"]) == wanted), None)

    @staticmethod
    def _others(new: Obj | None, sets: list[Obj]) -> list[Obj]:
        """Return the ReplicaSets of earlier templates."""
        return [each for each in sets if new is None or each["metadata"]["uid"] != new["metadata"]["uid"]]

    def _create_new(self, deployment: Obj, sets: list[Obj]) -> tuple[Obj, Obj]:
        """Make the ReplicaSet of the template."""
        status = deployment.get("status") or {}
        revision = str(max((_revision(each) for each in sets), default=0) + 1)
        size = self._initial_size(deployment, sets)
        replica_set = _new_replica_set(deployment, revision, size)
        name = replica_set["metadata"]["name"]
        try:
            created = self._client.create(REPLICA_SETS, replica_set)
        except AlreadyExistsError:
            found = self._client.get(REPLICA_SETS, *key_of(replica_set))
            if _is_ours(found, deployment):
                return deployment, found
            collided = {**status, "collisionCount": status.get("collisionCount", 0) + 1}
            self._client.update_status(DEPLOYMENTS, {**deployment, "status": collided})
            raise
        except StatusError as error:
            self._tell_failure(deployment, name, error)
            raise
        if size:
            self._scaled(deployment, name, 0, size)
        told = self._tell_new(
            deployment, revision, "NewReplicaSetCreated", f"Created new {_called(created)}", always=True
        )
        return told, created

    def _tell_failure(self, deployment: Obj, name: str, error: StatusError) -> None:
        if is_namespace_ending(error):
            return
        message = f'Failed to create new replica set "{name}": {error}'
        if deployment["spec"].get("progressDeadlineSeconds") is not None:
            now = self._clock.now()
            told = with_progressing(deployment, "False", "ReplicaSetCreateError", message, now)
            if told is not deployment:
                self._client.update_status(DEPLOYMENTS, told)
        self._client.record(deployment, event_type="Warning", reason="ReplicaSetCreateError", message=message)

    def _tell_new(
        self, deployment: Obj, revision: str, reason: str, message: str, *, always: bool = False
    ) -> Obj:
        """Note the revision, and that progress is watched from now on (`always`: anew)."""
        told = deployment
        watched = deployment["spec"].get("progressDeadlineSeconds") is not None
        if watched and (always or find_condition(deployment, "Progressing") is None):
            told = with_progressing(told, "True", reason, message, self._clock.now())
        if annotations_of(told).get(REVISION) != revision:
            annotations = {**annotations_of(told), REVISION: revision}
            told = {**told, "metadata": {**told["metadata"], "annotations": annotations}}
        return told if told is deployment else self._client.update_status(DEPLOYMENTS, told)

    def _initial_size(self, deployment: Obj, sets: list[Obj]) -> int:
        wanted = wanted_of(deployment["spec"])
        if self._is_recreate(deployment):
            return wanted
        total = sum(wanted_of(each["spec"]) for each in sets)
        return max(0, min(wanted, wanted + fenceposts_of(deployment).surge - total))

    def _keep_revision(self, deployment: Obj, new: Obj, sets: list[Obj]) -> tuple[Obj, bool]:
        """Return the current ReplicaSet, and whether it was changed.

        It has the highest revision, also after a rollback to an old one.
        """
        others = [_revision(each) for each in self._others(new, sets)]
        revision = max(_revision(new), max(others, default=0) + 1)
        have = annotations_of(new)
        wanted = {**have, **_copied(deployment), REVISION: str(revision)}
        if wanted[REVISION] != have.get(REVISION, wanted[REVISION]):
            wanted[HISTORY] = ",".join(filter(None, (have.get(HISTORY), have[REVISION])))
        ready = deployment["spec"].get("minReadySeconds", 0)
        same = new["spec"].get("minReadySeconds", 0) == ready
        if wanted == have and same:
            return new, False
        spec = new["spec"] if same else {**new["spec"], "minReadySeconds": ready}
        meta = {**new["metadata"], "annotations": wanted}
        return self._client.update(REPLICA_SETS, {**new, "metadata": meta, "spec": spec}), True

    # Sizes -----------------------------------------------------------------------------------------

    @staticmethod
    def _is_recreate(deployment: Obj) -> bool:
        return (deployment["spec"].get("strategy") or {}).get("type") == "Recreate"

    def _count_pods(self, sets: list[Obj]) -> int:
        """Return how many Pods of `sets` have not ended."""
        found = (self._client.controlled_by("pods", each["metadata"]["uid"]) for each in sets)
        return sum(not is_finished(pod) for pods in found for pod in pods)

    def _resize(self, deployment: Obj, sizes: Mapping[str, int]) -> bool:
        """Tell whether ReplicaSets have another size now."""
        scaled = [self._scale(deployment, name, size) for name, size in sizes.items()]
        return any(scaled)

    def _scale(self, deployment: Obj, name: str, size: int) -> bool:
        replica_set = self._client.get(REPLICA_SETS, deployment["metadata"]["namespace"], name)
        before = wanted_of(replica_set["spec"])
        annotations = {**annotations_of(replica_set), **_sizes(deployment)}
        if before == size and annotations == annotations_of(replica_set):
            return False
        meta = {**replica_set["metadata"], "annotations": annotations}
        spec = {**replica_set["spec"], "replicas": size}
        self._client.update(REPLICA_SETS, {**replica_set, "metadata": meta, "spec": spec})
        if before != size:
            self._scaled(deployment, name, before, size)
        return before != size

    def _scaled(self, deployment: Obj, name: str, before: int, size: int) -> None:
        direction = "up" if size > before else "down"
        self._client.record(
            deployment,
            event_type="Normal",
            reason="ScalingReplicaSet",
            message=f"Scaled {direction} replica set {name} from {before} to {size}",
        )

    def _clean_up(self, deployment: Obj, old: list[Obj]) -> None:
        """Delete the oldest ReplicaSets beyond the history limit."""
        alive = [each for each in old if not is_terminating(each)]
        beyond = max(0, len(alive) - deployment["spec"].get("revisionHistoryLimit", 10))
        for each in sorted(alive, key=_revision)[:beyond]:
            if not wanted_of(each["spec"]) and not (each.get("status") or {}).get("replicas"):
                self._client.delete(REPLICA_SETS, *key_of(each), uid=each["metadata"]["uid"])

    def _report(
        self, deployment: Obj, new: Obj | None, sets: list[Obj], *, rolls: bool = True
    ) -> float | None:
        now = self._clock.now()
        updated = make_status(deployment, new, sets, now, rolls=rolls)
        if updated["status"] != deployment.get("status"):
            self._client.update_status(DEPLOYMENTS, updated)
        return seconds_to_deadline(updated, now) if rolls else None


def _new_replica_set(deployment: Obj, revision: str, size: int) -> Obj:
    """Return the ReplicaSet of a Deployment's template."""
    spec, meta = deployment["spec"], deployment["metadata"]
    digest = template_hash(spec["template"], (deployment.get("status") or {}).get("collisionCount"))
    template_meta, selector = spec["template"].get("metadata") or {}, spec["selector"]
    labels = {**(template_meta.get("labels") or {}), POD_TEMPLATE_HASH: digest}
    matching = {**(selector.get("matchLabels") or {}), POD_TEMPLATE_HASH: digest}
    result: Obj = {
        "metadata": {
            "name": f"{meta['name']}-{digest}",
            "namespace": meta["namespace"],
            "labels": labels,
            "annotations": {**_copied(deployment), REVISION: revision, **_sizes(deployment)},
            "ownerReferences": [owner_reference(deployment)],
        },
        "spec": {
            "replicas": size,
            "selector": {**selector, "matchLabels": matching},
            "template": {**spec["template"], "metadata": {**template_meta, "labels": labels}},
        },
    }
    if spec.get("minReadySeconds"):
        result["spec"]["minReadySeconds"] = spec["minReadySeconds"]
    return result


def _called(replica_set: Obj) -> str:
    return f'replica set "{replica_set["metadata"]["name"]}"'


def _is_ours(replica_set: Obj, deployment: Obj) -> bool:
    owner = controller_of(replica_set)
    same = _comparable(replica_set["spec"]["template"]) == _comparable(deployment["spec"]["template"])
    return same and owner is not None and owner["uid"] == deployment["metadata"]["uid"]


def _revision(replica_set: Obj) -> int:
    text = annotations_of(replica_set).get(REVISION, "0")
    return int(text) if text.isdigit() else 0


def _comparable(template: Obj) -> Obj:
    """Return a template without what the controller itself adds to it."""
    meta = {key: value for key, value in (template.get("metadata") or {}).items() if value}
    labels = {key: value for key, value in (meta.get("labels") or {}).items() if key != POD_TEMPLATE_HASH}
    return {**template, "metadata": {**meta, "labels": labels}}


def _copied(deployment: Obj) -> dict[str, str]:
    return {key: value for key, value in annotations_of(deployment).items() if key not in _NOT_COPIED}


def _sizes(deployment: Obj) -> dict[str, str]:
    wanted = wanted_of(deployment["spec"])
    return {DESIRED: str(wanted), MAXIMUM: str(wanted + fenceposts_of(deployment).surge)}


DESCRIPTOR = ControllerDescriptor(name="deployment-controller", build=DeploymentController)
