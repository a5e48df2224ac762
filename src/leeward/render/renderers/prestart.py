"""What runs before a service starts: ``pre_start``, once a release as a Job, or in every Pod.

Steps without ``per_replica`` are one Job, applied before the service, which waits for its end: a migration
runs once however many replicas there are. Its steps run one after another, each in a container of its own,
with the service's image, environment, volumes, configs and secrets unless they say otherwise. Steps of every
replica are init containers. So are all steps where the Job could not have the service's volumes, because
they exist with the Pods only, and where the service itself is a Job; they then run whenever a Pod starts.

Invariants: the Job's Pods are never taken for the service's: they have their own name; a failing step is
final, as in Compose, but losing its node is not.

Source: the Compose Specification, "pre_start"; ``pkg/compose/pre_start.go`` of Docker Compose 5.3.
"""

from __future__ import annotations

from typing import Any

from leeward.compose.project import Hook
from leeward.kube.objects import Obj
from leeward.kube.wellknown import ALIAS_PREFIX, APP_NAME
from leeward.render import naming
from leeward.render.model import PodDraft, Renderer, ServiceContext
from leeward.render.plan import ServicePlan
from leeward.render.renderers.command import escape
from leeward.render.renderers.environment import env_entries
from leeward.render.renderers.jobs import IGNORE_DISRUPTION, named_job
from leeward.render.renderers.podtemplate import pod_template
from leeward.render.renderers.securityopts import ACCEPT
from leeward.render.renderers.startorder import GATE
from leeward.render.renderers.users import group_number, image_facts, user_number
from leeward.render.renderers.volumes import is_template

_INHERITED = ("image", "imagePullPolicy", "workingDir", "env", "resources", "securityContext")
_OF_THE_USER = ("runAsUser", "runAsGroup", "runAsNonRoot", "allowPrivilegeEscalation", "capabilities")
_OF_THE_SERVICE = ("hostname", "topologySpreadConstraints", "affinity", "shareProcessNamespace")
_SUCCEEDS = "service_completed_successfully"
Step = tuple[int, Hook]


def _in_every_pod(context: ServiceContext) -> bool:
    """Tell whether steps that run once a release have to run in the Pods all the same."""
    mounts = [mount for mount in context.plan.mounts if mount.type == "volume" and mount.source]
    own_volume = any(is_template(context, str(mount.source)) for mount in mounts)
    return own_volume or context.project.plan.owner(context.plan).ends


def _steps(context: ServiceContext) -> tuple[list[Step], list[Step]]:
    """Return the steps of the Job and those of every Pod."""
    steps = list(enumerate(context.service.pre_start))
    if _in_every_pod(context):
        return [], steps
    return [step for step in steps if not step[1].per_replica], [
        step for step in steps if step[1].per_replica
    ]


def _security(context: ServiceContext, index: int, hook: Hook, inherited: dict[str, Any]) -> dict[str, Any]:
    security = dict(inherited)
    if hook.privileged:
        security = {key: value for key, value in security.items() if key not in _OF_THE_USER[3:]}
        security["privileged"] = True
        context.error(
            ("pre_start", index, "privileged"), "host-access", "It gives the step the whole node.", ACCEPT
        )
    if not hook.user:
        return security
    path = ("pre_start", index, "user")
    user_text, _, group_text = hook.user.partition(":")
    user = user_number(context, image_facts(context, hook.image), user_text, *path)
    group = group_number(context, group_text, *path) if group_text else None
    if user is None:
        return security
    security = {key: value for key, value in security.items() if key not in _OF_THE_USER}
    security |= {"runAsUser": user} | ({} if group is None else {"runAsGroup": group})
    if user and not hook.privileged:
        security |= {
            "runAsNonRoot": True,
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
        }
    return security


def _command(context: ServiceContext, hook: Hook, *, own_image: bool) -> dict[str, Any]:
    """Return command and args: the step's command, after the entrypoint that its image would have."""
    words = [escape(word) for word in hook.command]
    entrypoint = None if own_image else context.service.entrypoint
    if entrypoint is None:
        return {"args": words} if words else {}
    if not entrypoint:
        return {"command": words} if words else {}
    return {"command": [escape(word) for word in entrypoint], **({"args": words} if words else {})}


