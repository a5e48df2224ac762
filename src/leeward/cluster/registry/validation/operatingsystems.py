"""What a Pod for Linux or for Windows cannot have, and containers that are processes of a Windows host.

Source: pkg/apis/core/validation/validation.go validateLinux, validateWindows, validateWindowsHostProcessPod,
validateWindowsSecurityContextOptions (Kubernetes 1.36).
"""

from __future__ import annotations

import re

from leeward.cluster.registry.failures import Failure, forbidden, invalid, required, unsupported
from leeward.cluster.registry.validation.formats import dns_subdomain, each_failure
from leeward.cluster.registry.validation.podannotations import visit_containers
from leeward.kube.objects import Obj

_NOT_LINUX = "windows options cannot be set for a linux pod"
_NOT_WINDOWS = "cannot be set for a windows pod"
_OF_POD = (  # field of the Pod's security context, or of its spec
    "securityContext.appArmorProfile", "securityContext.seLinuxOptions", "hostUsers", "hostPID", "hostIPC",
    "securityContext.seccompProfile", "securityContext.fsGroup", "securityContext.fsGroupChangePolicy",
    "securityContext.sysctls", "shareProcessNamespace", "securityContext.runAsUser",
    "securityContext.runAsGroup", "securityContext.supplementalGroups",
    "securityContext.supplementalGroupsPolicy",
    "securityContext.seLinuxChangePolicy",
)  # fmt: skip
_OF_CONTAINER = (
    "appArmorProfile", "seLinuxOptions", "seccompProfile", "capabilities", "readOnlyRootFilesystem",
    "privileged", "allowPrivilegeEscalation", "procMount", "runAsUser", "runAsGroup",
)  # fmt: skip
_WHEN_TRUE = ("hostPID", "hostIPC", "securityContext.sysctls")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_NET_BIOS = re.compile(r'[^\\/:*?"<>|.][^\\/:*?"<>|]{0,14}')
_DNS_LABEL = "[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?"
_DNS_DOMAIN = re.compile(rf"{_DNS_LABEL}(?:\.{_DNS_LABEL})*")
_DOTS = re.compile("[. ]+")
_BAD_USER = re.compile(r'["/\\:;|=,+*?<>@\[\]]')
_MAX_SPEC = 64 * 1024


def system_failures(spec: Obj, field: str) -> list[Failure]:
    """Check ``spec.os`` and what goes with it."""
    system = spec.get("os")
    if system is None:
        return []
    name = system.get("name")
    if not name:
        return [required(f"{field}.os.name", "cannot be empty")]
    if name == "linux":
        return _linux(spec, field)
    if name == "windows":
        return _windows(spec, field)
    return [unsupported(f"{field}.os", name, ("linux", "windows"))]


def _linux(spec: Obj, field: str) -> list[Failure]:
    places = [(spec, field), *visit_containers(spec, field)]
    return [
        forbidden(f"{path}.securityContext.windowsOptions", _NOT_LINUX)
        for owner, path in places
        if (owner.get("securityContext") or {}).get("windowsOptions") is not None
    ]


def _windows(spec: Obj, field: str) -> list[Failure]:
    context = spec.get("securityContext") or {}
    found: list[Failure] = []
    for path in _OF_POD:
        inside, _, name = path.rpartition(".")
        value = (context if inside else spec).get(name)
        if value if path in _WHEN_TRUE else value is not None:
            found.append(forbidden(f"{field}.{path}", _NOT_WINDOWS))
    for container, path in visit_containers(spec, field):
        given = container.get("securityContext") or {}
        found += [
            forbidden(f"{path}.securityContext.{name}", _NOT_WINDOWS)
            for name in _OF_CONTAINER
            if given.get(name) is not None
        ]
    return found


def host_process_failures(spec: Obj, field: str) -> list[Failure]:
    """Check that either all containers are processes of the host, in its network, or none is."""
    of_pod = _host_process(spec)
    values = [(_host_process(container), path) for container, path in visit_containers(spec, field)]
    found = [
        invalid(
            f"{path}.securityContext.windowsOptions.hostProcess",
            value,
            f"pod hostProcess value must be identical if both are specified, was {str(of_pod).lower()}",
        )
        for value, path in values
        if of_pod is not None and value is not None and value != of_pod
    ]
    count = sum(1 for value, _ in values if (of_pod if value is None else value))
    if not count:
        return found
    if count != len(values):
        text = "If pod contains any hostProcess containers then all containers must be HostProcess containers"
        found.append(invalid(field, "", text))
    if not spec.get("hostNetwork"):
        text = "hostNetwork must be true if pod contains any hostProcess containers"
        found.append(invalid(f"{field}.hostNetwork", False, text))
    return found


def _host_process(owner: Obj) -> bool | None:
    options = (owner.get("securityContext") or {}).get("windowsOptions") or {}
    value: bool | None = options.get("hostProcess")
    return value


def windows_option_failures(options: Obj | None, field: str) -> list[Failure]:
    """Check ``windowsOptions`` of a security context."""
    if not options:
        return []
    found: list[Failure] = []
    name, spec = options.get("gmsaCredentialSpecName"), options.get("gmsaCredentialSpec")
    if name is not None:
        found += each_failure(dns_subdomain, name, f"{field}.gmsaCredentialSpecName")
    place = f"{field}.gmsaCredentialSpec"
    if spec == "":
        found.append(invalid(place, spec, "gmsaCredentialSpec cannot be an empty string"))
    elif spec is not None and len(spec) > _MAX_SPEC:
        found.append(invalid(place, spec, "gmsaCredentialSpec size must be under 64 KiB"))
    user = options.get("runAsUserName")
    if user is not None:
        found += each_failure(_user_name, user, f"{field}.runAsUserName")
    return found


def _user_name(text: str) -> list[str]:
    """Check a user of Windows, with or without a domain."""
    if not text:
        return ["runAsUserName cannot be an empty string"]
    if _CONTROL.search(text):
        return ["runAsUserName cannot contain control characters"]
    *domains, user = text.split("\\")
    if len(domains) > 1:
        return ["runAsUserName cannot contain more than one backslash"]
    found = [problem for domain in domains for problem in _domain(domain)]
    if not user:
        found.append("runAsUserName's User cannot be empty")
    elif len(user) > 104:
        found.append("runAsUserName's User length must not be longer than 104 characters")
    if _DOTS.fullmatch(user):
        found.append("runAsUserName's User cannot contain only periods or spaces")
    if _BAD_USER.search(user):
        signs = '"/\\:;|=,+*?<>@[]'
        found.append(f"runAsUserName's User cannot contain the following characters: {signs}")
    return found


def _domain(domain: str) -> list[str]:
    found: list[str] = []
    if len(domain) >= 256:
        found.append("runAsUserName's Domain length must be under 256 characters")
    if not (_NET_BIOS.fullmatch(domain) or _DNS_DOMAIN.fullmatch(domain)):
        found.append("runAsUserName's Domain doesn't match the NetBios nor the DNS format")
    return found
