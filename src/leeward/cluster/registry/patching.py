"""What the patches make of an object, and of its scale."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from leeward.cluster.interface.client import PatchType
from leeward.cluster.registry.failures import invalid, raise_if_any
from leeward.cluster.registry.identity import check_is_object, check_same
from leeward.kube.objects import Obj
from leeward.kube.patch.json_patch import apply_json_patch
from leeward.kube.patch.merge import apply_merge_patch
from leeward.kube.patch.strategic import apply_strategic_patch
from leeward.kube.resources import Resource

_SCALE = Resource("scales.autoscaling", "autoscaling", "Scale", namespaced=True)


def patched_object(resource: Resource, old: Obj, patch: Any, patch_type: PatchType) -> Any:
    """Return what a patch makes of an object; it may be none any more.

    Raises:
        StatusError: the patch is none, or does not fit.
    """
    appliers: dict[str, Callable[[], Any]] = {
        "json": lambda: apply_json_patch(old, patch),
        "merge": lambda: apply_merge_patch(old, patch),
        "strategic": lambda: apply_strategic_patch(old, patch, resource.api_version, resource.kind),
    }
    return appliers[patch_type]()


def scaled(resource: Resource, old: Obj, patch: Any, patch_type: PatchType) -> Obj:
    """Return an object with the replicas that a patch of its scale says.

    Raises:
        StatusError: the patch is none, or does not fit.
    """
    scale = {"metadata": old["metadata"], "spec": {"replicas": old["spec"].get("replicas", 1)}}
    patched = patched_object(resource, scale, patch, "merge" if patch_type == "strategic" else patch_type)
    check_is_object(patched)
    check_same(resource, {**old["metadata"], **patched["metadata"]}, old["metadata"])
    replicas = (patched.get("spec") or {}).get("replicas", 0)
    if replicas < 0:
        detail = "must be greater than or equal to 0"
        raise_if_any(_SCALE, old["metadata"]["name"], [invalid("spec.replicas", replicas, detail)])
    expected = patched["metadata"].get("resourceVersion")
    return {
        **old,
        "metadata": {**old["metadata"], "resourceVersion": expected},
        "spec": {**old["spec"], "replicas": replicas},
    }
