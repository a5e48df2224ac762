"""Which places in objects are values of a chart, and what they are called.

Values are, for each service: ``image``, ``replicas``, ``autoscale``, ``resources``, ``env`` and ``extraEnv``,
``hosts``, ``tls``, ``ingressClassName`` and ``storage``; and the ``volumes`` that services share. A place is
taken out of an object by putting a mark there; one value has the same mark in every environment.

Invariant: a value that two places of a service would give differently is taken from the first of them only.
"""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from functools import partial
from typing import Any

from leeward.kube.objects import Obj, labels_of
from leeward.kube.wellknown import APP_NAME

_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*").fullmatch
_ARN = "alb.ingress.kubernetes.io/certificate-arn"
Place = tuple[str, ...]  # keys below .Values


class Marks:
    """Marks in objects, and the template text that takes the place of each.

    Args:
        prefix: text that is in no object.
        image: the named template that puts an image reference together.
    """

    def __init__(self, prefix: str, image: str) -> None:
        self._prefix = prefix
        self._actions: dict[str, int] = {}
        self.image = image
        self._mark = re.compile(rf"{prefix}-(VALUE|BLOCK)-(\d+)-")
        self._line = re.compile(rf" *(?:- )?{prefix}-(OPEN|SHUT|LINE)-(\d+)-(?:: 0)?\n")

    def put(self, kind: str, action: str) -> str:
        """Return the mark of an action: VALUE, BLOCK stand for text, OPEN, SHUT, LINE for whole lines."""
        number = self._actions.setdefault(action, len(self._actions))
        return f"{self._prefix}-{kind}-{number}-"

    def atoms(self, text: str) -> list[str]:
        """Return marked YAML as template text, in pieces that are to stay whole: lines and blocks."""
        actions = list(self._actions)
        pieces, depth = [""], 0
        for bare in _escaped(text).split("\n")[:-1]:  # not at what else is a line end in Unicode
            line = f"{bare}\n"
            indent = len(line) - len(line.lstrip(" "))
            control = self._line.fullmatch(line)
            if control is None:
                pieces[-1] += self._mark.sub(partial(_action, line, actions), line)
            else:
                words = actions[int(control[2])].replace("INDENT", str(indent))
                pieces[-1] += f"{' ' * indent}{{{{- {words} }}}}\n"
                depth += {"OPEN": 1, "SHUT": -1}.get(control[1], 0)
            if not depth:
                pieces.append("")
        return pieces[:-1]


def _action(line: str, actions: list[str], found: re.Match[str]) -> str:
    action = actions[int(found[2])]
    if found[1] == "VALUE":
        return f"{{{{ {action} }}}}"
    indent = len(line) - len(line.lstrip(" -")) + 2
    return f"{{{{- {action} | nindent {indent} }}}}"


def _escaped(text: str) -> str:
    return re.sub(r"\{\{|\}\}", lambda match: f'{{{{ "{match[0]}" }}}}', text)


def expression(place: Place) -> str:
    """Return the template expression of a value, such as ``.Values.services.web.image``."""
    text = ".Values"
    for step in place:
        text = f"{text}.{step}" if _IDENTIFIER(step) else f"(index {text} {json.dumps(step)})"
    return text


