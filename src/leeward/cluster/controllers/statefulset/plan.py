"""The next steps of a StatefulSet. Pure.

Source: pkg/controller/statefulset/stateful_set_control.go, stateful_set_utils.go (Kubernetes 1.36).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from leeward.kube.objects import Obj, is_terminating, labels_of, owner_reference
from leeward.kube.pods import available_in, is_finished, is_ready, pod_from_template
from leeward.kube.wellknown import CONTROLLER_REVISION_HASH

POD_NAME = "statefulset.kubernetes.io/pod-name"
POD_INDEX = "apps.kubernetes.io/pod-index"


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do."""

    create: Sequence[int] = ()  # ordinals
    delete: Sequence[Obj] = ()  # Pods
    replace: Sequence[Obj] = ()  # Pods to delete because they are to become others
    settled: Sequence[Obj] = ()  # Pods whose claims may be looked after


def ordinal_of(pod: Obj) -> int:
    """Return a Pod's ordinal, -1 when its name has none."""
    tail = pod["metadata"]["name"].rsplit("-", 1)[-1]
    return int(tail) if tail.isdigit() else -1


def wanted_ordinals(stateful_set: Obj) -> range:
    """Return the ordinals that ought to be there."""
    spec = stateful_set["spec"]
    start = (spec.get("ordinals") or {}).get("start", 0)
    return range(start, start + spec.get("replicas", 1))


def is_member(stateful_set: Obj, pod: Obj) -> bool:
    """Tell whether a Pod has a name that the StatefulSet would give."""
    parent = pod["metadata"]["name"].rpartition("-")[0]
    return ordinal_of(pod) >= 0 and parent == stateful_set["metadata"]["name"]


def partition_of(stateful_set: Obj) -> int:
    """Return the first ordinal that a rolling update replaces."""
    strategy = stateful_set["spec"].get("updateStrategy") or {}
    partition = (strategy.get("rollingUpdate") or {}).get("partition") or 0
    return wanted_ordinals(stateful_set).start + int(partition)


def plan(stateful_set: Obj, pods: Mapping[int, Obj], update_revision: str, now: datetime) -> Plan:
    """Decide the next steps.

    Ordered: one thing at a time, and only when every lower ordinal is available. Parallel: all at once. A
    terminating Pod is waited for.

    Args:
        stateful_set: the StatefulSet.
        pods: its Pods by ordinal.
        update_revision: name of the current template's revision.
        now: for minReadySeconds.
    """
    if stateful_set["spec"].get("podManagementPolicy") == "Parallel":
        return _plan_parallel(stateful_set, pods, update_revision, now)
    settled: list[Obj] = []
    for number in wanted_ordinals(stateful_set):
        pod = pods.get(number)
        if pod is None:
            return Plan(create=[number], settled=settled)
        if not _is_up(stateful_set, pod, now):
            broken = is_finished(pod) and not is_terminating(pod)
            return Plan(delete=[pod] if broken else (), settled=settled)
        settled.append(pod)
    condemned = _condemned(stateful_set, pods)
    settled += condemned
    if condemned:
        return Plan(delete=_next_to_go(stateful_set, condemned, now), settled=settled)
    return Plan(replace=_outdated(stateful_set, pods, update_revision, now), settled=settled)


def _plan_parallel(stateful_set: Obj, pods: Mapping[int, Obj], update_revision: str, now: datetime) -> Plan:
    wanted = wanted_ordinals(stateful_set)
    condemned = _condemned(stateful_set, pods)
    living = [pods[number] for number in wanted if number in pods]
    ended = [pod for pod in living if is_finished(pod) and not is_terminating(pod)]
    gone = [pod for pod in condemned if not is_terminating(pod)]
    replace = _outdated(stateful_set, pods, update_revision, now)
    return Plan(
        create=[number for number in wanted if number not in pods],
        delete=[*ended, *gone],
        replace=[pod for pod in replace if pod not in ended],
        settled=[*(pod for pod in living if not is_finished(pod)), *condemned],
    )


def _condemned(stateful_set: Obj, pods: Mapping[int, Obj]) -> list[Obj]:
    """Return the Pods that are too many, the highest ordinal first."""
    wanted = wanted_ordinals(stateful_set)
    return [pod for number, pod in sorted(pods.items(), reverse=True) if number not in wanted]


def _next_to_go(stateful_set: Obj, condemned: Sequence[Obj], now: datetime) -> list[Obj]:
    """Return the highest Pod that is too many; while others of them are broken, only the lowest of these."""
    highest = condemned[0]
    if is_terminating(highest):
        return []
    broken = [pod for pod in condemned if not _is_up(stateful_set, pod, now)]
    if highest in broken and highest is not broken[-1]:
        return []
    return [highest]


