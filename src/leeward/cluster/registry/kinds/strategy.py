"""What the registry knows about a kind: defaults, rules, what may change.

A strategy's functions are pure; they get the object being written and return a new one.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field

from leeward.cluster.registry.failures import Failure
from leeward.kube.objects import Obj
from leeward.kube.scale import ScalePaths


def _same(obj: Obj) -> Obj:
    return obj


def _first(new: Obj, old: Obj) -> Obj:
    return new


def _unstamped(new: Obj, old: Obj | None, now: str) -> Obj:
    return new


def _no_failures(obj: Obj) -> list[Failure]:
    return []


def _no_update_failures(new: Obj, old: Obj) -> list[Failure]:
    return []


def _no_rules(new: Obj, old: Obj | None) -> list[Failure]:
    return []


STATUS_METADATA = ("labels", "annotations", "finalizers", "ownerReferences")


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A part of a kind that is written through a subresource of its own."""

    take: Callable[[Obj, Obj], Obj]  # the old object with that part of the new one
    validate: Callable[[Obj, Obj], list[Failure]]  # of a new object and the old one


@dataclass(frozen=True, slots=True, kw_only=True)
class Strategy:
    """How one kind is written."""

    default: Callable[[Obj], Obj] = _same  # fills in what was left out
    prepare_create: Callable[[Obj], Obj] = _same  # sets what only the server decides
    prepare_update: Callable[[Obj, Obj], Obj] = _first  # the same of a next state, which comes first
    stamp: Callable[[Obj, Obj | None, str], Obj] = (
        _unstamped  # sets what status says of times; then the old one, now
    )
    initial_status: Obj | None = None  # status of a new object; None: none
    brings_status: bool = False  # a new object may bring a status instead, as kubelets register nodes
    validate: Callable[[Obj], list[Failure]] = _no_failures
    validate_create: Callable[[Obj], list[Failure]] | None = None  # of a new object, instead
    validate_update: Callable[[Obj, Obj], list[Failure]] = _no_update_failures
    validate_status: Callable[[Obj, Obj], list[Failure]] = _no_update_failures  # of a write of status
    validate_rules: Callable[[Obj, Obj | None], list[Failure]] = _no_rules  # if nothing else is wrong
    update_first: bool = False  # failures of validate_update come before those of validate
    parts: Mapping[str, Part] = field(default_factory=dict)  # by subresource
    scale: ScalePaths | None = None  # where a custom kind keeps its replicas
    fill_status: Callable[[Obj, Obj], Obj] = _first  # in a write of status; then the old object's
    status_metadata: Collection[str] = STATUS_METADATA  # what of metadata a write of status may change
    tracks_spec: bool = True  # who owns what of spec is remembered
    has_status: bool = False  # status is written through its subresource only
    has_generation: bool = False  # metadata.generation counts changes of spec
