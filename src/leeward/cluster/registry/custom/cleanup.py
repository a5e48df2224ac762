"""A definition goes with its objects, and after the last of them.

Source: k8s.io/apiextensions-apiserver/pkg/controller/finalizer/crd_finalizer.go (Kubernetes 1.36).
"""

from __future__ import annotations

from datetime import datetime

from leeward.kube.conditions import with_condition
from leeward.kube.objects import Obj, format_time, is_terminating
from leeward.kube.resources import Resource, custom_resources
from leeward.kube.status import ForbiddenError

CLEANUP = "customresourcecleanup.apiextensions.k8s.io"


def resource_of(definition: Obj) -> Resource:
    """Return the resource of a definition that goes; of one that cannot be read what its name says."""
    name: str = definition["metadata"]["name"]
    for resource in custom_resources([definition]):
        if resource.name == name:
            return resource
    plural, _, group = name.partition(".")
    return Resource(name, group, plural, namespaced=True)


def going(definition: Obj, now: datetime) -> Obj:
    """Return a definition on its way out: its objects are deleted first."""
    meta = dict(definition["metadata"])
    meta.setdefault("deletionTimestamp", format_time(now))
    finalizers = list(meta.get("finalizers") or ())
    meta["finalizers"] = finalizers if CLEANUP in finalizers else [*finalizers, CLEANUP]
    condition = {
        "type": "Terminating",
        "status": "True",
        "reason": "InstanceDeletionPending",
        "message": "CustomResourceDefinition marked for deletion; CustomResource deletion will begin soon",
    }
    return with_condition({**definition, "metadata": meta}, condition, now)


def released(definition: Obj) -> Obj:
    """Return a definition whose objects are gone."""
    meta = dict(definition["metadata"])
    meta["finalizers"] = [name for name in meta.get("finalizers") or () if name != CLEANUP]
    return {**definition, "metadata": meta}


def check_creatable(definition: Obj | None, resource: Resource, name: str) -> None:
    """Refuse new objects of a definition that is going.

    Raises:
        ForbiddenError: it is.
    """
    if definition is None or not is_terminating(definition):
        return
    text = "create not allowed while custom resource definition is terminating"
    raise ForbiddenError(
        f'{resource.name} "{name}" is forbidden: {text}',
        details={"name": name, "group": resource.group, "kind": resource.plural},
    )
