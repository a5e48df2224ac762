"""Which services run in another one's Pod: those that share its network, processes or memory.

``network_mode: service:x``, ``pid: service:x`` and ``ipc: service:x`` need both containers in one Pod, and
so does ``container:NAME`` when NAME is the container_name of a service. Containers of one Pod share all three
of network, memory and volumes, so whoever joins one joins the Pod.

Invariants: a host is never a guest itself (who joins a guest joins its host); nobody joins itself.

Source: the Compose Specification, "network_mode", "pid", "ipc"; kubernetes.io/docs/concepts/workloads/pods.
"""

from __future__ import annotations

from collections.abc import Mapping

from leeward.compose.project import Project, Service

JOINING_KEYS = ("network_mode", "pid", "ipc")


def joined_service(project: Project, service: Service, key: str) -> str | None:
    """Return the service that `key` of `service` joins; None when it joins none of this project."""
    form, _, name = (getattr(service, key) or "").partition(":")
    if form == "service":
        return name if name in project.services else None
    if form == "container":
        return next((other.name for other in project.services.values() if other.container_name == name), None)
    return None


def _direct_host(project: Project, service: Service) -> str | None:
    joined = (joined_service(project, service, key) for key in JOINING_KEYS)
    return next((name for name in joined if name is not None and name != service.name), None)


def find_hosts(project: Project) -> Mapping[str, str]:
    """Return guest → host for every service that runs in another one's Pod."""
    direct = {
        name: host for name, service in project.services.items() if (host := _direct_host(project, service))
    }
    hosts: dict[str, str] = {}
    for guest in direct:
        seen, host = {guest}, direct[guest]
        while host in direct and host not in seen:
            seen.add(host)
            host = direct[host]
        if host not in seen:  # a circle of services that join one another has no host
            hosts[guest] = host
    return hosts
