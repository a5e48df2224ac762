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
from leeward.render.sharing import find_hosts
from leeward.settings.read import read_settings
from leeward.settings.rules import least_replicas
from leeward.settings.service import NetworkSettings, ProjectSettings, ServiceSettings, VolumeSettings


class Kind(StrEnum):
    """What runs a service."""

    DEPLOYMENT = "Deployment"
    STATEFUL_SET = "StatefulSet"
    DAEMON_SET = "DaemonSet"
    JOB = "Job"
    CRON_JOB = "CronJob"
    GUEST = "Pod"  # a container in the Pod of another service


RUN_TO_END = frozenset((Kind.JOB, Kind.CRON_JOB))


@dataclass(frozen=True, slots=True, kw_only=True)
class ServicePlan:
    """The decisions about one service."""

    service: Service
    name: str  # Kubernetes name
    kind: Kind
    pod: str  # the Compose service in whose Pod it runs: itself, unless its kind is GUEST
    replicas: int
    ports: tuple[ServicePort, ...]
    mounts: tuple[Mount, ...]  # with those of volumes_from
    networks: tuple[str, ...]  # Compose networks it is on
    aliases: tuple[str, ...]  # further DNS names, valid and not a service's
    settings: ServiceSettings

    @property
    def ends(self) -> bool:
        """Whether its Pods are expected to end."""
        return self.kind in RUN_TO_END


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectPlan:
    """The decisions about a project."""

    part_of: str
    services: Mapping[str, ServicePlan]  # by Compose name; those that run here
    external: Mapping[str, ServicePlan]  # by Compose name; those that somebody else runs
    guest_names: Mapping[str, tuple[str, ...]]  # Compose service → the others in its Pod
    volume_names: Mapping[str, str]
    network_names: Mapping[str, str]
    volume_users: Mapping[str, tuple[str, ...]]  # Compose volume → Compose services whose Pods mount it
    settings: ProjectSettings
    volume_settings: Mapping[str, VolumeSettings]  # by Compose name
    network_settings: Mapping[str, NetworkSettings]  # by Compose name
    diagnostics: tuple[Diagnostic, ...]

    def owner(self, plan: ServicePlan) -> ServicePlan:
        """Return the plan of the service in whose Pod `plan` runs."""
        return self.services[plan.pod]

    def guests(self, plan: ServicePlan) -> tuple[ServicePlan, ...]:
        """Return the other services that run in the Pod of `plan`."""
        return tuple(self.services[name] for name in self.guest_names.get(plan.service.name, ()))


JOB_MODES = ("replicated-job", "global-job")


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


def _networks(service: Service) -> tuple[str, ...]:
    """Return the networks of a service that has its own Pod."""
    return ("bridge",) if service.network_mode == "bridge" else tuple(service.networks)


def _conditions(project: Project, hosts: Mapping[str, str]) -> Mapping[str, frozenset[str]]:
    """Return service → the conditions under which services of other Pods wait for it."""
    wanted: dict[str, set[str]] = {}
    for service in project.services.values():
        for name, dependency in service.depends_on.items():
            if hosts.get(service.name, service.name) == hosts.get(name, name):
                continue
            wanted.setdefault(name, set()).add(dependency.condition)
    return {name: frozenset(conditions) for name, conditions in wanted.items()}


def _kind(
    plan: ServicePlan, ports: tuple[ServicePort, ...], waited: frozenset[str], owns_volume: bool
) -> Kind:
    service = plan.service
    if plan.pod != service.name:
        return Kind.GUEST
    if plan.settings.schedule is not None:
        return Kind.CRON_JOB
    mode = service.deploy.mode if service.deploy else "replicated"
    if mode in JOB_MODES or "service_completed_successfully" in waited:
        return Kind.JOB
    if mode == "global":
        return Kind.DAEMON_SET
    serving = bool(ports or (service.healthcheck and service.healthcheck.test) or waited)
    if restart_of(service)[0] in ("no", "on-failure") and not serving:
        return Kind.JOB
    return Kind.STATEFUL_SET if owns_volume else Kind.DEPLOYMENT


def _volume_users(
    mounts: Mapping[str, tuple[Mount, ...]], hosts: Mapping[str, str]
) -> Mapping[str, tuple[str, ...]]:
    users: dict[str, list[str]] = {}
    for name in sorted(mounts):
        pod = hosts.get(name, name)
        for mount in mounts[name]:
            if mount.type == "volume" and mount.source and pod not in users.setdefault(mount.source, []):
                users[mount.source].append(pod)
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


def _replicas(service: Service, settings: ServiceSettings) -> int:
    """Return how many Pods there are at least, or in a scheduled run."""
    return settings.schedule.parallel if settings.schedule else least_replicas(service, settings)


def _guests(hosts: Mapping[str, str]) -> Mapping[str, tuple[str, ...]]:
    """Return host → its guests."""
    found: dict[str, list[str]] = {}
    for guest, host in hosts.items():
        found.setdefault(host, []).append(guest)
    return {host: tuple(names) for host, names in found.items()}


def _volume_owners(project: Project, users: Mapping[str, tuple[str, ...]]) -> frozenset[str]:
    """Return the services whose Pods are the only ones to mount some volume of the project."""
    own = {key for key, volume in project.volumes.items() if not volume.external}
    return frozenset(pods[0] for key, pods in users.items() if len(pods) == 1 and key in own)


def _decide(
    drafts: Mapping[str, ServicePlan],
    guests: Mapping[str, tuple[str, ...]],
    conditions: Mapping[str, frozenset[str]],
    owners: frozenset[str],
) -> dict[str, ServicePlan]:
    """Return the plans with what depends on the other services: kind, and what a guest has from its host."""
    decided = {}
    for name, plan in drafts.items():
        members = (name, *guests.get(name, ()))
        ports = tuple(port for member in members for port in drafts[member].ports)
        decided[name] = replace(
            plan,
            kind=_kind(plan, ports, conditions.get(name, frozenset()), name in owners),
            replicas=drafts[plan.pod].replicas,
            networks=drafts[plan.pod].networks,
        )
    return decided


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
    here = {name for name, settings in declared.services.items() if settings.external is None}
    hosts = {guest: host for guest, host in find_hosts(project).items() if {guest, host} <= here}
    users = _volume_users({name: own for name, own in mounts.items() if name in here}, hosts)
    aliases = _aliases(project, names)
    drafts: dict[str, ServicePlan] = {}
    for name, service in project.services.items():
        settings = declared.services[name]
        drafts[name] = ServicePlan(
            service=service,
            name=names[name],
            kind=Kind.DEPLOYMENT,
            pod=hosts.get(name, name),
            replicas=_replicas(service, settings),
            ports=ports_of(service),
            mounts=mounts[name],
            networks=_networks(service),
            aliases=aliases[name],
            settings=settings,
        )
    guests = _guests(hosts)
    plans = _decide(drafts, guests, _conditions(project, hosts), _volume_owners(project, users))
    return ProjectPlan(
        part_of=naming.label_value(project.name),
        services={name: plan for name, plan in plans.items() if name in here},
        external={name: plan for name, plan in plans.items() if name not in here},
        guest_names=guests,
        volume_names=volume_names,
        network_names=network_names,
        volume_users=users,
        settings=declared.project,
        volume_settings=declared.volumes,
        network_settings=declared.networks,
        diagnostics=tuple(found),
    )
