"""The renderers, in the order they run; add a concern by adding its module here."""

from __future__ import annotations

from leeward.base.registry import Registry
from leeward.render.model import Renderer
from leeward.render.renderers import (
    alerts,
    autoscaler,
    binds,
    command,
    disruptionbudget,
    environment,
    external,
    fileuses,
    identity,
    ingress,
    lifecycle,
    memory,
    namespace,
    networkpolicy,
    placement,
    prestart,
    probes,
    resources,
    security,
    service,
    serviceaccount,
    startorder,
    volumes,
    workload,
)


def renderers() -> Registry[Renderer]:
    """Return every renderer."""
    registry: Registry[Renderer] = Registry("renderer")
    for module in (
        namespace, command, identity, serviceaccount, environment, resources, probes, lifecycle, security,
        placement, volumes, memory, binds, fileuses, startorder, prestart, workload, service, external,
        ingress, disruptionbudget, autoscaler, alerts, networkpolicy,
    ):  # fmt: skip
        registry.register(module.DESCRIPTOR.name, module.DESCRIPTOR)
    return registry
