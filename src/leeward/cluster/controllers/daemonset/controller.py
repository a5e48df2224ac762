"""Carries out :mod:`plan` for one DaemonSet at a time."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from leeward.cluster.controllers.daemonset.backoff import FailureBackoff
from leeward.cluster.controllers.daemonset.plan import (
    is_of_interest,
    node_of,
    plan,
    tolerations,
    wants_pod,
)
from leeward.cluster.controllers.framework.claims import adopters, claim
from leeward.cluster.controllers.framework.controller import (
    ControllerContext,
    ControllerDescriptor,
    own_or_owner_key,
)
from leeward.cluster.controllers.framework.podtemplatehash import template_hash
from leeward.cluster.controllers.framework.revisions import Revisions
from leeward.cluster.controllers.framework.slowstart import is_namespace_ending, slow_start
from leeward.cluster.interface.client import Event
from leeward.kube.objects import (
    Obj,
    ObjectKey,
    annotations_of,
    controller_of,
    is_terminating,
    key_of,
    labels_of,
)
from leeward.kube.pods import available_in, is_ready, pod_from_template
from leeward.kube.status import NotFoundError, StatusError
from leeward.kube.wellknown import CONTROLLER_REVISION_HASH, TEMPLATE_GENERATION

DAEMON_SETS = "daemonsets.apps"


class DaemonSetController:
    """Implements Controller."""

    resources: Collection[str] = (DAEMON_SETS, "pods", "nodes")

    def __init__(self, context: ControllerContext) -> None:
        self._client = context.client
        self._clock = context.clock
        self._failures = FailureBackoff()
        self._revisions = Revisions(context.client, _digest, CONTROLLER_REVISION_HASH)

    def keys_for(self, event: Event) -> Iterable[ObjectKey]:
        """A DaemonSet, the owner of a Pod, or those that a node's labels or taints make act."""
        if event.resource == "pods" and (keys := adopters(self._client, DAEMON_SETS, event)):
            return [*own_or_owner_key(event, DAEMON_SETS, "DaemonSet"), *keys]
        if event.resource != "nodes":
            return own_or_owner_key(event, DAEMON_SETS, "DaemonSet")
        if event.previous is not None and _face(event.previous) == _face(event.object):
            return ()
        return [key_of(each) for each in self._client.list(DAEMON_SETS) if self._acts(each, event)]

    def _acts(self, daemon_set: Obj, event: Event) -> bool:
        """Tell whether a Pod has to come to a node, or to go from it."""
        if event.type == "DELETED":
            return True
        should, may_stay = wants_pod(daemon_set["spec"]["template"], event.object)
        uid, name = daemon_set["metadata"]["uid"], event.object["metadata"]["name"]
        there = any((controller_of(pod) or {}).get("uid") == uid for pod in self._client.pods_on(name))
        return (should and not there) or (there and not may_stay)

    def sync(self, key: ObjectKey) -> float | None:
        """Create and delete Pods, then report."""
        daemon_set = self._client.find(DAEMON_SETS, *key)
        if daemon_set is None or is_terminating(daemon_set):
            return None
        update = self._revisions.current(daemon_set)["metadata"]["name"].rsplit("-", 1)[-1]
        pods = [pod for pod in claim(self._client, "pods", daemon_set) if is_of_interest(pod)]
        planned = plan(daemon_set, self._client.list("nodes"), pods, update, self._clock.now())
        failure = slow_start(planned.create, lambda node: self._create(daemon_set, node, update))
        waits = [self._end(daemon_set, pod) for pod in planned.ended]
        for pod in planned.delete:
            self._delete(daemon_set, pod)
        waits.append(self._report(key, update))
        if failure is not None:
            raise failure
        return min((seconds for seconds in waits if seconds), default=None)

    def _end(self, daemon_set: Obj, pod: Obj) -> float | None:
        """Delete a Pod that ended; returns seconds to wait when that happens too often."""
        meta, failed = pod["metadata"], pod["status"]["phase"] == "Failed"
        where = f"daemon pod {meta['namespace']}/{meta['name']} on node {node_of(pod)}"
        if failed:
            key = (daemon_set["metadata"]["uid"], node_of(pod))
            wait = self._failures.wait(key, self._clock.monotonic())
            if wait:
                return wait
            self._warn(daemon_set, "FailedDaemonPod", f"Found failed {where}, will try to kill it")
        else:
            self._event(daemon_set, "SucceededDaemonPod", f"Found succeeded {where}, will try to delete it")
        self._delete(daemon_set, pod)
        return None

    def _create(self, daemon_set: Obj, node: str, update: str) -> None:
        template = daemon_set["spec"]["template"]
        pod = pod_from_template(
            daemon_set,
            template,
            generateName=f"{daemon_set['metadata']['name']}-",
            labels={CONTROLLER_REVISION_HASH: update, **_generation(daemon_set)},
        )
        spec = {**pod["spec"], "affinity": _pinned(pod["spec"].get("affinity") or {}, node)}
        spec["tolerations"] = [*(spec.get("tolerations") or ()), *tolerations()]
        try:
            created = self._client.create("pods", {**pod, "spec": spec})
        except StatusError as error:
            self._warn(daemon_set, "FailedCreate", f"Error creating: {error}")
            if is_namespace_ending(error):
                return
            raise
        self._event(daemon_set, "SuccessfulCreate", f"Created pod: {created['metadata']['name']}")

    def _delete(self, daemon_set: Obj, pod: Obj) -> None:
        try:
            self._client.delete("pods", *key_of(pod), uid=pod["metadata"]["uid"])
        except NotFoundError:
            return
        self._event(daemon_set, "SuccessfulDelete", f"Deleted pod: {pod['metadata']['name']}")

    def _event(self, daemon_set: Obj, reason: str, message: str) -> None:
        self._client.record(daemon_set, event_type="Normal", reason=reason, message=message)

    def _warn(self, daemon_set: Obj, reason: str, message: str) -> None:
        self._client.record(daemon_set, event_type="Warning", reason=reason, message=message)

    def _report(self, key: ObjectKey, update: str) -> float | None:
        daemon_set = self._client.find(DAEMON_SETS, *key)
        if daemon_set is None:
            return None
        template, seconds = daemon_set["spec"]["template"], daemon_set["spec"].get("minReadySeconds", 0)
        nodes = {node["metadata"]["name"]: node for node in self._client.list("nodes")}
        wanted = {name for name, node in nodes.items() if wants_pod(template, node)[0]}
        oldest: dict[str, Obj] = {}  # one Pod speaks for its node
        for pod in filter(is_of_interest, self._client.controlled_by("pods", daemon_set["metadata"]["uid"])):
            node = node_of(pod)
            if node not in oldest or _since(pod) < _since(oldest[node]):
                oldest[node] = pod
        here = [pod for node, pod in oldest.items() if node in wanted]
        ages = [available_in(pod, seconds, self._clock.now()) for pod in here]
        available = sum(1 for age in ages if age == 0)
        status: Obj = {
            "currentNumberScheduled": len(here),
            "numberMisscheduled": len(oldest.keys() & nodes.keys()) - len(here),
            "desiredNumberScheduled": len(wanted),
            "numberReady": sum(1 for pod in here if is_ready(pod)),
            "observedGeneration": daemon_set["metadata"].get("generation", 0),
        }
        more = {
            "updatedNumberScheduled": sum(
                1 for p in here if labels_of(p).get(CONTROLLER_REVISION_HASH) == update
            ),
            "numberAvailable": available,
            "numberUnavailable": len(wanted) - available,
        }
        status.update({name: value for name, value in more.items() if value})
        if status != daemon_set.get("status"):
            self._client.update_status(DAEMON_SETS, {**daemon_set, "status": status})
        name = daemon_set["metadata"]["name"]
        self._revisions.clean_up(daemon_set, keep={f"{name}-{update}"})
        return min((age for age in ages if age), default=None)


