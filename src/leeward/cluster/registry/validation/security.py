"""Security contexts of Pods and containers.

Source: pkg/apis/core/validation/validation.go ValidateSecurityContext, validatePodSpecSecurityContext
(Kubernetes 1.36).
"""

from __future__ import annotations

import re

from leeward.cluster.registry.failures import (
    Failure,
    duplicate,
    forbidden,
    go_struct,
    invalid,
    required,
    too_long,
    unsupported,
)
from leeward.cluster.registry.validation.formats import user_id
from leeward.cluster.registry.validation.operatingsystems import windows_option_failures
from leeward.cluster.registry.validation.paths import descending_failures
from leeward.kube.objects import Obj

_SYSCTL = re.compile(r"([a-z0-9]([-_a-z0-9]*[a-z0-9])?[\./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?")
_SYSCTL_TEXT = (
    "must have at most 253 characters and match regex "
    r"^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[\./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$"
)
_IPC_SYSCTLS = ("kernel.shmall", "kernel.shmmax", "kernel.shmmni", "kernel.shm_rmid_forced")
_IPC_PREFIXES = ("kernel.msg", "kernel.sem", "fs.mqueue.")
_PROFILES = ("Localhost", "RuntimeDefault", "Unconfined")
_MAX_PROFILE = 4095
_PRIVILEGED = "cannot set `allowPrivilegeEscalation` to false and `privileged` to true"
_SYS_ADMIN = "cannot set `allowPrivilegeEscalation` to false and `capabilities.Add` CAP_SYS_ADMIN"


def _ids(context: Obj, field: str, names: tuple[str, ...]) -> list[Failure]:
    return [
        invalid(f"{field}.{name}", context[name], text)
        for name in names
        if context.get(name) is not None
        for text in user_id(context[name])
    ]


def pod_security_failures(spec: Obj, field: str) -> list[Failure]:
    """Check ``spec.securityContext`` of a Pod; `field` is its path."""
    context = spec.get("securityContext") or {}
    if not context and not spec.get("shareProcessNamespace"):
        return []
    found = _ids(context, field, ("fsGroup", "runAsUser", "runAsGroup"))
    for index, group in enumerate(context.get("supplementalGroups") or ()):
        found += [invalid(f"{field}.supplementalGroups[{index}]", group, text) for text in user_id(group)]
    if spec.get("shareProcessNamespace") and spec.get("hostPID"):
        text = "ShareProcessNamespace and HostPID cannot both be enabled"
        found.append(invalid(f"{field}.shareProcessNamespace", True, text))
    found += _sysctls(spec, context, f"{field}.sysctls")
    found += _one_of(context, field, "fsGroupChangePolicy", ("Always", "OnRootMismatch"))
    found += _seccomp(context.get("seccompProfile"), f"{field}.seccompProfile")
    found += windows_option_failures(context.get("windowsOptions"), f"{field}.windowsOptions")
    found += _app_armor(context.get("appArmorProfile"), f"{field}.appArmorProfile")
    found += _one_of(context, field, "supplementalGroupsPolicy", ("Merge", "Strict"))
    return found + _one_of(context, field, "seLinuxChangePolicy", ("MountOption", "Recursive"))


def _one_of(context: Obj, field: str, name: str, supported: tuple[str, ...]) -> list[Failure]:
    value = context.get(name)
    if value is None or value in supported:
        return []
    return [unsupported(f"{field}.{name}", value, supported)]


def _sysctls(spec: Obj, context: Obj, field: str) -> list[Failure]:
    found: list[Failure] = []
    names: set[str] = set()
    for index, each in enumerate(context.get("sysctls") or ()):
        place, name = f"{field}[{index}].name", each.get("name") or ""
        if not name:
            found.append(required(place))
        elif len(name) > 253 or not _SYSCTL.fullmatch(name):
            found.append(invalid(place, name, _SYSCTL_TEXT))
        elif name in names:
            found.append(duplicate(place, name))
        names.add(name)
        dotted = name.replace("/", ".")
        if spec.get("hostNetwork") and dotted.startswith("net."):
            found.append(invalid(place, name, "may not be specified when 'hostNetwork' is true"))
        elif spec.get("hostIPC") and (dotted in _IPC_SYSCTLS or dotted.startswith(_IPC_PREFIXES)):
            found.append(invalid(place, name, "may not be specified when 'hostIPC' is true"))
    return found


