"""The list of printers: which kind is shown how. Kinds without one show name and age."""

from __future__ import annotations

from leeward.base.registry import Registry
from leeward.cluster.apiserver.printers import core, networking, pods, policy, workloads
from leeward.cluster.apiserver.printers.table import Printer


def printers() -> Registry[Printer]:
    """Return the printers by resource ("pods", "deployments.apps")."""
    registry: Registry[Printer] = Registry("printer")
    for module in (pods, core, workloads, networking, policy):
        for resource, printer in module.PRINTERS.items():
            registry.register(resource, printer)
    return registry