def _digest(daemon_set: Obj, data: Obj) -> str:
    collisions = (daemon_set.get("status") or {}).get("collisionCount")
    return template_hash(daemon_set["spec"]["template"], collisions)


def _generation(daemon_set: Obj) -> dict[str, str]:
    """Return the label of the deprecated generation of templates."""
    generation = annotations_of(daemon_set).get(TEMPLATE_GENERATION)
    return {"pod-template-generation": generation} if generation else {}


def _since(pod: Obj) -> tuple[str, str]:
    return pod["metadata"]["creationTimestamp"], pod["metadata"]["name"]


def _pinned(affinity: Obj, node: str) -> Obj:
    """Return an affinity for exactly one node; other terms are dropped, as they were checked already."""
    term = {"matchFields": [{"key": "metadata.name", "operator": "In", "values": [node]}]}
    node_affinity = {
        **(affinity.get("nodeAffinity") or {}),
        "requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [term]},
    }
    return {**affinity, "nodeAffinity": node_affinity}


def _face(node: Obj) -> tuple[object, object]:
    """Return what of a node decides about daemon Pods."""
    return labels_of(node), (node.get("spec") or {}).get("taints")


DESCRIPTOR = ControllerDescriptor(name="daemonset-controller", build=DaemonSetController)
