"""What the schema cannot say: references, cycles, and keys that contradict one another.

Source: Compose Specification; consistency checks of compose-go ``loader``.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator, Mapping

from leeward.compose.findings import Findings, ValuePath, did_you_mean
from leeward.compose.node import Node
from leeward.compose.project import FileUse, Port, Project, Resources, Service

_ABSOLUTE = re.compile(r"/|[A-Za-z]:[\\/]")
_TESTS = ("CMD", "CMD-SHELL", "NONE")
_RESTARTS = ("no", "always", "unless-stopped", "on-failure")
_PULLS = ("always", "never", "build", "if_not_present", "missing", "refresh", "daily", "weekly")
_PROTOCOLS = ("tcp", "udp", "sctp")
_PUBLISHED = re.compile(r"[0-9]+(-[0-9]+)?\Z")
_EXPOSED = re.compile(r"[0-9]+(-[0-9]+)?(/(tcp|udp|sctp))?\Z")
_SIGNALS = (
    "ABRT", "ALRM", "BUS", "CHLD", "CLD", "CONT", "FPE", "HUP", "ILL", "INT", "IO", "IOT", "KILL", "PIPE",
    "POLL", "PROF", "PWR", "QUIT", "SEGV", "STKFLT", "STOP", "SYS", "TERM", "TRAP", "TSTP", "TTIN", "TTOU",
    "URG", "USR1", "USR2", "VTALRM", "WINCH", "XCPU", "XFSZ",
)  # fmt: skip
_SIGNAL = re.compile(r"[1-9]|[1-5][0-9]|6[0-4]|RTMIN(\+[0-9]+)?|RTMAX(-[0-9]+)?")
_OBSOLETE = "It has no effect since Compose V2."


def check_tree(tree: Node, findings: Findings) -> None:
    """Check what does not depend on profiles: top-level keys and services that say nothing."""
    version = tree.get("version")
    if version is not None:
        findings.note("obsolete-key", _OBSOLETE, path=("version",), at=version.location, remedy="Remove it.")
    services = tree.get("services")
    if services is None or not services.items():
        if findings.failed:
            return  # a misspelt key or name has been reported, which is why there is none
        findings.error(
            "no-services",
            "The files define no service.",
            path=("services",) if services is not None else (),
            at=(services or tree).location,
            remedy='Add at least one service under "services".',
            damages=True,
        )
        return
    for name, service in services.items().items():
        if not isinstance(service.value, dict):
            findings.error(
                "empty-service",
                "The service is empty.",
                path=("services", name),
                at=service.location,
                remedy="Give it an image or a build.",
                damages=True,
            )


def check_project(project: Project, tree: Node, findings: Findings) -> None:
    """Check every enabled service, the resources and the order of starting."""
    checker = _Checker(project, findings)
    for service in project.services.values():
        checker.check(service)
    for kind in ("configs", "secrets"):
        table = tree.get(kind)
        for name, source in table.items().items() if table is not None else ():
            checker.file_source(kind, name, source)
    checker.cycles()
    if not project.services:
        findings.warning(
            "nothing-enabled",
            "Every service belongs to a profile that is not active.",
            path=("services",),
            at=project.locations.find("services"),
            remedy="Activate a profile with --profile or COMPOSE_PROFILES.",
        )


class _Checker:
    """The checks of one project."""

    def __init__(self, project: Project, findings: Findings) -> None:
        self._project = project
        self._findings = findings
        self._published: dict[tuple[str, str, str], tuple[str, int]] = {}

    def check(self, service: Service) -> None:
        path = ("services", service.name)
        if not service.image and service.build is None and service.provider is None:
            self._error("no-image", path, "It has neither image nor build.", "Add one of the two.")
        self._contradictions(service, path)
        self._amounts(service, path)
        self._ports(service, path)
        self._choices(service, path)
        self._references(service, path)
        self._mounts(service, path)

    def _error(self, code: str, path: ValuePath, message: str, remedy: str) -> None:
        self._findings.error(code, message, path=path, at=self._project.locations.find(*path), remedy=remedy)

    def _contradictions(self, service: Service, path: ValuePath) -> None:
        build = service.build
        if build is not None and build.dockerfile is not None and build.dockerfile_inline is not None:
            self._error(
                "contradiction",
                (*path, "build"),
                "dockerfile and dockerfile_inline exclude one another.",
                "Remove one.",
            )
        if service.network_mode is not None and service.networks:
            self._error(
                "contradiction",
                (*path, "network_mode"),
                "network_mode and networks exclude one another.",
                "Remove one.",
            )
        deploy = service.deploy
        if service.container_name is not None and service.replicas > 1:
            self._error(
                "contradiction",
                (*path, "container_name"),
                f"{service.replicas} containers cannot have one name.",
                "Remove container_name.",
            )
        if deploy is None:
            return
        limits, reservations = deploy.limits, deploy.reservations
        for key, own, other, where in (
            ("scale", service.scale, deploy.replicas, "replicas"),
            ("cpus", service.cpus, limits and limits.cpus, "resources.limits.cpus"),
            ("mem_limit", service.mem_limit, limits and limits.memory, "resources.limits.memory"),
            ("pids_limit", service.pids_limit, limits and limits.pids, "resources.limits.pids"),
            (
                "mem_reservation",
                service.mem_reservation,
                reservations and reservations.memory,
                "resources.reservations.memory",
            ),
        ):
            if own is not None and other is not None and own != other:
                self._error(
                    "contradiction",
                    (*path, key),
                    f"It says {own}, but deploy.{where} says {other}.",
                    "Remove one of the two.",
                )

    def _amounts(self, service: Service, path: ValuePath) -> None:
        if service.replicas < 0:
            key = "scale" if service.scale is not None else "deploy"
            self._error(
                "invalid-value", (*path, key), "The number of containers is negative.", "Use 0 or more."
            )

        for where, amount in _amounts_of(service):
            if amount is not None and amount < 0:
                self._error("invalid-value", (*path, *where), "The amount is negative.", "Use 0 or more.")
        for what, unit, least, most in _bounds_of(service):
            if least and most and 0 < most < least:
                self._error(
                    "contradiction",
                    path,
                    f"More {what} is reserved ({least:,g}{unit}) than the limit allows ({most:,g}{unit}).",
                    "Raise the limit or lower the reservation.",
                )

    def _ports(self, service: Service, path: ValuePath) -> None:
        for index, port in enumerate(service.ports):
            here = (*path, "ports", index)
            if not 0 < port.target < 65536:
                self._error("invalid-value", here, f"{port.target} is not a port.", "Use 1 to 65535.")
            if port.published and not _PUBLISHED.match(port.published):
                message = f'"{port.published}" is neither a port nor a range of ports.'
                self._error("invalid-value", here, message, 'Write "8080" or "8000-8010".')
            if port.protocol not in _PROTOCOLS:
                message = f'There is no protocol "{port.protocol}".'
                self._error("invalid-value", here, message, f"Use one of: {', '.join(_PROTOCOLS)}.")
            self._published_twice(service.name, port, here)
        for index, exposed in enumerate(service.expose):
            if not _EXPOSED.match(exposed):
                message = f'"{exposed}" is not a port.'
                self._error("invalid-value", (*path, "expose", index), message, 'Write "3000" or "3000/udp".')

    def _published_twice(self, name: str, port: Port, path: ValuePath) -> None:
        if not port.published or "-" in port.published:
            return
        key = (port.host_ip or "", port.published, port.protocol)
        taken, target = self._published.setdefault(key, (name, port.target))
        if (taken, target) != (name, port.target):
            who = f"Container port {target}" if taken == name else f'The service "{taken}"'
            does = "is published as" if taken == name else "publishes"
            self._findings.warning(
                "port-published-twice",
                f"{who} {does} {port.published}/{port.protocol} too.",
                path=path,
                at=self._project.locations.find(*path),
                remedy="Publish one of them on another port.",
            )

    def _choices(self, service: Service, path: ValuePath) -> None:
        check = service.healthcheck
        if check is not None and check.test and check.test[0] not in _TESTS:
            self._error(
                "invalid-value",
                (*path, "healthcheck", "test"),
                f'The list starts with "{check.test[0]}".',
                'Start it with "CMD", "CMD-SHELL" or "NONE", or write one string.',
            )
        restart = service.restart
        if restart is not None and not _is_restart(restart):
            self._error(
                "invalid-value",
                (*path, "restart"),
                f'There is no restart policy "{restart}".',
                did_you_mean(restart, _RESTARTS)
                or 'Use "no", always, on-failure, on-failure:N or unless-stopped.',
            )
        signal = (service.stop_signal or "").upper().removeprefix("SIG")
        if signal and not _SIGNAL.fullmatch(signal) and signal not in _SIGNALS:
            self._error(
                "invalid-value",
                (*path, "stop_signal"),
                f'There is no signal "{service.stop_signal}".',
                "Write SIGTERM, SIGINT, SIGQUIT or another one of signal(7).",
            )
        policy = service.pull_policy
        if policy is not None and policy not in _PULLS and not policy.startswith("every_"):
            self._error(
                "invalid-value",
                (*path, "pull_policy"),
                f'There is no pull policy "{policy}".',
                did_you_mean(policy, _PULLS) or f"Use one of: {', '.join(_PULLS)}.",
            )

    def _references(self, service: Service, path: ValuePath) -> None:
        project = self._project
        for name in service.networks:
            if name != "default":
                self._declared("network", name, project.networks, (*path, "networks", name))
        for index, mount in enumerate(service.volumes):
            if mount.type == "volume" and mount.source is not None:
                self._declared("volume", mount.source, project.volumes, (*path, "volumes", index))
        self._uses("config", service.configs, project.configs, (*path, "configs"))
        self._uses("secret", service.secrets, project.secrets, (*path, "secrets"))
        if service.build is not None:
            self._uses("secret", service.build.secrets, project.secrets, (*path, "build", "secrets"))
        for name in service.models:
            self._declared("model", name, project.models, (*path, "models", name))
        for name, dependency in service.depends_on.items():
            if dependency.required or name not in project.disabled:
                self._service(name, self._origin(service.name, name))

    def _uses(self, what: str, uses: Iterable[FileUse], table: Mapping[str, object], path: ValuePath) -> None:
        for index, use in enumerate(uses):
            self._declared(what, use.source, table, (*path, index))

    def _declared(self, what: str, name: str, table: Mapping[str, object], path: ValuePath) -> None:
        if name not in table:
            self._error(
                f"undefined-{what}",
                path,
                f'There is no {what} "{name}".',
                did_you_mean(name, table) or f'Declare it under the top-level "{what}s".',
            )

    def _service(self, name: str, path: ValuePath) -> None:
        if name in self._project.services:
            return
        if name in self._project.disabled:
            self._error(
                "disabled-service",
                path,
                f'The service "{name}" belongs to a profile that is not active.',
                "Activate its profile with --profile, or write required: false.",
            )
            return
        self._error(
            "undefined-service",
            path,
            f'There is no service "{name}".',
            did_you_mean(name, self._project.services) or "Name a service that exists.",
        )

    def _mounts(self, service: Service, path: ValuePath) -> None:
        seen: dict[str, tuple[str, int]] = {}
        for index, mount in enumerate(service.volumes):
            if mount.type != "npipe" and not _ABSOLUTE.match(mount.target):
                self._error(
                    "relative-path",
                    (*path, "volumes", index),
                    f'The target "{mount.target}" is not an absolute path.',
                    f'Write "/{mount.target.lstrip("./")}".',
                )
            self._drive(mount.target if mount.source is None else "", (*path, "volumes", index))
            self._place(mount.target, ("volumes", index), path, seen)
            if mount.type == "bind" and mount.source is None:
                self._error(
                    "missing-key", (*path, "volumes", index), "A bind mount needs a source.", "Add source."
                )
        for index, entry in enumerate(dict.fromkeys(service.tmpfs)):
            self._place(entry.partition(":")[0], ("tmpfs", index), path, seen)
        for section, directory in (("configs", "/"), ("secrets", "/run/secrets")):
            for index, use in enumerate(getattr(service, section)):
                target = posixpath.join(directory, use.target or use.source)
                self._place(target, (section, index), path, seen)

    def _place(
        self, target: str, place: tuple[str, int], path: ValuePath, seen: dict[str, tuple[str, int]]
    ) -> None:
        """Report a second mount at one place, of which one would hide the other."""
        other = seen.setdefault(posixpath.normpath(target), place)
        if other != place:
            self._error(
                "duplicate-target",
                (*path, *place),
                f'"{target}" is already mounted by {other[0]}[{other[1]}].',
                "Remove one of the two.",
            )

    def _drive(self, target: str, path: ValuePath) -> None:
        """Report ``v:/data`` where ``v`` is a volume: Compose reads one letter as a drive of Windows."""
        letter, colon, inside = target.partition(":")
        if colon and len(letter) == 1 and letter in self._project.volumes:
            self._error(
                "windows-drive",
                path,
                f'"{letter}:" is read as a drive of Windows, not as the volume "{letter}".',
                f"Name the volume longer, or write {{type: volume, source: {letter}, target: {inside}}}.",
            )

    def file_source(self, kind: str, name: str, source: Node) -> None:
        """Check that a config or secret says where its content is."""
        path = (kind, name)
        external = source.get("external")
        if external is not None and external.value is True:
            return
        given = [key for key in ("file", "environment") if source.text(key) is not None]
        if source.text("content") is not None and "environment" not in given:
            given.append("content")
        if len(given) != 1 and source.text("driver") is None:
            message = f"{' and '.join(given)} exclude one another." if given else "It has no content."
            remedy = "Keep one." if given else "Add one of file, environment and content, or external: true."
            self._error("contradiction" if given else "missing-key", path, message, remedy)
        if given == ["environment"] and source.text("content") is None:
            variable = source.text("environment")
            self._findings.warning(
                "unset-variable",
                f"The variable {variable} it is read from is not set.",
                path=path,
                at=source.location,
                remedy=f"Set {variable} before starting.",
            )

    def cycles(self) -> None:
        """Report rings of services that wait for one another, each once."""
        services = self._project.services
        done: set[str] = set()
        for start in services:
            trail: dict[str, Iterator[str]] = {start: iter(services[start].depends_on)}
            while trail and start not in done:
                name = next(reversed(trail))
                following = next(trail[name], None)
                if following is None:
                    done.add(name)
                    del trail[name]
                elif following in trail:
                    self._ring(list(trail), following)
                elif following in services and following not in done:
                    trail[following] = iter(services[following].depends_on)

    def _ring(self, trail: list[str], back_to: str) -> None:
        ring = [*trail[trail.index(back_to) :], back_to]
        path = self._origin(trail[-1], back_to)
        message = f"Services wait for one another: {' → '.join(ring)}."
        self._error("dependency-cycle", path, message, "Remove one of these dependencies.")

    def _origin(self, name: str, dependency: str) -> ValuePath:
        """Return the path of what makes `name` depend on `dependency`."""
        service = self._project.services[name]
        path = ("services", name)
        for index, link in enumerate(service.links):
            if link.partition(":")[0] == dependency:
                return (*path, "links", index)
        for index, source in enumerate(service.volumes_from):
            if source.partition(":")[0] == dependency:
                return (*path, "volumes_from", index)
        for key in ("network_mode", "ipc", "pid", "uts", "cgroup"):
            if getattr(service, key) == f"service:{dependency}":
                return (*path, key)
        return (*path, "depends_on", dependency)


def _is_restart(policy: str) -> bool:
    name, colon, count = policy.partition(":")
    return name in _RESTARTS and (not colon or (name == "on-failure" and count.isdigit()))


def _resources(service: Service) -> tuple[Resources, Resources]:
    """Return what ``deploy`` limits and what it reserves."""
    deploy = service.deploy
    return (deploy and deploy.limits) or Resources(), (deploy and deploy.reservations) or Resources()


def _amounts_of(service: Service) -> Iterator[tuple[ValuePath, float | None]]:
    """Yield (path in the service, amount) of everything that cannot be negative."""
    for key in ("cpus", "mem_limit", "mem_reservation", "shm_size"):
        yield (key,), getattr(service, key)
    for kind, resources in zip(("limits", "reservations"), _resources(service), strict=True):
        yield ("deploy", "resources", kind, "cpus"), resources.cpus
        yield ("deploy", "resources", kind, "memory"), resources.memory


def _bounds_of(service: Service) -> Iterator[tuple[str, str, float | None, float | None]]:
    """Yield (what, unit, reserved, limit)."""
    limits, reserved = _resources(service)
    yield "CPU", "", reserved.cpus, limits.cpus or service.cpus
    least, most = reserved.memory or service.mem_reservation, limits.memory or service.mem_limit
    yield "memory", " MiB", least and least / 2**20, most and most / 2**20
