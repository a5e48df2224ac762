"""ValidatingAdmissionPolicy: expressions of policies refuse writes, warn about them, or do nothing.

Which policies may be about a write is worked out once per operation, resource and subresource, until a policy
or binding changes. Audit annotations are not kept.

Source: k8s.io/apiserver/pkg/admission/plugin/policy/validating/{dispatcher,validator}.go, policy/generic
(Kubernetes 1.36).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from leeward.cluster.cel.expressions import as_message
from leeward.cluster.interface.client import Reader
from leeward.cluster.registry.admission.attributes import Attributes
from leeward.cluster.registry.admission.policies.expressions import (
    ExpressionError,
    MatchError,
    compose,
    conditions_hold,
    evaluated,
    seen,
)
from leeward.cluster.registry.admission.webhooks.dispatch import Versions
from leeward.cluster.registry.admission.webhooks.rules import (
    GROUP,
    is_exempt,
    matching_version,
    selects_namespace,
    selects_object,
)
from leeward.kube.objects import Obj, labels_of
from leeward.kube.resources import BUILT_IN, CRDS, Resource, custom_resources
from leeward.kube.selectors import matches_selector
from leeward.kube.status import StatusError, refusal

POLICIES = f"validatingadmissionpolicies.{GROUP}"
BINDINGS = f"validatingadmissionpolicybindings.{GROUP}"

_OF_KINDS: Obj = {"excludeResourceRules": ()}  # what depends on names is asked for each write
_CODES = {"Unauthorized": 401, "Forbidden": 403, "Invalid": 422, "RequestEntityTooLarge": 413}


@dataclass(frozen=True, slots=True)
class _Bound:
    """A policy that may be about a kind of writes, and one of its bindings."""

    policy: Obj
    binding: Obj


@dataclass(frozen=True, slots=True)
class _Denial:
    text: str
    reason: str = "Invalid"


class _ParameterError(Exception):
    """A binding's parameters are not there."""


