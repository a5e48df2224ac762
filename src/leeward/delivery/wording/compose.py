"""What rendered objects say about services, in the words of Compose files. Pure.

A fact is something about a service that a Compose file could say: its image, a variable, a port. Facts of two
sides are compared by ``differences``, and so is what is left of the objects when all facts are taken out of
them: nothing that differs goes unsaid.

Source: the renderers (``leeward.render.renderers``), whose work is read backwards here.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from leeward.delivery.health import WORKLOADS
from leeward.delivery.wording.facts import Fact, Facts, Key, subject_of
from leeward.delivery.wording.mounts import mounts_of
from leeward.delivery.wording.values import HIDDEN, command, cores, plain, shown, size
from leeward.kube.objects import Obj, annotations_of
from leeward.kube.wellknown import (
    ALIAS_PREFIX,
    DEPENDS_ON,
    NETWORK_PREFIX,
    PUBLISHED_PORTS,
    RESTART_AFTER,
)

_RESOURCES = {
    ("limits", "memory"): ("memory", size),
    ("limits", "cpu"): ("cpus", cores),
    ("requests", "memory"): ("memory reservation", size),
    ("requests", "cpu"): ("cpus reservation", cores),
}
_TIMINGS = (
    ("periodSeconds", "interval", "s"),
    ("timeoutSeconds", "timeout", "s"),
    ("failureThreshold", "retries", ""),
    ("initialDelaySeconds", "delay", "s"),
)


def facts_of(objects: Iterable[Obj]) -> dict[str, Facts]:
    """Return the facts about every service that has a workload, and about every shared volume."""
    objects = list(objects)
    names = {(obj["kind"], obj["metadata"]["name"]): subject_of(obj) for obj in objects}
    found: dict[str, Facts] = {}
    for obj in objects:
        facts = found.setdefault(subject_of(obj), {})
        if obj["kind"] in WORKLOADS:
            _workload(obj, names, found)
        elif reader := _READERS.get(obj["kind"]):
            facts.update(reader(obj))
    return {subject: facts for subject, facts in found.items() if facts}


# -- workloads


def template_of(workload: Obj) -> Obj:
    """Return the Pod template of a workload."""
    spec = workload["spec"]
    template: Obj = (spec["jobTemplate"]["spec"] if "jobTemplate" in spec else spec)["template"]
    return template


def _workload(obj: Obj, names: Mapping[Key, str], found: dict[str, Facts]) -> None:
    facts, spec, template = found[subject_of(obj)], obj["spec"], template_of(obj)
    facts["runs as", ""] = Fact(obj["kind"])
    if obj["kind"] == "Job":
        facts["job", ""] = Fact(content=obj["metadata"]["name"])
    for key, word in (("replicas", "replicas"), ("completions", "replicas")):
        if key in spec:
            facts[word, ""] = Fact(str(spec[key]))
    if "schedule" in spec:
        facts["schedule", ""] = Fact(plain(f"{spec['schedule']} {spec.get('timeZone', '')}".strip()))
    facts.update(_dependencies(obj))
    facts.update(_labels(template))
    for claim in spec.get("volumeClaimTemplates") or ():
        facts["claim", claim["metadata"]["name"]] = _claim(claim)
    pod = template["spec"]
    if (seconds := pod.get("terminationGracePeriodSeconds")) is not None:
        facts["time to stop", ""] = Fact(f"{seconds}s")
    volumes = {volume["name"]: volume for volume in pod.get("volumes") or ()}
    for index, container in enumerate(containers_of(pod)):
        owner = facts if not index else found.setdefault(container["name"], {})
        owner.update(_container(container))
        owner.update(mounts_of(container, volumes, names))


def containers_of(pod: Obj) -> list[Obj]:
    """Return the container of a service, then those of the services that run in its Pod."""
    guests = [each for each in pod.get("initContainers") or () if each.get("restartPolicy") == "Always"]
    return [*pod["containers"], *guests]


def _dependencies(obj: Obj) -> Iterator[tuple[Key, Fact]]:
    for name, entry in _parsed(annotations_of(obj).get(DEPENDS_ON), {}).items():
        if isinstance(entry, Mapping):
            optional = "" if entry.get("required", True) else ", not required"
            entry = f"{entry.get('condition', 'service_started')}{optional}"
        yield ("depends_on", name), Fact(plain(str(entry)))


def _labels(template: Obj) -> Iterator[tuple[Key, Fact]]:
    meta = template.get("metadata") or {}
    for label in meta.get("labels") or {}:
        for prefix, aspect in ((NETWORK_PREFIX, "network"), (ALIAS_PREFIX, "alias")):
            if label.startswith(prefix):
                yield (aspect, label.removeprefix(prefix)), Fact()
    for name, digest in _parsed((meta.get("annotations") or {}).get(RESTART_AFTER), {}).items():
        yield ("restart with", name), Fact(content=str(digest))


def _parsed(text: str | None, default: Any) -> Any:
    """Return the JSON of an annotation, which anybody can have written."""
    try:
        found = json.loads(text) if text else default
    except ValueError:
        return default
    return found if isinstance(found, type(default)) else default


def _container(container: Obj) -> Iterator[tuple[Key, Fact]]:
    yield ("image", ""), Fact(container["image"])
    for key, word in (("command", "entrypoint"), ("args", "command")):
        if words := container.get(key):
            yield (word, ""), Fact(command(words), json.dumps(words))
    for entry in container.get("env") or ():
        yield ("environment", entry["name"]), _variable(entry)
    for kind, amounts in (container.get("resources") or {}).items():
        for name, amount in amounts.items() if isinstance(amounts, Mapping) else ():
            word, form = _RESOURCES.get((kind, name), (f"{name} {kind}", str))
            yield (word, ""), Fact(form(amount))
    yield from _probes(container)
    security = container.get("securityContext") or {}
    if (user := security.get("runAsUser")) is not None:
        group = security.get("runAsGroup")
        yield ("user", ""), Fact(f"{user}" if group is None else f"{user}:{group}")
    if directory := container.get("workingDir"):
        yield ("working_dir", ""), Fact(plain(directory))


def _variable(entry: Obj) -> Fact:
    if "valueFrom" not in entry:
        value = str(entry.get("value", "")).replace("$$", "$")
        return Fact(shown(entry["name"], value), value)
    source = entry["valueFrom"]
    if secret := source.get("secretKeyRef"):
        return Fact(HIDDEN, f"{secret.get('name')}/{secret.get('key')}")
    return Fact(plain(json.dumps(source, sort_keys=True)))


def _probes(container: Obj) -> Iterator[tuple[Key, Fact]]:
    for field, aspect in (("readinessProbe", "healthcheck"), ("livenessProbe", "liveness")):
        probe = container.get(field)
        if probe is not None:
            yield (aspect, ""), _test(probe)
            for key, word, unit in _TIMINGS:
                if key in probe:
                    yield (aspect, word), Fact(f"{probe[key]}{unit}")
    if (start := container.get("startupProbe")) is not None:
        period = start.get("periodSeconds", 10)
        asked = _untimed(start)  # what else is asked than afterwards
        content = "" if asked == _untimed(container.get("readinessProbe") or {}) else asked
        yield ("healthcheck", "start_interval"), Fact(f"{period}s")
        yield ("healthcheck", "time to start"), Fact(f"{period * start.get('failureThreshold', 3)}s", content)


def _test(probe: Obj) -> Fact:
    content = _untimed(probe)
    if "exec" in probe:
        return Fact(command(probe["exec"].get("command") or []), content)
    return Fact(plain(content), content)


def _untimed(probe: Obj) -> str:
    """Return what a probe asks."""
    timings = [key for key, _, _ in _TIMINGS]
    return json.dumps({key: each for key, each in probe.items() if key not in timings}, sort_keys=True)


# -- the rest


def _claim(claim: Obj) -> Fact:
    spec = claim["spec"]
    storage = ((spec.get("resources") or {}).get("requests") or {}).get("storage")
    words = [size(storage) if storage is not None else "", *(spec.get("accessModes") or ())]
    if spec.get("storageClassName"):
        words.append(f"class {spec['storageClassName']}")
    return Fact(", ".join(filter(None, words)), json.dumps(spec, sort_keys=True))


def _claim_facts(obj: Obj) -> Facts:
    return {("claim", obj["metadata"]["name"]): _claim(obj)}


def _ports(obj: Obj) -> Facts:
    found: Facts = {}
    if obj["metadata"]["name"] != subject_of(obj):  # one of a StatefulSet's Pods, or an alias
        return found
    published: dict[Key, list[str]] = {}
    for entry in _parsed(annotations_of(obj).get(PUBLISHED_PORTS), []):
        ip = "" if entry.get("hostIP") in (None, "127.0.0.1") else f"{entry['hostIP']}:"
        key = (str(entry.get("target")), str(entry.get("protocol", "TCP")))
        published.setdefault(key, []).append(f"{ip}{entry.get('published')}:{key[0]}")
    for port in obj["spec"].get("ports") or ():
        key = (str(port["port"]), port.get("protocol", "TCP"))
        suffix = "" if key[1] == "TCP" else f"/{key[1].lower()}"
        texts = published.get(key) or [key[0]]
        text = ", ".join(f"{text}{suffix}" for text in texts)
        found["port", "/".join(key)] = Fact(text, json.dumps(port, sort_keys=True))
    return found


def _hosts(obj: Obj) -> Facts:
    found: Facts = {}
    for rule in obj["spec"].get("rules") or ():
        for path in (rule.get("http") or {}).get("paths") or ():
            place = f"{rule.get('host', '*')}{path.get('path', '/').rstrip('/')}"
            found["host", place] = Fact(content=json.dumps(path, sort_keys=True))
    return found


def _autoscaling(obj: Obj) -> Facts:
    spec = obj["spec"]
    limits = f"{spec.get('minReplicas', 1)} to {spec.get('maxReplicas')}"
    return {("autoscale", ""): Fact(limits)}


_READERS = {
    "PersistentVolumeClaim": _claim_facts,
    "Service": _ports,
    "Ingress": _hosts,
    "HorizontalPodAutoscaler": _autoscaling,
}
