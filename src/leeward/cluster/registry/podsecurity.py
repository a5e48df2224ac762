"""The admission plugin PodSecurity: a namespace admits Pods at the level that its labels enforce.

The levels ``warn`` and ``audit`` are not acted upon.

Source: ``k8s.io/pod-security-admission/admission`` (Kubernetes 1.36).
"""

from __future__ import annotations

from leeward.kube.objects import Obj, annotations_of, labels_of
from leeward.kube.podsecurity import LEVELS, Level, violations
from leeward.kube.status import ForbiddenError

_ENFORCE = "pod-security.kubernetes.io/enforce"


def check_pod(namespace: Obj, pod: Obj) -> None:
    """Refuse a Pod that its namespace does not admit.

    Raises:
        ForbiddenError: it breaks rules of the level; names them.
    """
    labels = labels_of(namespace)
    asked = labels.get(_ENFORCE)
    level: Level = next((level for level in LEVELS if level == asked), "privileged")
    broken = violations(level, pod["spec"], annotations_of(pod))
    if broken:
        name, version = pod["metadata"]["name"], labels.get(f"{_ENFORCE}-version", "latest")
        raise ForbiddenError(
            f'pods "{name}" is forbidden: violates PodSecurity "{level}:{version}": '
            + ", ".join(map(str, broken)),
            details={"name": name, "kind": "pods"},
        )
