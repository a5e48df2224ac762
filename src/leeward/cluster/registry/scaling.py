"""Writing the ``scale`` subresource: what a Scale changes in the object that it is of.

Source: scaleUpdatedObjectInfo in k8s.io/apiextensions-apiserver/pkg/registry/customresource/etcd.go and
ValidateScaleSpec, ValidateScaleStatus in its validator.go; pkg/registry/apps (Kubernetes 1.36).
"""

from __future__ import annotations

from collections.abc import Iterator

from leeward.cluster.registry.failures import Failure, invalid, raise_if_any
from leeward.kube.objects import Obj
from leeward.kube.resources import Resource
from leeward.kube.scale import ScalePaths, replicas_at, scale_of, with_replicas
from leeward.kube.status import BadRequestError

_SCALE = Resource("scales.autoscaling", "autoscaling", "Scale", namespaced=True)
_MAX_REPLICAS = 2**31 - 1
_UNSET = -(2**31)  # of replicas that there are none of


def scale_to_patch(obj: Obj, paths: ScalePaths | None) -> Obj:
    """Return the Scale of an object, to be patched; a custom resource without replicas has an odd number."""
    missing = paths is not None and replicas_at(obj, paths.replicas) is None
    return scale_of(with_replicas(obj, _UNSET, paths) if missing else obj, paths)


def scaled(obj: Obj, scale: Obj, paths: ScalePaths | None) -> Obj:
    """Return `obj` with the replicas, and expecting the resourceVersion, of `scale`.

    Raises:
        BadRequestError: a custom resource has no replicas and is given none.
        InvalidError: a workload would have less than none; of a custom resource its rules say so.
    """
    replicas = (scale.get("spec") or {}).get("replicas", 0)
    if paths is not None and replicas == _UNSET:
        raise BadRequestError(f'the spec replicas field "{paths.replicas}" cannot be empty')
    if paths is None and replicas < 0:
        detail = "must be greater than or equal to 0"
        raise_if_any(_SCALE, obj["metadata"]["name"], [invalid("spec.replicas", replicas, detail)])
    expected = scale["metadata"].get("resourceVersion")
    new = {**obj, "metadata": {**obj["metadata"], "resourceVersion": expected}}
    return with_replicas(new, replicas, paths)


def kept_scale(old: Obj | None, new: Obj, paths: ScalePaths | None) -> Obj:
    """Return what an applied Scale made of an object, with no replicas where it took away their number."""
    if paths is None or old is None or replicas_at(old, paths.replicas) is None:
        return new
    return new if replicas_at(new, paths.replicas) is not None else with_replicas(new, 0, paths)


def scale_failures(obj: Obj, paths: ScalePaths | None) -> Iterator[Failure]:
    """Yield what is wrong with the numbers that the Scale of a custom resource shows."""
    for path in () if paths is None else (paths.replicas, paths.observed):
        found = replicas_at(obj, path) or 0
        if found < 0:
            yield invalid(path, found, "should be a non-negative integer")
        elif found > _MAX_REPLICAS:
            yield invalid(path, found, f"should be less than or equal to {_MAX_REPLICAS}")