class ValidatingPolicies:
    """Knows the policies.

    Args:
        reader: where they are.
        versions: of resources.
    """

    def __init__(self, reader: Reader, versions: Versions) -> None:
        self._reader = reader
        self._versions = versions
        self._concerned: dict[tuple[str, str, str, str], Sequence[_Bound]] = {}
        reader.watch((POLICIES, BINDINGS), lambda event: self._concerned.clear())

    def validate(self, write: Attributes) -> None:
        """Let policies refuse a write.

        Raises:
            StatusError: one refuses.
        """
        denials: list[tuple[_Bound, _Denial]] = []
        for bound in self._about(write):
            actions = bound.binding["spec"].get("validationActions") or ()
            for denial in self._denials(bound, write):
                if "Deny" in actions:
                    denials.append((bound, denial))
                if "Warn" in actions:
                    write.warn(f"Validation failed for {_named(bound)}: {denial.text}")
        if denials:
            raise _refusal(write, *denials[0])

    def _about(self, write: Attributes) -> Sequence[_Bound]:
        key = (write.operation, write.resource.name, write.subresource, write.version)
        found = self._concerned.get(key)
        if found is None:
            found = self._concerned[key] = () if is_exempt(write) else tuple(self._find(write))
        return found

    def _find(self, write: Attributes) -> Iterable[_Bound]:
        """Return the policies with a rule about such writes, whatever the object is called."""
        policies = {policy["metadata"]["name"]: policy for policy in self._reader.list(POLICIES)}
        for binding in self._reader.list(BINDINGS) if policies else ():
            policy = policies.get(binding["spec"].get("policyName"))
            constraints = policy and policy["spec"].get("matchConstraints")
            rules = [{**rule, "resourceNames": ()} for rule in (constraints or {}).get("resourceRules") or ()]
            if policy and self._version({**(constraints or {}), **_OF_KINDS, "resourceRules": rules}, write):
                yield _Bound(policy, binding)

    def _version(self, constraints: Obj, write: Attributes) -> str:
        """Return the version in which constraints are about such writes; "" for none."""
        asked = write.version or write.resource.version
        versions = [asked]
        if constraints.get("matchPolicy") != "Exact":
            versions += [each for each in self._versions(write.resource.name) if each != asked]
        if matching_version(constraints.get("excludeResourceRules") or (), write, versions):
            return ""
        rules = constraints.get("resourceRules")
        return matching_version(rules, write, versions) if rules else asked

    def _selected(self, constraints: Obj | None, write: Attributes) -> str:
        """Return the version in which constraints are about this very write; "" for none."""
        version = self._version(constraints or {}, write)
        selected = (
            version
            and selects_object((constraints or {}).get("objectSelector"), write)
            and selects_namespace((constraints or {}).get("namespaceSelector"), write, self._reader)
        )
        return version if selected else ""

    def _denials(self, bound: _Bound, write: Attributes) -> Iterator[_Denial]:
        """Return what one policy has against a write, for each of its parameters."""
        spec = bound.policy["spec"]
        version = self._selected(spec.get("matchConstraints"), write)
        if not version or not self._selected(bound.binding["spec"].get("matchResources"), write):
            return
        fails = spec.get("failurePolicy") != "Ignore"
        try:
            parameters = self._parameters(bound, write)
        except _ParameterError as error:
            if fails:
                yield _Denial(f"failed to configure binding: {error}")
            return
        variables = seen(write, version, self._reader)
        for params in parameters:
            try:
                if conditions_hold(spec.get("matchConditions") or (), {**variables, "params": params}):
                    yield from _judged(spec, {**variables, "params": params}, fails=fails)
            except MatchError as error:
                if fails:
                    yield _Denial(str(error))

    def _parameters(self, bound: _Bound, write: Attributes) -> Sequence[Obj | None]:
        """Return the objects with which a policy is asked; one None where it takes none.

        Raises:
            _ParameterError: there are none, and that is not allowed.
        """
        kind, reference = bound.policy["spec"].get("paramKind"), bound.binding["spec"].get("paramRef")
        if not kind or not reference:
            return (None,)
        resource = self._resource(kind)
        if resource is None:
            raise _ParameterError(f"failed to find resource referenced by paramKind: '{_shown(kind)}'")
        namespace = (reference.get("namespace") or write.namespace) if resource.namespaced else ""
        if reference.get("name"):
            one = self._reader.find(resource.name, namespace, reference["name"])
            found = [] if one is None else [one]
        else:
            chosen = self._reader.list(resource.name, namespace)
            found = [each for each in chosen if matches_selector(reference.get("selector"), labels_of(each))]
        if not found and reference.get("parameterNotFoundAction") != "Allow":
            text = "no params found for policy binding with `Deny` parameterNotFoundAction"
            raise _ParameterError(text)
        return found

    def _resource(self, kind: Obj) -> Resource | None:
        wanted = (kind.get("apiVersion"), kind.get("kind"))
        rows = (*BUILT_IN, *custom_resources(self._reader.list(CRDS)))
        return next((row for row in rows if (row.api_version, row.kind) == wanted), None)


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
        made = evaluated(validation["messageExpression"], variables, broken)
    except ExpressionError:
        return otherwise
    return as_message(made) or otherwise


def _named(bound: _Bound) -> str:
    policy, binding = (each["metadata"]["name"] for each in (bound.policy, bound.binding))
    return f"ValidatingAdmissionPolicy '{policy}' with binding '{binding}'"


def _shown(kind: Obj) -> str:
    return f"{kind.get('apiVersion')}, Kind={kind.get('kind')}"


def _refusal(write: Attributes, bound: _Bound, denial: _Denial) -> StatusError:
    text = f"{_named(bound)} denied request: {denial.text}"
    return refusal(
        write.forbidden(text).message,
        code=_CODES.get(denial.reason, 422),
        reason=denial.reason,
        details={**write.details(), "causes": [{"message": text}]},
    )
