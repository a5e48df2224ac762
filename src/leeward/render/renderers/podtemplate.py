"""The finished Pod template: keys in reading order, only the volumes that are mounted.

Source: the Kubernetes API reference, PodSpec and Container.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from leeward.kube.objects import Obj
from leeward.render.model import PodDraft

_CONTAINER_KEYS = """
    name image imagePullPolicy restartPolicy command args workingDir stdin tty ports env resources
    startupProbe readinessProbe livenessProbe lifecycle securityContext volumeMounts
"""
_SPEC_KEYS = """
    os hostname hostNetwork hostPID hostIPC shareProcessNamespace dnsPolicy dnsConfig hostAliases
    runtimeClassName nodeSelector affinity tolerations topologySpreadConstraints automountServiceAccountToken
    enableServiceLinks securityContext terminationGracePeriodSeconds restartPolicy initContainers containers
    volumes
"""


def _ordered(text: str, values: dict[str, Any]) -> dict[str, Any]:
    keys = text.split()
    rest = [key for key in values if key not in keys]
    return {key: values[key] for key in (*keys, *rest) if key in values}


def finished_container(draft: PodDraft) -> dict[str, Any]:
    """Return the service's own container with its mounts."""
    mounts = {"volumeMounts": draft.mounts} if draft.mounts else {}
    return _ordered(_CONTAINER_KEYS, {**draft.container, **mounts})


def pod_template(
    draft: PodDraft, *, annotations: Mapping[str, str] | None = None, restart_policy: str | None = None
) -> Obj:
    """Return the Pod template that `draft` has become, with further `annotations`; changes nothing."""
    init = [_ordered(_CONTAINER_KEYS, container) for container in draft.init_containers]
    containers = [finished_container(draft), *draft.sidecars]
    spec = {**draft.spec, **({"initContainers": init} if init else {}), "containers": containers}
    if restart_policy:
        spec["restartPolicy"] = restart_policy
    if draft.security:
        spec["securityContext"] = draft.security
    mounted = {mount["name"] for each in (*init, *containers) for mount in each.get("volumeMounts", ())}
    volumes = [{"name": name, **source} for name, source in draft.volumes.items() if name in mounted]
    if volumes:
        spec["volumes"] = volumes
    meta: Obj = {"labels": draft.labels}
    if notes := {**draft.annotations, **(annotations or {})}:
        meta["annotations"] = notes
    return {"metadata": meta, "spec": _ordered(_SPEC_KEYS, spec)}
