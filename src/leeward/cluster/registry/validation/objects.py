"""Kinds with few rules: configuration, nodes, namespaces, leases, events, certificates, access.

Source: pkg/apis/{core,coordination,events,certificates,rbac}/validation (Kubernetes 1.36).
"""

from __future__ import annotations

import base64
import binascii
import json
from typing import Any

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm

from leeward.cluster.registry.failures import (
    Failure,
    duplicate,
    forbidden,
    go_struct,
    invalid,
    required,
    too_long,
    unsupported,
)
from leeward.cluster.registry.validation.formats import (
    cidr_failures,
    config_key,
    dns_label,
    dns_subdomain,
    each_failure,
    label_value,
    parse_cidr,
    path_segment,
    qualified_name,
)
from leeward.cluster.registry.validation.resources import quantity_failures
from leeward.cluster.registry.validation.scheduling import EFFECTS
from leeward.kube.objects import Obj

_IMMUTABLE = "field is immutable"
_FROZEN = "field is immutable when `immutable` is set"
_MAX_DATA = 1024 * 1024
RBAC_GROUP = "rbac.authorization.k8s.io"


def config_map_failures(obj: Obj) -> list[Failure]:
    """Check a ConfigMap."""
    data, binary = obj.get("data") or {}, obj.get("binaryData") or {}
    found: list[Failure] = []
    size = 0
    for key, value in data.items():
        place = f"data[{key}]"
        found += each_failure(config_key, key, place)
        if key in binary:
            found.append(invalid(place, key, "duplicate of key present in binaryData"))
        size += len(str(value).encode())
    for key, value in binary.items():
        found += each_failure(config_key, key, f"binaryData[{key}]")
        size += len(value or "") * 3 // 4
    if size > _MAX_DATA:
        found.append(too_long("", _MAX_DATA))
    return found


def _frozen_failures(new: Obj, old: Obj) -> list[Failure]:
    if old.get("immutable") is not True:
        return []
    found = [] if new.get("immutable") is True else [forbidden("immutable", _FROZEN)]
    return found + [
        forbidden(name, _FROZEN)
        for name in ("data", "binaryData")
        if (new.get(name) or {}) != (old.get(name) or {})
    ]


def config_map_update_failures(new: Obj, old: Obj) -> list[Failure]:
    """Check that what is marked immutable stays what it is."""
    return _frozen_failures(new, old)


_NEEDS = {
    "kubernetes.io/dockercfg": (".dockercfg",),
    "kubernetes.io/dockerconfigjson": (".dockerconfigjson",),
    "kubernetes.io/tls": ("tls.crt", "tls.key"),
    "kubernetes.io/ssh-auth": ("ssh-privatekey",),
}


def secret_failures(obj: Obj) -> list[Failure]:
    """Check a Secret."""
    data, kind = obj.get("data") or {}, obj.get("type") or ""
    found: list[Failure] = []
    size = 0
    for key, value in data.items():
        found += each_failure(config_key, key, f"data[{key}]")
        size += len(value or "") * 3 // 4
    if size > _MAX_DATA:
        found.append(too_long("data", _MAX_DATA))
    if kind == "kubernetes.io/service-account-token":
        name = "kubernetes.io/service-account.name"
        if not (obj["metadata"].get("annotations") or {}).get(name):
            found.append(required(f"metadata.annotations[{name}]"))
    if kind == "kubernetes.io/basic-auth" and not {"username", "password"} & set(data):
        found += [required(f"data[{name}]") for name in ("username", "password")]
    for key in _NEEDS.get(kind, ()):
        place = f"data[{key}]"
        if key not in data:
            found.append(required(place))
        elif key.startswith(".docker") and not _is_json(data[key]):
            found.append(invalid(place, "<secret contents redacted>", "invalid character"))
    return found


def _is_json(encoded: str) -> bool:
    try:
        json.loads(base64.b64decode(encoded))
    except ValueError:
        return False
    return True


def secret_update_failures(new: Obj, old: Obj) -> list[Failure]:
    """Check that a Secret's type stays what it is, and what is marked immutable."""
    found: list[Failure] = []
    if new.get("type") != old.get("type"):
        found.append(invalid("type", new.get("type"), _IMMUTABLE))
    return found + _frozen_failures(new, old)


def node_failures(obj: Obj) -> list[Failure]:
    """Check a Node."""
    spec, status = obj.get("spec") or {}, obj.get("status") or {}
    found = _taints(spec.get("taints") or (), "metadata.taints")
    found += [f for part in ("capacity", "allocatable")
              for name, value in (status.get(part) or {}).items()
              for f in quantity_failures(value, f"status.{part}.{name}")]  # fmt: skip
    ranges = spec.get("podCIDRs") or ([spec["podCIDR"]] if spec.get("podCIDR") else [])
    for index, text in enumerate(ranges):
        found += cidr_failures(text, f"spec.podCIDRs[{index}]")
    if len(ranges) > 1:
        versions = {getattr(parse_cidr(text), "version", None) for text in ranges}
        if len(ranges) > 2 or len(versions) < 2:
            text = "may specify no more than one CIDR for each IP family"
            found.append(invalid("spec.podCIDRs", ranges, text))
    return found


