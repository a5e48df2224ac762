"""Pods and Pod templates as a whole: creation, updates, status, ephemeral containers, resizing.

Source: pkg/apis/core/validation/validation.go ValidatePodSpec, ValidatePodCreate, ValidatePodUpdate,
ValidatePodStatusUpdate, ValidatePodEphemeralContainersUpdate, ValidatePodResize (Kubernetes 1.36).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from leeward.cluster.registry.failures import Failure, duplicate, forbidden, invalid, required, unsupported
from leeward.cluster.registry.validation.containers import PodContext, container_failures, image_failures
from leeward.cluster.registry.validation.formats import (
    annotation_failures,
    between,
    dns_label,
    dns_subdomain,
    each_failure,
    ip_failures,
    label_failures,
    qualified_name,
    subdomain_with_underscore,
)
from leeward.cluster.registry.validation.resources import requirement_failures
from leeward.cluster.registry.validation.scheduling import (
    affinity_failures,
    spread_failures,
    toleration_failures,
)
from leeward.cluster.registry.validation.security import host_user_failures, pod_security_failures
from leeward.cluster.registry.validation.volumes import volume_failures
from leeward.kube.objects import Obj

_RESTARTS = ("Always", "OnFailure", "Never")
_DNS = ("ClusterFirstWithHostNet", "ClusterFirst", "Default", "None")
_PREEMPTIONS = ("PreemptLowerPriority", "Never")
_MAX_SECONDS = 2147483647
_FROZEN = (
    "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,"
    "`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),"
    "`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)"
)


def template_failures(template: Obj, field: str, claims: Iterable[str] = ()) -> list[Failure]:
    """Check a Pod template; `claims` are volumes that every Pod gets besides its own."""
    meta = template.get("metadata") or {}
    found = label_failures(meta.get("labels"), f"{field}.labels")
    found += annotation_failures(meta.get("annotations"), f"{field}.annotations")
    spec = template.get("spec") or {}
    found += spec_failures(spec, f"{field}.spec", {name: {"persistentVolumeClaim": {}} for name in claims})
    if spec.get("ephemeralContainers"):
        text = "ephemeral containers not allowed in pod template"
        found.append(forbidden(f"{field}.spec.ephemeralContainers", text))
    return found


def spec_failures(
    spec: Obj, field: str, extra: Mapping[str, Obj] | None = None, *, pod_name: str = "", is_pod: bool = False
) -> list[Failure]:
    """Check a Pod's spec.

    Args:
        spec: with its defaults.
        field: its path.
        extra: volumes that are not in it.
        pod_name: of a Pod.
        is_pod: it is a Pod's, not a template's.
    """
    grace = spec.get("terminationGracePeriodSeconds")
    found: list[Failure] = []
    volumes = spec.get("volumes") or ()
    if volumes:
        found += volume_failures(volumes, f"{field}.volumes", pod_name)
    known = {volume.get("name") or "": volume for volume in volumes}
    if extra:
        known.update(extra)
    claims = spec.get("resourceClaims") or ()
    if claims:
        found += _resource_claims(claims, f"{field}.resourceClaims")
    context = PodContext(
        volumes=known,
        claims=frozenset(claim.get("name") or "" for claim in claims),
        grace=grace,
        restart_policy=spec.get("restartPolicy") or "",
        host_users=spec.get("hostUsers") is not False,
    )
    found += container_failures(spec, field, context)
    if spec.get("resources"):
        found += requirement_failures(spec["resources"], f"{field}.resources", context.claims)
    if spec.get("hostNetwork"):
        found += _host_network(spec, field, is_pod=is_pod)
    found += _enumerations(spec, field)
    found += label_failures(spec.get("nodeSelector"), f"{field}.nodeSelector")
    found += pod_security_failures(spec, f"{field}.securityContext")
    found += affinity_failures(spec.get("affinity"), f"{field}.affinity")
    found += _dns_config(spec, f"{field}.dnsConfig")
    found += _gates(spec, field)
    if spec.get("topologySpreadConstraints"):
        found += spread_failures(spec["topologySpreadConstraints"], f"{field}.topologySpreadConstraints")
    found += host_user_failures(spec, field)
    found += _names(spec, field)
    if spec.get("tolerations"):
        found += toleration_failures(spec["tolerations"], f"{field}.tolerations")
    return found + _rest(spec, field)


def _enumerations(spec: Obj, field: str) -> list[Failure]:
    found: list[Failure] = []
    for name, supported in (("restartPolicy", _RESTARTS), ("dnsPolicy", _DNS)):
        value, place = spec.get(name), f"{field}.{name}"
        if value not in supported:
            found.append(unsupported(place, value, supported) if value else required(place))
    return found


def _host_network(spec: Obj, field: str, *, is_pod: bool) -> list[Failure]:
    found: list[Failure] = []
    for index, container in enumerate(spec.get("containers") or ()):
        for at, port in enumerate(container.get("ports") or ()):
            on_host = port.get("hostPort") or 0
            if (is_pod or on_host) and on_host != port.get("containerPort"):
                place = f"{field}.containers[{index}].ports[{at}].hostPort"
                text = "must match `containerPort` when `hostNetwork` is true"
                found.append(invalid(place, on_host, text))
    return found


def _resource_claims(claims: Sequence[Obj], field: str) -> list[Failure]:
    found: list[Failure] = []
    names: set[str] = set()
    for index, claim in enumerate(claims):
        place, name = f"{field}[{index}]", claim.get("name") or ""
        if not name:
            found.append(required(f"{place}.name"))
        elif name in names:
            found.append(duplicate(f"{place}.name", name))
        else:
            found += each_failure(dns_label, name, f"{place}.name")
        names.add(name)
        given = [
            part for part in ("resourceClaimName", "resourceClaimTemplateName") if claim.get(part) is not None
        ]
        if len(given) > 1:
            text = "at most one of `resourceClaimName` or `resourceClaimTemplateName` may be specified"
            found.append(invalid(place, claim, text))
        elif not given:
            text = "must specify one of: `resourceClaimName`, `resourceClaimTemplateName`"
            found.append(invalid(place, claim, text))
        for part in given:
            found += each_failure(dns_subdomain, claim[part], f"{place}.{part}")
    return found


def _dns_config(spec: Obj, field: str) -> list[Failure]:
    config = spec.get("dnsConfig")
    if spec.get("dnsPolicy") == "None":
        if config is None:
            return [required(field, "must provide `dnsConfig` when `dnsPolicy` is None")]
        if not config.get("nameservers"):
            text = "must provide at least one DNS nameserver when `dnsPolicy` is None"
            return [required(f"{field}.nameservers", text)]
    if not config:
        return []
    found: list[Failure] = []
    servers, searches = config.get("nameservers") or [], config.get("searches") or []
    if len(servers) > 3:
        found.append(invalid(f"{field}.nameservers", servers, "must not have more than 3 nameservers"))
    for index, server in enumerate(servers):
        found += ip_failures(server, f"{field}.nameservers[{index}]")
    if len(searches) > 32:
        found.append(invalid(f"{field}.searches", searches, "must not have more than 32 search paths"))
    if len(" ".join(searches)) > 2048:
        text = "must not have more than 2048 characters (including spaces) in the search list"
        found.append(invalid(f"{field}.searches", searches, text))
    for index, search in enumerate(searches):
        if search != ".":
            place = f"{field}.searches[{index}]"
            found += each_failure(subdomain_with_underscore, search.removesuffix("."), place)
    for index, option in enumerate(config.get("options") or ()):
        if not option.get("name"):
            found.append(required(f"{field}.options[{index}]", "must not be empty"))
    return found


def _gates(spec: Obj, field: str) -> list[Failure]:
    found: list[Failure] = []
    for index, gate in enumerate(spec.get("readinessGates") or ()):
        place = f"{field}.readinessGates[{index}].conditionType"
        found += each_failure(qualified_name, gate.get("conditionType") or "", place)
    names: set[str] = set()
    for index, gate in enumerate(spec.get("schedulingGates") or ()):
        place, name = f"{field}.schedulingGates[{index}]", gate.get("name") or ""
        found += each_failure(qualified_name, name, place)
        if name in names:
            found.append(duplicate(place, name))
        names.add(name)
    return found


def _names(spec: Obj, field: str) -> list[Failure]:
    found: list[Failure] = []
    for name, check in (("serviceAccountName", dns_subdomain), ("nodeName", dns_subdomain)):
        if spec.get(name):
            found += each_failure(check, spec[name], f"{field}.{name}")
    deadline = spec.get("activeDeadlineSeconds")
    if deadline is not None and not 1 <= deadline <= _MAX_SECONDS:
        found.append(invalid(f"{field}.activeDeadlineSeconds", deadline, between(1, _MAX_SECONDS)))
    for name in ("hostname", "subdomain"):
        if spec.get(name):
            found += each_failure(dns_label, spec[name], f"{field}.{name}")
    return found


def _rest(spec: Obj, field: str) -> list[Failure]:
    found: list[Failure] = []
    for index, alias in enumerate(spec.get("hostAliases") or ()):
        place = f"{field}.hostAliases[{index}]"
        found += ip_failures(alias.get("ip") or "", f"{place}.ip")
        for at, name in enumerate(alias.get("hostnames") or ()):
            found += each_failure(dns_subdomain, name, f"{place}.hostnames[{at}]")
    if spec.get("priorityClassName"):
        found += each_failure(dns_subdomain, spec["priorityClassName"], f"{field}.priorityClassName")
    if spec.get("runtimeClassName") is not None:
        found += each_failure(dns_subdomain, spec["runtimeClassName"], f"{field}.runtimeClassName")
    preemption = spec.get("preemptionPolicy")
    if preemption is not None and preemption not in _PREEMPTIONS:
        place = f"{field}.preemptionPolicy"
        found.append(unsupported(place, preemption, _PREEMPTIONS) if preemption else required(place))
    if spec.get("overhead"):
        found += requirement_failures({"limits": spec["overhead"]}, f"{field}.overhead")
    system = spec.get("os")
    if system is not None and system.get("name") not in ("linux", "windows"):
        place = f"{field}.os"
        if not system.get("name"):
            found.append(required(f"{place}.name", "cannot be empty"))
        else:
            found.append(unsupported(place, system["name"], ("linux", "windows")))
    return found


def pod_failures(pod: Obj) -> list[Failure]:
    """Check a Pod."""
    spec = pod["spec"]
    found = spec_failures(spec, "spec", pod_name=pod["metadata"].get("name") or "", is_pod=True)
    if not spec.get("serviceAccountName"):
        found += _tokens(spec)
    for kind in ("containers", "initContainers"):
        for index, container in enumerate(spec.get(kind) or ()):
            found += image_failures(container, f"spec.{kind}[{index}]")
    return found


def pod_create_failures(pod: Obj) -> list[Failure]:
    """Check a new Pod."""
    spec = pod["spec"]
    found = pod_failures(pod)
    if spec.get("ephemeralContainers"):
        found.append(forbidden("spec.ephemeralContainers", "cannot be set on create"))
    if spec.get("nodeName") and spec.get("schedulingGates"):
        text = "cannot be set until all schedulingGates have been cleared"
        found.append(forbidden("spec.nodeName", text))
    return found


def _tokens(spec: Obj) -> list[Failure]:
    text = "must not be specified when serviceAccountName is not set"
    return [
        forbidden(f"spec.volumes[{index}].projected.sources[{at}].serviceAccountToken", text)
        for index, volume in enumerate(spec.get("volumes") or ())
        for at, source in enumerate((volume.get("projected") or {}).get("sources") or ())
        if source.get("serviceAccountToken") is not None
    ]


# Updates ------------------------------------------------------------------------------------------


def pod_update_failures(new: Obj, old: Obj) -> list[Failure]:
    """Check what changes of a Pod: images and a few fields more."""
    after, before = new["spec"], old["spec"]
    found: list[Failure] = []
    for kind in ("containers", "initContainers"):
        if len(after.get(kind) or ()) != len(before.get(kind) or ()):
            return [forbidden(f"spec.{kind}", "pod updates may not add or remove containers")]
    found += _deadline(after.get("activeDeadlineSeconds"), before.get("activeDeadlineSeconds"))
    found += _only_added(after.get("tolerations") or (), before.get("tolerations") or ())
    gates = {gate.get("name") for gate in before.get("schedulingGates") or ()}
    for index, gate in enumerate(after.get("schedulingGates") or ()):
        if gate.get("name") not in gates:
            text = f"only deletion is allowed, but found new scheduling gate '{gate.get('name')}'"
            found.append(forbidden(f"spec.schedulingGates[{index}].name", text))
    if after == before:
        return found
    munged = _munged(after, before)
    if gates:
        found += _gated(munged, before)
    if munged != before:
        found.append(forbidden("spec", _FROZEN))
    return found


def _deadline(after: int | None, before: int | None) -> list[Failure]:
    place = "spec.activeDeadlineSeconds"
    if after is None:
        text = "must not update from a positive integer to nil value"
        return [] if before is None else [invalid(place, None, text)]
    if not 0 <= after <= _MAX_SECONDS:
        return [invalid(place, after, between(0, _MAX_SECONDS))]
    if before is not None and before < after:
        return [invalid(place, after, "must be less than or equal to previous value")]
    return []


def _only_added(after: Sequence[Obj], before: Sequence[Obj]) -> list[Failure]:
    def lasting(toleration: Obj) -> Obj:
        return {key: value for key, value in toleration.items() if key != "tolerationSeconds"}

    there = [lasting(each) for each in after]
    if all(lasting(each) in there for each in before):
        return []
    text = "existing toleration can not be modified except its tolerationSeconds"
    return [forbidden("spec.tolerations", text)]


def _munged(after: Obj, before: Obj) -> Obj:
    """Return the new spec with everything that may change as it was."""
    munged = dict(after)
    for kind in ("containers", "initContainers"):
        if after.get(kind):
            pairs = zip(after[kind], before[kind], strict=True)
            munged[kind] = [{**new, "image": old.get("image")} for new, old in pairs]
    for name in ("activeDeadlineSeconds", "tolerations", "schedulingGates"):
        munged.pop(name, None)
        if name in before:
            munged[name] = before[name]
    grace = before.get("terminationGracePeriodSeconds")
    if grace is not None and grace < 0 and after.get("terminationGracePeriodSeconds") == 1:
        munged["terminationGracePeriodSeconds"] = grace
    return munged


def _gated(munged: Obj, before: Obj) -> list[Failure]:
    """A Pod that waits at a gate may be narrowed down; what was allowed is set back in `munged`."""
    found: list[Failure] = []
    had, has = before.get("nodeSelector") or {}, munged.get("nodeSelector") or {}
    if had != has:
        if any(has.get(key) != value for key, value in had.items()):
            text = "only additions to spec.nodeSelector are allowed (no mutations or deletions)"
            found.append(invalid("spec.nodeSelector", has, text))
        _restore(munged, before, "nodeSelector")
    node = "nodeAffinity"
    was, now = (each.get("affinity") or {} for each in (before, munged))
    if was.get(node) != now.get(node):
        found += _narrowed(now.get(node) or {}, was.get(node) or {})
        affinity = {key: value for key, value in now.items() if key != node}
        if node in was:
            affinity[node] = was[node]
        munged["affinity"] = affinity
        if not affinity or affinity == was:
            _restore(munged, before, "affinity")
    return found


def _restore(munged: Obj, before: Obj, name: str) -> None:
    munged.pop(name, None)
    if name in before:
        munged[name] = before[name]


def _narrowed(now: Obj, was: Obj) -> list[Failure]:
    field, needed = "spec.affinity.nodeAffinity", "requiredDuringSchedulingIgnoredDuringExecution"
    before, after = was.get(needed), now.get(needed)
    if before is None:
        return []
    terms, new_terms = before.get("nodeSelectorTerms") or [], (after or {}).get("nodeSelectorTerms") or []
    place = f"{field}.{needed}.nodeSelectorTerms"
    if after is None or len(terms) != len(new_terms):
        text = "no additions/deletions to non-empty NodeSelectorTerms list are allowed"
        return [invalid(place, new_terms, text)]
    found: list[Failure] = []
    for index, (old, new) in enumerate(zip(terms, new_terms, strict=True)):
        for kind in ("matchExpressions", "matchFields"):
            had, has = old.get(kind) or [], new.get(kind) or []
            if has[: len(had)] != had:
                text = "only additions are allowed (no mutations or deletions)"
                found.append(invalid(f"{place}[{index}]", new, text))
    return found


# Status and subresources --------------------------------------------------------------------------


def pod_status_failures(new: Obj, old: Obj) -> list[Failure]:
    """Check a new status of a Pod."""
    after, before = new.get("status") or {}, old.get("status") or {}
    found: list[Failure] = []
    for index, condition in enumerate(after.get("conditions") or ()):
        kind = condition.get("type") or ""
        if kind not in ("PodScheduled", "Ready", "Initialized"):
            found += each_failure(qualified_name, kind, f"metadata.conditions[{index}].Type")
    if after.get("nominatedNodeName") and after.get("nominatedNodeName") != before.get("nominatedNodeName"):
        found += each_failure(dns_subdomain, after["nominatedNodeName"], "status.nominatedNodeName")
    if before.get("qosClass") and after.get("qosClass") != before["qosClass"]:
        found.append(invalid("status.qosClass", after.get("qosClass") or "", "field is immutable"))
    policy = old["spec"].get("restartPolicy")
    sidecars = {
        each.get("name")
        for each in old["spec"].get("initContainers") or ()
        if each.get("restartPolicy") == "Always"
    }
    for kind, rule in (
        ("containerStatuses", policy),
        ("initContainerStatuses", policy),
        ("ephemeralContainerStatuses", "Never"),
    ):
        found += _transitions(after.get(kind) or (), before.get(kind) or (), f"status.{kind}", rule, sidecars)
    for index, each in enumerate(after.get("podIPs") or ()):
        found += ip_failures(each.get("ip") or "", f"status.podIPs[{index}]")
    hosts = after.get("hostIPs") or ()
    if hosts and (after.get("hostIP") or "") != hosts[0].get("ip"):
        found.append(invalid("status.hostIPs[0].ip", hosts[0].get("ip") or "", "must be equal to `hostIP`"))
    for index, each in enumerate(hosts):
        found += ip_failures(each.get("ip") or "", f"status.hostIPs[{index}]")
    return found


def _transitions(
    after: Sequence[Obj], before: Sequence[Obj], field: str, policy: Any, sidecars: set[Any]
) -> list[Failure]:
    if policy == "Always":
        return []
    there = {status.get("name"): status for status in after}
    found: list[Failure] = []
    for index, status in enumerate(before):
        ended = (status.get("state") or {}).get("terminated")
        name = status.get("name")
        restarts = ended is not None and ended.get("exitCode") and policy == "OnFailure"
        if ended is None or restarts or name in sidecars or name not in there:
            continue
        if (there[name].get("state") or {}).get("terminated") is None:
            text = "may not be transitioned to non-terminated state"
            found.append(forbidden(f"{field}[{index}].state", text))
    return found


def ephemeral_update_failures(new: Obj, old: Obj) -> list[Failure]:
    """Check that ephemeral containers were only added."""
    after = {each.get("name"): each for each in new["spec"].get("ephemeralContainers") or ()}
    found = pod_failures(new)
    for each in old["spec"].get("ephemeralContainers") or ():
        name = each.get("name")
        if name not in after:
            text = f'existing ephemeral containers "{name}" may not be removed\n'
            found.append(forbidden("spec.ephemeralContainers", text))
        elif after[name] != each:
            text = f'existing ephemeral containers "{name}" may not be changed\n'
            found.append(forbidden("spec.ephemeralContainers", text))
    return found
