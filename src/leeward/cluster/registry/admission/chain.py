"""Takes a write through the plugins and policies that have a say in it, and to the webhooks.

Invariant: which plugins these are is worked out once per operation, resource and subresource.

Source: k8s.io/apiserver/pkg/admission/{chain,reinvocation}.go (Kubernetes 1.36).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from leeward.cluster.registry.admission.attributes import Attributes
from leeward.cluster.registry.admission.catalog import PLUGINS
from leeward.cluster.registry.admission.plugin import Admit, Charge, Handler, PluginContext, Settle, Validate
from leeward.cluster.registry.admission.policies.mutating import MutatingPolicies, Turn, TypeOf
from leeward.cluster.registry.admission.policies.validating import ValidatingPolicies
from leeward.cluster.registry.admission.webhooks.dispatch import (
    MUTATING,
    VALIDATING,
    Asking,
    Versions,
    Webhooks,
)


class _Plan(NamedTuple):
    admit: tuple[Admit, ...]
    validate: tuple[Validate, ...]
    charge: tuple[Charge, ...]


class Admission:
    """The plugins in their order.

    Args:
        context: what they may touch.
        webhooks: are asked after them.
        versions: of resources.
        types: of objects.
    """

    def __init__(self, context: PluginContext, webhooks: Webhooks, versions: Versions, types: TypeOf) -> None:
        self._handlers: Sequence[Handler] = [
            handler
            for descriptor in PLUGINS
            if descriptor.name not in context.options.disabled
            for handler in descriptor.build(context)
        ]
        self._webhooks = webhooks
        self._mutating = MutatingPolicies(context, versions, types)
        self._validating = ValidatingPolicies(context.reader, versions, context.rbac)
        self._plans: dict[tuple[str, str, str], _Plan] = {}

    def admit(self, write: Attributes) -> Asking[None]:
        """Let plugins, then policies, then webhooks change ``write.obj``.

        What plugins add goes for what policies and webhooks changed, too: then plugins have a second turn,
        and so have those policies and webhooks that ask for one.

        Raises:
            StatusError: one refuses.
        """
        plan = self._plan(write).admit
        for admit in plan:
            write.obj = admit(write)
        policies = self._mutating.concerned(write)
        hooks = self._webhooks.concerned(MUTATING, write)
        if not policies and not hooks:
            return
        turn, again = Turn(), set[str]()
        changed = bool(policies) and self._mutating.admit(write, turn)
        if hooks:
            by_hooks, again = yield from self._webhooks.admit(write, None)
            changed = changed or by_hooks
        if not changed:
            return
        before = write.obj
        for admit in plan:
            write.obj = admit(write)
        if policies:
            turn.second = True
            self._mutating.admit(write, turn)
        if write.obj != before:
            again = self._webhooks.reinvocable(write)
        if again:
            yield from self._webhooks.admit(write, again)

    def validate(self, write: Attributes) -> Asking[Sequence[Settle]]:
        """Let plugins and webhooks refuse; returns what to do when the write is certain.

        Raises:
            StatusError: one refuses.
        """
        plan = self._plan(write)
        for validate in plan.validate:
            validate(write)
        self._validating.validate(write)
        if self._webhooks.concerned(VALIDATING, write):
            yield from self._webhooks.validate(write)
        if not plan.charge:
            return ()
        return [settle for charge in plan.charge if (settle := charge(write)) is not None]

    def _plan(self, write: Attributes) -> _Plan:
        key = (write.operation, write.resource.name, write.subresource)
        plan = self._plans.get(key)
        if plan is None:
            chosen = [handler for handler in self._handlers if handler.handles(*key)]
            plan = self._plans[key] = _Plan(
                tuple(each.admit for each in chosen if each.admit is not None),
                tuple(each.validate for each in chosen if each.validate is not None),
                tuple(each.charge for each in chosen if each.charge is not None),
            )
        return plan
