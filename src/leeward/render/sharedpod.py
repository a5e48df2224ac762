"""Puts the containers of guests into the Pod of their host.

The Pod is the host's: its name, placement, replicas and roll-outs are. A guest brings its container, its
init containers, its volumes and the labels by which its Services find it. In a Pod that ends, a guest is a
sidecar that does not keep the Pod from ending.

Invariants: volumes that live and die with the Pod are never shared by chance; a name that two volumes would
have is taken by the host's.

Source: kubernetes.io/docs/concepts/workloads/pods/sidecar-containers; the Compose Specification,
"network_mode".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from leeward.render import naming
from leeward.render.model import PodDraft, ProjectContext, ServiceContext
from leeward.render.plan import ServicePlan, restart_of
from leeward.render.renderers.podtemplate import finished_container
from leeward.render.sharing import JOINING_KEYS, joined_service

_FLAGS = ("hostNetwork", "hostPID", "hostIPC")
_LISTS = ("hostAliases",)


def share_pods(context: ProjectContext) -> None:
    """Merge the draft of every guest into its host's, and say what that means for it."""
    for host in context.plan.services.values():
        for guest in context.plan.guests(host):
            _report(ServiceContext(context, guest), host)
            _join(context.drafts[host.service.name], context.drafts[guest.service.name], host, guest)
            if joined_service(context.project, guest.service, "pid"):
                context.drafts[host.service.name].spec["shareProcessNamespace"] = True


def _report(context: ServiceContext, host: ServicePlan) -> None:
    service = context.service
    joining = next(key for key in JOINING_KEYS if joined_service(context.project.project, service, key))
    context.note(
        (joining,),
        "shared-pod",
        f"It runs in the Pod of {host.service.name!r}: they scale, start and stop together.",
    )
    says = service.scale is not None or (service.deploy is not None and service.deploy.replicas is not None)
    if says and service.replicas != host.replicas:
        context.warn(
            ("deploy", "replicas") if service.scale is None else ("scale",),
            "replicas-of-host",
            f"There are as many as {host.service.name!r} has Pods: {host.replicas}.",
            f"Write the number at {host.service.name!r}.",
        )
    for key in ("schedule", "autoscale"):
        if getattr(context.plan.settings, key) is not None:
            context.warn(
                ("x-leeward", key),
                "ignored",
                f"The Pod is that of {host.service.name!r}, which decides when and how often it runs.",
                f"Write it at {host.service.name!r}.",
            )
    if restart_of(service)[0] in ("no", "on-failure") and not host.ends:
        context.warn(
            ("restart",),
            "approximated",
            "Containers of a Pod that keeps running are started again whenever they end.",
        )


def _renamed(volume: str, source: Mapping[str, Any], host: PodDraft, guest: ServicePlan) -> str:
    shared = "emptyDir" not in source and host.volumes.get(volume, source) == source
    return volume if shared else naming.join_label(guest.name, volume)


def _with_volumes(container: dict[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    if "volumeMounts" not in container:
        return container
    mounts = [
        {**mount, "name": names.get(mount["name"], mount["name"])} for mount in container["volumeMounts"]
    ]
    return {**container, "volumeMounts": mounts}


def _join(host: PodDraft, draft: PodDraft, owner: ServicePlan, guest: ServicePlan) -> None:
    names = {volume: _renamed(volume, source, host, guest) for volume, source in draft.volumes.items()}
    host.volumes |= {names[volume]: source for volume, source in draft.volumes.items()}
    claimed = {claim["metadata"]["name"] for claim in host.claims}
    host.claims += [claim for claim in draft.claims if claim["metadata"]["name"] not in claimed]
    before = [{**each, "name": naming.join_label(guest.name, each["name"])} for each in draft.init_containers]
    host.init_containers += [_with_volumes(each, names) for each in before]
    container = _with_volumes(finished_container(draft), names)
    if (profile := draft.security.get("seccompProfile")) != host.security.get("seccompProfile"):
        security = {
            **container.get("securityContext", {}),
            "seccompProfile": profile or {"type": "Unconfined"},
        }
        container = {**container, "securityContext": security}
    if owner.ends:
        host.init_containers.append({**container, "restartPolicy": "Always"})
    else:
        host.sidecars.append(container)
    host.labels = {**draft.labels, **host.labels}
    host.annotations = {**draft.annotations, **host.annotations}
    _join_spec(host, draft)


def _join_spec(host: PodDraft, draft: PodDraft) -> None:
    for key in _FLAGS:
        if draft.spec.get(key):
            host.spec[key] = True
    for key in _LISTS:
        if more := [each for each in draft.spec.get(key, ()) if each not in host.spec.get(key, ())]:
            host.spec[key] = [*host.spec.get(key, ()), *more]
    grace = "terminationGracePeriodSeconds"
    host.spec[grace] = max(host.spec.get(grace, 0), draft.spec.get(grace, 0))
    if "os" in draft.spec:
        host.spec["os"] = draft.spec["os"]
    for key in ("supplementalGroups", "sysctls"):
        if more := [each for each in draft.security.get(key, ()) if each not in host.security.get(key, ())]:
            host.security[key] = [*host.security.get(key, ()), *more]
    if "fsGroup" in draft.security:
        host.security.setdefault("fsGroup", draft.security["fsGroup"])
