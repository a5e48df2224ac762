"""The order of API versions: stable ones first, then beta, then alpha, the highest number first.

Source: k8s.io/apimachinery/pkg/version/helpers.go (CompareKubeAwareVersionStrings, Kubernetes 1.36).
"""

from __future__ import annotations

import re

_KUBE = re.compile(r"v([1-9]\d*)(?:(alpha|beta)([1-9]\d*))?")
_STABILITY = {None: 0, "beta": 1, "alpha": 2}


def version_priority(version: str) -> tuple[int, int, int, int, str]:
    """Return what sorts versions, the preferred one first; names that are no versions come last."""
    found = _KUBE.fullmatch(version)
    if found is None:
        return (1, 0, 0, 0, version)
    major, stability, minor = found.groups()
    return (0, _STABILITY[stability], -int(major), -int(minor or 0), "")
