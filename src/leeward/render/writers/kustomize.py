"""Kustomize: what environments have in common as a base, and an overlay for each.

The base holds the objects that every environment has, as the first of them has them, without a namespace. An
overlay sets the namespace, adds the objects that only it has, and patches (RFC 6902) what it has otherwise.

Invariant: ``kubectl kustomize overlays/ENV`` gives exactly the objects of that environment.

Source: kubectl.docs.kubernetes.io/references/kustomize/kustomization.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import count
from typing import Any

from leeward.kube.objects import Obj
from leeward.render.writers.emitter import to_yaml
from leeward.render.writers.yaml import HEADER, Origins, file_of, layout

BASE, OVERLAYS = "base", "overlays"
_FILE = "kustomization.yaml"
_HEAD = {"apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization"}
_ClusterKey = tuple[str, str]


def kustomize(renderings: Mapping[str, Sequence[Obj]], origins: Origins | None = None) -> dict[str, str]:
    """Return path → content of a base and an overlay for each environment.

    Args:
        renderings: environment → its objects; the first one gives the base its values.
        origins: where objects come from, by kind and name.
    """
    bare = {name: {_key(obj): _bare(obj) for obj in objects} for name, objects in renderings.items()}
    first, *others = bare.values()
    base = {
        key: obj
        for key, obj in first.items()
        if key[0] != "Namespace" and all(key in other for other in others)
    }
    files = _placed(BASE, layout(base.values(), origins), {})
    for name, objects in bare.items():
        files |= _overlay(name, _namespace(renderings[name]), base, objects, origins)
    return files


def _overlay(
    name: str,
    namespace: str,
    base: Mapping[_ClusterKey, Obj],
    objects: Mapping[_ClusterKey, Obj],
    origins: Origins | None,
) -> dict[str, str]:
    own = layout([obj for key, obj in objects.items() if key not in base], origins)
    patches, texts = [], {}
    for key, obj in base.items():
        steps = list(difference(obj, objects[key]))
        if not steps:
            continue
        stem = f"{file_of(obj).removesuffix('.yaml')}-{key[0].lower()}"
        file = next(name for name in _file_names(stem, key[1]) if name not in texts)
        texts[file] = HEADER + "".join(
            "- " + to_yaml(step).replace("\n", "\n  ").rstrip(" ") for step in steps
        )
        patches.append({"path": file, "target": {"kind": key[0], "name": key[1]}})
    head: Obj = {"namespace": namespace}
    placed = _placed(f"{OVERLAYS}/{name}", own, head, ["../../base"] if base else [], patches)
    return placed | {f"{OVERLAYS}/{name}/{file}": text for file, text in texts.items()}


def _file_names(stem: str, name: str) -> Iterator[str]:
    """Yield names for the file of a patch, the best first."""
    yield f"{stem}.patch.yaml"
    for number in count(1):
        yield f"{stem}-{name}{'' if number == 1 else f'-{number}'}.patch.yaml"


def _placed(
    directory: str,
    files: Mapping[str, str],
    head: Mapping[str, Any],
    resources: Sequence[str] = (),
    patches: Sequence[Obj] = (),
) -> dict[str, str]:
    whole: Obj = {**_HEAD, **head, "resources": [*resources, *files]}
    if patches:
        whole["patches"] = list(patches)
    return {
        f"{directory}/{_FILE}": HEADER + to_yaml(whole),
        **{f"{directory}/{name}": text for name, text in files.items()},
    }


def _key(obj: Obj) -> _ClusterKey:
    return obj["kind"], obj["metadata"]["name"]


def _bare(obj: Obj) -> Obj:
    meta = {key: value for key, value in obj["metadata"].items() if key != "namespace"}
    return {**obj, "metadata": meta}


def _namespace(objects: Sequence[Obj]) -> str:
    return next(str(obj["metadata"]["name"]) for obj in objects if obj["kind"] == "Namespace")


def difference(before: Any, after: Any, path: str = "") -> Iterator[dict[str, Any]]:
    """Yield the steps of a JSON patch (RFC 6902) that turn `before` into `after`."""
    if before == after:
        return
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for key in before:
            if key not in after:
                yield {"op": "remove", "path": f"{path}/{_escaped(key)}"}
        for key, value in after.items():
            place = f"{path}/{_escaped(key)}"
            if key in before:
                yield from difference(before[key], value, place)
            else:
                yield {"op": "add", "path": place, "value": value}
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for index, (one, other) in enumerate(zip(before, after, strict=True)):
            yield from difference(one, other, f"{path}/{index}")
    else:
        yield {"op": "replace", "path": path, "value": after}


def _escaped(key: str) -> str:
    return key.replace("~", "~0").replace("/", "~1")
