"""The merged tree → the frozen dataclasses of ``project``.

The tree has been checked, so that nothing here can fail on what a user wrote. Implied parts are added:
the default network, dependencies that ``links``, ``network_mode: service:x`` and ``volumes_from`` mean,
names of resources, the image of a ``pre_start`` hook.

Source: normalisation rules of the Compose Specification.
"""

from __future__ import annotations

import functools
import posixpath
from collections.abc import Callable, Hashable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, TypeVar, cast

from leeward.compose import project as model
from leeward.compose.envfiles import complete_environment, complete_labels
from leeward.compose.findings import Findings
from leeward.compose.node import Node, plain
from leeward.compose.paths import absolute_path, is_remote
from leeward.compose.source import Sources

T = TypeVar("T")
Data = dict[str, Any]
_NAMESPACES = ("network_mode", "ipc", "pid", "uts", "cgroup")


def build_project(
    tree: Node,
    *,
    name: str,
    directory: str,
    files: tuple[str, ...],
    profiles: frozenset[str],
    named: frozenset[str],
    environment: Mapping[str, str],
    sources: Sources,
    findings: Findings,
) -> model.Project:
    """Return the project of a checked tree; services of inactive profiles are left out unless `named`."""
    services: dict[str, model.Service] = {}
    disabled: list[str] = []
    table = tree.get("services")
    for key, node in table.items().items() if table is not None else ():
        wanted = {str(each.value) for each in _elements(node, "profiles")}
        if wanted and key not in named and "*" not in profiles and not wanted & profiles:
            disabled.append(key)
            continue
        path = ("services", key)
        data = _data(node)
        data["environment"] = complete_environment(node, path, environment, sources, findings)
        data["labels"] = complete_labels(node, path, sources, findings)
        services[key] = _service(key, data, directory)
    data = _data(tree.without("services"))
    networks = data.get("networks") or {}
    if "default" not in networks and any("default" in service.networks for service in services.values()):
        networks["default"] = None
    return model.Project(
        name=name,
        working_dir=Path(directory),
        invoked_in=Path(sources.working_dir),
        files=files,
        services=services,
        networks=_resources(model.Network, networks, name, _network),
        volumes=_resources(model.Volume, data.get("volumes"), name),
        configs=_resources(model.Config, data.get("configs"), name),
        secrets=_resources(model.Secret, data.get("secrets"), name),
        models=data.get("models") or {},
        jobs=data.get("jobs") or {},
        extensions=_extensions(data),
        disabled=tuple(disabled),
        locations=model.Locations(tree),
    )


def _elements(node: Node, key: str) -> list[Node]:
    found = node.get(key)
    return found.elements() if found is not None else []


def _data(node: Node) -> Data:
    value = plain(node)
    return value if isinstance(value, dict) else {}


def _extensions(data: Data) -> Data:
    return {key: value for key, value in data.items() if key.startswith("x-")}


@functools.cache
def _fields(kind: Hashable) -> frozenset[str]:
    return frozenset(field.name for field in fields(kind))  # type: ignore[arg-type]


def _make(
    kind: type[T], data: Data | None, converters: Mapping[str, Callable[[Any], Any]] | None = None
) -> T:
    """Return a `kind` of `data`: nulls are left to defaults, lists become tuples."""
    known = _fields(cast(Hashable, kind))
    arguments: Data = {}
    for key, value in (data or {}).items():
        if value is None or key not in known:
            continue
        if converters is not None and key in converters:
            arguments[key] = converters[key](value)
        else:
            arguments[key] = tuple(value) if isinstance(value, list) else value
    if "extensions" in known and data:
        arguments["extensions"] = _extensions(data)
    return kind(**arguments)


def _each(make: Callable[[Any], T]) -> Callable[[list[Any]], tuple[T, ...]]:
    return lambda values: tuple(make(value) for value in values)


def _every(make: Callable[[Any], T]) -> Callable[[Data], dict[str, T]]:
    return lambda entries: {key: make(value) for key, value in entries.items()}


def _of(kind: type[T], **converters: Callable[[Any], Any]) -> Callable[[Any], T]:
    return lambda data: _make(kind, data, converters)


def _texts(entries: Data) -> dict[str, str]:
    return {key: "" if value is None else value for key, value in entries.items()}


def _mount(data: Data) -> model.Mount:
    image = data.get("image") or {}
    return _make(
        model.Mount,
        {**data, "image_subpath": image.get("subpath")},
        {
            "target": lambda target: posixpath.normpath(target) if target.startswith("/") else target,
            "bind": _of(model.BindOptions),
            "volume": _of(model.VolumeOptions, labels=_texts),
            "tmpfs": _of(model.TmpfsOptions),
        },
    )


