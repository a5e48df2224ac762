"""ValidatingAdmissionPolicy: expressions of policies refuse writes, warn about them, or do nothing.

Audit annotations are not kept.

Source: k8s.io/apiserver/pkg/admission/plugin/policy/validating/{dispatcher,validator}.go (Kubernetes 1.36).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from leeward.cluster.authorization.rbac import Rbac
from leeward.cluster.cel.expressions import as_message
from leeward.cluster.interface.client import Reader
from leeward.cluster.registry.admission.attributes import Attributes
from leeward.cluster.registry.admission.policies.expressions import (
    ExpressionError,
    MatchError,
    asking,
    compose,
    conditions_hold,
    evaluated,
    message,
    seen,
)
from leeward.cluster.registry.admission.policies.matching import Bound, Matching, ParameterError
from leeward.cluster.registry.admission.webhooks.dispatch import Versions
from leeward.cluster.registry.admission.webhooks.rules import GROUP
from leeward.kube.objects import Obj
from leeward.kube.status import StatusError, refusal

POLICIES = f"validatingadmissionpolicies.{GROUP}"
BINDINGS = f"validatingadmissionpolicybindings.{GROUP}"

_KIND = "ValidatingAdmissionPolicy"
_CODES = {"Unauthorized": 401, "Forbidden": 403, "Invalid": 422, "RequestEntityTooLarge": 413}


@dataclass(frozen=True, slots=True)
class _Denial:
    text: str
    reason: str = "Invalid"


class ValidatingPolicies:
    """Knows the policies.

    Args:
        reader: where they are.
        versions: of resources.
        rbac: what users may do.
    """

    def __init__(self, reader: Reader, versions: Versions, rbac: Rbac) -> None:
        self._reader = reader
        self._rbac = rbac
        self._matching = Matching(reader, versions, POLICIES, BINDINGS)

    def validate(self, write: Attributes) -> None:
        """Let policies refuse a write.

        Raises:
            StatusError: one refuses.
        """
        policies = self._matching.about(write)
        if not policies:
            return
        denials: list[tuple[Bound, _Denial]] = []
        with asking(self._rbac):
            found = [(bound, denial) for bound in policies for denial in self._denials(bound, write)]
        for bound, denial in found:
            actions = bound.binding["spec"].get("validationActions") or ()
            if "Deny" in actions:
                denials.append((bound, denial))
            if "Warn" in actions:
                write.warn(f"Validation failed for {bound.named(_KIND)}: {denial.text}")
        if denials:
            raise _refusal(write, *denials[0])

    def _denials(self, bound: Bound, write: Attributes) -> Iterator[_Denial]:
        """Return what one policy has against a write, for each of its parameters."""
        spec = bound.policy["spec"]
        version = self._matching.version(bound, write)
        if not version:
            return
        try:
            parameters = self._matching.parameters(bound, write)
        except ParameterError as error:
            if bound.fails:
                yield _Denial(f"failed to configure binding: {error}")
            return
        variables = seen(write, version, self._reader)
        for params in parameters:
            try:
                if conditions_hold(spec.get("matchConditions") or (), {**variables, "params": params}):
                    yield from _judged(spec, {**variables, "params": params}, fails=bound.fails)
            except MatchError as error:
                if bound.fails:
                    yield _Denial(str(error))


def _judged(spec: Obj, variables: dict[str, Any], *, fails: bool) -> Iterator[_Denial]:
    broken = compose(spec.get("variables") or (), variables)
    for validation in spec.get("validations") or ():
        expression = validation["expression"]
        try:
            if evaluated(expression, variables, broken) is True:
                continue
        except ExpressionError as error:
            if fails:
                yield _Denial(f"expression '{expression}' resulted in error: {error}")
            continue
        yield _Denial(_words(validation, variables, broken), validation.get("reason") or "Invalid")


def _words(validation: Obj, variables: dict[str, Any], broken: dict[str, str]) -> str:
    """Return what a validation says when it refuses."""
    written: str = (validation.get("message") or "").strip()
    otherwise = written or f"failed expression: {validation['expression'].strip()}"
    if not validation.get("messageExpression"):
        return otherwise
    try:
        made = evaluated(validation["messageExpression"], variables, broken, message)
    except ExpressionError:
        return otherwise
    return as_message(made) or otherwise


def _refusal(write: Attributes, bound: Bound, denial: _Denial) -> StatusError:
    text = f"{bound.named(_KIND)} denied request: {denial.text}"
    return refusal(
        write.forbidden(text).message,
        code=_CODES.get(denial.reason, 422),
        reason=denial.reason,
        details={**write.details(), "causes": [{"message": text}]},
    )
