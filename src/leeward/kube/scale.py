"""Scales: the replicas of an object in one shape, wherever its kind keeps them.

Source: ``autoscaling/v1`` Scale; the registries of apps/v1; scaleFromCustomResource in
k8s.io/apiextensions-apiserver/pkg/registry/customresource/etcd.go (Kubernetes 1.36).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from leeward.kube.objects import Obj
from leeward.kube.status import StatusError

SCALE_VERSION = "autoscaling/v1"
_META = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")


class ScalePaths(NamedTuple):
    """Where a custom kind keeps what a Scale shows: ``.spec.size``; a selector path of "" is none."""

    replicas: str
    observed: str
    selector: str = ""


def scale_paths(version: Mapping[str, Any]) -> ScalePaths | None:
    """Return where a version of a CustomResourceDefinition keeps replicas; None: it cannot be scaled."""
    scale = (version.get("subresources") or {}).get("scale")
    if not scale:
        return None
    paths = (scale.get(key) or "" for key in ("specReplicasPath", "statusReplicasPath", "labelSelectorPath"))
    return ScalePaths(*paths)


def replicas_at(obj: Obj, path: str) -> int | None:
    """Return the number at `path`; None: there is none."""
    found = _at(obj, path)
    return found if isinstance(found, int) and not isinstance(found, bool) else None


def with_replicas(obj: Obj, replicas: Any, paths: ScalePaths | None) -> Obj:
    """Return `obj` with its replicas set."""
    steps = ["spec", "replicas"] if paths is None else _steps(paths.replicas)
    return _with(obj, steps, replicas)


def scale_of(obj: Obj, paths: ScalePaths | None = None) -> Obj:
    """Return the Scale of an object; without `paths`, of a workload of Kubernetes' own.

    Raises:
        StatusError: a custom resource has no number of replicas.
    """
    if paths is None:
        replicas, observed, selector = _of_workload(obj)
    else:
        found = replicas_at(obj, paths.replicas)
        if found is None:
            text = f'the spec replicas field "{paths.replicas}" does not exist'
            raise StatusError(f"Internal error occurred: {text}", details={"causes": [{"message": text}]})
        chosen = _at(obj, paths.selector) if paths.selector else ""
        replicas, observed = found, replicas_at(obj, paths.observed) or 0
        selector = chosen if isinstance(chosen, str) else ""
    meta = obj["metadata"]
    return {
        "kind": "Scale",
        "apiVersion": SCALE_VERSION,
        "metadata": {key: meta[key] for key in _META if key in meta},
        "spec": {"replicas": replicas} if replicas else {},
        "status": {"replicas": observed, **({"selector": selector} if selector else {})},
    }


def _of_workload(obj: Obj) -> tuple[int, int, str]:
    spec: dict[str, Any] = obj.get("spec") or {}
    observed = (obj.get("status") or {}).get("replicas", 0)
    return spec.get("replicas", 1), observed, selector_text(spec.get("selector") or {})


def _steps(path: str) -> list[str]:
    return path.removeprefix(".").split(".")


def _at(obj: Any, path: str) -> Any:
    for step in _steps(path):
        obj = obj.get(step) if isinstance(obj, dict) else None
    return obj


def _with(obj: Any, steps: list[str], value: Any) -> dict[str, Any]:
    inner = obj if isinstance(obj, dict) else {}
    head, *rest = steps
    return {**inner, head: _with(inner.get(head), rest, value) if rest else value}


def selector_text(selector: Mapping[str, Any]) -> str:
    """Return a label selector as it is written in a URL, or the plain labels that one asks for."""
    if "matchLabels" not in selector and "matchExpressions" not in selector:
        return ",".join(f"{key}={value}" for key, value in sorted(selector.items()))
    parts = [(key, f"{key}={value}") for key, value in (selector.get("matchLabels") or {}).items()]
    for rule in selector.get("matchExpressions") or ():
        values = f" ({','.join(sorted(rule.get('values') or ()))})"
        shown = {"In": f" in{values}", "NotIn": f" notin{values}", "Exists": ""}.get(rule["operator"])
        text = f"!{rule['key']}" if shown is None else f"{rule['key']}{shown}"
        parts.append((rule["key"], text))
    return ",".join(text for _, text in sorted(parts))
