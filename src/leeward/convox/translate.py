"""A checked ``convox.yml`` → the Compose file as ordinary values, and where its entries come from.

Pure. Services keep their names; a resource whose name a service has is called ``resource-…``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from leeward.compose.findings import Findings, did_you_mean
from leeward.compose.node import Node, plain
from leeward.convox import resources, services


@dataclass(slots=True)
class Translation:
    """A Compose file under construction."""

    compose: dict[str, Any]
    lines: dict[tuple[str, str], int] = field(default_factory=dict)  # (section, name) → line of origin


def translate(tree: Node, name: str, release: Mapping[str, str], findings: Findings) -> Translation:
    """Return the Compose file of `tree`; `release` are the variables that are known."""
    data = plain(tree)
    made = Translation({"name": name, "services": {}, "volumes": {}, "configs": {}})
    hosts = _hosts(data)
    for section in ("services", "resources", "timers"):
        entries = tree.get(section)
        for key, node in (entries.items() if entries else {}).items():
            shown = {"resources": hosts.get(key, key), "timers": f"timer-{key}"}.get(section, key)
            made.lines["services", shown] = node.location.line
    for key, entry in (data.get("services") or {}).items():
        made.compose["services"][key] = _service(key, entry or {}, data, hosts, release, made)
    _balancers(data, made)
    _timers(data, made)
    for key, entry in (data.get("resources") or {}).items():
        _resource(key, hosts[key], entry or {}, tree, made, findings)
    _configs(data, made)
    registries = [
        str(secret.get("registry", "") if isinstance(secret, dict) else secret)
        .replace(":", "-")
        .replace(".", "-")
        for entry in (data.get("services") or {}).values()
        for secret in (entry or {}).get("imagePullSecrets") or ()
    ]
    if registries:
        made.compose["x-leeward"] = {"imagePullSecrets": list(dict.fromkeys(registries))}
    made.compose = {key: value for key, value in made.compose.items() if value}
    return made


def _hosts(data: Mapping[str, Any]) -> dict[str, str]:
    taken = data.get("services") or {}
    return {name: f"resource-{name}" if name in taken else name for name in data.get("resources") or {}}


def _service(
    name: str,
    entry: dict[str, Any],
    data: Mapping[str, Any],
    hosts: Mapping[str, str],
    release: Mapping[str, str],
    made: Translation,
) -> dict[str, Any]:
    entry = {**entry, "labels": {**(data.get("labels") or {}), **(entry.get("labels") or {})}}
    service: dict[str, Any] = {}
    for group in services.GROUPS:
        service |= group(entry)
    declared = [*(data.get("environment") or ()), *(entry.get("environment") or ())]
    variables = {**services.environment(declared, release), **_linked(entry, data, hosts)}
    if variables:
        service["environment"] = variables
    linked = {hosts[each.split(":")[0]]: each.split(":")[0] for each in entry.get("resources") or ()}
    if linked:
        service["depends_on"] = {host: {"condition": _condition(data, key)} for host, key in linked.items()}
    mounts = _volumes(name, entry, made)
    if mounts:
        service["volumes"] = mounts
    settings = services.settings(name, entry)
    return {**service, "x-leeward": settings} if settings else service


def _kind(data: Mapping[str, Any], resource: str) -> resources.Kind | None:
    return resources.kind_of(str(data["resources"][resource].get("type", "")))


def _condition(data: Mapping[str, Any], resource: str) -> str:
    kind = _kind(data, resource)
    return "service_healthy" if kind and kind.check else "service_started"


def _linked(entry: Mapping[str, Any], data: Mapping[str, Any], hosts: Mapping[str, str]) -> dict[str, str]:
    made: dict[str, str] = {}
    for link in entry.get("resources") or ():
        name, _, only = link.partition(":")
        kind = _kind(data, name)
        if kind is None:
            continue  # reported with the resource
        values = resources.contract(name, hosts[name], kind)
        if only:
            suffix = only.strip().rpartition("_")[2]
            key = resources.variable(name, suffix if suffix in resources.CONTRACT else "URL")
            made[only.strip()] = values[key]
        else:
            made |= values
    return made


def _volumes(name: str, entry: Mapping[str, Any], made: Translation) -> list[Any]:
    mounts: list[Any] = []
    for text in entry.get("volumes") or ():
        if ":" in text:
            mounts.append(text)
            continue
        key = f"{name}-{re.sub('[^a-z0-9]+', '-', text.lower()).strip('-')}"
        made.compose["volumes"][key] = {"x-leeward": {"access": "ReadWriteMany"}}
        mounts.append(f"{key}:{text}")
    for option in entry.get("volumeOptions") or ():
        for kind, given in option.items():
            mounts.append(_mount(name, kind, given, made))
    return mounts


def _mount(name: str, kind: str, given: Mapping[str, Any], made: Translation) -> dict[str, Any]:
    target = given["mountPath"]
    if kind == "emptyDir" and given.get("medium") == "Memory":
        size = {"tmpfs": {"size": given["sizeLimit"].removesuffix("i")}} if given.get("sizeLimit") else {}
        return {"type": "tmpfs", "target": target, **size}
    if kind == "emptyDir":
        return {"type": "volume", "target": target}
    key = f"{name}-{given['id']}"
    settings: dict[str, Any] = {"access": given.get("accessMode") or "ReadWriteMany"}
    read_only = settings["access"] == "ReadOnlyMany"
    settings["access"] = "ReadWriteMany" if read_only else settings["access"]
    if given.get("storageClass"):
        settings["class"] = given["storageClass"]
    if given.get("shareSize"):
        settings["size"] = given["shareSize"]
    made.compose["volumes"][key] = {"x-leeward": settings}
    mount = {"type": "volume", "source": key, "target": target}
    return {**mount, "read_only": True} if read_only else mount


def _balancers(data: Mapping[str, Any], made: Translation) -> None:
    for entry in (data.get("balancers") or {}).values():
        service = made.compose["services"].get(entry.get("service"))
        if service is None:
            continue  # an error of its own
        for published, port in (entry.get("ports") or {}).items():
            given = port if isinstance(port, dict) else {"port": port}
            protocol = "udp" if str(given.get("protocol", "")).lower() == "udp" else "tcp"
            row = {
                "target": given.get("port"),
                "published": str(published),
                "protocol": protocol,
                "app_protocol": "tcp",
            }
            service.setdefault("ports", []).append(row)
        service.setdefault("x-leeward", {})["loadBalancer"] = True


def _timers(data: Mapping[str, Any], made: Translation) -> None:
    kept = ("image", "build", "environment", "volumes", "configs", "user", "labels", "depends_on")
    for name, entry in (data.get("timers") or {}).items():
        parent = made.compose["services"].get(entry.get("service"))
        if parent is None:
            continue  # an error of its own
        timer = {key: parent[key] for key in kept if key in parent}
        if entry.get("command"):
            timer["command"] = services.words(entry["command"])
        if entry.get("annotations"):
            timer["annotations"] = services.pairs(entry["annotations"])
        timer["restart"] = "no"
        timer["deploy"] = {"resources": parent["deploy"]["resources"]}
        fields = ["*" if part == "?" else part for part in entry.get("schedule", "").split()[:5]]
        schedule: dict[str, Any] = {
            "cron": " ".join(fields),
            "concurrency": str(entry.get("concurrency") or "Allow").capitalize(),
            "keepSuccessful": 1,
            "keepFailed": 1,
        }
        if entry.get("parallelCount", 1) > 1:
            schedule["parallel"] = entry["parallelCount"]
        timer["x-leeward"] = {"schedule": schedule}
        made.compose["services"][f"timer-{name}"] = timer


def _resource(
    name: str, host: str, entry: dict[str, Any], tree: Node, made: Translation, findings: Findings
) -> None:
    type_ = str(entry.get("type") or "")
    kind = resources.kind_of(type_)
    section = tree.get("resources")
    node = section.get(name) if section else None
    at = node.location if node else None
    if kind is None:
        remedy = did_you_mean(type_, resources.KINDS) or f"Known are {', '.join(resources.KINDS)}."
        message = f'There is no type of resource "{type_}".'
        findings.error("unknown-resource", message, path=("resources", name, "type"), at=at, remedy=remedy)
        return
    made.compose["services"][host] = resources.service(name, host, entry, kind)
    if kind.data:
        made.compose["volumes"][f"{host}-data"] = resources.volume(entry)
    if resources.is_managed(type_):
        findings.warning(
            "managed-resource",
            f'The managed "{type_}" became a container.',
            path=("resources", name),
            at=at,
            remedy=f"Write x-leeward: {{external: {{host: …}}}} on {host} where the managed one is used.",
        )


def _configs(data: Mapping[str, Any], made: Translation) -> None:
    for entry in data.get("configs") or ():
        variable = re.sub("[^A-Z0-9]", "_", entry["id"].upper())
        content = entry.get("value")
        given = services.required(variable) if content is None else services.escaped(str(content))
        config = {"content": given}
        if entry.get("name"):
            config["name"] = entry["name"]
        made.compose["configs"][entry["id"]] = config
