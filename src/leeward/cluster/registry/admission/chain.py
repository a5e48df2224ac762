"""Takes a write through the plugins that have a say in it.

Invariant: which plugins these are is worked out once per operation, resource and subresource.

Source: k8s.io/apiserver/pkg/admission/chain.go (Kubernetes 1.36).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from leeward.cluster.registry.admission.attributes import Attributes
from leeward.cluster.registry.admission.catalog import PLUGINS
from leeward.cluster.registry.admission.plugin import Admit, Handler, PluginContext, Settle, Validate


class _Plan(NamedTuple):
    admit: tuple[Admit, ...]
    validate: tuple[Validate, ...]


class Admission:
    """The plugins in their order.

    Args:
        context: what they may touch.
    """

    def __init__(self, context: PluginContext) -> None:
        self._handlers: Sequence[Handler] = [
            handler
            for descriptor in PLUGINS
            if descriptor.name not in context.options.disabled
            for handler in descriptor.build(context)
        ]
        self._plans: dict[tuple[str, str, str], _Plan] = {}

    def admit(self, write: Attributes) -> None:
        """Let plugins change ``write.obj``.

        Raises:
            StatusError: one refuses.
        """
        for admit in self._plan(write).admit:
            write.obj = admit(write)

    def validate(self, write: Attributes) -> Sequence[Settle]:
        """Let plugins refuse; returns what to do when the write is certain.

        Raises:
            StatusError: one refuses.
        """
        plan = self._plan(write).validate
        return [settle for validate in plan if (settle := validate(write)) is not None] if plan else ()

    def _plan(self, write: Attributes) -> _Plan:
        key = (write.operation, write.resource.name, write.subresource)
        plan = self._plans.get(key)
        if plan is None:
            chosen = [handler for handler in self._handlers if handler.handles(*key)]
            plan = self._plans[key] = _Plan(
                tuple(each.admit for each in chosen if each.admit is not None),
                tuple(each.validate for each in chosen if each.validate is not None),
            )
        return plan
