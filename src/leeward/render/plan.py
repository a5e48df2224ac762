"""What is decided about every service before anything is rendered: names, kind, ports, volumes.

Renderers of one service need to know what was decided about the others (who shares a volume, who
waits for whom); they read it here and never look at another service themselves.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from leeward.base.diagnostics import Diagnostic
from leeward.compose.project import Mount, Project, Service
from leeward.render import naming
from leeward.render.ports import ServicePort, ports_of
from leeward.settings.read import read_settings
from leeward.settings.rules import least_replicas
from leeward.settings.service import NetworkSettings, ProjectSettings, ServiceSettings, VolumeSettings


class Kind(StrEnum):
    """What runs a service."""

    DEPLOYMENT = "Deployment"
    STATEFUL_SET = "StatefulSet"
    DAEMON_SET = "DaemonSet"
    JOB = "Job"


@dataclass(frozen=True, slots=True, kw_only=True)
class ServicePlan:
    """The decisions about one service."""

    service: Service
    name: str  # Kubernetes name
    kind: Kind
    replicas: int
    ports: tuple[ServicePort, ...]
    mounts: tuple[Mount, ...]  # with those of volumes_from
    networks: tuple[str, ...]  # Compose networks it is on
    aliases: tuple[str, ...]  # further DNS names, valid and not a service's
    settings: ServiceSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectPlan:
    """The decisions about a project."""

    part_of: str
    services: Mapping[str, ServicePlan]  # by Compose name; those that run here
    external: Mapping[str, ServicePlan]  # by Compose name; those that somebody else runs
    volume_names: Mapping[str, str]
    network_names: Mapping[str, str]
    volume_users: Mapping[str, tuple[str, ...]]  # Compose volume → Compose services
    settings: ProjectSettings
    volume_settings: Mapping[str, VolumeSettings]  # by Compose name
    network_settings: Mapping[str, NetworkSettings]  # by Compose name
    diagnostics: tuple[Diagnostic, ...]


def restart_of(service: Service) -> tuple[str | None, int | None]:
    """Return ("no" | "on-failure" | "always" | None, retries): ``deploy`` wins over ``restart``."""
    policy = service.deploy.restart_policy if service.deploy else None
    if policy and policy.condition:
        words = {"none": "no", "on-failure": "on-failure", "any": "always"}
        return words.get(policy.condition, "always"), policy.max_attempts
    if service.restart is None:
        return None, None
    word, _, number = service.restart.partition(":")
    return ("always" if word == "unless-stopped" else word), (int(number) if number.isdigit() else None)


def _mounts(project: Project, service: Service) -> tuple[Mount, ...]:
    """Return the service's mounts and, for ``volumes_from``, those of the services it names."""
    mounts = list(service.volumes)
    for entry in service.volumes_from:
        name, _, mode = entry.partition(":")
        other = project.services.get(name)
        taken = {mount.target for mount in mounts}
        for mount in other.volumes if other else ():
            if mount.target not in taken:
                mounts += [replace(mount, read_only=True) if mode == "ro" else mount]
    return tuple(mounts)


def _networks(project: Project, service: Service) -> tuple[str, ...]:
    """Return the networks of a service; one that borrows another's network is on that one's."""
    mode, _, other = (service.network_mode or "").partition(":")
    if mode == "bridge":
        return ("bridge",)
    if mode == "service" and other in project.services:
        return tuple(project.services[other].networks)
    return tuple(service.networks)


def _conditions(project: Project) -> Mapping[str, frozenset[str]]:
    """Return service → the conditions under which others wait for it."""
    wanted: dict[str, set[str]] = {}
    for service in project.services.values():
        for name, dependency in service.depends_on.items():
            wanted.setdefault(name, set()).add(dependency.condition)
    return {name: frozenset(conditions) for name, conditions in wanted.items()}


def _kind(
    service: Service, ports: tuple[ServicePort, ...], waited: frozenset[str], owns_volume: bool
) -> Kind:
    mode = service.deploy.mode if service.deploy else "replicated"
    if mode in ("replicated-job", "global-job") or "service_completed_successfully" in waited:
        return Kind.JOB
    if mode == "global":
        return Kind.DAEMON_SET
    serving = bool(ports or (service.healthcheck and service.healthcheck.test) or waited)
    if restart_of(service)[0] in ("no", "on-failure") and not serving:
        return Kind.JOB
    return Kind.STATEFUL_SET if owns_volume else Kind.DEPLOYMENT


def _volume_users(mounts: Mapping[str, tuple[Mount, ...]]) -> Mapping[str, tuple[str, ...]]:
    users: dict[str, list[str]] = {}
    for name in sorted(mounts):
        for mount in mounts[name]:
            if mount.type == "volume" and mount.source and name not in users.setdefault(mount.source, []):
                users[mount.source].append(name)
    return {volume: tuple(names) for volume, names in users.items()}


def _aliases(project: Project, names: Mapping[str, str]) -> Mapping[str, tuple[str, ...]]:
    """Return service → its further names that can be Services; those that cannot are reported there."""
    wanted: dict[str, dict[str, None]] = {name: {} for name in project.services}
    for service in project.services.values():
        own = wanted[service.name]
        for attachment in service.networks.values():
            own.update(dict.fromkeys(attachment.aliases))
        if service.container_name:
            own[service.container_name] = None
        for link in service.links:
            target, _, alias = link.partition(":")
            if alias and target in wanted:
                wanted[target][alias] = None
    reserved = set(names.values())
    return {
        name: tuple(
            sorted(alias for alias in found if naming.dns_label(alias) == alias and alias not in reserved)
        )
        for name, found in wanted.items()
    }


def make_plan(project: Project) -> ProjectPlan:
    """Decide about every service of `project`."""
    find = project.locations.find
    names, found = naming.assign_names(
        {name: find("services", name) for name in project.services}, section="services"
    )
    volume_names, more = naming.assign_names(
        {name: find("volumes", name) for name in project.volumes}, section="volumes"
    )
    found += more
    network_names, more = naming.assign_names(
        {name: find("networks", name) for name in project.networks}, section="networks"
    )
    found += more
    mounts = {name: _mounts(project, service) for name, service in project.services.items()}
    declared = read_settings(project)
    found += declared.diagnostics
    users = _volume_users(
        {name: own for name, own in mounts.items() if declared.services[name].external is None}
    )
    conditions = _conditions(project)
    aliases = _aliases(project, names)
    plans: dict[str, ServicePlan] = {}
    external: dict[str, ServicePlan] = {}
    for name, service in project.services.items():
        settings = declared.services[name]
        ports = ports_of(service)
        own_volumes = {key for key, sharers in users.items() if sharers == (name,)}
        owns = any(not project.volumes[key].external for key in own_volumes & project.volumes.keys())
        side = plans if settings.external is None else external
        side[name] = ServicePlan(
            service=service,
            name=names[name],
            kind=_kind(service, ports, conditions.get(name, frozenset()), owns),
            replicas=least_replicas(service, settings),
            ports=ports,
            mounts=mounts[name],
            networks=_networks(project, service),
            aliases=aliases[name],
            settings=settings,
        )
    return ProjectPlan(
        part_of=naming.label_value(project.name),
        services=plans,
        external=external,
        volume_names=volume_names,
        network_names=network_names,
        volume_users=users,
        settings=declared.project,
        volume_settings=declared.volumes,
        network_settings=declared.networks,
        diagnostics=tuple(found),
    )
