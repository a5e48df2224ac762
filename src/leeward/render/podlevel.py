"""The Pod Security level of the project's namespace: the strictest one that admits every Pod of it.

Which services keep it from being "restricted", and by which rules, is reported where it matters: not on the
embedded cluster. A level that the project asks for stands, and what it would refuse is an error.

Source: kubernetes.io/docs/concepts/security/pod-security-admission.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from leeward.base.diagnostics import Severity
from leeward.kube.objects import Obj, labels_of
from leeward.kube.podsecurity import LEVELS, VERSION, Level, Violation, judge
from leeward.kube.wellknown import APP_NAME
from leeward.render.model import ProjectContext

LABEL = "pod-security.kubernetes.io/"
_NON_ROOT = "runAsNonRoot != true"
_APPARMOR = "apparmor"
_HANDLERS = ("startupProbe", "readinessProbe", "livenessProbe", "lifecycle")
_NO_MATTER = frozenset(
    ("affinity", "dnsConfig", "hostAliases", "hostname", "nodeSelector", "terminationGracePeriodSeconds",
     "tolerations", "topologySpreadConstraints")
)  # fmt: skip
_NO_MATTER_INSIDE = frozenset(
    ("args", "command", "env", "image", "imagePullPolicy", "resources", "volumeMounts", "workingDir")
)


def _templates(objects: Iterable[Obj]) -> Iterator[tuple[str, Obj]]:
    """Return (Kubernetes name of the service, Pod template) of every object that makes Pods."""
    for obj in objects:
        spec = obj.get("spec") or {}
        spec = (spec.get("jobTemplate") or {}).get("spec") or spec
        if template := spec.get("template"):
            yield labels_of(obj).get(APP_NAME, ""), template


def _substance(spec: Obj) -> Obj:
    """Return `spec` less what no rule looks at and is otherwise for every service: many are then alike."""
    short = {key: value for key, value in spec.items() if key not in _NO_MATTER}
    for kind in ("initContainers", "containers"):
        if kind in spec:
            short[kind] = [_container(each) for each in spec[kind]]
    return short


def _container(container: Obj) -> Obj:
    short = {key: value for key, value in container.items() if key not in _NO_MATTER_INSIDE}
    if "ports" in short:
        short["ports"] = [port for port in short["ports"] if "hostPort" in port]
    for key in _HANDLERS:
        if key in short and "'host'" not in repr(short[key]):
            del short[key]
    return {**short, "name": "c"}


def levels_of(objects: Iterable[Obj]) -> dict[str, tuple[Level, list[Violation]]]:
    """Return service → its level, and the rules of "restricted" that its Pods break (containers unnamed)."""
    found: dict[str, tuple[Level, list[Violation]]] = {}
    judged: dict[str, tuple[Level, list[Violation]]] = {}
    for name, template in _templates(objects):
        spec = _substance(template["spec"])
        notes = {
            key: value
            for key, value in template["metadata"].get("annotations", {}).items()
            if _APPARMOR in key
        }
        alike = repr((spec, notes))
        if alike not in judged:
            judged[alike] = judge(spec, notes)
        level, broken = judged[alike]
        before, known = found.get(name, (LEVELS[0], []))
        found[name] = (max(before, level, key=LEVELS.index), [*known, *broken])
    return found


def _report(
    context: ProjectContext, service: str, level: Level, broken: list[Violation], asked: Level | None
) -> None:
    """Tell what keeps a service from "restricted"."""
    reasons = ", ".join(dict.fromkeys(violation.reason for violation in broken))
    remedy = "Do without what asks for it."
    if level != LEVELS[-1] and any(violation.reason == _NON_ROOT for violation in broken):
        remedy = 'Name a user other than root by its number, as in user: "1000", if the image works with it.'
    refused = asked is not None and LEVELS.index(level) > LEVELS.index(asked)
    message = (
        f"The project asks for Pod Security {asked}, which does not admit its Pods: {reasons}."
        if refused
        else f"Its Pods need Pod Security {level}; restricted would refuse them: {reasons}."
    )
    if context.options.on_embedded and not refused:
        return
    severity = Severity.ERROR if refused else Severity.NOTE
    context.report(("services", service), "pod-security", severity, message, remedy)


def enforce_level(context: ProjectContext, objects: list[Obj]) -> list[Obj]:
    """Return `objects` with the level that the namespace enforces on its label, and report what lowers it."""
    levels = levels_of(objects)
    services = {plan.name: name for name, plan in context.plan.services.items()}
    asked = context.plan.settings.pod_security
    for name, (level, broken) in levels.items():
        if broken and name in services:
            _report(context, services[name], level, broken, asked)
    needed = max((level for level, _ in levels.values()), key=LEVELS.index, default=LEVELS[0])
    enforced = asked or needed
    labels: dict[str, str] = {f"{LABEL}enforce": enforced, f"{LABEL}enforce-version": VERSION}
    if enforced != LEVELS[0]:  # kubectl tells what is left to do, and so does the audit log
        labels |= {f"{LABEL}audit": LEVELS[0], f"{LABEL}warn": LEVELS[0]}
    return [_labelled(obj, labels) if obj["kind"] == "Namespace" else obj for obj in objects]


def _labelled(obj: Obj, labels: dict[str, str]) -> Obj:
    meta = obj["metadata"]
    return {**obj, "metadata": {**meta, "labels": {**meta["labels"], **labels}}}
