"""MutatingAdmissionPolicy: expressions of policies change what is written.

Policies are asked one after another, each sees what those before it made. When something changed, plugins
have a second turn, and so have those policies that want one (`Turn` remembers which).

Source: k8s.io/apiserver/pkg/admission/plugin/policy/mutating/{dispatcher,reinvocationcontext}.go,
policy/generic/policy_dispatcher.go (Kubernetes 1.36).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from leeward.cluster.registry.admission.attributes import Attributes
from leeward.cluster.registry.admission.plugin import PluginContext
from leeward.cluster.registry.admission.policies.expressions import (
    MatchError,
    asking,
    compose,
    conditions_hold,
    seen,
)
from leeward.cluster.registry.admission.policies.matching import Bound, Matching, ParameterError
from leeward.cluster.registry.admission.policies.patches import MutationError, mutated
from leeward.cluster.registry.admission.webhooks.dispatch import Versions
from leeward.cluster.registry.admission.webhooks.rules import GROUP
from leeward.cluster.registry.managedfields.schema import Type
from leeward.kube.objects import Obj
from leeward.kube.resources import Resource
from leeward.kube.status import StatusError, refusal

POLICIES = f"mutatingadmissionpolicies.{GROUP}"
BINDINGS = f"mutatingadmissionpolicybindings.{GROUP}"

_NAMED = ("apiVersion", "kind")  # nothing that a policy changes

TypeOf = Callable[[Resource, str], Type]  # of a resource in an apiVersion
_Key = tuple[str, str, str, str]  # policy, binding, namespace and name of the parameters


@dataclass(frozen=True, slots=True)
class _Invocation:
    """A policy that is about a write, with one object of parameters."""

    bound: Bound
    version: str
    params: Obj | None

    def key(self) -> _Key:
        meta = self.params["metadata"] if self.params else {}
        names = (each["metadata"]["name"] for each in (self.bound.policy, self.bound.binding))
        return (*names, meta.get("namespace") or "", meta.get("name") or "")


@dataclass(frozen=True, slots=True)
class _Trouble:
    """Why a policy could not be asked."""

    bound: Bound
    text: str
    reason: str = ""


@dataclass(slots=True)
class Turn:
    """What policies did about one write so far.

    Attributes:
        second: plugins, policies and webhooks have their second turn.
        asked: those that want to be asked again if what they saw changes.
        again: those of them to which that happened.
        left: the object as policies left it.
    """

    second: bool = False
    asked: set[_Key] = field(default_factory=set)
    again: set[_Key] = field(default_factory=set)
    left: Obj | None = None

    def changed(self) -> None:
        """The object is not what policies saw."""
        self.again |= self.asked
        self.asked = set()


class MutatingPolicies:
    """Knows the policies.

    Args:
        context: where they are, what users may do, and what fits objects to their types.
        versions: of resources.
        types: of objects.
    """

    def __init__(self, context: PluginContext, versions: Versions, types: TypeOf) -> None:
        self._context = context
        self._reader = context.reader
        self._types = types
        self._matching = Matching(context.reader, versions, POLICIES, BINDINGS)

    def concerned(self, write: Attributes) -> Sequence[Bound]:
        """Return the policies that may be about such writes; a deletion has nothing to change."""
        return () if write.operation == "DELETE" else self._matching.about(write)

    def admit(self, write: Attributes, turn: Turn) -> bool:
        """Let policies change ``write.obj``; tells whether one did.

        Raises:
            StatusError: one failed, or left no object.
        """
        if turn.second and write.obj != turn.left:
            turn.changed()
        troubles: list[_Trouble] = []
        before = write.obj
        with asking(self._context.rbac):
            for invocation in list(self._invocations(write, troubles)):
                self._invoke(invocation, write, turn, troubles)
        changed = write.obj != before
        if changed:
            turn.changed()
        turn.left = write.obj
        fatal = [each for each in troubles if each.bound.fails]
        if fatal:
            raise _refusal(write, fatal)
        return changed

    def _invoke(
        self, invocation: _Invocation, write: Attributes, turn: Turn, troubles: list[_Trouble]
    ) -> None:
        try:
            if not self._is_meant(invocation, write):
                return
        except MatchError as error:
            troubles.append(_Trouble(invocation.bound, str(error), "Invalid"))
            return
        key = invocation.key()
        if turn.second and key not in turn.again:
            return
        if self._carry_out(invocation, write, troubles):
            turn.changed()
        if invocation.bound.policy["spec"].get("reinvocationPolicy") == "IfNeeded":
            turn.asked.add(key)

    def _invocations(self, write: Attributes, troubles: list[_Trouble]) -> Iterator[_Invocation]:
        for bound in self.concerned(write):
            version = self._matching.version(bound, write)
            if not version:
                continue
            try:
                for params in self._matching.parameters(bound, write):
                    yield _Invocation(bound, version, params)
            except ParameterError as error:
                troubles.append(_Trouble(bound, f"failed to configure binding: {error}"))

    def _is_meant(self, invocation: _Invocation, write: Attributes) -> bool:
        conditions = invocation.bound.policy["spec"].get("matchConditions")
        if not conditions:
            return True
        variables = seen(write, invocation.version, self._reader)
        return conditions_hold(conditions, {**variables, "params": invocation.params})

    def _carry_out(self, invocation: _Invocation, write: Attributes, troubles: list[_Trouble]) -> bool:
        """Carry out the mutations of a policy in order; one that fails keeps no other from it."""
        before, spec = write.obj, invocation.bound.policy["spec"]
        group = write.resource.group
        kind = self._types(write.resource, f"{group}/{invocation.version}" if group else invocation.version)
        for mutation in (spec.get("mutations") or ()) if write.obj else ():
            variables = {**seen(write, invocation.version, self._reader), "params": invocation.params}
            broken = compose(spec.get("variables") or (), variables)
            try:
                made = mutated(mutation, variables, broken, kind, self._context.options.fit)
            except MutationError as error:
                troubles.append(_Trouble(invocation.bound, str(error), "Invalid"))
                continue
            if made is not variables["object"]:
                named: Obj = {name: write.obj[name] for name in _NAMED if name in write.obj}
                write.obj = write.complete({**made, **named})
        return write.obj != before


def _refusal(write: Attributes, troubles: Sequence[_Trouble]) -> StatusError:
    texts = [f"{each.bound.named('policy')} denied request: {each.text}" for each in troubles]
    return refusal(
        texts[0],
        code=403,
        reason=troubles[0].reason or "Forbidden",
        details={**write.details(), "causes": [{"message": text} for text in texts]},
    )