def _taints(taints: Any, field: str) -> list[Failure]:
    found: list[Failure] = []
    seen: set[tuple[str, str]] = set()
    for index, taint in enumerate(taints):
        place = f"{field}[{index}]"
        key, value, effect = taint.get("key") or "", taint.get("value") or "", taint.get("effect") or ""
        found += each_failure(qualified_name, key, f"{place}.key")
        wrong = label_value(value)
        if wrong:
            found.append(invalid(f"{place}.value", value, ";".join(wrong)))
        if effect not in EFFECTS:
            wanted = f"{place}.effect"
            found.append(unsupported(wanted, effect, EFFECTS) if effect else required(wanted))
        if (key, effect) in seen:
            shown = go_struct(taint, Key="", Value="", Effect="", TimeAdded=None)
            text = "taints must be unique by key and effect pair"
            found.append(duplicate(place, shown, text))
        seen.add((key, effect))
    return found


def node_update_failures(new: Obj, old: Obj) -> list[Failure]:
    """Check that a node's network and provider stay what they are."""
    after, before = new.get("spec") or {}, old.get("spec") or {}
    found: list[Failure] = []
    had, has = before.get("podCIDRs") or [], after.get("podCIDRs") or []
    if had and has != had:
        text = 'node updates may not change podCIDR except from "" to valid'
        found.append(forbidden("spec.podCIDRs", text))
    if before.get("providerID") and after.get("providerID") != before["providerID"]:
        text = 'node updates may not change providerID except from "" to valid'
        found.append(forbidden("spec.providerID", text))
    return found


def namespace_failures(obj: Obj) -> list[Failure]:
    """Check a Namespace."""
    found: list[Failure] = []
    for name in (obj.get("spec") or {}).get("finalizers") or ():
        place = "spec.finalizers"
        found += each_failure(qualified_name, name, place)
        if "/" not in name and name not in ("kubernetes", "foregroundDeletion", "orphan"):
            text = "name is neither a standard finalizer name nor is it fully qualified"
            found.append(invalid(place, name, text))
    return found


def lease_failures(obj: Obj) -> list[Failure]:
    """Check a Lease."""
    spec = obj.get("spec") or {}
    duration, count = spec.get("leaseDurationSeconds"), spec.get("leaseTransitions")
    found: list[Failure] = []
    if duration is not None and duration <= 0:
        found.append(invalid("spec.leaseDurationSeconds", duration, "must be greater than 0"))
    if count is not None and count < 0:
        found.append(invalid("spec.leaseTransitions", count, "must be greater than or equal to 0"))
    strategies, strategy = ("OldestEmulationVersion",), spec.get("strategy")
    if strategy is not None and strategy not in strategies and "/" not in strategy:
        found.append(unsupported("spec.strategy", strategy, strategies))
    return found


# Access -------------------------------------------------------------------------------------------


def role_failures(obj: Obj) -> list[Failure]:
    """Check a Role, whose rules are about its namespace."""
    return _rules(obj.get("rules") or (), namespaced=True)


def cluster_role_failures(obj: Obj) -> list[Failure]:
    """Check a ClusterRole."""
    found = _rules(obj.get("rules") or (), namespaced=False)
    aggregation = obj.get("aggregationRule")
    if aggregation is not None and not aggregation.get("clusterRoleSelectors"):
        text = "at least one clusterRoleSelector required if aggregationRule is non-nil"
        found.append(required("aggregationRule.clusterRoleSelectors", text))
    return found


def _rules(rules: Any, *, namespaced: bool) -> list[Failure]:
    found: list[Failure] = []
    for index, rule in enumerate(rules):
        place = f"rules[{index}]"
        if not rule.get("verbs"):
            found.append(required(f"{place}.verbs", "verbs must contain at least one value"))
        urls = rule.get("nonResourceURLs")
        if urls:
            if namespaced:
                text = "namespaced rules cannot apply to non-resource URLs"
                found.append(invalid(f"{place}.nonResourceURLs", urls, text))
            if any(rule.get(name) for name in ("apiGroups", "resources", "resourceNames")):
                text = "rules cannot apply to both regular resources and non-resource URLs"
                found.append(invalid(f"{place}.nonResourceURLs", urls, text))
            continue
        for name in ("apiGroups", "resources"):
            if not rule.get(name):
                text = f"resource rules must supply at least one {_ONE_OF[name]}"
                found.append(required(f"{place}.{name}", text))
    return found


_ONE_OF = {"apiGroups": "api group", "resources": "resource"}


def binding_failures(obj: Obj) -> list[Failure]:
    """Check a RoleBinding."""
    return _binding(obj, ("Role", "ClusterRole"))


