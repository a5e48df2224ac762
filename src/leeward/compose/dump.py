"""A loaded Project → canonical Compose YAML, which loads to the same Project.

Everything is in long form, variables are values (``$`` is written ``$$``), host paths are absolute, names
of resources are explicit; what equals its default is left out. A secret or config that is read from a
variable names the variable, so that no secret is printed. Services of inactive profiles are not part of
a Project, and so not of its text, nor are optional dependencies on them; load it with the same profiles.

Source: ``docker compose config``.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields, is_dataclass, replace
from typing import Any

import yaml

from leeward.base.errors import UserInputError
from leeward.compose import project as model
from leeward.compose.findings import did_you_mean
from leeward.compose.scalars import resolve_plain
from leeward.compose.schema import COMPOSE
from leeward.compose.shapes import Many, Record, Shape, Table, Value

Data = dict[str, Any]
_RESOURCES = ("networks", "volumes", "configs", "secrets")


def to_document(project: model.Project) -> Data:
    """Return `project` as the plain values of a Compose file."""
    document: Data = {"name": project.name}
    document["services"] = {
        name: _plain(_without_disabled(service, project)) for name, service in project.services.items()
    }
    for kind in _RESOURCES:
        table = getattr(project, kind)
        if table:
            document[kind] = {key: _plain(resource) for key, resource in table.items()}
    for kind in ("models", "jobs"):
        if table := getattr(project, kind):
            document[kind] = dict(table)
    document.update(project.extensions)
    written: Data = _written(document, COMPOSE)
    return written


def to_text(project: model.Project, form: str = "yaml") -> str:
    """Return `project` as the text of a Compose file, in ``yaml`` or ``json``."""
    document = to_document(project)
    if form == "json":
        return json.dumps(document, indent=2, ensure_ascii=False) + "\n"
    text: str = yaml.dump(
        document, Dumper=_Dumper, sort_keys=False, default_flow_style=False, allow_unicode=True, width=1000
    )
    return text


def hashes(project: model.Project, names: str = "*") -> list[str]:
    """Return ``name hash`` of the services `names` (with commas; "*" is all); anything of it changes it.

    Raises:
        UserInputError: there is no such service.
    """
    services = to_document(project)["services"]
    wanted = sorted(services) if names == "*" else [name.strip() for name in names.split(",")]
    for name in wanted:
        if name not in services:
            raise UserInputError(
                f'there is no service "{name}"', remedy=did_you_mean(name, services) or "Name another."
            )
    return [
        f"{name} {hashlib.sha256(json.dumps(services[name], sort_keys=True).encode()).hexdigest()}"
        for name in wanted
    ]


def image_names(project: model.Project) -> list[str]:
    """Return the image of every service, once each; one without a name is called as Docker calls it."""
    services = project.services.values()
    return list(dict.fromkeys(each.image or f"{project.name}-{each.name}" for each in services))


def profile_names(project: model.Project) -> list[str]:
    """Return the profiles that services mention, sorted; also those of services that are left out."""
    found = {profile for service in project.services.values() for profile in service.profiles}
    services = project.locations.tree.get("services") if project.locations.tree is not None else None
    for name in project.disabled:
        service = services.get(name) if services is not None else None
        profiles = service.get("profiles") if service is not None else None
        found |= {str(each.value) for each in profiles.elements()} if profiles is not None else set()
    return sorted(found)


def _without_disabled(service: model.Service, project: model.Project) -> model.Service:
    """Return `service` without optional dependencies on services that the text will not have."""
    kept = {name: each for name, each in service.depends_on.items() if name not in project.disabled}
    return replace(service, depends_on=kept)


def _service(data: Data) -> Data:
    return {key: value for key, value in data.items() if key != "name"}


def _resource(data: Data) -> Data:
    hidden = {"key", "content"} if "environment" in data else {"key"}
    return {key: value for key, value in data.items() if key not in hidden}


def _deploy(data: Data) -> Data:
    amounts = {key: data.pop(key) for key in ("limits", "reservations") if key in data}
    return {**data, "resources": amounts} if amounts else data


def _placement(data: Data) -> Data:
    spread = data.pop("spread", ())
    return {**data, "preferences": [{"spread": each} for each in spread]} if spread else data


def _mount(data: Data) -> Data:
    subpath = data.pop("image_subpath", None)
    return {**data, "image": {"subpath": subpath}} if subpath is not None else data


def _with(**required: Any) -> Callable[[Data], Data]:
    """Return a reshaping that writes keys which the file must have, though they equal the default."""
    return lambda data: {**required, **data}


_RESHAPED: dict[type, Callable[[Data], Data]] = {  # where the model is not laid out as the file is
    model.Service: _service,
    model.Network: _resource,
    model.Volume: _resource,
    model.Config: _resource,
    model.Secret: _resource,
    model.Deploy: _deploy,
    model.Placement: _placement,
    model.Mount: _mount,
    model.DeviceRequest: _with(capabilities=[]),
    model.Dependency: _with(condition="service_started"),
    model.Hook: _with(command=[]),
}


def _plain(value: Any) -> Any:
    """Return dataclasses as mappings of what differs from the defaults."""
    if is_dataclass(value):
        data: Data = {}
        for field in fields(value):
            entry = getattr(value, field.name)
            default = field.default if field.default_factory is MISSING else field.default_factory()
            if field.name == "extensions":
                data.update(entry)
            elif entry != default:
                data[field.name] = _plain(entry)
        reshape = _RESHAPED.get(type(value))
        return reshape(data) if reshape else data
    if isinstance(value, Mapping):
        return {key: _plain(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(element) for element in value]
    return value


_ANY = Value("any")


def _written(value: Any, shape: Shape) -> Any:
    """Return `value` as a file of this shape writes it: units, and dollar signs doubled."""
    if isinstance(value, Mapping):
        return {key: _written(entry, _below(shape, key)) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        item = shape.item if isinstance(shape, Many) else _ANY
        return [_written(element, item) for element in value]
    if isinstance(value, str):
        return value.replace("$", "$$")
    if value is None or not isinstance(shape, Value):
        return value
    return _UNITS.get(shape.kind, _same)(value)


def _below(shape: Shape, key: str) -> Shape:
    if isinstance(shape, Table):
        return shape.item
    return shape.keys.get(key, _ANY) if isinstance(shape, Record) else _ANY


def _duration(seconds: float) -> str:
    return f"{seconds:.9f}".rstrip("0").rstrip(".") + "s"


def _mode(mode: int) -> str:
    return f"0{mode:o}"


def _same(value: Any) -> Any:
    return value


_UNITS: dict[str, Callable[[Any], Any]] = {"duration": _duration, "mode": _mode}


class _Dumper(yaml.CSafeDumper):
    """Quotes every string that this package, or YAML 1.1, would read as something else."""

    def ignore_aliases(self, data: Any) -> bool:
        """Write values out where they are used."""
        return True


def _represent_text(dumper: yaml.CSafeDumper, text: str) -> yaml.ScalarNode:
    style = '"' if resolve_plain(text) is not text else "|" if _is_block(text) else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


def _is_block(text: str) -> bool:
    return "\n" in text and all(line == line.rstrip() and line.isprintable() for line in text.split("\n"))


_Dumper.add_representer(str, _represent_text)
