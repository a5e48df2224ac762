"""The ``x-leeward`` extension, as far as rendering reads it: checked, typed, nothing dropped silently.

What a service may say is in ``leeward.settings.service``; a volume has ``size`` and ``class``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from leeward.base.diagnostics import Diagnostic, Severity
from leeward.compose.project import Project, Service, Volume
from leeward.settings.service import ServiceSettings

KEY = "x-leeward"
_QUANTITY = re.compile(r"[0-9]+(\.[0-9]+)?([EPTGMk]i?|Ki)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class VolumeSettings:
    """What a volume's ``x-leeward`` says."""

    size: str = "1Gi"
    storage_class: str | None = None


def _is_quantity(value: Any) -> bool:
    return isinstance(value, str) and _QUANTITY.fullmatch(value) is not None


def _is_name(value: Any) -> bool:
    return isinstance(value, str) and bool(value)


Checks = Mapping[str, tuple[Callable[[Any], bool], str]]
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
    given = service.extensions.get(KEY) or {}
    if isinstance(given, Mapping) and isinstance(given.get("schedule"), str):
        given = {**given, "schedule": {"cron": given["schedule"]}}
    try:
        return ServiceSettings.model_validate_json(json.dumps(given, default=str)), []
    except ValidationError as error:
        path = ("services", service.name, KEY)
        return ServiceSettings(), [_problem(project, (*path, *each["loc"]), each) for each in error.errors()]


def _problem(project: Project, path: tuple[str | int, ...], error: ErrorDetails) -> Diagnostic:
    unknown = error["type"] == "extra_forbidden"
    return Diagnostic(
        path=".".join(map(str, path)),
        location=project.locations.find(*path),
        code="unknown-setting" if unknown else "bad-setting",
        severity=Severity.ERROR,
        message=f"{path[-1]} is not known." if unknown else f"{path[-1]}: {error['msg']}.",
        remedy=f"Known here: {', '.join(ServiceSettings.model_fields)}." if len(path) == 4 else "",
    )


def read_volume_settings(project: Project, volume: Volume) -> tuple[VolumeSettings, list[Diagnostic]]:
    """Return the settings of `volume` and what is wrong with them."""
    good, found = _read(project, ("volumes", volume.key), volume.extensions, VOLUME_KEYS)
    return VolumeSettings(size=good.get("size", "1Gi"), storage_class=good.get("class")), found
