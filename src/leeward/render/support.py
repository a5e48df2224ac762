"""The support table: for every Compose key, how exactly Kubernetes does what it says.

Every field of a service has a row, which a test checks. A key that is present and not exact yields a
finding at its place; finer findings, about values, come from the renderers themselves. ``*`` in a
pattern stands for an index or a name.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import MISSING, dataclass, fields, is_dataclass
from enum import StrEnum
from typing import Any

from leeward.base.diagnostics import Diagnostic, Severity
from leeward.compose.project import Deploy, Project
from leeward.render.sharing import joined_service


class Level(StrEnum):
    """How well a key is honoured."""

    EXACT = "exact"
    APPROXIMATED = "approximated"
    IGNORED = "ignored"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Support:
    """One row."""

    level: Level
    reason: str = ""  # one sentence; "" for exact ones
    remedy: str = ""
    harmless: bool = False  # ignored without any effect on what the service does for others


def _rows(
    level: Level, keys: str, reason: str, remedy: str = "", *, harmless: bool = False
) -> dict[str, Support]:
    return dict.fromkeys(keys.split(), Support(level, reason, remedy, harmless))


def _exact(keys: str) -> dict[str, Support]:
    return _rows(Level.EXACT, keys, "")


def _approximated(keys: str, reason: str) -> dict[str, Support]:
    return _rows(Level.APPROXIMATED, keys, reason)


def _ignored(keys: str, reason: str, remedy: str = "") -> dict[str, Support]:
    return _rows(Level.IGNORED, keys, reason, remedy)


def _harmless(keys: str, reason: str, remedy: str = "") -> dict[str, Support]:
    return _rows(Level.IGNORED, keys, reason, remedy, harmless=True)


def _refused(keys: str, reason: str, remedy: str) -> dict[str, Support]:
    return _rows(Level.REFUSED, keys, reason, remedy)


_SERVICE: Mapping[str, Support] = {
    **_exact(
        """
        name image build pull_policy command entrypoint environment env_file working_dir user group_add tty
        stdin_open healthcheck post_start pre_start pre_stop stop_grace_period stop_signal restart depends_on
        networks network_mode ports expose hostname container_name extra_hosts dns dns_search dns_opt volumes
        tmpfs configs secrets shm_size storage_opt deploy scale profiles cpus cpu_quota cpu_period mem_limit
        mem_reservation privileged read_only cap_add cap_drop security_opt sysctls runtime platform pid ipc
        labels label_file annotations gpus extensions
        """
    ),
    **_approximated("links", "The alias resolves for every service, not only for the one that links."),
    **_approximated("volumes_from", "Volumes are shared through claims; bind mounts are classified again."),
    **_approximated("domainname", "It becomes a DNS search domain."),
    **_harmless("pull_refresh_after", "Images are pulled by the rule of imagePullPolicy."),
    **_harmless("driver_opts", "Networks of a cluster have no drivers to tune."),
    **_harmless("attach", "How output is attached concerns the terminal only."),
    **_harmless("logging", "A cluster keeps every container's output itself."),
    **_harmless("develop", "It concerns development on one machine."),
    **_harmless("init", "No other first process is put in.", "Put tini into the image if it leaves zombies."),
    **_harmless(
        """networks.*.interface_name networks.*.driver_opts networks.*.priority networks.*.gw_priority""",
        "Every Pod has one interface.",
    ),
    **_approximated(
        "depends_on.*.restart",
        "It restarts with a new release or a restart of the dependency, not with a crash.",
    ),
    **_harmless(
        "volumes.*.bind.propagation volumes.*.bind.selinux volumes.*.bind.recursive volumes.*.consistency",
        "It is about the host's file system.",
    ),
    **_harmless("volumes.*.volume.labels", "Claims have the project's labels."),
    **_harmless("volumes.*.tmpfs.mode", "The mode of a memory directory is 0777."),
    **_harmless(
        """
        deploy.update_config.max_failure_ratio deploy.rollback_config
        """,
        "A failed roll-out stops by itself and is not undone by the cluster.",
    ),
    **_harmless(
        "deploy.restart_policy.delay deploy.restart_policy.window",
        "Kubernetes waits longer after each failure, by its own rules.",
    ),
    **_ignored("external_links", "Nothing outside the project is linked.", "Use the service's full name."),
    **_ignored(
        """
        mac_address networks.*.ipv4_address networks.*.ipv6_address networks.*.link_local_ips
        networks.*.mac_address
        """,
        "Addresses are the cluster's business.",
        "Use service names.",
    ),
    **_ignored(
        """
        ulimits pids_limit oom_kill_disable oom_score_adj blkio_config mem_swappiness memswap_limit
        cpu_shares cpu_count cpu_percent cpu_rt_period cpu_rt_runtime cpuset deploy.resources.limits.pids
        """,
        "Kubernetes has no such knob for a Pod.",
        "Set it on the nodes where it matters.",
    ),
    **_ignored(
        "userns_mode uts cgroup cgroup_parent isolation",
        "Namespaces and control groups are the cluster's business.",
    ),
    **_ignored(
        "devices device_cgroup_rules",
        "Devices of a machine need a device plug-in.",
        "Install the device's plug-in and ask for its resource.",
    ),
    **_ignored(
        "ports.*.mode",
        "The node's port is not taken; the Service is reached through the cluster.",
        "Use mode: ingress.",
    ),
    **_ignored("deploy.resources.reservations.generic_resources", "Only GPUs can be reserved."),
    **_refused("use_api_socket", "It hands the container engine to the service.", "Remove it."),
    **_refused("credential_spec", "Windows credentials are not supported.", "Remove it."),
    **_refused(
        "provider",
        "A service that another program provides cannot run on the cluster.",
        "Run an image, or point the others at the real address.",
    ),
    **_refused("models", "Models are not run here.", "Write the model's address into environment."),
}

_PROJECT: Mapping[str, Support] = {
    **_harmless(
        """
        networks.*.driver networks.*.driver_opts networks.*.ipam networks.*.enable_ipv6
        networks.*.attachable
        """,
        "Networks of a cluster have one driver and its addresses.",
    ),
    **_approximated("networks.*.external", "Services of other projects are not let in."),
    **_harmless("volumes.*.driver", "The storage class decides where data lives."),
    **_ignored(
        "volumes.*.driver_opts",
        "The storage class decides where data lives.",
        "Write x-leeward: {class: NAME}.",
    ),
    **_ignored("configs.*.template_driver secrets.*.template_driver", "Templates are not filled in."),
    **_ignored("secrets.*.driver secrets.*.driver_opts", "Secrets come from files or variables."),
}

_RESOURCES = ("limits", "reservations")  # their place in the file is deploy.resources
_DEFAULT_DRIVERS = {"bridge", "overlay", "local", "default"}
_SEVERITY = {
    Level.APPROXIMATED: Severity.NOTE,
    Level.IGNORED: Severity.WARNING,
    Level.REFUSED: Severity.ERROR,
}


def service_support() -> Mapping[str, Support]:
    """Return the rows about services: pattern → support."""
    return _SERVICE


def project_support() -> Mapping[str, Support]:
    """Return the rows about networks, volumes, configs and secrets."""
    return _PROJECT


def _default(field: Any) -> Any:
    if field.default is not MISSING:
        return field.default
    return field.default_factory() if field.default_factory is not MISSING else MISSING


def _present(
    value: Any, path: tuple[str | int, ...], pattern: str
) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Yield (path, pattern) of every value below `value` that is not its default."""
    if is_dataclass(value) and not isinstance(value, type):
        for field in fields(value):
            inner = getattr(value, field.name)
            if inner != _default(field):
                inside = ("resources",) if isinstance(value, Deploy) and field.name in _RESOURCES else ()
                place = ".".join(filter(None, (pattern, *inside, field.name)))
                yield (*path, *inside, field.name), place
                yield from _present(inner, (*path, *inside, field.name), place)
    elif isinstance(value, tuple):
        for index, inner in enumerate(value):
            yield from _present(inner, (*path, index), f"{pattern}.*")
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _present(inner, (*path, str(key)), f"{pattern}.*")


