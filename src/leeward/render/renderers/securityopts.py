"""``security_opt``: what of a container engine's options the kernel's guards of a Pod have a word for.

Profiles of AppArmor and seccomp are files of a machine, so they have to be on every node. What takes a guard
away is more than Pod Security baseline admits and needs a waiver.

Source: the Compose Specification, "security_opt"; ``docker run --security-opt``; kubernetes.io/docs/tutorials
/security.
"""

from __future__ import annotations

import posixpath
from typing import Any

from leeward.kube.podsecurity import SELINUX_TYPES
from leeward.render.model import PodDraft, ServiceContext

ACCEPT = "Do without it, or let somebody accept it in leeward.waivers.yaml."
_RUNTIME_DEFAULT = {"type": "RuntimeDefault"}
_DEFAULT_PROFILES = ("builtin", "docker-default", "runtime/default")
_PLACES = {"seccomp": "below the kubelet's seccomp directory", "apparmor": "loaded into the kernel"}
_LABELS = ("user", "role", "type", "level")


def _unguarded(context: ServiceContext, index: int, what: str) -> None:
    context.error(
        ("security_opt", index),
        "host-access",
        f"It takes away {what}, which only a namespace without Pod Security admits.",
        ACCEPT,
    )


def _profile(context: ServiceContext, index: int, key: str, value: str) -> dict[str, Any]:
    """Return the profile that ``seccomp`` or ``apparmor`` names."""
    if value == "unconfined":
        _unguarded(context, index, f"the {key} profile")
        return {"type": "Unconfined"}
    if value in _DEFAULT_PROFILES:
        return _RUNTIME_DEFAULT
    name = posixpath.basename(value)
    context.warn(
        ("security_opt", index),
        "node-profile",
        f"The {key} profile {name!r} has to be {_PLACES[key]} on every node.",
        "Install it there, or use the default profile.",
    )
    return {"type": "Localhost", "localhostProfile": name}


def _label(context: ServiceContext, index: int, value: str) -> dict[str, str]:
    """Return the SELinux option that ``label`` says; {} for one without a counterpart."""
    name, _, text = value.partition(":")
    if value == "disable":
        name, text = "type", "spc_t"
    if name not in _LABELS:
        _ignored(context, index)
        return {}
    if name in ("user", "role") or (name == "type" and text not in SELINUX_TYPES):
        _unguarded(context, index, "SELinux's separation of containers")
    return {name: text}


def _ignored(context: ServiceContext, index: int) -> None:
    option = context.service.security_opt[index]
    context.warn(("security_opt", index), "ignored", f"{option!r} has no counterpart and is left out.")


def add_options(context: ServiceContext, draft: PodDraft, security: dict[str, Any]) -> None:
    """Add the service's ``security_opt`` to the Pod in `draft` and to its container's `security`."""
    profile: dict[str, Any] | None = None if context.service.privileged else _RUNTIME_DEFAULT
    labels: dict[str, str] = {}
    for index, option in enumerate(context.service.security_opt):
        key, _, value = option.replace("=", ":", 1).partition(":")
        if key == "no-new-privileges" and not (context.service.privileged and value != "false"):
            security["allowPrivilegeEscalation"] = value == "false"
        elif key == "seccomp":
            profile = _profile(context, index, key, value)
        elif key == "apparmor":
            security["appArmorProfile"] = _profile(context, index, key, value)
        elif key == "label":
            labels |= _label(context, index, value)
        else:
            _ignored(context, index)
    if labels:
        security["seLinuxOptions"] = labels
    if profile:
        draft.security["seccompProfile"] = profile
