"""The next steps of a StatefulSet. Pure.

Source: pkg/controller/statefulset/stateful_set_control.go, stateful_set_utils.go (Kubernetes 1.36).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from leeward.kube.objects import Obj, is_terminating, labels_of, owner_reference
from leeward.kube.pods import available_in, is_finished, pod_from_template
from leeward.kube.wellknown import CONTROLLER_REVISION_HASH

POD_NAME = "statefulset.kubernetes.io/pod-name"
POD_INDEX = "apps.kubernetes.io/pod-index"


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do: ordinals to create, Pods to delete."""

    create: Sequence[int] = ()
    delete: Sequence[Obj] = ()


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
    ordered = stateful_set["spec"].get("podManagementPolicy") != "Parallel"
    wanted = wanted_ordinals(stateful_set)
    failed = [pod for number, pod in sorted(pods.items()) if number in wanted and is_finished(pod)]
    broken = [pod for pod in failed if not is_terminating(pod)]
    if broken:
        return Plan(delete=broken[:1] if ordered else broken)
    create: list[int] = []
    for number in wanted:
        pod = pods.get(number)
        if pod is None:
            create.append(number)
            if ordered:
                return Plan(create=create)
        elif ordered and not _is_up(stateful_set, pod, now):
            return Plan()
    surplus = [pod for number, pod in sorted(pods.items(), reverse=True) if number not in wanted]
    gone = [pod for pod in surplus if not is_terminating(pod)]
    if surplus and ordered:
        return Plan(create, gone[:1] if len(gone) == len(surplus) else ())
    if create or gone:
        return Plan(create, gone)
    return Plan(delete=_outdated(stateful_set, pods, update_revision, now))


def _is_up(stateful_set: Obj, pod: Obj, now: datetime) -> bool:
    seconds = stateful_set["spec"].get("minReadySeconds", 0)
    return not is_terminating(pod) and available_in(pod, seconds, now) == 0


def _outdated(stateful_set: Obj, pods: Mapping[int, Obj], update_revision: str, now: datetime) -> list[Obj]:
    """Return the Pod to replace next in a rolling update: from the highest ordinal to the partition."""
    if (stateful_set["spec"].get("updateStrategy") or {}).get("type") == "OnDelete":
        return []
    wanted = wanted_ordinals(stateful_set)
    for number in range(wanted.stop - 1, max(wanted.start, partition_of(stateful_set)) - 1, -1):
        pod = pods[number]
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
    pod = pod_from_template(stateful_set, template, name=name, labels=labels)
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
    """Return the claims of an ordinal; they outlive Pod and StatefulSet unless told otherwise."""
    meta, spec = stateful_set["metadata"], stateful_set["spec"]
    pod = f"{meta['name']}-{number}"
    selector = (spec.get("selector") or {}).get("matchLabels") or {}
    policy = spec.get("persistentVolumeClaimRetentionPolicy") or {}
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
        if policy.get("whenDeleted") == "Delete":
            claim_meta["ownerReferences"] = [owner_reference(stateful_set)]
        claims.append({"metadata": claim_meta, "spec": template["spec"]})
    return claims
