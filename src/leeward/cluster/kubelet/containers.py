"""From a Pod's spec to what the runtime is asked for. Pure.

Source: pkg/kubelet/kuberuntime/kuberuntime_container.go, pkg/kubelet/network/dns/dns.go (Kubernetes 1.36).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from leeward.cluster.interface.runtime import ContainerConfig, Image, Mount, SandboxConfig
from leeward.cluster.kubelet.environment import expand
from leeward.kube.objects import Obj
from leeward.kube.quantity import to_millis, to_units

if TYPE_CHECKING:
    from leeward.cluster.kubelet.podworker import Host

DOMAIN = "cluster.local"


def all_containers(pod: Obj) -> list[Obj]:
    """Return all containers of a Pod, of every kind."""
    spec = pod["spec"]
    ephemeral = spec.get("ephemeralContainers") or ()
    return [*(spec.get("initContainers") or ()), *spec["containers"], *ephemeral]


def sandbox_config(host: Host, pod: Obj) -> SandboxConfig:
    """Return the surroundings of a Pod."""
    meta, spec = pod["metadata"], pod["spec"]
    names = [(alias["ip"], tuple(alias.get("hostnames") or ())) for alias in spec.get("hostAliases") or ()]
    if not host.isolated:
        names += _service_names(host, meta["namespace"])
    hostname = spec.get("hostname") or meta["name"]
    policy, custom = spec.get("dnsPolicy", "ClusterFirst"), spec.get("dnsConfig") or {}
    cluster_first = bool(host.dns) and policy in ("ClusterFirst", "ClusterFirstWithHostNet")
    domains = [f"{meta['namespace']}.svc.{DOMAIN}", f"svc.{DOMAIN}", DOMAIN] if cluster_first else []
    options = ["ndots:5"] if cluster_first else []
    options += [
        f"{o['name']}:{o['value']}" if o.get("value") else o["name"] for o in custom.get("options") or ()
    ]
    sysctls = (spec.get("securityContext") or {}).get("sysctls") or ()
    return SandboxConfig(
        pod_uid=meta["uid"],
        namespace=meta["namespace"],
        name=meta["name"],
        node=host.node,
        hostname=hostname[:63],
        host_network=bool(spec.get("hostNetwork")),
        hosts=names,
        nameservers=[*([host.dns] if cluster_first else []), *(custom.get("nameservers") or ())],
        searches=[*domains, *(custom.get("searches") or ())],
        dns_options=options,
        sysctls={each["name"]: str(each["value"]) for each in sysctls},
    )


def _service_names(host: Host, namespace: str) -> list[tuple[str, tuple[str, ...]]]:
    """Without a network of its own a Pod finds Services by its hosts file: all are on this machine."""
    names = [service["metadata"]["name"] for service in host.client.list("services", namespace)]
    return [("127.0.0.1", tuple(names))] if names else []


def container_config(
    host: Host,
    pod: Obj,
    container: Obj,
    image: Image,
    environment: Mapping[str, str],
    mounts: Sequence[Mount],
    *,
    attempt: int,
    shares_with: str = "",
) -> ContainerConfig:
    """Return a container as the runtime is asked for it; it sees the processes of `shares_with`, if any."""
    pod_security = pod["spec"].get("securityContext") or {}
    security = {**pod_security, **(container.get("securityContext") or {})}
    resources = container.get("resources") or {}
    limits, requests = resources.get("limits") or {}, resources.get("requests") or {}
    lifecycle = container.get("lifecycle") or {}
    groups = [*(pod_security.get("supplementalGroups") or ())]
    if "fsGroup" in pod_security:
        groups.append(pod_security["fsGroup"])
    command, args = container.get("command"), container.get("args")
    return ContainerConfig(
        name=container["name"],
        image=image.names[0] if image.names else image.id,
        command=[expand(word, environment) for word in command] if command else None,
        args=[expand(word, environment) for word in args] if args is not None else None,
        working_dir=container.get("workingDir"),
        env=environment,
        mounts=mounts,
        log_path=log_path(host.logs_dir, pod, container["name"], attempt),
        attempt=attempt,
        shares_with=shares_with,
        user=security.get("runAsUser"),
        group=security.get("runAsGroup"),
        supplemental_groups=groups,
        read_only_root=bool(security.get("readOnlyRootFilesystem")),
        tty=bool(container.get("tty")),
        stdin=bool(container.get("stdin")),
        stdin_once=bool(container.get("stdinOnce")),
        memory_limit_bytes=to_units(limits["memory"]) if "memory" in limits else None,
        cpu_limit_millis=to_millis(limits["cpu"]) if "cpu" in limits else None,
        memory_request_bytes=to_units(requests.get("memory") or 0),
        cpu_request_millis=to_millis(requests.get("cpu") or 0),
        stop_signal=lifecycle.get("stopSignal"),
    )


def log_path(logs_dir: Path, pod: Obj, container: str, attempt: int) -> Path:
    """Return where a container's output is kept, as kubelets lay it out."""
    meta = pod["metadata"]
    return logs_dir / f"{meta['namespace']}_{meta['name']}_{meta['uid']}" / container / f"{attempt}.log"
