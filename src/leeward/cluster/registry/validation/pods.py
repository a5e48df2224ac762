"""Pods and Pod templates as a whole.

Source: pkg/apis/core/validation/validation.go ValidatePodSpec, ValidatePodCreate, ValidatePodTemplateSpec
(Kubernetes 1.36).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

import orjson

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
from leeward.cluster.registry.validation.operatingsystems import host_process_failures, system_failures
from leeward.cluster.registry.validation.podannotations import (
    pod_annotation_failures,
    profile_match_failures,
)
from leeward.cluster.registry.validation.podresources import pod_resource_failures
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
MAX_SECONDS = 2147483647
_MOST_SOUND, _LONGEST_SOUND = 256, 1 << 15  # templates, bytes of one
_TOKEN_VOLUME, _ANY_TOKEN_VOLUME = re.compile(rb'"kube-api-access-[a-z0-9]{5}"'), b'"kube-api-access-"'
_sound: set[bytes] = set()  # templates that nothing is wrong with


def template_failures(template: Obj, field: str, claims: Iterable[str] = ()) -> list[Failure]:
    """Check a Pod template; `claims` are volumes that every Pod gets besides its own."""
    meta = template.get("metadata") or {}
    found = label_failures(meta.get("labels"), f"{field}.labels")
    found += annotation_failures(meta.get("annotations"), f"{field}.annotations")
    spec = template.get("spec") or {}
    found += pod_annotation_failures(meta, spec, f"{field}.annotations")
    found += spec_failures(spec, f"{field}.spec", {name: {"persistentVolumeClaim": {}} for name in claims})
    found += profile_match_failures(meta, spec, f"{field}.spec", app_armor=False)
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
        found += pod_resource_failures(spec, f"{field}.resources", context.claims)
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
    found += host_process_failures(spec, field)
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
    servers, searches = config.get("nameservers") or [], config.get("searches") or []
    place = f"{field}.nameservers"
    found = [invalid(place, servers, "must not have more than 3 nameservers")] if len(servers) > 3 else []
    for index, server in enumerate(servers):
        found += ip_failures(server, f"{place}[{index}]")
    found += _dns_searches(searches, f"{field}.searches")
    return found + [
        required(f"{field}.options[{index}]", "must not be empty")
        for index, option in enumerate(config.get("options") or ())
        if not option.get("name")
    ]


def _dns_searches(searches: Sequence[str], field: str) -> list[Failure]:
    found: list[Failure] = []
    if len(searches) > 32:
        found.append(invalid(field, searches, "must not have more than 32 search paths"))
    if len(" ".join(searches)) > 2048:
        text = "must not have more than 2048 characters (including spaces) in the search list"
        found.append(invalid(field, searches, text))
    for index, search in enumerate(searches):
        if search != ".":
            found += each_failure(subdomain_with_underscore, search.removesuffix("."), f"{field}[{index}]")
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
    if deadline is not None and not 1 <= deadline <= MAX_SECONDS:
        found.append(invalid(f"{field}.activeDeadlineSeconds", deadline, between(1, MAX_SECONDS)))
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
    return found + system_failures(spec, field)


def pod_failures(pod: Obj) -> list[Failure]:
    """Check a Pod; one that is like another that nothing is wrong with is not looked at again."""
    template = _template(pod)
    if template in _sound:
        return []
    found = _failures(pod)
    if template and not found and len(template) <= _LONGEST_SOUND:
        if len(_sound) >= _MOST_SOUND:
            _sound.clear()
        _sound.add(template)
    return found


def _template(pod: Obj) -> bytes:
    """Return all of a Pod that is checked here; empty where that cannot be told."""
    meta, spec = pod["metadata"], pod["spec"]
    named = any(isinstance(each, dict) and "ephemeral" in each for each in spec.get("volumes") or ())
    try:
        text = orjson.dumps((meta.get("annotations"), spec, meta.get("name") if named else None))
    except TypeError:
        return b""
    given = set(_TOKEN_VOLUME.findall(text))  # admission names it, in every Pod another way
    return text.replace(given.pop(), _ANY_TOKEN_VOLUME) if len(given) == 1 else text


def _failures(pod: Obj) -> list[Failure]:
    spec = pod["spec"]
    found = pod_annotation_failures(pod["metadata"], spec, "metadata.annotations")
    found += spec_failures(spec, "spec", pod_name=pod["metadata"].get("name") or "", is_pod=True)
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
    return found + profile_match_failures(pod["metadata"], spec, "spec", app_armor=True)


def _tokens(spec: Obj) -> list[Failure]:
    text = "must not be specified when serviceAccountName is not set"
    return [
        forbidden(f"spec.volumes[{index}].projected.sources[{at}].serviceAccountToken", text)
        for index, volume in enumerate(spec.get("volumes") or ())
        for at, source in enumerate((volume.get("projected") or {}).get("sources") or ())
        if source.get("serviceAccountToken") is not None
    ]
