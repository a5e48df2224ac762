"""Project and environment → Kubernetes objects and findings. Pure: the same input, the same output.

Invariants: no two objects have one kind and name; every key of the Compose file that is not honoured
exactly has a finding; nothing in the project is changed.
"""

from __future__ import annotations

from leeward.base.diagnostics import Diagnostic, Severity
from leeward.compose.project import Project
from leeward.kube.objects import Obj
from leeward.render import naming
from leeward.render.catalog import renderers
from leeward.render.databinds import report_data, with_data_volumes
from leeward.render.model import (
    LOCAL,
    PodDraft,
    ProjectContext,
    RenderOptions,
    RenderResult,
    ServiceContext,
)
from leeward.render.order import in_order
from leeward.render.plan import make_plan
from leeward.render.podlevel import enforce_level
from leeward.render.sharedpod import share_pods
from leeward.render.support import unsupported

__all__ = ["RenderOptions", "RenderResult", "namespace_of", "render"]

_RANK = {Severity.ERROR: 0, Severity.WARNING: 1, Severity.NOTE: 2}


def namespace_of(project: Project, options: RenderOptions) -> str:
    """Return the namespace that `render` puts everything into."""
    if options.namespace:
        return options.namespace
    if options.environment == LOCAL:
        return naming.dns_label(project.name)
    return naming.join_label(project.name, options.environment)


def _unique(context: ProjectContext, objects: list[Obj]) -> list[Obj]:
    """Drop repetitions; report two different objects of one kind and name."""
    known: dict[tuple[str, str], Obj] = {}
    for obj in objects:
        key = (obj["kind"], obj["metadata"]["name"])
        if known.setdefault(key, obj) != obj:
            context.report(
                (), "name-collision", Severity.ERROR,
                f"Two different objects would be called {key[0]} {key[1]!r}.",
                "Rename one of the services, volumes or networks they come from.",
            )  # fmt: skip
    return list(known.values())


def _findings(context: ProjectContext) -> list[Diagnostic]:
    """Return each finding once, by severity, then in the order of the files."""
    unique = dict.fromkeys(context.findings)
    return sorted(
        unique,
        key=lambda found: (
            _RANK[found.severity],
            (found.location.file, found.location.line) if found.location else ("", 0),
            found.path,
            found.code,
        ),
    )


def render(project: Project, options: RenderOptions | None = None) -> RenderResult:
    """Render `project`.

    Args:
        project: what the Compose files say.
        options: environment, namespace, images and where file contents come from.

    Returns:
        Objects in the order to apply them, and findings; an error among these means that the
        objects do not do what the files say.
    """
    options = options or RenderOptions()
    project, data = with_data_volumes(project, options.files)
    context = ProjectContext(project, options, make_plan(project), namespace_of(project, options))
    context.findings.extend(context.plan.diagnostics)
    report_data(context, data)
    catalog = [renderer for _, renderer in renderers().items()]
    objects: list[Obj] = []
    for renderer in catalog:
        objects += renderer.project(context) if renderer.project else []
    services = [ServiceContext(context, plan) for plan in context.plan.services.values()]
    for service in services:
        draft = context.drafts[service.service.name] = PodDraft()
        for renderer in catalog:
            if renderer.pod:
                renderer.pod(service, draft)
    share_pods(context)
    for service in services:
        for renderer in catalog:
            if renderer.service:
                objects += renderer.service(service, context.drafts[service.service.name])
    objects = enforce_level(context, objects)
    context.findings.extend(unsupported(project, context.findings))
    return RenderResult(in_order(_unique(context, objects)), _findings(context), context.origins)
