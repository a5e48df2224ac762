"""Which tolerations tolerate which taints.

Source: ``k8s.io/api/core/v1/toleration.go`` and ``k8s.io/component-helpers/scheduling/corev1``.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

BLOCKING_EFFECTS = ("NoSchedule", "NoExecute")


def tolerates(tolerations: Iterable[Mapping[str, Any]], taint: Mapping[str, Any]) -> bool:
    """Tell whether any of `tolerations` tolerates `taint`."""
    return any(_tolerates(found, taint) for found in tolerations)


def _tolerates(toleration: Mapping[str, Any], taint: Mapping[str, Any]) -> bool:
    effect, key = toleration.get("effect"), toleration.get("key")
    if effect and effect != taint.get("effect"):
        return False
    if key and key != taint.get("key"):
        return False
    operator = toleration.get("operator") or "Equal"
    if operator == "Exists":
        return True
    wanted, actual = toleration.get("value") or "", taint.get("value") or ""
    if operator == "Equal":
        return bool(key) and wanted == actual
    try:
        return int(actual) > int(wanted) if operator == "Gt" else int(actual) < int(wanted)
    except ValueError:
        return False


def untolerated(
    taints: Iterable[Mapping[str, Any]],
    tolerations: Collection[Mapping[str, Any]],
    effects: Collection[str] = BLOCKING_EFFECTS,
) -> list[Mapping[str, Any]]:
    """Return the taints with one of `effects` that nothing tolerates."""
    return [taint for taint in taints if taint.get("effect") in effects and not tolerates(tolerations, taint)]
