"""LimitRanger: containers get a namespace's default resources; Pods and claims stay within its limits.

Source: plugin/pkg/admission/limitranger/admission.go (Kubernetes 1.36).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from leeward.cluster.interface.client import Reader
from leeward.cluster.registry.admission.attributes import Attributes
from leeward.cluster.registry.admission.plugin import Handler, PluginContext, PluginDescriptor
from leeward.kube.objects import Obj, is_terminating
from leeward.kube.quantity import Amount
from leeward.kube.resourcelists import ResourceList, pod_resources, read

_ANNOTATION = "kubernetes.io/limit-ranger"
_CLAIMS = "persistentvolumeclaims"
_Rule = Callable[[str, str, Amount, ResourceList, ResourceList], str | None]


class LimitRanger:
    """Knows the limits of namespaces."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    def admit_pod(self, write: Attributes) -> Obj:
        """Fill in what containers leave out."""
        pod = write.obj
        for limit_range in self._reader.list("limitranges", write.namespace):
            pod = _with_defaults(pod, limit_range)
        return pod

    def validate_pod(self, write: Attributes) -> None:
        """Refuse a Pod outside the limits."""
        self._validate(write, _pod_problems)

    def validate_claim(self, write: Attributes) -> None:
        """Refuse a claim outside the limits."""
        self._validate(write, _claim_problems)

    def _validate(self, write: Attributes, problems: Callable[[Obj, Obj], Iterable[str]]) -> None:
        limit_ranges = self._reader.list("limitranges", write.namespace)
        if not limit_ranges or (write.old is not None and is_terminating(write.old)):
            return
        for limit_range in limit_ranges:
            found = list(dict.fromkeys(problems(limit_range, write.obj)))
            if found:
                raise write.forbidden(found[0] if len(found) == 1 else f"[{', '.join(found)}]")


def _items(limit_range: Obj) -> Sequence[Obj]:
    items: Sequence[Obj] = (limit_range.get("spec") or {}).get("limits") or ()
    return items


def _with_defaults(pod: Obj, limit_range: Obj) -> Obj:
    """Return a Pod with the defaults of one LimitRange, which an annotation tells."""
    wanted: dict[str, dict[str, str]] = {"limits": {}, "requests": {}}
    for item in _items(limit_range):
        if item["type"] == "Container":
            wanted["limits"].update(item.get("default") or {})
            wanted["requests"].update(item.get("defaultRequest") or {})
    spec, told = dict(pod["spec"]), list[str]()
    for field, what in (("containers", "container"), ("initContainers", "init container")):
        if spec.get(field):
            spec[field] = [_filled(each, wanted, what, told) for each in spec[field]]
    if not told:
        return pod
    meta = pod["metadata"]
    text = f"LimitRanger plugin set: {'; '.join(told)}"
    annotations = {**(meta.get("annotations") or {}), _ANNOTATION: text}
    return {**pod, "metadata": {**meta, "annotations": annotations}, "spec": spec}


def _filled(container: Obj, wanted: Mapping[str, Mapping[str, str]], what: str, told: list[str]) -> Obj:
    resources = container.get("resources") or {}
    new = dict(resources)
    for side, word in (("requests", "request"), ("limits", "limit")):
        have = resources.get(side) or {}
        missing = sorted(name for name in wanted[side] if name not in have)
        if missing:
            new[side] = {**have, **{name: wanted[side][name] for name in missing}}
            told.append(f"{', '.join(missing)} {word} for {what} {container.get('name') or ''}")
    return {**container, "resources": new}


def _minimum(kind: str, name: str, bound: Amount, requests: ResourceList, limits: ResourceList) -> str | None:
    head = f"minimum {name} usage per {kind} is {bound}"
    request, limit = requests.get(name), limits.get(name)
    if request is None:
        return f"{head}.  No request is specified"
    if request.value < bound.value:
        return f"{head}, but request is {request}"
    if limit is not None and limit.value < bound.value:
        return f"{head}, but limit is {limit}"
    return None


def _maximum(kind: str, name: str, bound: Amount, requests: ResourceList, limits: ResourceList) -> str | None:
    head = f"maximum {name} usage per {kind} is {bound}"
    request, limit = requests.get(name), limits.get(name)
    if limit is None:
        return f"{head}.  No limit is specified"
    if limit.value > bound.value:
        return f"{head}, but limit is {limit}"
    if request is not None and request.value > bound.value:
        return f"{head}, but request is {request}"
    return None


def _maximum_request(
    kind: str, name: str, bound: Amount, requests: ResourceList, limits: ResourceList
) -> str | None:
    head = f"maximum {name} usage per {kind} is {bound}"
    request = requests.get(name)
    if request is None:
        return f"{head}.  No request is specified"
    return f"{head}, but request is {request}" if request.value > bound.value else None


def _ratio(kind: str, name: str, bound: Amount, requests: ResourceList, limits: ResourceList) -> str | None:
    head = f"{name} max limit to request ratio per {kind} is {bound}"
    request, limit = requests.get(name), limits.get(name)
    if request is None or not request.value:
        return f"{head}, but no request is specified or request is 0"
    if limit is None or not limit.value:
        return f"{head}, but no limit is specified or limit is 0"
    ratio = limit.value / request.value
    return f"{head}, but provided ratio is {float(ratio):f}" if ratio > bound.value else None


_RULES: tuple[tuple[str, _Rule], ...] = (
    ("min", _minimum),
    ("max", _maximum),
    ("maxLimitRequestRatio", _ratio),
)
_CLAIM_RULES: tuple[tuple[str, _Rule], ...] = (("min", _minimum), ("max", _maximum_request))


def _problems(
    item: Obj, rules: Sequence[tuple[str, _Rule]], requests: ResourceList, limits: ResourceList
) -> Iterable[str]:
    for field, rule in rules:
        for name, bound in read(item.get(field)).items():
            problem = rule(item["type"], name, bound, requests, limits)
            if problem:
                yield problem


def _pod_problems(limit_range: Obj, pod: Obj) -> Iterable[str]:
    spec = pod["spec"]
    for item in _items(limit_range):
        if item["type"] == "Container":
            for container in (*(spec.get("containers") or ()), *(spec.get("initContainers") or ())):
                resources = container.get("resources") or {}
                requests, limits = read(resources.get("requests")), read(resources.get("limits"))
                yield from _problems(item, _RULES, requests, limits)
        elif item["type"] == "Pod":
            requests = pod_resources(spec, "requests", overhead=False)
            limits = pod_resources(spec, "limits", overhead=False)
            yield from _problems(item, _RULES, requests, limits)


def _claim_problems(limit_range: Obj, claim: Obj) -> Iterable[str]:
    for item in _items(limit_range):
        if item["type"] == "PersistentVolumeClaim":
            requests = read(((claim.get("spec") or {}).get("resources") or {}).get("requests"))
            yield from _problems(item, _CLAIM_RULES, requests, {})


def build(context: PluginContext) -> Sequence[Handler]:
    """Return its handlers."""
    plugin = LimitRanger(context.reader)
    return (
        Handler(
            operations=("CREATE",), resources=("pods",), admit=plugin.admit_pod, validate=plugin.validate_pod
        ),
        Handler(
            operations=("UPDATE",),
            resources=("pods",),
            subresources=("resize",),
            admit=plugin.admit_pod,
            validate=plugin.validate_pod,
        ),
        Handler(operations=("CREATE", "UPDATE"), resources=(_CLAIMS,), validate=plugin.validate_claim),
    )


DESCRIPTOR = PluginDescriptor(name="LimitRanger", build=build)
