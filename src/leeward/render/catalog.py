"""The renderers, in the order they run; add a concern by adding its module here."""

from __future__ import annotations

from leeward.base.registry import Registry
from leeward.render.model import Renderer
from leeward.render.renderers import (
    binds,
    command,
    disruptionbudget,
    environment,
    fileuses,
    identity,
    ingress,
    lifecycle,
    namespace,
    networkpolicy,
    placement,
    prestart,
    probes,
    resources,
    security,
    service,
    startorder,
    volumes,
    workload,
)


def renderers() -> Registry[Renderer]:
    """Return every renderer."""
    registry: Registry[Renderer] = Registry("renderer")
    for module in (
        namespace, command, identity, environment, resources, probes, lifecycle, security, placement,
        volumes, binds, fileuses, startorder, prestart, workload, service, ingress, disruptionbudget,
        networkpolicy,
    ):  # fmt: skip
        registry.register(module.DESCRIPTOR.name, module.DESCRIPTOR)
    return registry
