"""What containers mount, in the words of Compose files: volumes, configs, secrets and copies of files. Pure.

Source: ``leeward.render.renderers`` (volumes, fileuses, binds, memory), whose work is read backwards here.
"""

from __future__ import annotations

import json
import posixpath
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from leeward.delivery.wording.facts import Fact, Key, base_name
from leeward.delivery.wording.values import plain
from leeward.kube.objects import Obj
from leeward.render.claims import DIRECTORY

_SHOWN = ("name", "secretName", "claimName", "path", "reference")


class _Source(NamedTuple):
    """Something that is mounted."""

    aspect: str
    name: str  # "": it has none
    content: str  # what it is made of
    place: str


def mounts_of(
    container: Obj, volumes: Mapping[str, Obj], names: Mapping[Key, str]
) -> Iterator[tuple[Key, Fact]]:
    """Yield the facts about what a container mounts.

    Args:
        container: of a Pod.
        volumes: of the Pod, by name.
        names: (kind, name) of rendered objects → whom they belong to.
    """
    for mount in container.get("volumeMounts") or ():
        volume = volumes.get(mount["name"], {"name": mount["name"]})  # else the StatefulSet's own
        for source in _sources(volume, mount["mountPath"], names):
            yield (source.aspect, source.place), _fact(source, mount)


def file_name(fact: Fact) -> str:
    """Return the name of the object that a mounted config or secret is."""
    return fact.content.partition(" ")[0]


def _fact(source: _Source, mount: Obj) -> Fact:
    shown = ("name", "mountPath", *(("subPath", "readOnly") if source.aspect == "volume" else ()))
    content = f"{source.content} {_rest(mount, shown)}"
    if source.aspect != "volume":
        text = f"{source.name}:{source.place}" if source.name else source.place
        return Fact(plain(text), content)
    path = str(mount.get("subPath", ""))
    inside = "" if path == DIRECTORY else path.removeprefix(f"{DIRECTORY}/")
    name = posixpath.join(source.name, inside) if inside else source.name
    mode = ":ro" if mount.get("readOnly") else ""
    return Fact(plain(f"{name}:{source.place}{mode}" if name else f"{source.place}{mode}"), content)


def _rest(value: Mapping[str, Any], shown: tuple[str, ...] = _SHOWN) -> str:
    """Return what is not shown of something."""
    return json.dumps({key: each for key, each in value.items() if key not in shown}, sort_keys=True)


def _sources(volume: Obj, target: str, names: Mapping[Key, str]) -> Iterator[_Source]:
    """Yield everything in a volume that is mounted at `target`."""
    if "projected" in volume:
        for source in volume["projected"].get("sources") or ():
            if secret := source.get("secret"):
                for item in secret.get("items") or ({"path": ""},):
                    place = posixpath.join(target, item["path"])
                    yield _file("Secret", secret.get("name", ""), names, item, place)
    elif config := volume.get("configMap"):
        yield _file("ConfigMap", config.get("name", ""), names, config, target)
    elif secret := volume.get("secret"):
        yield _file("Secret", secret.get("secretName", ""), names, secret, target)
    else:
        yield _Source("volume", *_storage(volume), target)


def _storage(volume: Obj) -> tuple[str, str]:
    """Return what a volume that is no file is called, and the rest of it."""
    for kind, key in (("persistentVolumeClaim", "claimName"), ("hostPath", "path"), ("image", "reference")):
        if found := volume.get(kind):
            return str(found.get(key, "")), _rest(found)
    if "emptyDir" in volume:
        kind = "tmpfs" if volume["emptyDir"].get("medium") == "Memory" else ""
        return kind, json.dumps(volume["emptyDir"], sort_keys=True)
    return volume["name"], json.dumps(volume, sort_keys=True)


def _file(kind: str, name: str, names: Mapping[Key, str], source: Obj, place: str) -> _Source:
    """Return a mounted ConfigMap or Secret; its content begins with the name, which changes with it."""
    aspect = "config" if kind == "ConfigMap" else "secret"
    content, base = f"{name} {_rest(source, ('name', 'secretName'))}", base_name(name)
    subject = names.get((kind, name), "")
    if subject.startswith(f"{aspect} "):
        return _Source(aspect, subject.removeprefix(f"{aspect} "), content, place)
    if not subject and base != name and base.startswith(f"{aspect}-"):  # it is not among the objects
        return _Source(aspect, base.removeprefix(f"{aspect}-"), content, place)
    if base != name:  # a bind mount
        return _Source("files", "", content, place)
    return _Source(aspect, name, content, place)
