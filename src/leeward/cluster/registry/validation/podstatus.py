"""What a node may say in the status of a Pod.

Source: pkg/apis/core/validation/validation.go ValidatePodStatusUpdate (Kubernetes 1.36).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from leeward.cluster.registry.failures import Failure, GoStruct, duplicate, forbidden, invalid
from leeward.cluster.registry.validation.formats import (
    dns_subdomain,
    each_failure,
    ip_failures,
    not_negative,
    parse_ip,
    qualified_name,
    user_id,
)
from leeward.cluster.registry.validation.podannotations import (
    pod_annotation_failures,
    pod_annotation_update_failures,
)
from leeward.kube.objects import Obj

_KINDS = ("containerStatuses", "initContainerStatuses", "ephemeralContainerStatuses")


def pod_status_failures(new: Obj, old: Obj) -> list[Failure]:
    """Check a new status of a Pod."""
    after, before, spec = new.get("status") or {}, old.get("status") or {}, old["spec"]
    found: list[Failure] = []
    if new["metadata"].get("annotations") != old["metadata"].get("annotations"):
        found += pod_annotation_update_failures(new, old)
        found += pod_annotation_failures(new["metadata"], spec, "metadata.annotations")
    for index, condition in enumerate(after.get("conditions") or ()):
        kind = condition.get("type") or ""
        if kind not in ("PodScheduled", "Ready", "Initialized"):
            found += each_failure(qualified_name, kind, f"metadata.conditions[{index}].Type")
    found += _nominated(after, before, spec)
    found += not_negative(after.get("observedGeneration"), "status.observedGeneration")
    if before.get("qosClass") and after.get("qosClass", before["qosClass"]) != before["qosClass"]:
        found.append(invalid("status.qosClass", after.get("qosClass") or "", "field is immutable"))
    policy = spec.get("restartPolicy")
    restarting = _restarting(spec)
    for kind in _KINDS:
        if after.get(kind) or before.get(kind):
            rule = "Never" if kind == _KINDS[2] else policy
            of_status = f"status.{kind}"
            found += _transitions(after.get(kind) or (), before.get(kind) or (), of_status, rule, restarting)
    found += _claims(after.get("resourceClaimStatuses") or (), spec)
    found += _addresses(after.get("podIPs") or (), "status.podIPs")
    hosts = after.get("hostIPs") or ()
    if hosts and (after.get("hostIP") or "") != hosts[0].get("ip"):
        found.append(invalid("status.hostIPs[0].ip", hosts[0].get("ip") or "", "must be equal to `hostIP`"))
    found += _addresses(hosts, "status.hostIPs")
    for kind in _KINDS:
        found += _users(after.get(kind) or (), f"status.{kind}", spec)
    return found


def _nominated(after: Obj, before: Obj, spec: Obj) -> list[Failure]:
    name, place = after.get("nominatedNodeName"), "status.nominatedNodeName"
    if not name or name == before.get("nominatedNodeName"):
        return []
    found = each_failure(dns_subdomain, name, place)
    if spec.get("nodeName"):
        found.append(forbidden(place, "may not be set on pods that are already bound to a node"))
    return found


def _restarting(spec: Obj) -> set[Any]:
    """Return names of containers that may run again though the Pod's would not: sidecars, and by rules."""
    return {
        each.get("name")
        for kind in ("initContainers", "containers")
        for each in spec.get(kind) or ()
        if each.get("restartPolicy") in ("Always", "OnFailure") or each.get("restartPolicyRules")
    }


def _transitions(
    after: Sequence[Obj], before: Sequence[Obj], field: str, policy: Any, restarting: set[Any]
) -> list[Failure]:
    if policy == "Always":
        return []
    there = {status.get("name"): status for status in after}
    found: list[Failure] = []
    for index, status in enumerate(before):
        ended = (status.get("state") or {}).get("terminated")
        name = status.get("name")
        restarts = ended is not None and ended.get("exitCode") and policy == "OnFailure"
        if ended is None or restarts or name in restarting or name not in there:
            continue
        if (there[name].get("state") or {}).get("terminated") is None:
            text = "may not be transitioned to non-terminated state"
            found.append(forbidden(f"{field}[{index}].state", text))
    return found


def _claims(statuses: Sequence[Obj], spec: Obj) -> list[Failure]:
    known = {claim.get("name") for claim in spec.get("resourceClaims") or ()}
    found: list[Failure] = []
    seen: set[str] = set()
    for index, status in enumerate(statuses):
        place, name = f"status.resourceClaimStatuses[{index}].name", status.get("name") or ""
        if name not in known:
            text = "must match the name of an entry in `spec.resourceClaims`"
            found.append(invalid(place, name, text))
        if name in seen:
            found.append(duplicate(place, name))
        seen.add(name)
        if status.get("resourceClaimName") is not None:
            found += each_failure(dns_subdomain, status["resourceClaimName"], place)
    return found


def _addresses(given: Sequence[Obj], field: str) -> list[Failure]:
    """Check addresses: at most one of each family."""
    texts = [each.get("ip") or "" for each in given]
    found = [each for index, text in enumerate(texts) for each in ip_failures(text, f"{field}[{index}]")]
    if len(texts) < 2:
        return found
    families = {ip.version for text in texts if (ip := parse_ip(text)) is not None}
    if len(texts) > 2 or len(families) < 2:
        shown = [GoStruct(IP=text) for text in texts]
        found.append(invalid(field, shown, "may specify no more than one IP for each IP family"))
    for index, text in enumerate(texts):
        if text in texts[:index]:
            found.append(duplicate(f"{field}[{index}]", GoStruct(IP=text)))
    return found


def _users(statuses: Sequence[Obj], field: str, spec: Obj) -> list[Failure]:
    """Check users that processes run as."""
    found: list[Failure] = []
    for index, status in enumerate(statuses):
        user = (status.get("user") or {}).get("linux")
        if user is None:
            continue
        place = f"{field}[{index}].linux"
        if (spec.get("os") or {}).get("name") == "windows":
            found.append(forbidden(place, "cannot be set for a windows pod"))
            continue
        for name in ("uid", "gid"):
            found += [
                invalid(f"{place}.{name}", user.get(name) or 0, why) for why in user_id(user.get(name) or 0)
            ]
        for at, group in enumerate(user.get("supplementalGroups") or ()):
            found += [invalid(f"{place}.supplementalGroups[{at}]", group, why) for why in user_id(group)]
    return found
