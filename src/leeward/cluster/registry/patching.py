"""What the patches make of an object, and of its scale."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from leeward.cluster.interface.client import Fit, PatchType
from leeward.cluster.registry.identity import check_is_object, check_same
from leeward.cluster.registry.scaling import scale_to_patch, scaled
from leeward.kube.objects import Obj
from leeward.kube.patch.json_patch import apply_json_patch
from leeward.kube.patch.merge import apply_merge_patch
from leeward.kube.patch.strategic import apply_strategic_patch
from leeward.kube.resources import Resource
from leeward.kube.scale import ScalePaths


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


def patched_scale(
    resource: Resource,
    old: Obj,
    patch: Any,
    patch_type: PatchType,
    paths: ScalePaths | None,
    fit: Fit | None,
) -> Obj:
    """Return an object with the replicas that a patch of its scale says; `fit` makes the result a Scale.

    Raises:
        StatusError: the patch is none, or does not fit.
    """
    scale = scale_to_patch(old, paths)
    patched = patched_object(resource, scale, patch, "merge" if patch_type == "strategic" else patch_type)
    check_is_object(patched)
    patched = fit(patched) if fit is not None else patched
    check_same(resource, {**old["metadata"], **patched["metadata"]}, old["metadata"])
    return scaled(old, patched, paths)