def _container(context: ServiceContext, draft: PodDraft, step: Step) -> tuple[dict[str, Any], list[Obj]]:
    """Return the container of a step and the Secret, if any, that its own variables are in."""
    index, hook = step
    own_image = hook.image is not None and hook.image != context.service.image
    container = {
        "name": f"pre-start-{index}",
        **{key: draft.container[key] for key in _INHERITED if key in draft.container},
        **({"image": hook.image} if own_image else {}),
        **_command(context, hook, own_image=own_image),
        **({"workingDir": hook.working_dir} if hook.working_dir else {}),
    }
    base = f"{context.plan.name}-pre-start-{index}-env"
    entries, objects = env_entries(context, base, hook.environment, "pre_start", index, "environment")
    replaced = {entry["name"] for entry in entries}
    kept = [entry for entry in container.get("env", ()) if entry["name"] not in replaced]
    if env := [*kept, *entries]:
        container["env"] = env
    if security := _security(context, index, hook, container.pop("securityContext", {})):
        container["securityContext"] = security
    if draft.mounts:
        container["volumeMounts"] = draft.mounts
    return container, objects


def _pod(context: ServiceContext, draft: PodDraft) -> None:
    for index, hook in _steps(context)[1]:
        container, objects = _container(context, draft, (index, hook))
        draft.init_containers.append(container)
        draft.objects += objects
        if not hook.per_replica and not context.plan.ends:
            context.note(
                ("pre_start", index),
                "runs-at-every-start",
                "The service's volume exists only with its Pod, so the step runs whenever a Pod starts.",
                "Make it do nothing when its work is done already.",
            )


def _name(context: ServiceContext) -> str:
    """Return the name by which the Job is waited for: no service's."""
    name = naming.join_label(context.plan.name, "pre-start")
    taken = {plan.name for plan in context.project.plan.services.values()}
    return name if name not in taken else naming.hashed_name(name, "pre_start")


def _members(context: ServiceContext) -> list[ServiceContext]:
    """Return the services of this Pod that have steps for a Job."""
    plans: list[ServicePlan] = [context.plan, *context.project.plan.guests(context.plan)]
    members = [ServiceContext(context.project, plan) for plan in plans]
    return [member for member in members if _steps(member)[0]]


def waits(context: ServiceContext) -> dict[str, Any]:
    """Return what the workload waits for because of its steps: name of a Job → condition."""
    return {_name(member): _SUCCEEDS for member in _members(context)}


def jobs_of(context: ServiceContext, annotations: dict[str, str]) -> list[Obj]:
    """Return the Jobs of the steps that run once a release, and their Secrets.

    Args:
        context: the service whose Pod comes after them.
        annotations: what the Jobs wait for.
    """
    return [obj for member in _members(context) for obj in _job(member, annotations)]


def _job_draft(context: ServiceContext, name: str) -> tuple[PodDraft, list[Obj]]:
    """Return the Pod of the steps, and the Secrets that they need."""
    service_draft = context.project.drafts[context.service.name]
    draft = PodDraft()
    labels = service_draft.labels.items()
    draft.labels = {key: value for key, value in labels if not key.startswith(ALIAS_PREFIX)} | {
        APP_NAME: name
    }
    draft.annotations = service_draft.annotations
    draft.spec = {key: value for key, value in service_draft.spec.items() if key not in _OF_THE_SERVICE}
    draft.security, draft.volumes = service_draft.security, service_draft.volumes
    nodes = service_draft.spec.get("affinity", {}).get("nodeAffinity")
    draft.spec |= {"affinity": {"nodeAffinity": nodes}} if nodes else {}
    made = [_container(context, service_draft, step) for step in _steps(context)[0]]
    *before, last = [container for container, _ in made]
    gates = [container for container in service_draft.init_containers if container["name"] == GATE]
    draft.init_containers = [*gates, *before]
    draft.mounts = last.pop("volumeMounts", [])
    draft.container = last
    return draft, [obj for _, objects in made for obj in objects]


def _job(context: ServiceContext, annotations: dict[str, str]) -> list[Obj]:
    name = _name(context)
    draft, objects = _job_draft(context, name)
    spec = {
        "backoffLimit": 0,
        "podFailurePolicy": IGNORE_DISRUPTION,
        "template": pod_template(draft, restart_policy="Never"),
    }
    head = context.object("batch/v1", "Job", name, "pre_start", annotations=annotations)
    head["metadata"]["labels"] = {**head["metadata"]["labels"], APP_NAME: name}
    return [named_job(head, name, spec), *objects]


DESCRIPTOR = Renderer(name="prestart", pod=_pod)