def _is_up(stateful_set: Obj, pod: Obj, now: datetime) -> bool:
    seconds = stateful_set["spec"].get("minReadySeconds", 0)
    return is_running_and_ready(pod) and not is_terminating(pod) and available_in(pod, seconds, now) == 0


def is_running_and_ready(pod: Obj) -> bool:
    """Tell whether a Pod counts as ready."""
    return (pod.get("status") or {}).get("phase") == "Running" and is_ready(pod)


def _outdated(stateful_set: Obj, pods: Mapping[int, Obj], update_revision: str, now: datetime) -> list[Obj]:
    """Return the Pod to replace next in a rolling update: from the highest ordinal to the partition."""
    if (stateful_set["spec"].get("updateStrategy") or {}).get("type") == "OnDelete":
        return []
    wanted = wanted_ordinals(stateful_set)
    for number in range(wanted.stop - 1, max(wanted.start, partition_of(stateful_set)) - 1, -1):
        pod = pods.get(number)
        if pod is None:
            return []
        if labels_of(pod).get(CONTROLLER_REVISION_HASH) != update_revision and not is_terminating(pod):
            return [pod]
        if not _is_up(stateful_set, pod, now):
            return []
    return []


def make_pod(stateful_set: Obj, number: int, template: Obj, revision: str) -> Obj:
    """Return the Pod of an ordinal, with its identity and its volumes."""
    meta, spec = stateful_set["metadata"], stateful_set["spec"]
    name = f"{meta['name']}-{number}"
    labels = {POD_NAME: name, POD_INDEX: str(number), CONTROLLER_REVISION_HASH: revision}
    pod = pod_from_template(stateful_set, template, name=name, generateName=f"{meta['name']}-", labels=labels)
    pod_spec = {**pod["spec"], "hostname": name}
    if spec.get("serviceName"):
        pod_spec["subdomain"] = spec["serviceName"]
    claims = spec.get("volumeClaimTemplates") or ()
    names = {claim["metadata"]["name"] for claim in claims}
    volumes = [volume for volume in pod_spec.get("volumes") or () if volume["name"] not in names]
    volumes += [
        {
            "name": claim["metadata"]["name"],
            "persistentVolumeClaim": {"claimName": claim_name(claim, name), "readOnly": False},
        }
        for claim in claims
    ]
    if volumes:
        pod_spec["volumes"] = volumes
    return {**pod, "spec": pod_spec}


def claim_name(claim: Obj, pod: str) -> str:
    """Return the name of a Pod's claim."""
    return f"{claim['metadata']['name']}-{pod}"


def make_claims(stateful_set: Obj, number: int) -> list[Obj]:
    """Return the claims of an ordinal."""
    meta, spec = stateful_set["metadata"], stateful_set["spec"]
    pod = f"{meta['name']}-{number}"
    selector = (spec.get("selector") or {}).get("matchLabels") or {}
    claims = []
    for template in spec.get("volumeClaimTemplates") or ():
        template_meta = template["metadata"]
        claim_meta: Obj = {
            "name": claim_name(template, pod),
            "namespace": meta["namespace"],
            "labels": {**(template_meta.get("labels") or {}), **selector},
        }
        if template_meta.get("annotations"):
            claim_meta["annotations"] = template_meta["annotations"]
        claims.append({"metadata": claim_meta, "spec": template["spec"]})
    return claims


def with_retention(stateful_set: Obj, pod: Obj, claim: Obj) -> Obj:
    """Return a claim with whom it goes with; itself when that is so already.

    It outlives Pod and StatefulSet unless told otherwise: with ``whenDeleted`` it goes with the StatefulSet,
    with ``whenScaled`` with a Pod that is too many. Whom somebody else made its controller it stays with.
    """
    policy = stateful_set["spec"].get("persistentVolumeClaimRetentionPolicy") or {}
    surplus = ordinal_of(pod) not in wanted_ordinals(stateful_set)
    with_pod = surplus and policy.get("whenScaled") == "Delete"
    with_set = policy.get("whenDeleted") == "Delete" and not with_pod
    owners = claim["metadata"].get("ownerReferences") or []
    ours = {stateful_set["metadata"]["uid"], pod["metadata"].get("uid")}
    others = [each for each in owners if each["uid"] not in ours]
    if any(each.get("controller") for each in others):
        return claim
    wanted = [owner_reference(stateful_set)] if with_set else [owner_reference(pod)] if with_pod else []
    kept = {each["uid"] for each in owners} - {each["uid"] for each in others}
    if kept == {each["uid"] for each in wanted}:
        return claim
    return {**claim, "metadata": {**claim["metadata"], "ownerReferences": [*others, *wanted]}}


def is_stale(pod_name: str, claim: Obj) -> bool:
    """Tell whether a claim still goes with an earlier Pod of that name, and so is about to go."""
    owners = claim["metadata"].get("ownerReferences") or ()
    return any(each["kind"] == "Pod" and each["name"] == pod_name for each in owners)
