"""A Helm chart of one environment: its manifests, with what people set per release as values.

Values are, for each service, its image, replicas or the bounds of its autoscaler, resources, environment and
hosts, and the sizes of volumes. The templates are the manifests with these places taken out, and nothing
else: no helper, no condition. Anything in a manifest that looks like a template is escaped.

Invariant: the chart with its own values gives the objects it was made of, but the Namespace, which is Helm's.

Source: helm.sh/docs/topics/charts.
"""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from leeward.kube.objects import Obj, labels_of
from leeward.kube.wellknown import APP_NAME
from leeward.render.writers.emitter import to_yaml
from leeward.render.writers.yaml import HEADER, Origins, layout

_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*").fullmatch
_MARK = re.compile(r"LEEWARD-VALUE-(\d+)-")
_SHARED = "volumes"  # values of claims that services share
_CHART = {"apiVersion": "v2", "type": "application"}
Path = tuple[str | int, ...]


def helm(
    name: str, objects: Sequence[Obj], origins: Origins | None = None, *, version: str = "0.1.0"
) -> dict[str, str]:
    """Return path → content of a chart.

    Args:
        name: of the chart, a DNS label.
        objects: of one environment.
        origins: where they come from, by kind and name.
        version: of the chart.
    """
    maker = _Maker()
    marked = [maker.marked(obj) for obj in objects if obj["kind"] != "Namespace"]
    templates = {f"templates/{file}": maker.template(text) for file, text in layout(marked, origins).items()}
    about = {**_CHART, "name": name, "version": version, "description": f"{name}, rendered by leeward"}
    return {
        "Chart.yaml": HEADER + to_yaml(about),
        "values.yaml": HEADER + _comment() + to_yaml(maker.values),
        "values.schema.json": json.dumps(_schema(maker.values, top=True), indent=2) + "\n",
        **templates,
    }


def _comment() -> str:
    return (
        "# For each service: image, replicas or autoscale, resources, env, hosts, storage.\n"
        "# Set them in a file of your own (-f) or with --set services.NAME.image=…\n"
    )


class _Maker:
    """Takes values out of objects and remembers where they belong."""

    def __init__(self) -> None:
        self.values: dict[str, Any] = {"services": {}}
        self._expressions: list[tuple[str, bool]] = []  # what gives the value; whether it is a block

    def marked(self, obj: Obj) -> Obj:
        """Return `obj` with marks where values go."""
        found = copy.deepcopy(obj)
        if "namespace" in found["metadata"]:
            found["metadata"]["namespace"] = self._mark(".Release.Namespace | quote")
        service = labels_of(obj).get(APP_NAME)
        if service:
            for path, place, block in _places(found):
                self._take(found, path, ("services", service, *place), block)
        elif obj["kind"] == "PersistentVolumeClaim":
            name = obj["metadata"]["name"]
            self._take(found, ("spec", "resources", "requests", "storage"), (_SHARED, name, "size"), False)
        return found

    def _take(self, obj: Obj, path: Path, place: Path, block: bool) -> None:
        holder: Any = obj
        for step in path[:-1]:
            holder = holder[step]
        value = holder[path[-1]]
        values: Any = self.values
        for index, step in enumerate(place[:-1]):
            empty: Any = [] if isinstance(place[index + 1], int) else {}
            values = values.setdefault(step, empty)
        last = place[-1]
        if isinstance(last, int):
            values[:] = [*values, value] if value not in values else values
            place = (*place[:-1], values.index(value))
        elif values.setdefault(last, value) != value:
            return  # another of the same name has another value: it stays as it is
        suffix = "" if block else " | quote" if isinstance(value, str) else ""
        expression = _expression(place)
        holder[path[-1]] = self._mark(
            f"toYaml {expression}" if block else f"{expression}{suffix}", block=block
        )

    def _mark(self, expression: str, *, block: bool = False) -> str:
        self._expressions.append((expression, block))
        return f"LEEWARD-VALUE-{len(self._expressions) - 1}-"

    def template(self, text: str) -> str:
        """Return marked YAML as a template."""
        text = re.sub(r"\{\{|\}\}", lambda match: f'{{{{ "{match[0]}" }}}}', text)
        return "".join(self._line(line) for line in text.splitlines(keepends=True))

    def _line(self, line: str) -> str:
        def put(match: re.Match[str]) -> str:
            expression, block = self._expressions[int(match[1])]
            indent = len(line) - len(line.lstrip(" -")) + 2
            return f"{{{{- {expression} | nindent {indent} }}}}" if block else f"{{{{ {expression} }}}}"

        return _MARK.sub(put, line)


