"""Which writes a webhook or policy is about: rules, and selectors of namespaces and objects.

Source: k8s.io/apiserver/pkg/admission/plugin/webhook/predicates (Kubernetes 1.36).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from leeward.cluster.interface.client import Reader
from leeward.cluster.registry.admission.attributes import Attributes
from leeward.kube.objects import Obj, labels_of
from leeward.kube.selectors import matches_selector
from leeward.kube.status import NotFoundError

GROUP = "admissionregistration.k8s.io"
EXEMPT = frozenset(
    (
        "ValidatingWebhookConfiguration", "MutatingWebhookConfiguration", "ValidatingAdmissionPolicy",
        "ValidatingAdmissionPolicyBinding", "MutatingAdmissionPolicy", "MutatingAdmissionPolicyBinding",
    )
)  # fmt: skip


def is_exempt(write: Attributes) -> bool:
    """Tell whether a write is about webhooks and policies themselves."""
    return write.resource.group == GROUP and write.resource.kind in EXEMPT


def matching_version(rules: Iterable[Mapping[str, Any]], write: Attributes, versions: Sequence[str]) -> str:
    """Return the first of `versions` in which a rule is about a write; "" for none.

    Args:
        rules: of a webhook or policy.
        write: the write.
        versions: in which its resource is served, that of the request first.
    """
    found = [rule for rule in rules if _matches(rule, write)]
    for version in versions:
        if any(_has(rule.get("apiVersions"), version) for rule in found):
            return version
    return ""


def _matches(rule: Mapping[str, Any], write: Attributes) -> bool:
    resource = write.resource
    scope = rule.get("scope") or "*"
    cluster = not write.namespace or resource.name == "namespaces"
    return (
        (scope == "*" or (scope == "Cluster") == cluster)
        and _has(rule.get("operations"), write.operation)
        and _has(rule.get("apiGroups"), resource.group)
        and (not rule.get("resourceNames") or write.name in rule["resourceNames"])
        and any(_names(each, resource.plural, write.subresource) for each in rule.get("resources") or ())
    )


def _has(items: Sequence[str] | None, wanted: str) -> bool:
    return "*" in (items or ()) or wanted in (items or ())


def _names(text: str, resource: str, subresource: str) -> bool:
    main, _, sub = text.partition("/")
    return main in ("*", resource) and sub in ("*", subresource)


def namespace_of(write: Attributes, reader: Reader) -> Obj | None:
    """Return the namespace that a write is in, or is about; None for other cluster-scoped kinds.

    Raises:
        NotFoundError: it is not there.
    """
    about = write.resource.name == "namespaces"
    if about and not write.subresource and write.operation in ("CREATE", "UPDATE"):
        return write.obj
    name = write.name if about else write.namespace
    if not name:
        return None
    found = reader.find("namespaces", "", name)
    if found is None:
        raise NotFoundError(f'namespaces "{name}" not found', details={"name": name, "kind": "namespaces"})
    return found


def selects_namespace(selector: Obj | None, write: Attributes, reader: Reader) -> bool:
    """Tell whether a selector of namespaces lets a write through; cluster-scoped ones always."""
    if not _says_something(selector):
        return True
    namespace = namespace_of(write, reader)
    return namespace is None or matches_selector(selector, labels_of(namespace))


def selects_object(selector: Obj | None, write: Attributes) -> bool:
    """Tell whether a selector of objects selects what is written, or what is there."""
    if not _says_something(selector):
        return True
    return any(
        matches_selector(selector, (each["metadata"].get("labels") or {}))
        for each in (write.obj, write.old)
        if each and isinstance(each.get("metadata"), dict)
    )


def _says_something(selector: Obj | None) -> bool:
    return bool(selector and (selector.get("matchLabels") or selector.get("matchExpressions")))