def _seccomp(profile: Obj | None, field: str) -> list[Failure]:
    if profile is None:
        return []
    kind, local = profile.get("type"), profile.get("localhostProfile")
    found: list[Failure] = []
    if not kind:
        found.append(required(f"{field}.type", "type is required when seccompProfile is set"))
    elif kind not in _PROFILES:
        found.append(unsupported(f"{field}.type", kind, _PROFILES))
    if kind == "Localhost":
        if local is None:
            text = "must be set when seccomp type is Localhost"
            found.append(required(f"{field}.localhostProfile", text))
        else:
            found += descending_failures(local, f"{field}.localhostProfile")
    elif local is not None:
        text = "can only be set when seccomp type is Localhost"
        value = go_struct(profile, Type="", LocalhostProfile=None)
        found.append(invalid(f"{field}.localhostProfile", value, text))
    return found


def _app_armor(profile: Obj | None, field: str) -> list[Failure]:
    if profile is None:
        return []
    kind, local, place = profile.get("type"), profile.get("localhostProfile"), f"{field}.localhostProfile"
    if kind == "Localhost":
        needed = "must be set when AppArmor type is Localhost"
        if local is None:
            return [required(place, needed)]
        found: list[Failure] = []
        if local != local.strip():
            found.append(invalid(place, local, "must not be padded with whitespace"))
        elif not local:
            found.append(required(place, needed))
        return [*found, too_long(place, _MAX_PROFILE)] if len(local) > _MAX_PROFILE else found
    if kind in _PROFILES:
        text = "can only be set when AppArmor type is Localhost"
        return [] if local is None else [invalid(place, local, text)]
    if not kind:
        return [required(f"{field}.type", "type is required when appArmorProfile is set")]
    return [unsupported(f"{field}.type", kind, _PROFILES)]


def container_security_failures(context: Obj, field: str, *, host_users: bool) -> list[Failure]:
    """Check ``securityContext`` of a container; `field` is its path."""
    found = _ids(context, field, ("runAsUser", "runAsGroup"))
    mount = context.get("procMount")
    if mount is not None and mount not in ("Default", "Unmasked"):
        found.append(unsupported(f"{field}.procMount", mount, ("Default", "Unmasked")))
    if host_users and mount == "Unmasked":
        text = "`hostUsers` must be false to use `Unmasked`"
        found.append(invalid(f"{field}.procMount", mount, text))
    found += _seccomp(context.get("seccompProfile"), f"{field}.seccompProfile")
    if context.get("allowPrivilegeEscalation") is False:
        value = go_struct(
            context,
            Capabilities=None, Privileged=None, SELinuxOptions=None, WindowsOptions=None, RunAsUser=None,
            RunAsGroup=None, RunAsNonRoot=None, ReadOnlyRootFilesystem=None, AllowPrivilegeEscalation=None,
            ProcMount=None, SeccompProfile=None, AppArmorProfile=None,
        )  # fmt: skip
        if context.get("privileged"):
            found.append(invalid(field, value, _PRIVILEGED))
        if "CAP_SYS_ADMIN" in ((context.get("capabilities") or {}).get("add") or ()):
            found.append(invalid(field, value, _SYS_ADMIN))
    found += windows_option_failures(context.get("windowsOptions"), f"{field}.windowsOptions")
    return found + _app_armor(context.get("appArmorProfile"), f"{field}.appArmorProfile")


def host_user_failures(spec: Obj, field: str) -> list[Failure]:
    """Check that a Pod with users of its own shares nothing with its node."""
    if spec.get("hostUsers") is not False:
        return []
    text = "when `hostUsers` is false"
    names = ("hostNetwork", "hostPID", "hostIPC")
    return [forbidden(f"{field}.{name}", text) for name in names if spec.get(name)]
