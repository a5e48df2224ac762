"""The ``scale`` subresource: an object's replicas in one shape for every kind.

Source: ``autoscaling/v1`` Scale; the registries of apps/v1 (1.36).
"""

from __future__ import annotations

from typing import Any

from leeward.kube.objects import Obj
from leeward.kube.status import BadRequestError

SCALE_VERSION = "autoscaling/v1"


def check_is_scale(body: Obj) -> None:
    """Refuse what is no Scale.

    Raises:
        BadRequestError: it is something else.
    """
    version, kind = body.get("apiVersion") or SCALE_VERSION, body.get("kind") or "Scale"
    if kind != "Scale":
        short = version.rpartition("/")[2]
        raise BadRequestError(
            f'{kind} in version "{short}" cannot be handled as a Scale: converting ({short}.{kind}) to '
            "(autoscaling.Scale): unknown conversion"
        )


def scale_of(obj: Obj) -> Obj:
    """Return the Scale of a Deployment, ReplicaSet, StatefulSet or ReplicationController."""
    meta = obj["metadata"]
    keys = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")
    spec: dict[str, Any] = obj.get("spec") or {}
    status: dict[str, Any] = {"replicas": (obj.get("status") or {}).get("replicas", 0)}
    selector = _selector(spec.get("selector") or {})
    if selector:
        status["selector"] = selector
    replicas = spec.get("replicas", 1)
    return {
        "kind": "Scale",
        "apiVersion": SCALE_VERSION,
        "metadata": {key: meta[key] for key in keys if key in meta},
        "spec": {"replicas": replicas} if replicas else {},
        "status": status,
    }


def _selector(selector: dict[str, Any]) -> str:
    if "matchLabels" not in selector and "matchExpressions" not in selector:
        return ",".join(f"{key}={value}" for key, value in sorted(selector.items()))
    parts = [(key, f"{key}={value}") for key, value in (selector.get("matchLabels") or {}).items()]
    for rule in selector.get("matchExpressions") or ():
        values = f" ({','.join(sorted(rule.get('values') or ()))})"
        shown = {"In": f" in{values}", "NotIn": f" notin{values}", "Exists": ""}.get(rule["operator"])
        text = f"!{rule['key']}" if shown is None else f"{rule['key']}{shown}"
        parts.append((rule["key"], text))
    return ",".join(text for _, text in sorted(parts))