def _healthcheck(data: Data) -> model.Healthcheck:
    disabled = data.get("disable") is True or data.get("test") == ["NONE"]
    return _make(model.Healthcheck, {**data, "disable": disabled})


def _resource_amounts(data: Data) -> model.Resources:
    return _make(model.Resources, data, {"devices": _each(_of(model.DeviceRequest, options=_texts))})


def _deploy(data: Data) -> model.Deploy:
    resources = data.get("resources") or {}
    return _make(
        model.Deploy,
        {**data, "limits": resources.get("limits"), "reservations": resources.get("reservations")},
        {
            "labels": _texts,
            "limits": _resource_amounts,
            "reservations": _resource_amounts,
            "update_config": _of(model.UpdateConfig),
            "rollback_config": _of(model.UpdateConfig),
            "restart_policy": _of(model.RestartPolicy),
            "placement": _placement,
        },
    )


def _placement(data: Data) -> model.Placement:
    spread = [each["spread"] for each in data.get("preferences") or [] if each.get("spread")]
    return _make(model.Placement, {**data, "spread": spread})


def _build(directory: str) -> Callable[[Data], model.Build]:
    def make(data: Data) -> model.Build:
        context = data.get("context") or directory
        dockerfile = data.get("dockerfile")
        if dockerfile is not None and not is_remote(context):
            dockerfile = absolute_path(dockerfile, context, None)
        return _make(
            model.Build,
            {**data, "context": context, "dockerfile": dockerfile},
            {
                "labels": _texts,
                "additional_contexts": _texts,
                "secrets": _each(_of(model.FileUse)),
                "extra_hosts": _every(tuple),
                "ulimits": _every(_of(model.Ulimit)),
            },
        )

    return make


def _service(key: str, data: Data, directory: str) -> model.Service:
    image = data.get("image")
    hooks = _each(_of(model.Hook))
    implied = _implied_dependencies(data)
    if not data.get("network_mode") and not data.get("provider"):
        data["networks"] = data.get("networks") or {"default": None}
    for hook in data.get("pre_start") or []:
        if hook.get("image") is None:
            hook["image"] = image
    data["depends_on"] = {**implied, **(data.get("depends_on") or {})}
    return _make(
        model.Service,
        {**data, "name": key},
        {
            "build": _build(directory),
            "env_file": _each(_of(model.EnvFile)),
            "healthcheck": _healthcheck,
            "post_start": hooks,
            "pre_stop": hooks,
            "pre_start": hooks,
            "depends_on": _every(_of(model.Dependency)),
            "networks": _every(_of(model.NetworkAttachment)),
            "ports": _each(_of(model.Port)),
            "extra_hosts": _every(tuple),
            "volumes": _each(_mount),
            "configs": _each(_of(model.FileUse)),
            "secrets": _each(_of(model.FileUse)),
            "devices": _each(_of(model.Device)),
            "gpus": _each(_of(model.DeviceRequest, options=_texts)),
            "deploy": _deploy,
            "ulimits": _every(_of(model.Ulimit)),
            "annotations": _texts,
            "sysctls": _texts,
            "logging": _of(model.Logging, options=_texts),
        },
    )


def _implied_dependencies(data: Data) -> Data:
    implied: Data = {}
    for link in data.get("links") or []:
        implied[link.partition(":")[0]] = {"restart": True}
    for namespace in _NAMESPACES:
        kind, _, name = str(data.get(namespace) or "").partition(":")
        if kind == "service" and name:
            implied[name] = {"restart": True}
    for source in data.get("volumes_from") or []:
        if not source.startswith("container:"):
            implied.setdefault(source.partition(":")[0], {})
    return implied


def _network(data: Data) -> Data:
    ipam = data.get("ipam")
    if ipam:
        data["ipam"] = _make(model.Ipam, ipam, {"config": _each(_of(model.IpamPool)), "options": _texts})
    return data


def _resources(
    kind: type[T], table: Data | None, project: str, prepare: Callable[[Data], Data] = lambda data: data
) -> dict[str, T]:
    made: dict[str, T] = {}
    for key, value in (table or {}).items():
        data = prepare(dict(value or {}))
        name = data.get("name") or (key if data.get("external") else f"{project}_{key}")
        made[key] = _make(kind, {**data, "key": key, "name": name}, {"labels": _texts})
    return made
