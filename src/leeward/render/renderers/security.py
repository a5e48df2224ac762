"""Whom the container runs as and what it may do: as tight as the files show that it can be.

A service whose user is known and not root, from the Compose file or from the Dockerfile, gets Pod Security
"restricted". Docker's default capabilities stay for images that may start as root, because many of them
change owner and user while starting. What would give the container more than its own Pod is an error that
somebody has to accept with a waiver.

Source: kubernetes.io/docs/concepts/security/pod-security-standards; capabilities(7), "no_new_privs".
"""

from __future__ import annotations

from typing import Any

from leeward.base.diagnostics import Severity
from leeward.compose.findings import did_you_mean
from leeward.kube.podsecurity import BASELINE_CAPABILITIES, CAPABILITIES, SAFE_SYSCTLS
from leeward.render.model import PodDraft, Renderer, ServiceContext
from leeward.render.renderers.securityopts import ACCEPT, add_options
from leeward.render.renderers.users import OWNED_ONCE, group_number, image_facts, image_user, user_number

_HOST_ACCESS = (  # key, value, what it gives away, field of the Pod
    ("pid", "host", "every process of the node", "hostPID"),
    ("ipc", "host", "the shared memory of the node", "hostIPC"),
    ("network_mode", "host", "the network of the node, its local services included", "hostNetwork"),
)


def _user(context: ServiceContext, security: dict[str, Any]) -> None:
    facts = image_facts(context)
    user_text, _, group_text = (context.service.user or image_user(facts)).partition(":")
    user = user_number(context, facts, user_text, "user") if user_text else None
    group = group_number(context, group_text, "user") if group_text else None
    if user is not None:
        security["runAsUser"] = user
        if user and not context.service.privileged:
            security |= {"runAsNonRoot": True, "allowPrivilegeEscalation": False}
    if group is not None:
        security["runAsGroup"] = group


def _capability_names(words: tuple[str, ...]) -> list[str]:
    return [word.upper().removeprefix("CAP_") for word in words]


def _check_names(context: ServiceContext, key: str, names: list[str]) -> None:
    for index, name in enumerate(names):
        if name not in CAPABILITIES:
            context.error(
                (key, index),
                "unknown-capability",
                f"Linux has no capability {name}.",
                did_you_mean(name, sorted(CAPABILITIES)) or "See capabilities(7).",
            )


def _capabilities(context: ServiceContext, security: dict[str, Any]) -> None:
    service = context.service
    added, dropped = _capability_names(service.cap_add), _capability_names(service.cap_drop)
    if set(added) - {"NET_BIND_SERVICE"}:  # which programs of other users get from their file
        security.pop("allowPrivilegeEscalation", None)
        dropped = dropped or (["ALL"] if security.get("runAsNonRoot") else [])
    elif security.get("runAsNonRoot"):  # without escalation, such a user cannot have any of the others
        dropped = ["ALL"]
    for index, name in enumerate(added):
        if name in CAPABILITIES and name not in BASELINE_CAPABILITIES:
            context.error(
                ("cap_add", index),
                "host-access",
                f"{name} reaches beyond the container; only a namespace without Pod Security admits it.",
                ACCEPT,
            )
    _check_names(context, "cap_add", added)
    _check_names(context, "cap_drop", dropped if service.cap_drop else [])
    if capabilities := {key: value for key, value in (("add", added), ("drop", dropped)) if value}:
        security["capabilities"] = capabilities


def _sysctls(context: ServiceContext, draft: PodDraft) -> None:
    entries = context.service.sysctls
    draft.security["sysctls"] = [{"name": key, "value": value} for key, value in entries.items()]
    for key in entries:
        if key in SAFE_SYSCTLS:
            continue
        context.report(
            ("sysctls", key),
            "unsafe-sysctl" if context.options.on_embedded else "host-access",
            Severity.WARNING if context.options.on_embedded else Severity.ERROR,
            f"{key} may reach beyond the Pod; other clusters refuse it unless their kubelets allow it.",
            "Do without it, or allow it in allowedUnsafeSysctls of the kubelets and in leeward.waivers.yaml.",
        )


def _groups(context: ServiceContext, draft: PodDraft, security: dict[str, Any]) -> None:
    groups = [group_number(context, name, "group_add", i) for i, name in enumerate(context.service.group_add)]
    if numbers := [group for group in groups if group is not None]:
        draft.security["supplementalGroups"] = numbers
    group = security.get("runAsGroup", security.get("runAsUser"))
    if group and any(mount.type == "volume" for mount in context.plan.mounts):
        draft.security |= {"fsGroup": group, **OWNED_ONCE}  # a new volume belongs to root


def _pod(context: ServiceContext, draft: PodDraft) -> None:
    service = context.service
    security: dict[str, Any] = {}
    _user(context, security)
    if service.privileged:
        security["privileged"] = True
        context.error(("privileged",), "host-access", "It gives the container the whole node.", ACCEPT)
    _capabilities(context, security)
    add_options(context, draft, security)
    if service.read_only:
        security["readOnlyRootFilesystem"] = True
    _groups(context, draft, security)
    if service.sysctls:
        _sysctls(context, draft)
    if security:
        draft.container["securityContext"] = security
    for key, value, what, field in _HOST_ACCESS:
        if getattr(service, key) == value:
            draft.spec[field] = True
            context.error((key,), "host-access", f"It gives the container {what}.", ACCEPT)


DESCRIPTOR = Renderer(name="security", pod=_pod)
