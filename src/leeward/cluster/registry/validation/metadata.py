"""Metadata of every object: names, namespaces, labels, annotations, owners, finalizers, and what stays.

Source: k8s.io/apimachinery/pkg/api/validation/objectmeta.go (Kubernetes 1.36).
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from leeward.cluster.registry.failures import Failure, GoStruct, forbidden, invalid, required
from leeward.cluster.registry.validation.formats import (
    FORMS,
    Form,
    annotation_failures,
    dns_label,
    each_failure,
    label_failures,
    name_failures,
    qualified_name,
)
from leeward.kube.objects import Obj
from leeward.kube.resources import Resource

_EVENT = ("v1", "Event")
_NOT_EMPTY = "must not be empty"


def meta_failures(resource: Resource, obj: Obj) -> list[Failure]:
    """Check the metadata of an object."""
    meta, form = obj["metadata"], FORMS.get(resource.name, "subdomain")
    found: list[Failure] = []
    if meta.get("generateName"):
        found += _prefix_failures(meta["generateName"], form)
    found += name_failures(meta["name"], "metadata.name", form)
    if resource.namespaced:
        found += each_failure(dns_label, meta.get("namespace") or "", "metadata.namespace")
    found += label_failures(meta.get("labels"), "metadata.labels")
    found += annotation_failures(meta.get("annotations"), "metadata.annotations")
    if meta.get("ownerReferences"):
        found += owner_failures(meta["ownerReferences"], "metadata.ownerReferences")
    if meta.get("finalizers"):
        found += finalizer_failures(meta["finalizers"], "metadata.finalizers")
    return found


def _prefix_failures(prefix: str, form: Form) -> list[Failure]:
    """Check the beginning of a generated name, which may end with a dash."""
    masked = prefix
    if form != "path" and len(prefix) > 1 and prefix.endswith("-"):
        masked = prefix[:-2] + "a"
    found = name_failures(masked, "metadata.generateName", form)
    return [
        Failure(each.field, each.reason, each.message.replace(json.dumps(masked), json.dumps(prefix), 1))
        for each in found
    ]


def owner_failures(references: Sequence[Obj], field: str) -> list[Failure]:
    """Check the owners of an object, of which one controls it."""
    found: list[Failure] = []
    controller = ""
    for index, each in enumerate(references):
        found += _owner(each, f"{field}[{index}]")
        if not each.get("controller"):
            continue
        name = f"{each.get('kind') or ''}/{each.get('name') or ''}"
        if controller:
            text = 'Only one reference can have Controller set to true. Found "true" in references for'
            shown = [_shown(reference) for reference in references]
            found.append(invalid(field, shown, f"{text} {controller} and {name}"))
        else:
            controller = name
    return found


def _owner(reference: Obj, field: str) -> list[Failure]:
    found: list[Failure] = []
    version = reference.get("apiVersion") or ""
    group, _, last = version.rpartition("/")
    if not version:
        found.append(required(f"{field}.apiVersion", _NOT_EMPTY))
    elif not last or "/" in group:
        found.append(invalid(f"{field}.apiVersion", version, "must be <group>/<version> or <version>"))
    found += [
        required(f"{field}.{name}", _NOT_EMPTY) for name in ("kind", "name", "uid") if not reference.get(name)
    ]
    if (version, reference.get("kind")) == _EVENT:
        text = "/v1, Kind=Event is disallowed from being an owner"
        found.append(invalid(field, _shown(reference), text))
    return found


def _shown(reference: Obj) -> GoStruct:
    shown = GoStruct((name, reference.get(name) or "") for name in ("apiVersion", "kind", "name", "uid"))
    optional = ("controller", "blockOwnerDeletion")
    shown.update((name, reference[name]) for name in optional if name in reference)
    return shown


def finalizer_failures(finalizers: Sequence[str], field: str) -> list[Failure]:
    """Check names of finalizers; an object cannot take along and orphan what it owns."""
    found = [each for name in finalizers for each in each_failure(qualified_name, name, field)]
    if "orphan" in finalizers and "foregroundDeletion" in finalizers:
        text = "finalizer orphan and foregroundDeletion cannot be both set"
        found.append(invalid(field, list(finalizers), text))
    return found


def meta_update_failures(new: Obj, old: Obj) -> list[Failure]:
    """Check that an object on its way out gets no new finalizers; upstream does so twice for most kinds."""
    if not old["metadata"].get("deletionTimestamp"):
        return []
    had = set(old["metadata"].get("finalizers") or ())
    extra = sorted(set(new["metadata"].get("finalizers") or ()) - had)
    if not extra:
        return []
    names = ", ".join(json.dumps(name) for name in extra)
    text = "no new finalizers can be added if the object is being deleted, found new finalizers"
    return [forbidden("metadata.finalizers", f"{text} []string{{{names}}}")]
