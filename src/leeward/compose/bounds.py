"""What values of a service may be: amounts, numbers that Kubernetes can hold, addresses, absolute paths.

What no engine and no cluster takes is an error where it is written.

Source: the Compose Specification, section "services"; the engine's own checks; the int32 of Kubernetes' API.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from ipaddress import ip_address
from typing import NamedTuple

from leeward.compose.findings import ValuePath
from leeward.compose.parts import FileUse, Hook, Mount, Resources
from leeward.compose.service import Service

MOST = 2**31 - 1
_ABSOLUTE = re.compile(r"[/\\]|[a-zA-Z]:[/\\]|\$")
_DOMAIN = re.compile(r"\.?[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_])?\.?|\.")
_NUMERIC_USER = re.compile(r"([0-9]*)[^:]*(?::([0-9]*).*)?")
_BLANK = re.compile(r"\s")


class Misfit(NamedTuple):
    """A value that cannot be, at a path in its service."""

    path: ValuePath
    message: str
    remedy: str


def misfits(service: Service) -> Iterator[Misfit]:
    """Yield everything in a service that cannot be, in no order."""
    yield from _negative(service)
    yield from _too_large(service)
    yield from _addresses(service)
    yield from _places(service)
    yield from _hooks(service)


def _resources(service: Service) -> tuple[Resources, Resources]:
    """Return what ``deploy`` limits and what it reserves."""
    deploy = service.deploy
    return (deploy and deploy.limits) or Resources(), (deploy and deploy.reservations) or Resources()


def bounds_of(service: Service) -> Iterator[tuple[str, str, float | None, float | None]]:
    """Yield (what, unit, reserved, limit)."""
    limits, reserved = _resources(service)
    yield "CPU", "", reserved.cpus, limits.cpus or service.cpus
    least, most = reserved.memory or service.mem_reservation, limits.memory or service.mem_limit
    yield "memory", " MiB", least and least / 2**20, most and most / 2**20


def _amounts(service: Service) -> Iterator[tuple[ValuePath, float | None]]:
    """Yield (path in the service, amount) of sizes and cores."""
    for key in ("cpus", "mem_limit", "mem_reservation", "shm_size"):
        yield (key,), getattr(service, key)
    for kind, resources in zip(("limits", "reservations"), _resources(service), strict=True):
        yield ("deploy", "resources", kind, "cpus"), resources.cpus
        yield ("deploy", "resources", kind, "memory"), resources.memory
    for index, mount in enumerate(service.volumes):
        yield ("volumes", index, "tmpfs", "size"), mount.tmpfs.size if mount.tmpfs else None


def _counts(service: Service) -> Iterator[tuple[ValuePath, float | None]]:
    """Yield (path in the service, count or seconds) of what Kubernetes holds in 32 bits."""
    check, deploy = service.healthcheck, service.deploy
    if check is not None:
        for key in ("interval", "timeout", "start_period", "start_interval", "retries"):
            yield ("healthcheck", key), getattr(check, key)
    yield ("stop_grace_period",), service.stop_grace_period
    if deploy is None:
        return
    for part in ("update_config", "rollback_config"):
        config = getattr(deploy, part)
        for key in ("parallelism", "delay", "monitor") if config else ():
            yield ("deploy", part, key), getattr(config, key)
    for key in ("delay", "max_attempts", "window") if deploy.restart_policy else ():
        yield ("deploy", "restart_policy", key), getattr(deploy.restart_policy, key)


def _negative(service: Service) -> Iterator[Misfit]:
    if service.replicas < 0:
        key = "scale" if service.scale is not None else "deploy"
        yield Misfit((key,), "The number of containers is negative.", "Use 0 or more.")
    for path, amount in (*_amounts(service), *_counts(service)):
        if amount is not None and amount < 0:
            yield Misfit(path, "The amount is negative.", "Use 0 or more.")


def _too_large(service: Service) -> Iterator[Misfit]:
    if service.replicas > MOST:
        key: ValuePath = ("scale",) if service.scale is not None else ("deploy", "replicas")
        yield _excess(key)
    for path, count in _counts(service):
        if count is not None and count > MOST:
            yield _excess(path)
    attempts = (service.restart or "").partition(":")[2]
    if attempts.isdigit() and int(attempts) > MOST:
        yield _excess(("restart",))
    match = _NUMERIC_USER.fullmatch(service.user or "")
    for number in match.groups() if match else ():
        if number and int(number) > MOST:
            yield _excess(("user",))


def _excess(path: ValuePath) -> Misfit:
    return Misfit(path, f"It is more than {MOST}.", "Use a smaller number.")


def _is_address(text: str) -> bool:
    try:
        ip_address(text.partition("%")[0].strip("[]"))
    except ValueError:
        return False
    return True


def _addresses(service: Service) -> Iterator[Misfit]:
    for host, addresses in service.extra_hosts.items():
        for address in addresses:
            if address != "host-gateway" and not _is_address(address):
                yield Misfit(
                    ("extra_hosts", host),
                    f'"{address}" is no address.',
                    "Write an IP address or host-gateway.",
                )
    for index, server in enumerate(service.dns):
        if not _is_address(server):
            yield Misfit(("dns", index), f'"{server}" is no address.', "Write the IP address of the server.")
    for index, domain in enumerate(service.dns_search):
        if not _DOMAIN.fullmatch(domain):
            yield Misfit(("dns_search", index), f'"{domain}" is no domain.', "Write one domain an element.")


def _places(service: Service) -> Iterator[Misfit]:
    relative = 'Write an absolute path, such as "/{}".'
    if service.working_dir and not _ABSOLUTE.match(service.working_dir):
        path = service.working_dir
        yield Misfit(("working_dir",), f'"{path}" is not an absolute path.', relative.format(path))
    for index, entry in enumerate(service.tmpfs):
        path = entry.partition(":")[0]
        if not _ABSOLUTE.match(path):
            yield Misfit(("tmpfs", index), f'"{path}" is not an absolute path.', relative.format(path))
    yield from _mounts(service.volumes)
    for section in ("configs", "secrets"):
        uses: Iterable[FileUse] = getattr(service, section)
        for index, use in enumerate(uses):
            if use.target is not None and not use.target.strip("/."):
                message = f'"{use.target}" is no place for a file.'
                yield Misfit((section, index, "target"), message, "Write the path of the file.")


def _mounts(mounts: Iterable[Mount]) -> Iterator[Misfit]:
    for index, mount in enumerate(mounts):
        path = mount.subpath
        if path and (path.startswith("/") or ".." in path.split("/")):
            yield Misfit(
                ("volumes", index), f'The subpath "{path}" leads out.', "Write a path inside the volume."
            )
        if mount.type != "npipe" and mount.target.startswith("/") and ":" in mount.target:
            yield Misfit(
                ("volumes", index),
                f'The target "{mount.target}" has a colon.',
                "Mount it at a path without one.",
            )


def _hooks(service: Service) -> Iterator[Misfit]:
    for kind in ("post_start", "pre_stop", "pre_start"):
        hooks: Iterable[Hook] = getattr(service, kind)
        for index, hook in enumerate(hooks):
            if not hook.command and kind != "pre_start":
                yield Misfit((kind, index), "It has no command.", "Write what to run.")
            if hook.image and _BLANK.search(hook.image):
                yield Misfit((kind, index, "image"), f'"{hook.image}" is no image.', "Write NAME:TAG.")
