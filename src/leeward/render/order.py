"""The order objects are written and applied in: what others need comes first.

Invariant: the order depends only on kind and name, so one changed line moves nothing else.

Source: the kind order follows ``helm.sh/helm/v3/pkg/releaseutil/kind_sorter.go`` (InstallOrder).
"""

from __future__ import annotations

from collections.abc import Iterable

from leeward.kube.objects import Obj

KINDS = (
    "Namespace",
    "NetworkPolicy",
    "PodDisruptionBudget",
    "ServiceAccount",
    "Secret",
    "ConfigMap",
    "StorageClass",
    "PersistentVolume",
    "PersistentVolumeClaim",
    "Service",
    "DaemonSet",
    "Deployment",
    "HorizontalPodAutoscaler",
    "StatefulSet",
    "Job",
    "CronJob",
    "Ingress",
)
_RANK = {kind: rank for rank, kind in enumerate(KINDS)}


def sort_key(obj: Obj) -> tuple[int, str, str]:
    """Return the place of `obj`: by kind, then by name."""
    return _RANK.get(obj["kind"], len(KINDS)), obj["kind"], obj["metadata"]["name"]


def in_order(objects: Iterable[Obj]) -> list[Obj]:
    """Return `objects` in the order to write and apply them."""
    return sorted(objects, key=sort_key)
