"""The Pod Security Standards: what a Pod must not ask for at the levels baseline and restricted.

Both halves need it: admission refuses Pods by it, and rendering says which level a project can have. The
rules are those of the newest version; a namespace that pins an older one gets these too.

Source: k8s.io/pod-security-admission/policy (Kubernetes 1.36), whose reasons, details and order these are.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from leeward.kube.objects import Obj

Level = Literal["privileged", "baseline", "restricted"]
VERSION = "v1.36"  # of Kubernetes, whose rules these are
LEVELS: tuple[Level, ...] = ("restricted", "baseline", "privileged")  # strictest first
SAFE_SYSCTLS = frozenset(
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
BASELINE_CAPABILITIES = frozenset(
    (
        "AUDIT_WRITE",
        "CHOWN",
        "DAC_OVERRIDE",
        "FOWNER",
        "FSETID",
        "KILL",
        "MKNOD",
        "NET_BIND_SERVICE",
        "SETFCAP",
        "SETGID",
        "SETPCAP",
        "SETUID",
        "SYS_CHROOT",
    )
)
CAPABILITIES = BASELINE_CAPABILITIES | frozenset(  # all that Linux has
    (
        "ALL",
        "AUDIT_CONTROL",
        "AUDIT_READ",
        "BLOCK_SUSPEND",
        "BPF",
        "CHECKPOINT_RESTORE",
        "DAC_READ_SEARCH",
        "IPC_LOCK",
        "IPC_OWNER",
        "LEASE",
        "LINUX_IMMUTABLE",
        "MAC_ADMIN",
        "MAC_OVERRIDE",
        "NET_ADMIN",
        "NET_BROADCAST",
        "NET_RAW",
        "PERFMON",
        "SYSLOG",
        "SYS_ADMIN",
        "SYS_BOOT",
        "SYS_MODULE",
        "SYS_NICE",
        "SYS_PACCT",
        "SYS_PTRACE",
        "SYS_RAWIO",
        "SYS_RESOURCE",
        "SYS_TIME",
        "SYS_TTY_CONFIG",
        "WAKE_ALARM",
    )
)
_RESTRICTED_VOLUMES = frozenset(
    (
        "configMap",
        "csi",
        "downwardAPI",
        "emptyDir",
        "ephemeral",
        "image",
        "persistentVolumeClaim",
        "projected",
        "secret",
    )
)
SELINUX_TYPES = frozenset(("", "container_t", "container_init_t", "container_kvm_t", "container_engine_t"))
_APPARMOR_ANNOTATION = "container.apparmor.security.beta.kubernetes.io/"


@dataclass(frozen=True, slots=True)
class Violation:
    """One rule that a Pod breaks."""

    reason: str  # "privileged"
    detail: str  # 'container "web" must not set securityContext.privileged=true'

    def __str__(self) -> str:
        return f"{self.reason} ({self.detail})"


class _Pod:
    """A PodSpec with what nearly every check looks at."""

    __slots__ = ("_containers", "annotations", "security", "spec")

    def __init__(self, spec: Obj, annotations: Mapping[str, str]) -> None:
        self.spec = spec
        self.annotations = annotations
        self.security: Obj = spec.get("securityContext") or {}
        kinds = ("initContainers", "containers", "ephemeralContainers")
        self._containers: list[Obj] = [each for kind in kinds for each in spec.get(kind) or ()]

    def containers(self) -> list[Obj]:
        return self._containers

    def names(self, bad: Callable[[Obj], Any]) -> list[str]:
        """Return the names of the containers of which `bad` is true."""
        return [container["name"] for container in self._containers if bad(container)]

    @property
    def windows(self) -> bool:
        return (self.spec.get("os") or {}).get("name") == "windows"

    @property
    def own_users(self) -> bool:
        """Whether root inside is nobody outside, which relaxes the rules about root."""
        return self.spec.get("hostUsers") is False


def _security(container: Obj) -> Obj:
    return container.get("securityContext") or {}


def _quoted(items: Iterable[str]) -> str:
    return ", ".join(f'"{item}"' for item in items)


def _some(word: str, items: Collection[str]) -> str:
    return f"{word if len(items) == 1 else word + 's'} {_quoted(items)}"


def _setters(pod: bool, containers: Collection[str]) -> str:
    """Return who sets something: "pod", "containers …" or both; "" for nobody."""
    return " and ".join((["pod"] if pod else []) + ([_some("container", containers)] if containers else []))


def _app_armor(pod: _Pod) -> Violation | None:
    def bad(security: Obj) -> str | None:
        profile = security.get("appArmorProfile")
        kind = profile.get("type", "") if profile is not None else "Localhost"
        return None if kind in ("RuntimeDefault", "Localhost") else kind

    values = {
        value
        for each in (pod.security, *map(_security, pod.containers()))
        if (value := bad(each)) is not None
    }
    notes = sorted(
        f'{key}="{value}"'
        for key, value in pod.annotations.items()
        if key.startswith(_APPARMOR_ANNOTATION)
        and not (value in ("", "runtime/default") or value.startswith("localhost/"))
    )
    setters = _setters(
        bad(pod.security) is not None, pod.names(lambda each: bad(_security(each)) is not None)
    )
    if notes:
        word = "annotation" if len(notes) == 1 else "annotations"
        setters = f"{setters} and {word}" if setters else word
    if not setters:
        return None
    forbidden = [*(f'"{value}"' for value in sorted(values)), *notes]
    reason = "forbidden AppArmor profile" + ("s" if len(forbidden) != 1 else "")
    return Violation(reason, f"{setters} must not set AppArmor profile type to {', '.join(forbidden)}")


def _added(container: Obj) -> list[str]:
    return (_security(container).get("capabilities") or {}).get("add") or []


def _must_not_add(containers: list[str], names: set[str]) -> str:
    who = _some("container", containers)
    return f"{who} must not include {_quoted(sorted(names))} in securityContext.capabilities.add"


def _capabilities_baseline(pod: _Pod) -> Violation | None:
    bad = pod.names(lambda each: set(_added(each)) - BASELINE_CAPABILITIES)
    if not bad:
        return None
    added = {name for each in pod.containers() for name in _added(each)} - BASELINE_CAPABILITIES
    return Violation("non-default capabilities", _must_not_add(bad, added))


def _host_namespaces(pod: _Pod) -> Violation | None:
    used = [f"{key}=true" for key in ("hostNetwork", "hostPID", "hostIPC") if pod.spec.get(key)]
    return Violation("host namespaces", ", ".join(used)) if used else None


def _host_paths(pod: _Pod) -> Violation | None:
    names = [volume["name"] for volume in pod.spec.get("volumes") or () if volume.get("hostPath") is not None]
    return Violation("hostPath volumes", _some("volume", names)) if names else None


def _host_ports(pod: _Pod) -> Violation | None:
    def ports(container: Obj) -> list[int]:
        return [port["hostPort"] for port in container.get("ports") or () if port.get("hostPort")]

    bad = pod.names(ports)
    if not bad:
        return None
    used = sorted({str(port) for each in pod.containers() for port in ports(each)})
    verb, noun = ("uses" if len(bad) == 1 else "use"), ("hostPort" if len(used) == 1 else "hostPorts")
    return Violation("hostPort", f"{_some('container', bad)} {verb} {noun} {', '.join(used)}")


def _handler_hosts(container: Obj) -> set[str]:
    probes = [container.get(f"{kind}Probe") for kind in ("liveness", "readiness", "startup")]
    hooks = (container.get("lifecycle") or {}).values()
    handlers = [each for each in (*probes, *hooks) if isinstance(each, dict)]
    hosts = {(each.get(kind) or {}).get("host") for each in handlers for kind in ("httpGet", "tcpSocket")}
    return {host for host in hosts if host}


def _handlers(pod: _Pod) -> Violation | None:
    bad = sorted(pod.names(_handler_hosts))
    if not bad:
        return None
    hosts = sorted({host for each in pod.containers() for host in _handler_hosts(each)})
    verb = "uses" if len(bad) == 1 else "use"
    return Violation(
        "probe or lifecycle host",
        f"{_some('container', bad)} {verb} {_some('probe or lifecycle host', hosts)}",
    )


def _privileged(pod: _Pod) -> Violation | None:
    bad = pod.names(lambda each: _security(each).get("privileged"))
    if not bad:
        return None
    return Violation("privileged", f"{_some('container', bad)} must not set securityContext.privileged=true")


def _proc_mount(pod: _Pod) -> Violation | None:
    def mount(container: Obj) -> str:
        return _security(container).get("procMount") or "Default"

    bad = pod.names(lambda each: mount(each) != "Default")
    if not bad:
        return None
    types = sorted({mount(each) for each in pod.containers()} - {"Default"})
    detail = f"{_some('container', bad)} must not set securityContext.procMount to {_quoted(types)}"
    return Violation("procMount", detail)


def _proc_mount_baseline(pod: _Pod) -> Violation | None:
    return None if pod.own_users else _proc_mount(pod)


def _selinux(pod: _Pod) -> Violation | None:
    def options(security: Obj) -> Obj:
        return security.get("seLinuxOptions") or {}

    def bad(security: Obj) -> bool:
        chosen = options(security)
        return chosen.get("type", "") not in SELINUX_TYPES or bool(chosen.get("user") or chosen.get("role"))

    setters = _setters(bad(pod.security), pod.names(lambda each: bad(_security(each))))
    if not setters:
        return None
    everything = [options(each) for each in (pod.security, *map(_security, pod.containers()))]
    types = sorted({each.get("type", "") for each in everything} - SELINUX_TYPES)
    found = [_some("type", types)] if types else []
    found += [
        f"{key} may not be set" for key in ("user", "role") if any(each.get(key) for each in everything)
    ]
    return Violation(
        "seLinuxOptions", f"{setters} set forbidden securityContext.seLinuxOptions: {'; '.join(found)}"
    )


def _seccomp(security: Obj) -> str | None:
    profile = security.get("seccompProfile")
    return None if profile is None else profile.get("type", "")


_ALLOWED_SECCOMP = ("RuntimeDefault", "Localhost")


def _seccomp_baseline(pod: _Pod) -> Violation | None:
    def bad(security: Obj) -> bool:
        return _seccomp(security) not in (None, *_ALLOWED_SECCOMP)

    setters = _setters(bad(pod.security), pod.names(lambda each: bad(_security(each))))
    if not setters:
        return None
    everything = (pod.security, *map(_security, pod.containers()))
    values = sorted({_seccomp(each) or "" for each in everything if bad(each)})
    return Violation(
        "seccompProfile", f"{setters} must not set securityContext.seccompProfile.type to {_quoted(values)}"
    )


def _seccomp_restricted(pod: _Pod) -> Violation | None:
    if pod.windows:
        return None
    if (wrong := _seccomp_baseline(pod)) is not None:
        return wrong
    if _seccomp(pod.security) is not None:
        return None
    missing = pod.names(lambda each: _seccomp(_security(each)) is None)
    if not missing:
        return None
    return Violation(
        "seccompProfile",
        f"pod or {_some('container', missing)} must set securityContext.seccompProfile.type to "
        '"RuntimeDefault" or "Localhost"',
    )


def _sysctls(pod: _Pod) -> Violation | None:
    names = [each["name"] for each in pod.security.get("sysctls") or () if each["name"] not in SAFE_SYSCTLS]
    return Violation("forbidden sysctls", ", ".join(names)) if names else None


def _host_process(pod: _Pod) -> Violation | None:
    def bad(security: Obj) -> bool:
        return bool((security.get("windowsOptions") or {}).get("hostProcess"))

    setters = _setters(bad(pod.security), pod.names(lambda each: bad(_security(each))))
    if not setters:
        return None
    return Violation("hostProcess", f"{setters} must not set securityContext.windowsOptions.hostProcess=true")


def _escalation(pod: _Pod) -> Violation | None:
    bad = pod.names(lambda each: _security(each).get("allowPrivilegeEscalation") is not False)
    if not bad or pod.windows:
        return None
    return Violation(
        "allowPrivilegeEscalation != false",
        f"{_some('container', bad)} must set securityContext.allowPrivilegeEscalation=false",
    )


def _capabilities_restricted(pod: _Pod) -> Violation | None:
    if pod.windows:
        return None
    allowed = {"NET_BIND_SERVICE"}
    keeping = pod.names(
        lambda each: "ALL" not in ((_security(each).get("capabilities") or {}).get("drop") or ())
    )
    adding = pod.names(lambda each: set(_added(each)) - allowed)
    added = {name for each in pod.containers() for name in _added(each)} - allowed
    details = []
    if keeping:
        details.append(f'{_some("container", keeping)} must set securityContext.capabilities.drop=["ALL"]')
    if adding:
        details.append(_must_not_add(adding, added))
    return Violation("unrestricted capabilities", "; ".join(details)) if details else None


def _volumes(pod: _Pod) -> Violation | None:
    kinds = {
        volume["name"]: next((kind for kind in volume if kind != "name"), "emptyDir")
        for volume in pod.spec.get("volumes") or ()
    }
    bad = [name for name, kind in kinds.items() if kind not in _RESTRICTED_VOLUMES]
    if not bad:
        return None
    types = sorted({kinds[name] for name in bad})
    verb = "uses" if len(bad) == 1 else "use"
    return Violation(
        "restricted volume types", f"{_some('volume', bad)} {verb} {_some('restricted volume type', types)}"
    )


def _non_root(pod: _Pod) -> Violation | None:
    if pod.own_users:
        return None
    reason = "runAsNonRoot != true"
    whole = pod.security.get("runAsNonRoot")
    setters = _setters(whole is False, pod.names(lambda each: _security(each).get("runAsNonRoot") is False))
    if setters:
        return Violation(reason, f"{setters} must not set securityContext.runAsNonRoot=false")
    silent = pod.names(lambda each: _security(each).get("runAsNonRoot") is None)
    if not silent or whole:
        return None
    return Violation(
        reason, f"pod or {_some('container', silent)} must set securityContext.runAsNonRoot=true"
    )


def _root_user(pod: _Pod) -> Violation | None:
    if pod.own_users:
        return None
    setters = _setters(
        pod.security.get("runAsUser") == 0, pod.names(lambda each: _security(each).get("runAsUser") == 0)
    )
    return Violation("runAsUser=0", f"{setters} must not set runAsUser=0") if setters else None


_Check = Callable[[_Pod], Violation | None]
_BASELINE: tuple[_Check, ...] = (
    _app_armor, _capabilities_baseline, _host_namespaces, _host_paths, _host_ports, _handlers, _privileged,
    _proc_mount_baseline, _selinux, _seccomp_baseline, _sysctls, _host_process,
)  # fmt: skip
_OVERRIDDEN = (_capabilities_baseline, _host_paths, _proc_mount_baseline, _seccomp_baseline)
_COMMON = tuple(check for check in _BASELINE if check not in _OVERRIDDEN)
_RESTRICTED_ONLY: tuple[_Check, ...] = (
    _escalation, _capabilities_restricted, _proc_mount, _volumes, _non_root, _root_user, _seccomp_restricted,
)  # fmt: skip
_CHECKS: Mapping[Level, tuple[_Check, ...]] = {
    "privileged": (), "baseline": _BASELINE, "restricted": (*_COMMON, *_RESTRICTED_ONLY),
}  # fmt: skip


def violations(level: Level, spec: Obj, annotations: Mapping[str, str] | None = None) -> list[Violation]:
    """Return the rules of `level` that a Pod with this spec breaks, in upstream's order.

    Args:
        level: of the namespace.
        spec: a PodSpec.
        annotations: of the Pod.
    """
    pod = _Pod(spec, annotations or {})
    return [found for check in _CHECKS[level] if (found := check(pod)) is not None]


def judge(spec: Obj, annotations: Mapping[str, str] | None = None) -> tuple[Level, list[Violation]]:
    """Return the strictest level that admits a Pod with this spec, and what "restricted" has against it."""
    pod = _Pod(spec, annotations or {})
    both = [found for check in _COMMON if (found := check(pod)) is not None]
    broken = both + [found for check in _RESTRICTED_ONLY if (found := check(pod)) is not None]
    if not broken:
        return "restricted", []
    if both or any(check(pod) for check in _OVERRIDDEN):
        return "privileged", broken
    return "baseline", broken
