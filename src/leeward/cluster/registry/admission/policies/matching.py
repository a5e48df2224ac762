"""Which policies are about a write, and with which parameters they are asked, of either kind.

Which policies may be about a write is worked out once per operation, resource and subresource, until a policy
or binding changes.

Source: k8s.io/apiserver/pkg/admission/plugin/policy/{generic,matching} (Kubernetes 1.36).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from leeward.cluster.interface.client import Reader
from leeward.cluster.registry.admission.attributes import Attributes
from leeward.cluster.registry.admission.webhooks.dispatch import Versions
from leeward.cluster.registry.admission.webhooks.rules import (
    is_exempt,
    matching_version,
    selects_namespace,
    selects_object,
)
from leeward.kube.objects import Obj, labels_of
from leeward.kube.resources import BUILT_IN, CRDS, Resource, custom_resources
from leeward.kube.selectors import matches_selector

_OF_KINDS: Obj = {"excludeResourceRules": ()}  # what depends on names is asked for each write


@dataclass(frozen=True, slots=True)
class Bound:
    """A policy that may be about a kind of writes, and one of its bindings."""

    policy: Obj
    binding: Obj

    @property
    def fails(self) -> bool:
        """Whether a write is refused when the policy cannot be asked."""
        return bool(self.policy["spec"].get("failurePolicy") != "Ignore")

    def named(self, what: str) -> str:
        """Return how a refusal calls both."""
        policy, binding = (each["metadata"]["name"] for each in (self.policy, self.binding))
        return f"{what} '{policy}' with binding '{binding}'"


class ParameterError(Exception):
    """A binding's parameters are not there."""


class Matching:
    """Knows the policies of a kind.

    Args:
        reader: where they are.
        versions: of resources.
        policies: the resource that they are.
        bindings: the resource that their bindings are.
    """

    def __init__(self, reader: Reader, versions: Versions, policies: str, bindings: str) -> None:
        self._reader = reader
        self._versions = versions
        self._policies = policies
        self._bindings = bindings
        self._concerned: dict[tuple[str, str, str, str], Sequence[Bound]] = {}
        reader.watch((policies, bindings), lambda event: self._concerned.clear())

    def about(self, write: Attributes) -> Sequence[Bound]:
        """Return the policies that may be about such writes."""
        key = (write.operation, write.resource.name, write.subresource, write.version)
        found = self._concerned.get(key)
        if found is None:
            found = self._concerned[key] = () if is_exempt(write) else tuple(self._find(write))
        return found

    def _find(self, write: Attributes) -> Iterable[Bound]:
        """Return the policies with a rule about such writes, whatever the object is called."""
        policies = {policy["metadata"]["name"]: policy for policy in self._reader.list(self._policies)}
        for binding in self._reader.list(self._bindings) if policies else ():
            policy = policies.get(binding["spec"].get("policyName"))
            constraints = policy and policy["spec"].get("matchConstraints")
            rules = [{**rule, "resourceNames": ()} for rule in (constraints or {}).get("resourceRules") or ()]
            if policy and self._version({**(constraints or {}), **_OF_KINDS, "resourceRules": rules}, write):
                yield Bound(policy, binding)

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

    def version(self, bound: Bound, write: Attributes) -> str:
        """Return the version in which a policy and its binding are about this very write; "" for none."""
        version = self._selected(bound.policy["spec"].get("matchConstraints"), write)
        return version if self._selected(bound.binding["spec"].get("matchResources"), write) else ""

    def _selected(self, constraints: Obj | None, write: Attributes) -> str:
        version = self._version(constraints or {}, write)
        selected = (
            version
            and selects_object((constraints or {}).get("objectSelector"), write)
            and selects_namespace((constraints or {}).get("namespaceSelector"), write, self._reader)
        )
        return version if selected else ""

    def parameters(self, bound: Bound, write: Attributes) -> Sequence[Obj | None]:
        """Return the objects with which a policy is asked; one None where it takes none.

        Raises:
            ParameterError: there are none, and that is not allowed.
        """
        kind, reference = bound.policy["spec"].get("paramKind"), bound.binding["spec"].get("paramRef")
        if not kind or not reference:
            return (None,)
        resource = self._resource(kind)
        if resource is None:
            raise ParameterError(f"failed to find resource referenced by paramKind: '{_shown(kind)}'")
        namespace = _namespace(resource, reference, write)
        if reference.get("name"):
            one = self._reader.find(resource.name, namespace, reference["name"])
            found = [] if one is None else [one]
        else:
            chosen = self._reader.list(resource.name, namespace)
            found = [each for each in chosen if matches_selector(reference.get("selector"), labels_of(each))]
        if not found and reference.get("parameterNotFoundAction") != "Allow":
            text = "no params found for policy binding with `Deny` parameterNotFoundAction"
            raise ParameterError(text)
        return found

    def _resource(self, kind: Obj) -> Resource | None:
        wanted = (kind.get("apiVersion"), kind.get("kind"))
        rows = (*BUILT_IN, *custom_resources(self._reader.list(CRDS)))
        return next((row for row in rows if (row.api_version, row.kind) == wanted), None)


def _namespace(resource: Resource, reference: Obj, write: Attributes) -> str:
    given: str = reference.get("namespace") or ""
    if not resource.namespaced:
        if given:
            raise ParameterError("paramRef.namespace must not be provided for a cluster-scoped `paramKind`")
        return ""
    namespace = given or write.namespace
    if not namespace:
        raise ParameterError(
            "cannot use namespaced paramRef in policy binding that matches cluster-scoped resources"
        )
    return namespace


def _shown(kind: Obj) -> str:
    return f"{kind.get('apiVersion')}, Kind={kind.get('kind')}"
