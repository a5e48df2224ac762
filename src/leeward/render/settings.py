"""The ``x-leeward`` extension, as far as rendering reads it: checked, typed, nothing dropped silently.

On a service: ``replicas``, ``liveness``, ``readiness``, ``hosts``. On a volume: ``size``, ``class``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from leeward.base.diagnostics import Diagnostic, Severity
from leeward.compose.project import Project, Service, Volume

KEY = "x-leeward"
_HOST = re.compile(r"(\*\.)?[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_QUANTITY = re.compile(r"[0-9]+(\.[0-9]+)?([EPTGMk]i?|Ki)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceSettings:
    """What a service's ``x-leeward`` says."""

    replicas: int | None = None
    liveness: bool = False  # restart the container when its health check fails
    readiness: bool = True  # False: no readiness check is assumed for services without healthcheck
    hosts: tuple[str, ...] = ()  # host names of the Ingress


@dataclass(frozen=True, slots=True, kw_only=True)
class VolumeSettings:
    """What a volume's ``x-leeward`` says."""

    size: str = "1Gi"
    storage_class: str | None = None


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_flag(value: Any) -> bool:
    return isinstance(value, bool)


def _is_hosts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(host, str) and _HOST.fullmatch(host) for host in value)


def _is_quantity(value: Any) -> bool:
    return isinstance(value, str) and _QUANTITY.fullmatch(value) is not None


def _is_name(value: Any) -> bool:
    return isinstance(value, str) and bool(value)


Checks = Mapping[str, tuple[Callable[[Any], bool], str]]
SERVICE_KEYS: Checks = {
    "replicas": (_is_count, "a whole number, 0 or more"),
    "liveness": (_is_flag, "true or false"),
    "readiness": (_is_flag, "true or false"),
    "hosts": (_is_hosts, "a list of host names in lower case"),
}
VOLUME_KEYS: Checks = {
    "size": (_is_quantity, 'a quantity such as "10Gi"'),
    "class": (_is_name, "the name of a storage class"),
}


def _read(
    project: Project, path: tuple[str, ...], extensions: Mapping[str, Any], checks: Checks
) -> tuple[dict[str, Any], list[Diagnostic]]:
    given = extensions.get(KEY) or {}
    if not isinstance(given, Mapping):
        given = {"": given}
    good: dict[str, Any] = {}
    found: list[Diagnostic] = []
    for key, value in given.items():
        check = checks.get(key)
        if check and check[0](value):
            good[key] = value
            continue
        what = f"must be {check[1]}" if check else "is not known"
        found.append(
            Diagnostic(
                path=".".join((*path, KEY, str(key))).rstrip("."),
                location=project.locations.find(*path, KEY, key),
                code="bad-setting" if check else "unknown-setting",
                severity=Severity.ERROR,
                message=f"{key or KEY!r} {what}.",
                remedy=f"Known here: {', '.join(checks)}.",
            )
        )
    return good, found


def read_service_settings(project: Project, service: Service) -> tuple[ServiceSettings, list[Diagnostic]]:
    """Return the settings of `service` and what is wrong with them."""
    good, found = _read(project, ("services", service.name), service.extensions, SERVICE_KEYS)
    settings = ServiceSettings(
        replicas=good.get("replicas"),
        liveness=good.get("liveness", False),
        readiness=good.get("readiness", True),
        hosts=tuple(good.get("hosts", ())),
    )
    return settings, found


def read_volume_settings(project: Project, volume: Volume) -> tuple[VolumeSettings, list[Diagnostic]]:
    """Return the settings of `volume` and what is wrong with them."""
    good, found = _read(project, ("volumes", volume.key), volume.extensions, VOLUME_KEYS)
    return VolumeSettings(size=good.get("size", "1Gi"), storage_class=good.get("class")), found
