"""The namespace of the project in one environment."""

from __future__ import annotations

from leeward.kube.objects import Obj
from leeward.render.model import ProjectContext, Renderer


def _project(context: ProjectContext) -> list[Obj]:
    obj = context.object("v1", "Namespace", context.namespace)
    meta = {key: value for key, value in obj["metadata"].items() if key != "namespace"}
    return [{**obj, "metadata": meta}]


DESCRIPTOR = Renderer(name="namespace", project=_project)
