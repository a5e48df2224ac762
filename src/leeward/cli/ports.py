"""Published ports: who has one already, told by name where it is leeward itself."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from leeward.base.diagnostics import Diagnostic, Severity
from leeward.base.errors import DiagnosticsError, LeewardError
from leeward.cli.options import DEFAULT_CLUSTER

if TYPE_CHECKING:
    from leeward.compose.project import Project
    from leeward.kube.objects import Obj

LOOPBACK = "127.0.0.1"
Address = tuple[str, int]  # host and port


@dataclass(frozen=True, slots=True)
class Holder:
    """What of leeward listens on a port."""

    what: str  # completes "port 8080 on 127.0.0.1 is …"
    remedy: str
    cluster: str
    project: str = ""  # that publishes it


def holders_of_cluster(name: str, record: Mapping[str, Any]) -> dict[Address, Holder]:
    """Return what a running cluster itself listens on."""
    flag = "" if name == DEFAULT_CLUSTER else f" --name {name}"
    ways = (("ingressPort", "ingress", "--ingress-port"), ("apiPort", "Kubernetes API", "--port"))
    return {
        (LOOPBACK, int(record[key])): Holder(
            f"the {what} of cluster {name}",
            f"Publish another port, or move the {what}: `leeward cluster stop{flag}`, then "
            f"`leeward cluster start{flag} {option} PORT`.",
            name,
        )
        for key, what, option in ways
    }


def holders_of_projects(name: str, services: Iterable[Obj]) -> dict[Address, Holder]:
    """Return what the projects on cluster `name` publish."""
    from leeward.kube.objects import annotations_of, labels_of
    from leeward.kube.wellknown import APP_PART_OF, PUBLISHED_PORTS

    flag = "" if name == DEFAULT_CLUSTER else f" --cluster {name}"
    found: dict[Address, Holder] = {}
    for service in services:
        project = labels_of(service).get(APP_PART_OF, "")
        for entry in json.loads(annotations_of(service).get(PUBLISHED_PORTS, "[]")):
            found[entry.get("hostIP") or LOOPBACK, int(entry["published"])] = Holder(
                f"published by project {project} on cluster {name}",
                f"Publish another port, or take that project down: `leeward down -p {project}{flag}`.",
                name,
                project,
            )
    return found


async def find_holders() -> dict[Address, Holder]:
    """Return what the running clusters of this user listen on; one that does not answer is left out."""
    from leeward.cli import clusters
    from leeward.cli.connection import connect

    found: dict[Address, Holder] = {}
    for name in clusters.running_names():
        state = clusters.state_of(name)
        with suppress(LeewardError, OSError):
            found |= holders_of_cluster(name, state.load())
            async with connect(state) as api:
                found |= holders_of_projects(name, await api.list("services"))
    return found


def published_addresses(project: Project) -> dict[tuple[str, int], Address]:
    """Return (service, index of the port) → address of every TCP port that `project` publishes."""
    return {
        (name, index): (port.host_ip or LOOPBACK, int(port.published))
        for name, service in project.services.items()
        for index, port in enumerate(service.ports)
        if port.published and str(port.published).isdigit() and port.protocol != "udp"
    }


def taken_ports(
    project: Project, cluster: str, busy: Collection[Address], holders: Mapping[Address, Holder]
) -> list[Diagnostic]:
    """Return an error for every published port that something else has.

    Args:
        project: the project.
        cluster: where it is to run; what it publishes there already is its own.
        busy: addresses that something listens on.
        holders: what leeward listens on.
    """
    found = []
    for (name, index), address in published_addresses(project).items():
        host, number = address
        holder = holders.get(address) or next((h for (_, port), h in holders.items() if port == number), None)
        own = holder is not None and (holder.project, holder.cluster) == (project.name, cluster)
        if address not in busy or own:
            continue
        found.append(
            Diagnostic(
                path=f"services.{name}.ports[{index}]",
                location=project.locations.find("services", name, "ports", index),
                code="port-taken",
                severity=Severity.ERROR,
                message=f"port {number} on {host} is {holder.what if holder else 'already taken'}",
                remedy=holder.remedy if holder else "Stop the program that has it, or publish another port.",
            )
        )
    return found


def check_ports(project: Project, cluster: str) -> None:
    """Refuse published ports that something else has.

    Raises:
        DiagnosticsError: ports that are taken, all of them, with file and line.
    """
    from leeward.cli.clusters import port_is_free

    wanted = set(published_addresses(project).values())
    busy = {(host, port) for host, port in wanted if not port_is_free(port, host)}
    if busy and (found := taken_ports(project, cluster, busy, asyncio.run(find_holders()))):
        raise DiagnosticsError(found)
