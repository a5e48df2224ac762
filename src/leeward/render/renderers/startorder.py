"""Who waits for whom: ``depends_on`` as an annotation for whoever applies, and as a bounded wait in the Pod.

The order is kept when a release is applied, as Compose keeps it in ``up``: every workload names what it waits
for. Nothing in a Pod can hold up a restart for good, so losing a zone cannot deadlock: outside the embedded
cluster, a Pod whose image surely has a shell waits a minute or so for the Services of what must be healthy
(which have addresses only when it is), then starts all the same, as Compose's containers do on a restart.

Why: docs/decisions/0005-start-gates.md. Source: the Compose Specification, "depends_on".
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from leeward.kube.wellknown import DEPENDS_ON, RESTART_AFTER
from leeward.render import naming
from leeward.render.model import PodDraft, ProjectContext, Renderer, ServiceContext
from leeward.render.plan import Kind, ServicePlan
from leeward.render.renderers.command import escape
from leeward.render.renderers.podtemplate import pod_template
from leeward.render.renderers.shell import SHELL, has_shell

STARTED, HEALTHY, COMPLETED = "service_started", "service_healthy", "service_completed_successfully"
_STRENGTH = {STARTED: 0, HEALTHY: 1, COMPLETED: 2}
GATE = "wait-for-dependencies"
_GATE_RESOURCES = {"requests": {"cpu": "10m", "memory": "16Mi"}, "limits": {"memory": "64Mi"}}
# Takes pairs of host and port. An attempt takes one to three seconds; the thirty are for all pairs together.
_SCRIPT = """\
if command -v nc >/dev/null; then
  reach() { nc -z -w 2 "$1" "$2" 2>/dev/null; }
elif command -v bash >/dev/null && command -v timeout >/dev/null; then
  reach() { timeout 2 bash -c ': <"/dev/tcp/$0/$1"' "$1" "$2" 2>/dev/null; }
else
  exit 0
fi
left=30
while [ "$#" -ge 2 ] && [ "$left" -gt 0 ]; do
  if reach "$1" "$2"; then shift 2; continue; fi
  left=$((left - 1))
  sleep 1
done
[ "$#" -lt 2 ] || echo "no answer from $1:$2; starting all the same"
exit 0
"""


def _edges(context: ProjectContext, owner: ServicePlan) -> Iterator[tuple[ServicePlan, str, ServicePlan]]:
    """Yield (container's service, name of what it depends on, the owner of that one's Pod)."""
    plan = context.plan
    for member in (owner, *plan.guests(owner)):
        for name in member.service.depends_on:
            if name in plan.services and plan.services[name].pod != owner.pod:
                yield member, name, plan.owner(plan.services[name])


def _leads_to(context: ProjectContext, start: ServicePlan, goal: ServicePlan) -> bool:
    seen, todo = {start.name}, [start]
    while todo:
        for _, _, target in _edges(context, todo.pop()):
            if target.name == goal.name:
                return True
            if target.name not in seen:
                seen.add(target.name)
                todo.append(target)
    return False


def _waits_for_itself(context: ProjectContext, member: ServicePlan, target: ServicePlan) -> bool:
    """Tell whether `target` waits for the Pod that `member` is a guest in; only guests can make circles."""
    return member.kind is Kind.GUEST and _leads_to(
        context, context.plan.owner(target), context.plan.owner(member)
    )


def _condition(context: ServiceContext, member: ServicePlan, name: str) -> str:
    condition = member.service.depends_on[name].condition
    plan = context.project.plan
    if condition == COMPLETED and plan.owner(plan.services[name]).kind is not Kind.JOB:
        context.warn(
            ("depends_on", name),
            "never-completes",
            f"{name!r} runs on a schedule or in another service's Pod, so its end is not waited for.",
            "Wait for a service that runs once, by itself.",
        )
        return STARTED
    return condition


def waits(context: ServiceContext) -> dict[str, Any]:
    """Return what the Pod of this service waits for: name → condition, as the annotation has it."""
    project, owner = context.project, context.plan
    found: dict[str, tuple[str, bool]] = {}
    for member, name, target in _edges(project, owner):
        speaker = ServiceContext(project, member)
        if _waits_for_itself(project, member, target):
            speaker.warn(
                ("depends_on", name),
                "waits-for-itself",
                f"{name!r} waits for {owner.service.name!r}, whose Pod this is, so it is not waited for.",
            )
            continue
        condition, required = _condition(speaker, member, name), member.service.depends_on[name].required
        before = found.get(target.name, (STARTED, False))
        strongest = max(condition, before[0], key=_STRENGTH.__getitem__)
        found[target.name] = (strongest, required or before[1])
    return {
        name: condition if required else {"condition": condition, "required": False}
        for name, (condition, required) in sorted(found.items())
    }


def annotation(waiting: dict[str, Any]) -> dict[str, str]:
    """Return the annotation of a workload that waits."""
    return {DEPENDS_ON: json.dumps(waiting, separators=(",", ":"), sort_keys=True)} if waiting else {}


def restart_after(context: ServiceContext) -> dict[str, str]:
    """Return the annotation that rolls the Pods with those of what is depended on with ``restart: true``."""
    templates = {
        target.name: naming.digest(json.dumps(pod_template(context.project.drafts[target.service.name])))
        for member, name, target in _edges(context.project, context.plan)
        if member.service.depends_on[name].restart
    }
    text = json.dumps(templates, separators=(",", ":"), sort_keys=True)
    return {RESTART_AFTER: text} if templates else {}


def _addresses(context: ServiceContext) -> tuple[list[str], list[str]]:
    """Return (words of host and port to wait for, names of what nothing in the Pod can wait for)."""
    words: list[str] = []
    unseen: list[str] = []
    for name, dependency in context.service.depends_on.items():
        target = context.project.plan.services.get(name)
        if target is None or target.pod == context.plan.pod:
            continue
        if dependency.condition == STARTED or not dependency.required:
            continue
        if _waits_for_itself(context.project, context.plan, target):
            continue
        port = next((str(port.port) for port in target.ports if port.protocol == "TCP"), None)
        if dependency.condition == HEALTHY and port and target.replicas and not target.ends:
            words += [target.name, port]
        else:
            unseen.append(name)
    return words, unseen


def _gate(draft: PodDraft, words: list[str]) -> dict[str, Any]:
    kept = ("image", "imagePullPolicy", "securityContext")
    return {
        "name": GATE,
        **{key: draft.container[key] for key in kept if key in draft.container},
        "command": [SHELL, "-c", escape(_SCRIPT), GATE, *words],
        "resources": _GATE_RESOURCES,
    }


def _pod(context: ServiceContext, draft: PodDraft) -> None:
    if context.options.on_embedded or not context.plan.settings.wait:
        return
    words, unseen = _addresses(context)
    if words and has_shell(context.service):
        draft.init_containers.append(_gate(draft, words))
    else:
        unseen += words[::2]
    if unseen:
        context.note(
            ("depends_on",),
            "order-at-apply",
            f"Nothing in the Pod waits for {', '.join(sorted(unseen))}: the order is kept by who applies.",
            "Apply with leeward; after plain kubectl the program is restarted until it finds what it needs.",
        )


DESCRIPTOR = Renderer(name="startorder", pod=_pod)
