"""Whom the container runs as and what it may do: as tight as the files show that it can be.

A service whose user is known and not root, from the Compose file or from the Dockerfile, gets Pod Security
"restricted". Docker's default capabilities stay for images that may start as root, because many of them
change owner and user while starting. What would give the container more than its own Pod is an error that
somebody has to accept with a waiver.

Source: kubernetes.io/docs/concepts/security/pod-security-standards; capabilities(7), "no_new_privs".
"""

from __future__ import annotations

from typing import Any

from leeward.kube.podsecurity import BASELINE_CAPABILITIES, SAFE_SYSCTLS
from leeward.render.dockerfile import facts_of
from leeward.render.knownimages import known_user
from leeward.render.model import PodDraft, Renderer, ServiceContext

_HOST_ACCESS = (  # key, value, what it gives away, field of the Pod
    ("pid", "host", "every process of the node", "hostPID"),
    ("ipc", "host", "the shared memory of the node", "hostIPC"),
    ("network_mode", "host", "the network of the node, its local services included", "hostNetwork"),
)
_ACCEPT = "Do without it, or let somebody accept it in leeward.waivers.yaml."


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


def _image_user(context: ServiceContext) -> str:
    """Return the number of the image's user, if it is known and not root; "" otherwise."""
    build = context.service.build
    if build is not None:
        user = facts_of(build, context.options.files).user
    else:
        user = known_user(context.service.image or "")
    number = (user or "").partition(":")[0]
    return number if number.isdigit() and int(number) else ""


def _user(context: ServiceContext, security: dict[str, Any]) -> None:
    user_text, _, group_text = (context.service.user or _image_user(context)).partition(":")
    user = _number(context, "user", user_text) if user_text else None
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
    if set(capabilities["add"]) - {"NET_BIND_SERVICE"}:  # which programs of other users get from their file
        security.pop("allowPrivilegeEscalation", None)
    for index, name in enumerate(capabilities["add"]):
        if name not in BASELINE_CAPABILITIES:
            context.error(
                ("cap_add", index),
                "host-access",
                f"{name} reaches beyond the container; only a namespace without Pod Security admits it.",
                _ACCEPT,
            )
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
        if key not in SAFE_SYSCTLS:
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
        context.error(("privileged",), "host-access", "It gives the container the whole node.", _ACCEPT)
    _capabilities(context, security)
    _options(context, draft, security)
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
            context.error((key,), "host-access", f"It gives the container {what}.", _ACCEPT)


DESCRIPTOR = Renderer(name="security", pod=_pod)