def cluster_binding_failures(obj: Obj) -> list[Failure]:
    """Check a ClusterRoleBinding."""
    return _binding(obj, ("ClusterRole",))


def _binding(obj: Obj, kinds: tuple[str, ...]) -> list[Failure]:
    ref = obj.get("roleRef") or {}
    group, kind, name = ref.get("apiGroup") or "", ref.get("kind") or "", ref.get("name") or ""
    found: list[Failure] = []
    if group != RBAC_GROUP:
        found.append(unsupported("roleRef.apiGroup", group, (RBAC_GROUP,)))
    if kind not in kinds:
        found.append(unsupported("roleRef.kind", kind, kinds))
    if not name:
        found.append(required("roleRef.name"))
    else:
        found += each_failure(path_segment, name, "roleRef.name")
    cluster = len(kinds) == 1
    for index, subject in enumerate(obj.get("subjects") or ()):
        found += _subject(subject, f"subjects[{index}]", cluster=cluster)
    return found


def _subject(subject: Obj, field: str, *, cluster: bool) -> list[Failure]:
    kind, name, group = subject.get("kind") or "", subject.get("name") or "", subject.get("apiGroup") or ""
    found = [] if name else [required(f"{field}.name")]
    if kind == "ServiceAccount":
        if name:
            found += each_failure(dns_subdomain, name, f"{field}.name")
        if group:
            found.append(unsupported(f"{field}.apiGroup", group, ("",)))
        if cluster and not subject.get("namespace"):
            found.append(required(f"{field}.namespace"))
    elif kind in ("User", "Group"):
        if group != RBAC_GROUP:
            found.append(unsupported(f"{field}.apiGroup", group, (RBAC_GROUP,)))
    else:
        found.append(unsupported(f"{field}.kind", kind, ("Group", "ServiceAccount", "User")))
    return found


def binding_update_failures(new: Obj, old: Obj) -> list[Failure]:
    """Check that a binding keeps its role."""
    if new.get("roleRef") == old.get("roleRef"):
        return []
    shown = go_struct(new.get("roleRef"), APIGroup="", Kind="", Name="")
    return [invalid("roleRef", shown, "cannot change roleRef")]


# Certificates -------------------------------------------------------------------------------------

_USAGES = (
    "any", "cert sign", "client auth", "code signing", "content commitment", "crl sign",
    "data encipherment", "decipher only", "digital signature", "email protection", "encipher only",
    "ipsec end system", "ipsec tunnel", "ipsec user", "key agreement", "key encipherment",
    "microsoft sgc", "netscape sgc", "ocsp signing", "s/mime",
    "server auth", "signing", "timestamping",
)  # fmt: skip


def signing_request_failures(obj: Obj) -> list[Failure]:
    """Check a CertificateSigningRequest."""
    spec = obj.get("spec") or {}
    found = _request(spec.get("request"))
    usages = spec.get("usages") or ()
    if not usages:
        found.append(required("spec.usages"))
    for index, usage in enumerate(usages):
        if usage not in _USAGES:
            found.append(unsupported(f"spec.usages[{index}]", usage, _USAGES))
        if usage in usages[:index]:
            found.append(duplicate(f"spec.usages[{index}]", usage))
    found += signer_failures(spec.get("signerName") or "", "spec.signerName")
    seconds = spec.get("expirationSeconds")
    if seconds is not None and seconds < 600:
        text = "may not specify a duration less than 600 seconds (10 minutes)"
        found.append(invalid("spec.expirationSeconds", seconds, text))
    return found


def _request(encoded: str | None) -> list[Failure]:
    place = "spec.request"
    try:
        content = base64.b64decode(encoded or "")
    except binascii.Error:
        content = b""
    if b"-----BEGIN CERTIFICATE REQUEST-----" not in content:
        return [invalid(place, encoded or None, "PEM block type must be CERTIFICATE REQUEST")]
    try:
        asked = x509.load_pem_x509_csr(content)
        signed = asked.is_signature_valid
    except (ValueError, UnsupportedAlgorithm) as error:
        return [invalid(place, encoded, str(error))]
    return [] if signed else [invalid(place, encoded, "x509: verification failure of the signature")]


def signer_failures(name: str, field: str) -> list[Failure]:
    """Check a name of a signer."""
    if not name:
        return [required(field)]
    domain, slash, path = name.partition("/")
    if not slash or not domain or not path:
        text = "must be a fully qualified domain and path of the form 'example.com/signer-name'"
        return [invalid(field, name, text)]
    found = [invalid(field, domain, f"validating label \"{label}\": {why}")
             for label in domain.split(".") for why in dns_label(label)]  # fmt: skip
    if len(domain.split(".")) < 2:
        text = "should be a domain with at least two segments separated by dots"
        found.append(invalid(field, domain, text))
    found += [invalid(field, path, why) for why in dns_subdomain(path)]
    return [*found, too_long(field, 571)] if len(name) > 571 else found