class Taker:
    """Takes the values of one environment out of its objects.

    Args:
        marks: those of all environments.
        services: the Kubernetes names of services, which containers are called by.
    """

    def __init__(self, marks: Marks, services: Collection[str]) -> None:
        self._marks = marks
        self._services = services
        self.values: dict[str, Any] = {"services": {}}

    def marked(self, obj: Obj) -> Obj:
        """Return `obj` with marks where values go."""
        found = copy.deepcopy(obj)
        if "namespace" in found["metadata"]:
            found["metadata"]["namespace"] = self._marks.put("VALUE", ".Release.Namespace | quote")
        service = labels_of(obj).get(APP_NAME)
        spec = found.get("spec") or {}
        if obj["kind"] == "PersistentVolumeClaim":
            top = ("services", service, "storage") if service else ("volumes",)
            self._claim(spec, (*top, obj["metadata"]["name"]))
        elif service:
            reader = _READERS.get(obj["kind"])
            if reader is not None:
                reader(self, found, ("services", service))
            for pod in _pods(spec):
                self._pod(pod, service)
        return found

    def take(self, holder: Any, key: Any, place: Place) -> None:
        """Make the text or number at `key` a value."""
        if self._keep(place, holder[key]):
            quoted = " | quote" if isinstance(holder[key], str) else ""
            holder[key] = self._marks.put("VALUE", f"{expression(place)}{quoted}")

    def take_block(self, holder: Any, key: Any, place: Place) -> None:
        """Make the mapping or list at `key` a value."""
        if holder.get(key) and self._keep(place, holder[key]):
            holder[key] = self._marks.put("BLOCK", f"toYaml {expression(place)}")

    def take_optional(self, holder: dict[str, Any], key: str, place: Place) -> None:
        """Make the text at `key`, which need not be there, a value that is empty then; it goes last."""
        if not self._keep(place, holder.get(key, "")):
            return
        holder.pop(key, None)
        holder[self._marks.put("OPEN", f"with {expression(place)}")] = 0
        holder[key] = self._marks.put("VALUE", ". | quote")
        holder[self._marks.put("SHUT", "end")] = 0

    def take_each(self, items: list[Any], key: str, place: Place) -> bool:
        """Make things that differ in `key` only a list of values; tell whether they are one."""
        wanted = [item[key] for item in items]
        if any({**item, key: ""} != {**items[0], key: ""} for item in items) or not self._keep(place, wanted):
            return False
        first = self._marks.put("OPEN", f"range {expression(place)}")
        items[:] = [
            first,
            {**items[0], key: self._marks.put("VALUE", ". | quote")},
            self._marks.put("SHUT", "end"),
        ]
        return True

    def _keep(self, place: Place, value: Any) -> bool:
        values = self.values
        for step in place[:-1]:
            values = values.setdefault(step, {})
        return bool(values.setdefault(place[-1], value) == value)

    def _claim(self, spec: dict[str, Any], place: Place) -> None:
        if "volumeName" in spec or spec.get("storageClassName") == "" or "selector" in spec:
            return  # of a volume that exists
        self.take(spec["resources"]["requests"], "storage", (*place, "size"))
        self.take_optional(spec, "storageClassName", (*place, "storageClassName"))

    def _pod(self, pod: Any, service: str) -> None:
        containers = pod.get("containers") or []
        images: dict[str, Place] = {}  # image → its values
        for index, container in enumerate(containers):
            name = container.get("name")
            owner = name if index and name in self._services else service
            images.setdefault(container.get("image"), ("services", owner, "image"))
            if index == 0 or owner != service:
                self._container(container, ("services", owner))
        for container in (*(pod.get("initContainers") or ()), *containers):
            if (place := images.get(container.get("image"))) is not None:
                self._image(container, place)

    def _image(self, container: dict[str, Any], place: Place) -> None:
        if self._keep(place, _parts(container["image"])):
            container["image"] = self._marks.put(
                "VALUE", f'include "{self._marks.image}" {expression(place)} | quote'
            )

    def _container(self, container: dict[str, Any], place: Place) -> None:
        self.take_block(container, "resources", (*place, "resources"))
        env = container.get("env") or []
        for entry in env:
            if "value" in entry:
                self.take(entry, "value", (*place, "env", entry["name"]))
        extra = (*place, "extraEnv")
        self._keep(extra, [])
        if env:
            lines = f"with {expression(extra)} }}}}{{{{- toYaml . | nindent INDENT }}}}{{{{- end"
            env.append(self._marks.put("LINE", lines))
        else:
            container.pop("env", None)
            container[self._marks.put("OPEN", f"with {expression(extra)}")] = 0
            container["env"] = self._marks.put("BLOCK", "toYaml .")
            container[self._marks.put("SHUT", "end")] = 0

    def workload(self, obj: Obj, place: Place) -> None:
        """Take the values of a Deployment or StatefulSet."""
        if "replicas" in obj["spec"]:
            self.take(obj["spec"], "replicas", (*place, "replicas"))
        for claim in obj["spec"].get("volumeClaimTemplates") or ():
            self._claim(claim["spec"], (*place, "storage", claim["metadata"]["name"]))

    def autoscaler(self, obj: Obj, place: Place) -> None:
        """Take the values of a HorizontalPodAutoscaler."""
        spec = obj["spec"]
        for key in ("minReplicas", "maxReplicas"):
            if key in spec:
                self.take(spec, key, (*place, "autoscale", key))
        for metric in spec.get("metrics") or ():
            target = metric.get("resource", {}).get("target", {})
            if "averageUtilization" in target:
                name = metric["resource"]["name"]
                self.take(target, "averageUtilization", (*place, "autoscale", "targets", name))

    def ingress(self, obj: Obj, place: Place) -> None:
        """Take the values of an Ingress."""
        spec, notes = obj["spec"], obj["metadata"].get("annotations") or {}
        hosts = [rule.get("host") for rule in spec.get("rules") or ()]
        if "ingressClassName" in spec:
            self.take(spec, "ingressClassName", (*place, "ingressClassName"))
        if all(hosts) and hosts and self.take_each(spec["rules"], "host", (*place, "hosts")):
            for tls in spec.get("tls") or ():
                if tls.get("hosts") == hosts:
                    self.take_block(tls, "hosts", (*place, "hosts"))
        for tls in (spec.get("tls") or ())[:1]:
            if "secretName" in tls:
                self.take(tls, "secretName", (*place, "tls", "secretName"))
        if _ARN in notes:
            self.take(notes, _ARN, (*place, "tls", "certificateArn"))


_READERS: Mapping[str, Callable[[Taker, Obj, Place], None]] = {
    "Deployment": Taker.workload,
    "StatefulSet": Taker.workload,
    "HorizontalPodAutoscaler": Taker.autoscaler,
    "Ingress": Taker.ingress,
}


def _pods(spec: Mapping[str, Any]) -> Iterator[Any]:
    template = (spec.get("jobTemplate") or {}).get("spec", spec).get("template") or {}
    if "spec" in template:
        yield template["spec"]


def _parts(image: str) -> dict[str, str]:
    """Return an image reference in its parts, the missing ones empty."""
    name, _, digest = image.partition("@")
    head, slash, last = name.rpartition("/")
    last, _, tag = last.partition(":")
    return {"repository": f"{head}{slash}{last}", "tag": tag, "digest": digest}
