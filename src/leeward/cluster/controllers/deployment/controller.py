"""Carries a Deployment out: finds or makes its ReplicaSet, sizes all of them, reports.

Source: pkg/controller/deployment/{deployment_controller,sync}.go (Kubernetes 1.36).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

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
    with_progressing,
)
from leeward.cluster.controllers.framework.claims import adopters, claim
from leeward.cluster.controllers.framework.controller import (
    ControllerContext,
    ControllerDescriptor,
    own_or_owner_key,
)
from leeward.cluster.controllers.framework.podtemplatehash import template_hash
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
from leeward.kube.status import AlreadyExistsError
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
        return [ObjectKey(pod["metadata"]["namespace"], parent["name"])] if parent else []

    def sync(self, key: ObjectKey) -> float | None:
        """Do the next step of a Deployment."""
        deployment = self._client.find(DEPLOYMENTS, *key)
        if deployment is None:
            return None
        sets = self._claim(deployment)
        if is_terminating(deployment):
            return None
        new = self._find_new(deployment, sets)
        resizing = bool(deployment["spec"].get("paused")) or is_scaling(deployment, sets)
        if new is None and not resizing:
            if self._is_recreate(deployment) and self._shrink_for_recreate(deployment, sets):
                return self._report(key, None)
            new = self._create_new(deployment, sets)
            deployment = self._client.get(DEPLOYMENTS, *key)
            sets = self._claim(deployment)
        elif new is not None:
            new = self._keep_revision(deployment, new, sets)
            sets = [new if each["metadata"]["uid"] == new["metadata"]["uid"] else each for each in sets]
        self._resize(deployment, new, sets, resizing=resizing)
        self._clean_up(deployment, new, self._claim(deployment))
        return self._report(key, new)

    # ReplicaSets -----------------------------------------------------------------------------------

    def _claim(self, deployment: Obj) -> list[Obj]:
        """Return its ReplicaSets, oldest first."""
        found = claim(self._client, REPLICA_SETS, deployment)
        return sorted(found, key=lambda each: (each["metadata"]["creationTimestamp"], _revision(each)))

    @staticmethod
    def _find_new(deployment: Obj, sets: list[Obj]) -> Obj | None:
        wanted = _comparable(deployment["spec"]["template"])
        return next((each for each in sets if _comparable(each["spec"]["template"]) == wanted), None)

    def _create_new(self, deployment: Obj, sets: list[Obj]) -> Obj:
        spec, meta = deployment["spec"], deployment["metadata"]
        collisions = (deployment.get("status") or {}).get("collisionCount")
        digest = template_hash(spec["template"], collisions)
        name = f"{meta['name']}-{digest}"
        template_meta = spec["template"].get("metadata") or {}
        labels = {**(template_meta.get("labels") or {}), POD_TEMPLATE_HASH: digest}
        selector = spec["selector"]
        matching = {**(selector.get("matchLabels") or {}), POD_TEMPLATE_HASH: digest}
        revision = str(max((_revision(each) for each in sets), default=0) + 1)
        size = self._initial_size(deployment, sets)
        replica_set: Obj = {
            "metadata": {
                "name": name,
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
            replica_set["spec"]["minReadySeconds"] = spec["minReadySeconds"]
        try:
            created = self._client.create(REPLICA_SETS, replica_set)
        except AlreadyExistsError:
            status = {**(deployment.get("status") or {}), "collisionCount": (collisions or 0) + 1}
            self._client.update_status(DEPLOYMENTS, {**deployment, "status": status})
            raise
        self._set_revision(deployment, revision)
        if size:
            self._scaled(deployment, name, 0, size)
        self._say(deployment, "NewReplicaSetCreated", f'Created new replica set "{name}"')
        return created

    def _say(self, deployment: Obj, reason: str, message: str) -> None:
        """Begin to watch the progress of a rollout."""
        if deployment["spec"].get("progressDeadlineSeconds") is not None:
            fresh = self._client.get(DEPLOYMENTS, *key_of(deployment))
            told = with_progressing(fresh, "True", reason, message, self._clock.now())
            self._client.update_status(DEPLOYMENTS, told)

    def _initial_size(self, deployment: Obj, sets: list[Obj]) -> int:
        wanted = wanted_of(deployment["spec"])
        if self._is_recreate(deployment):
            return wanted
        total = sum(wanted_of(each["spec"]) for each in sets)
        return max(0, min(wanted, wanted + fenceposts_of(deployment).surge - total))

    def _keep_revision(self, deployment: Obj, new: Obj, sets: list[Obj]) -> Obj:
        """The current ReplicaSet has the highest revision, also after a rollback to an old one."""
        others = [_revision(each) for each in sets if each["metadata"]["uid"] != new["metadata"]["uid"]]
        revision = max(_revision(new), max(others, default=0) + 1)
        have = annotations_of(new)
        wanted = {**have, **_copied(deployment), REVISION: str(revision)}
        if wanted[REVISION] != have.get(REVISION, wanted[REVISION]):
            wanted[HISTORY] = ",".join(filter(None, (have.get(HISTORY), have[REVISION])))
        ready = deployment["spec"].get("minReadySeconds", 0)
        if wanted != have or new["spec"].get("minReadySeconds", 0) != ready:
            spec = {**new["spec"], "minReadySeconds": ready} if ready else new["spec"]
            meta = {**new["metadata"], "annotations": wanted}
            new = self._client.update(REPLICA_SETS, {**new, "metadata": meta, "spec": spec})
        self._set_revision(deployment, str(revision))
        if find_condition(deployment, "Progressing") is None:
            text = f'Found new replica set "{new["metadata"]["name"]}"'
            self._say(deployment, "FoundNewReplicaSet", text)
        return new

    def _set_revision(self, deployment: Obj, revision: str) -> None:
        if annotations_of(deployment).get(REVISION) != revision:
            patch = {"metadata": {"annotations": {REVISION: revision}}}
            key = key_of(deployment)
            self._client.patch(DEPLOYMENTS, *key, patch, patch_type="merge", subresource="status")

    # Sizes -----------------------------------------------------------------------------------------

    @staticmethod
    def _is_recreate(deployment: Obj) -> bool:
        return (deployment["spec"].get("strategy") or {}).get("type") == "Recreate"

    def _shrink_for_recreate(self, deployment: Obj, old: list[Obj]) -> bool:
        """Tell whether old Pods are still there, after asking for them to go."""
        pods = self._count_pods(old)
        for name, size in plan_recreate(deployment, None, old, pods).items():
            self._scale(deployment, name, size)
        return pods > 0

    def _count_pods(self, sets: list[Obj]) -> int:
        """Return how many Pods of `sets` have not ended."""
        found = (self._client.controlled_by("pods", each["metadata"]["uid"]) for each in sets)
        return sum(not is_finished(pod) for pods in found for pod in pods)

    def _resize(self, deployment: Obj, new: Obj | None, sets: list[Obj], *, resizing: bool) -> None:
        old = [each for each in sets if new is None or each["metadata"]["uid"] != new["metadata"]["uid"]]
        if resizing:
            planned = plan_resize(deployment, new, old)
        elif new is None:
            return
        elif self._is_recreate(deployment):
            planned = plan_recreate(deployment, new, old, self._count_pods(old))
        else:
            planned = plan_rolling(deployment, new, old)
        for name, size in planned.items():
            self._scale(deployment, name, size)

    def _scale(self, deployment: Obj, name: str, size: int) -> None:
        namespace = deployment["metadata"]["namespace"]
        replica_set = self._client.get(REPLICA_SETS, namespace, name)
        before = wanted_of(replica_set["spec"])
        annotations = {**annotations_of(replica_set), **_sizes(deployment)}
        meta = {**replica_set["metadata"], "annotations": annotations}
        spec = {**replica_set["spec"], "replicas": size}
        self._client.update(REPLICA_SETS, {**replica_set, "metadata": meta, "spec": spec})
        if before != size:
            self._scaled(deployment, name, before, size)

    def _scaled(self, deployment: Obj, name: str, before: int, size: int) -> None:
        direction = "up" if size > before else "down"
        self._client.record(
            deployment,
            event_type="Normal",
            reason="ScalingReplicaSet",
            message=f"Scaled {direction} replica set {name} from {before} to {size}",
        )

    def _clean_up(self, deployment: Obj, new: Obj | None, sets: list[Obj]) -> None:
        """Delete the oldest ReplicaSets beyond the history limit; not before a rollout is over."""
        if not deployment["spec"].get("paused") and not is_complete(deployment):
            return
        uid = new["metadata"]["uid"] if new else ""
        old = [each for each in sets if each["metadata"]["uid"] != uid and not is_terminating(each)]
        beyond = max(0, len(old) - deployment["spec"].get("revisionHistoryLimit", 10))
        for each in sorted(old, key=_revision)[:beyond]:
            if not wanted_of(each["spec"]) and not (each.get("status") or {}).get("replicas"):
                self._client.delete(REPLICA_SETS, *key_of(each), uid=each["metadata"]["uid"])

    def _report(self, key: ObjectKey, new: Obj | None) -> float | None:
        deployment = self._client.find(DEPLOYMENTS, *key)
        if deployment is None:
            return None
        sets = self._claim(deployment)
        current = self._find_new(deployment, sets) if new is not None else None
        now = self._clock.now()
        updated = make_status(deployment, current, sets, now)
        if updated["status"] != deployment.get("status"):
            self._client.update_status(DEPLOYMENTS, updated)
        return seconds_to_deadline(updated, now)


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
