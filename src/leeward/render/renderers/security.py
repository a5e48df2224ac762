"""Whom the container runs as and what it may do: as tight as the file shows that it can be.

Docker's default capabilities stay for images that start as root, because many of them change owner
and user while starting; a service that names a non-root user gets Pod Security "restricted".

Source: kubernetes.io/docs/concepts/security/pod-security-standards.
"""

from __future__ import annotations

from typing import Any

from leeward.render.model import PodDraft, Renderer, ServiceContext

_SAFE_SYSCTLS = frozenset(
    (
        "kernel.shm_rmid_forced",
        "net.ipv4.ip_local_port_range",
        "net.ipv4.ip_local_reserved_ports",
        "net.ipv4.ip_unprivileged_port_start",
        "net.ipv4.ping_group_range",
        "net.ipv4.tcp_fin_timeout",
        "net.ipv4.tcp_keepalive_intvl",
        "net.ipv4.tcp_keepalive_probes",
        "net.ipv4.tcp_keepalive_time",
        "net.ipv4.tcp_rmem",
        "net.ipv4.tcp_syncookies",
        "net.ipv4.tcp_wmem",
    )
)


def _number(context: ServiceContext, key: str, text: str) -> int | None:
    if text == "root":
        return 0
    if text.isdigit():
        return int(text)
    context.warn(
        (key,),
        "needs-number",
        f"{text!r} is a name inside the image and is left out.",
        "Write the numeric id.",
    )
    return None


def _user(context: ServiceContext, security: dict[str, Any]) -> None:
    if not context.service.user:
        return
    user_text, _, group_text = context.service.user.partition(":")
    user = _number(context, "user", user_text)
    group = _number(context, "user", group_text) if group_text else None
    if user is not None:
        security["runAsUser"] = user
        if user and not context.service.privileged:
            security |= {"runAsNonRoot": True, "allowPrivilegeEscalation": False}
    if group is not None:
        security["runAsGroup"] = group


def _capability_names(words: tuple[str, ...]) -> list[str]:
    return [word.upper().removeprefix("CAP_") for word in words]


def _capabilities(context: ServiceContext, security: dict[str, Any]) -> None:
    service = context.service
    drop = _capability_names(service.cap_drop) or (["ALL"] if security.get("runAsNonRoot") else [])
    capabilities = {"add": _capability_names(service.cap_add), "drop": drop}
    if service.cap_add:
        security.pop("allowPrivilegeEscalation", None)
    if capabilities := {key: value for key, value in capabilities.items() if value}:
        security["capabilities"] = capabilities


def _options(context: ServiceContext, draft: PodDraft, security: dict[str, Any]) -> None:
    profile: dict[str, Any] | None = None if context.service.privileged else {"type": "RuntimeDefault"}
    for index, option in enumerate(context.service.security_opt):
        key, _, value = option.replace("=", ":", 1).partition(":")
        if key == "no-new-privileges":
            security["allowPrivilegeEscalation"] = value == "false"
        elif key == "seccomp" and value == "unconfined":
            profile = {"type": "Unconfined"}
        elif key == "apparmor" and value == "unconfined":
            security["appArmorProfile"] = {"type": "Unconfined"}
        else:
            context.warn(
                ("security_opt", index), "ignored", f"{option!r} has no counterpart and is left out."
            )
    if profile:
        draft.security["seccompProfile"] = profile


def _sysctls(context: ServiceContext, draft: PodDraft) -> None:
    entries = context.service.sysctls
    draft.security["sysctls"] = [{"name": key, "value": value} for key, value in entries.items()]
    for key in entries:
        if key not in _SAFE_SYSCTLS:
            context.warn(
                ("sysctls", key),
                "unsafe-sysctl",
                f"{key} is refused by nodes that do not allow it.",
                "Allow it in the kubelet's allowedUnsafeSysctls.",
            )


def _groups(context: ServiceContext, draft: PodDraft, security: dict[str, Any]) -> None:
    groups = [_number(context, "group_add", name) for name in context.service.group_add]
    if numbers := [group for group in groups if group is not None]:
        draft.security["supplementalGroups"] = numbers
    group = security.get("runAsGroup", security.get("runAsUser"))
    if group and any(mount.type == "volume" for mount in context.plan.mounts):
        draft.security["fsGroup"] = group  # a new volume belongs to root


def _pod(context: ServiceContext, draft: PodDraft) -> None:
    service = context.service
    security: dict[str, Any] = {}
    _user(context, security)
    if service.privileged:
        security["privileged"] = True
    _capabilities(context, security)
    _options(context, draft, security)
    if service.read_only:
        security["readOnlyRootFilesystem"] = True
    _groups(context, draft, security)
    if service.sysctls:
        _sysctls(context, draft)
    if security:
        draft.container["securityContext"] = security
    for key, field in (("pid", "hostPID"), ("ipc", "hostIPC")):
        if getattr(service, key) == "host":
            draft.spec[field] = True


DESCRIPTOR = Renderer(name="security", pod=_pod)