def _expression(place: Path) -> str:
    """Return the template expression of a value, such as ``.Values.services.web.image``."""
    text = ".Values"
    for step in place:
        if isinstance(step, str) and _IDENTIFIER(step):
            text += f".{step}"
        else:
            key = str(step) if isinstance(step, int) else json.dumps(step)
            text = f"(index {text} {key})"
    return text


def _places(obj: Obj) -> Iterator[tuple[Path, Path, bool]]:
    """Yield (path in the object, path in the service's values, whether it is a block)."""
    reader = _READERS.get(obj["kind"])
    if reader is not None:
        yield from reader(obj)
    template = _template(obj)
    if template is not None:
        yield from _of_pod(obj, template)


def _template(obj: Obj) -> Path | None:
    spec = obj.get("spec") or {}
    if "jobTemplate" in spec:
        return ("spec", "jobTemplate", "spec", "template")
    return ("spec", "template") if "template" in spec else None


def _of_pod(obj: Obj, template: Path) -> Iterator[tuple[Path, Path, bool]]:
    pod: Any = obj
    for step in (*template, "spec"):
        pod = pod[step]
    main = pod["containers"][0]
    for kind in ("initContainers", "containers"):
        for index, container in enumerate(pod.get(kind) or ()):
            path: Path = (*template, "spec", kind, index)
            if container.get("image") == main.get("image"):
                yield (*path, "image"), ("image",), False
            if container is not main:
                continue
            if container.get("resources"):
                yield (*path, "resources"), ("resources",), True
            for number, entry in enumerate(container.get("env") or ()):
                if "value" in entry:
                    yield (*path, "env", number, "value"), ("env", entry["name"]), False


def _of_workload(obj: Obj) -> Iterator[tuple[Path, Path, bool]]:
    if "replicas" in obj["spec"]:
        yield ("spec", "replicas"), ("replicas",), False
    for index, claim in enumerate(obj["spec"].get("volumeClaimTemplates") or ()):
        path: Path = ("spec", "volumeClaimTemplates", index, "spec", "resources", "requests", "storage")
        yield path, ("storage", claim["metadata"]["name"], "size"), False


def _of_autoscaler(obj: Obj) -> Iterator[tuple[Path, Path, bool]]:
    for key in ("minReplicas", "maxReplicas"):
        if key in obj["spec"]:
            yield ("spec", key), ("autoscale", key), False


def _of_ingress(obj: Obj) -> Iterator[tuple[Path, Path, bool]]:
    for index, rule in enumerate(obj["spec"].get("rules") or ()):
        if "host" in rule:
            yield ("spec", "rules", index, "host"), ("hosts", 0), False
    for index, tls in enumerate(obj["spec"].get("tls") or ()):
        for number, _ in enumerate(tls.get("hosts") or ()):
            yield ("spec", "tls", index, "hosts", number), ("hosts", 0), False


_READERS: Mapping[str, Callable[[Obj], Iterable[tuple[Path, Path, bool]]]] = {
    "Deployment": _of_workload,
    "StatefulSet": _of_workload,
    "HorizontalPodAutoscaler": _of_autoscaler,
    "Ingress": _of_ingress,
}
_TYPES: Mapping[type, str] = {str: "string", int: "integer", bool: "boolean", float: "number"}


def _schema(value: Any, *, top: bool = False) -> dict[str, Any]:
    """Return a JSON schema of values like `value`."""
    head = {"$schema": "https://json-schema.org/draft-07/schema#"} if top else {}
    if isinstance(value, Mapping):
        return {
            **head,
            "type": "object",
            "properties": {key: _schema(inner) for key, inner in value.items()},
        }
    if isinstance(value, list):
        return {"type": "array", "items": _schema(value[0]) if value else {}}
    return {"type": _TYPES.get(type(value), "string")}
