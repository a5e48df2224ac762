"""Asks the webhooks that are about a write: mutating ones in turn, validating ones all at once.

Which may be about it by their rules is worked out once per operation, resource and subresource, until a
configuration changes.

Source: k8s.io/apiserver/pkg/admission/plugin/webhook/{generic,mutating,validating} (Kubernetes 1.36).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Generator, Iterable, Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Any, TypeVar

from leeward.cluster.registry.admission.attributes import Attributes
from leeward.cluster.registry.admission.plugin import PluginContext
from leeward.cluster.registry.admission.webhooks.calls import HookCall, Outcome
from leeward.cluster.registry.admission.webhooks.review import (
    BadResponseError,
    Verdict,
    question,
    rejection,
    verdict,
)
from leeward.cluster.registry.admission.webhooks.rules import (
    GROUP,
    is_exempt,
    matching_version,
    selects_namespace,
    selects_object,
)
from leeward.cluster.registry.admission.webhooks.targets import UnresolvedError, make_call
from leeward.kube.objects import Obj
from leeward.kube.patch.json_patch import apply_json_patch
from leeward.kube.resources import Resource
from leeward.kube.status import BadRequestError, StatusError

T = TypeVar("T")
Asking = Generator[Sequence[HookCall], Sequence[Outcome], T]
Versions = Callable[[str], Sequence[str]]  # in which a resource is served
Convert = Callable[[Resource, Sequence[Obj], str], Asking[list[Obj]]]
Conditions = Callable[[Obj, Attributes], bool]  # whether a webhook's matchConditions hold

MUTATING = f"mutatingwebhookconfigurations.{GROUP}"
VALIDATING = f"validatingwebhookconfigurations.{GROUP}"


@dataclass(frozen=True, slots=True)
class _Hook:
    """A webhook that is about a kind of writes by its rules."""

    key: str
    name: str
    spec: Obj
    version: str  # of the resource that it is asked about


class Webhooks:
    """Knows the configurations.

    Args:
        context: where they are, uids of questions, and what fits objects to their types.
        versions: of resources.
        conditions: evaluates matchConditions.
        convert: makes custom objects ones of another version.
    """

    def __init__(
        self, context: PluginContext, versions: Versions, conditions: Conditions, convert: Convert
    ) -> None:
        self._fit = context.options.fit
        self._convert = convert
        self._reader = reader = context.reader
        self._ids = context.ids
        self._versions = versions
        self._conditions = conditions
        self._random = Random(0)
        self._concerned: dict[tuple[str, str, str, str, str], Sequence[_Hook]] = {}
        reader.watch((MUTATING, VALIDATING), lambda event: self._concerned.clear())

    def concerned(self, configurations: str, write: Attributes) -> Sequence[_Hook]:
        """Return the webhooks that are about such writes."""
        key = (configurations, write.operation, write.resource.name, write.subresource, write.version)
        found = self._concerned.get(key)
        if found is None:
            found = self._concerned[key] = (
                () if is_exempt(write) else tuple(self._find(configurations, write))
            )
        return found

    def _find(self, configurations: str, write: Attributes) -> Iterable[_Hook]:
        served = list(self._versions(write.resource.name)) or [write.resource.version]
        asked = write.version or write.resource.version
        for configuration in self._reader.list(configurations):
            for index, spec in enumerate(configuration.get("webhooks") or ()):
                versions = [asked]
                if spec.get("matchPolicy") != "Exact":
                    versions += [each for each in served if each != asked]
                version = matching_version(spec.get("rules") or (), write, versions)
                if version:
                    key = f"{configuration['metadata']['name']}/{spec['name']}/{index}"
                    yield _Hook(key, spec["name"], spec, version)

    def _is_meant(self, hook: _Hook, write: Attributes) -> bool:
        """Tell whether a webhook is about this very write."""
        spec = hook.spec
        if not selects_object(spec.get("objectSelector"), write):
            return False
        if not selects_namespace(spec.get("namespaceSelector"), write, self._reader):
            return False
        return not spec.get("matchConditions") or self._conditions(spec, write)

    def admit(self, write: Attributes, only: Collection[str] | None) -> Asking[tuple[bool, set[str]]]:
        """Let mutating webhooks change a write.

        Args:
            write: the write.
            only: keys of those that are asked; None: all.

        Returns:
            Whether any changed it, and the keys of those to be asked again after a later change.

        Raises:
            StatusError: one refuses.
        """
        changed, asked, again = False, set[str](), set[str]()
        for hook in self.concerned(MUTATING, write):
            if (only is not None and hook.key not in only) or not self._is_meant(hook, write):
                continue
            shown = yield from self._shown(hook, write)
            said = yield from self._ask(hook, shown, mutating=True)
            if said is not None and said.patch and self._apply(hook, shown, said.patch):
                if shown is not write:
                    write.obj = yield from self._back(shown, write)
                changed = True
                again |= asked
            if hook.spec.get("reinvocationPolicy") == "IfNeeded":
                asked.add(hook.key)
        return changed, again

    def reinvocable(self, write: Attributes) -> set[str]:
        """Return the keys of the webhooks that want to be asked again when what they saw has changed."""
        hooks = self.concerned(MUTATING, write)
        return {hook.key for hook in hooks if hook.spec.get("reinvocationPolicy") == "IfNeeded"}

    def _apply(self, hook: _Hook, write: Attributes, patch: list[Any]) -> bool:
        if not write.obj:
            raise _internal(
                f'admission webhook "{hook.name}" attempted to modify the object, which is not supported for '
                "this operation"
            )
        try:
            patched = apply_json_patch(write.obj, patch)
        except StatusError as error:
            raise _internal(error.message) from None
        if not isinstance(patched, dict) or not isinstance(patched.get("metadata", {}), dict):
            raise _internal(f'admission webhook "{hook.name}" left no object')
        try:
            patched, _ = self._fit(patched, write.obj.get("apiVersion") or "", write.obj.get("kind") or "")
        except ValueError as error:
            raise _internal(str(error)) from None
        if patched == write.obj:
            return False
        write.obj = write.complete({**patched, "metadata": patched.get("metadata") or {}})
        return True

    def _shown(self, hook: _Hook, write: Attributes) -> Asking[Attributes]:
        """Return a write as a webhook sees it that wants to be asked about another version."""
        if hook.version == (write.version or write.resource.version) or write.kind is not None:
            return write
        objects = [each for each in (write.obj, write.old) if each]
        shown = yield from self._convert(write.resource, objects, _api_version(write, hook.version))
        if all(each is known for each, known in zip(shown, objects, strict=True)):
            return write
        rest = iter(shown)
        return replace(write, obj=next(rest) if write.obj else {}, old=next(rest) if write.old else write.old)

    def _back(self, shown: Attributes, write: Attributes) -> Asking[Obj]:
        """Return what a webhook made of what it saw in the version of the write."""
        version = _api_version(write, write.version or write.resource.version)
        return (yield from self._convert(write.resource, [shown.obj], version))[0]

    def _ask(self, hook: _Hook, write: Attributes, *, mutating: bool) -> Asking[Verdict | None]:
        """Return what one webhook says; None: nothing, and that does not matter."""
        call = self._call(hook, write)
        if isinstance(call, HookCall):
            (outcome,) = yield [call]
            return _judged(hook, write, call, outcome, mutating=mutating)
        _failed(hook, call)
        return None

    def _call(self, hook: _Hook, write: Attributes) -> HookCall | str:
        """Return the question, or why it cannot be asked.

        Raises:
            BadRequestError: the write is a rehearsal, and asking would have effects.
        """
        if write.dry_run and hook.spec.get("sideEffects") not in ("None", "NoneOnDryRun"):
            raise BadRequestError(f'admission webhook "{hook.name}" does not support dry run')
        accepted = hook.spec.get("admissionReviewVersions") or ()
        review = question(write, hook.version, self._ids.uid(), accepted)
        if review is None:
            return (
                "could not create admission objects: webhook does not accept known AdmissionReview versions "
                "(v1, v1beta1)"
            )
        try:
            return make_call(hook.spec, review, self._reader, self._random)
        except UnresolvedError as error:
            return str(error)

    def validate(self, write: Attributes) -> Asking[None]:
        """Let validating webhooks refuse a write.

        Raises:
            StatusError: one refuses.
        """
        hooks = [hook for hook in self.concerned(VALIDATING, write) if self._is_meant(hook, write)]
        if not hooks:
            return
        calls = []
        for hook in hooks:
            shown = yield from self._shown(hook, write)
            calls.append((hook, self._call(hook, shown)))
        outcomes = iter((yield [call for _, call in calls if isinstance(call, HookCall)]))
        for hook, call in calls:
            if isinstance(call, HookCall):
                _judged(hook, write, call, next(outcomes), mutating=False)
            else:
                _failed(hook, call)


def _api_version(write: Attributes, version: str) -> str:
    return f"{write.resource.group}/{version}" if write.resource.group else version


def _judged(
    hook: _Hook, write: Attributes, call: HookCall, outcome: Outcome, *, mutating: bool
) -> Verdict | None:
    if outcome.failure:
        _failed(hook, f"failed to call webhook: {outcome.failure}")
        return None
    try:
        said = verdict(outcome.document, call.review, mutating=mutating)
    except BadResponseError as error:
        _failed(hook, f"received invalid webhook response: {error}")
        return None
    for warning in said.warnings:
        write.warn(warning)
    if not said.allowed:
        raise rejection(hook.name, said.status)
    return said


def _failed(hook: _Hook, why: str) -> None:
    """A webhook could not be asked.

    Raises:
        StatusError: its policy is that the write fails then.
    """
    if hook.spec.get("failurePolicy") != "Ignore":
        raise _internal(f'failed calling webhook "{hook.name}": {why}')


def _internal(why: str) -> StatusError:
    return StatusError(f"Internal error occurred: {why}", details={"causes": [{"message": why}]})