def _finding(project: Project, path: tuple[str | int, ...], row: Support) -> Diagnostic:
    key = next((str(part) for part in reversed(path) if isinstance(part, str)), "")
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).lstrip(".")
    severity = Severity.NOTE if row.harmless else _SEVERITY[row.level]
    return Diagnostic(
        path=text,
        location=project.locations.find(*path),
        code=f"key-{row.level}",
        severity=severity,
        message=f"{key} is {row.level}. {row.reason}",
        remedy=row.remedy,
    )


def _modes(project: Project) -> Iterator[Diagnostic]:
    """Yield findings about keys whose support depends on their value."""
    for service in project.services.values():
        for key in ("network_mode", "pid", "ipc"):
            value = getattr(service, key)
            if value in (None, "", "bridge", "none", "private", "shareable"):
                continue
            if joined_service(project, service, key):
                continue  # both are in one Pod; the renderer says what that means
            row = Support(
                Level.APPROXIMATED if value == "host" else Level.IGNORED,
                f"{value!r} means the node's, which clusters may forbid."
                if value == "host"
                else f"{value!r} would need both containers in one Pod.",
                "" if value == "host" else "Let the services talk over the network.",
            )
            yield _finding(project, ("services", service.name, key), row)


def unsupported(project: Project) -> list[Diagnostic]:
    """Return a finding for every key of `project` that is present and not exact."""
    found = list(_modes(project))
    for service in project.services.values():
        for path, pattern in _present(service, ("services", service.name), ""):
            row = _SERVICE.get(pattern)
            if row and row.level is not Level.EXACT:
                found.append(_finding(project, path, row))
    for section in ("networks", "volumes", "configs", "secrets"):
        for key, value in getattr(project, section).items():
            for path, pattern in _present(value, (section, key), f"{section}.*"):
                row = _PROJECT.get(pattern)
                if row and not (path[-1] == "driver" and value.driver in _DEFAULT_DRIVERS):
                    found.append(_finding(project, path, row))
    return found
