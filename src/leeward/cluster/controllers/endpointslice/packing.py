"""Which writes bring the slices of a Service to say what its endpoints are. Pure.

Invariants: an endpoint stays in the slice it is in; no slice holds more than 100; as few slices as possible
are written; a Service with a selector always has at least one slice of each of its address families.

Source: reconcileByPortMapping, reconcileByAddressType and finalize of ``k8s.io/endpointslice/reconciler.go``
(Kubernetes 1.36).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from leeward.cluster.controllers.endpointslice.plan import (
    Group,
    families_of,
    identity,
    slice_labels,
    slice_of,
)
from leeward.cluster.controllers.framework.servicepods import ports_key
from leeward.kube.objects import Obj, labels_of

MAX_ENDPOINTS = 100


@dataclass(slots=True)
class Changes:
    """What is to become of the slices of one address family."""

    create: list[Obj] = field(default_factory=list)
    update: list[Obj] = field(default_factory=list)
    delete: list[Obj] = field(default_factory=list)
    unchanged: list[Obj] = field(default_factory=list)


def pack(service: Obj, family: str, groups: Mapping[str, Group], slices: Iterable[Obj]) -> Changes:
    """Return the changes that make slices of one family hold exactly the endpoints of `groups`.

    Args:
        service: whose.
        family: "IPv4" or "IPv6".
        groups: the endpoints, by ports.
        slices: ours, of this Service and family.
    """
    by_ports: dict[str, list[Obj]] = {}
    for existing in slices:
        by_ports.setdefault(ports_key(existing.get("ports")), []).append(existing)
    found = Changes()
    for key, group in groups.items():
        _pack_group(found, service, family, group, by_ports.pop(key, []))
    found.delete += [stale for left in by_ports.values() for stale in left]
    if not (found.create or found.update or found.unchanged):
        empty = slice_of(service, family, [], [])
        if len(found.delete) == 1 and _is_same(found.delete[0], empty):
            found.unchanged, found.delete = found.delete, []
        else:
            found.create.append(empty)
    return found


def recycled(service: Obj, found: Changes) -> Changes:
    """Return the changes with slices that are to go written anew instead of making others."""
    create, update, delete = list(found.create), list(found.update), []
    for stale in found.delete:
        owners = stale["metadata"].get("ownerReferences") or ()
        if create and any(each["uid"] == service["metadata"]["uid"] for each in owners):
            wanted = create.pop()
            metadata = {**stale["metadata"], "labels": wanted["metadata"]["labels"]}
            update.append({**stale, **wanted, "metadata": metadata})
        else:
            delete.append(stale)
    return Changes(create, update, delete, found.unchanged)


def unsupported(service: Obj, slices: Iterable[Obj]) -> list[Obj]:
    """Return the slices of address families that a Service has no more."""
    return [each for each in slices if each.get("addressType") not in families_of(service)]


def _is_same(one: Obj, other: Obj) -> bool:
    return labels_of(one) == labels_of(other) and not one.get("endpoints") and not one.get("ports")


def _pack_group(found: Changes, service: Obj, family: str, group: Group, slices: Sequence[Obj]) -> None:
    """Bring the slices with one set of ports up to date."""
    left, labels = dict(group.endpoints), slice_labels(service)
    update: list[tuple[Obj, list[Obj]]] = []
    unchanged: list[Obj] = []
    for existing in slices:
        before = existing.get("endpoints") or []
        there = [old for old in before if identity(old) in left]
        stay = [_kept(old, left.pop(identity(old))) for old in there]
        if not stay:
            found.delete.append(existing)
        elif labels == labels_of(existing) and _agree(stay, before):
            unchanged.append(existing)
        else:
            update.append((existing, stay))
    new = list(left.values())
    for _, stay in sorted(update, key=lambda pair: -len(pair[1])) if new else ():
        room = MAX_ENDPOINTS - len(stay)
        stay.extend(new[:room])
        new = new[room:]
    while new:
        fitting = _closest_to_full(unchanged, len(new)) if len(new) < MAX_ENDPOINTS else None
        if fitting is None:
            found.create.append(slice_of(service, family, group.ports, new[:MAX_ENDPOINTS]))
            new = new[MAX_ENDPOINTS:]
        else:
            unchanged.remove(fitting)
            update.append((fitting, [*_fresh(fitting, group), *new]))
            new = []
    found.unchanged += unchanged
    for existing, endpoints in update:
        metadata = {**existing["metadata"], "labels": labels}
        found.update.append({**existing, "metadata": metadata, "endpoints": endpoints})


def _kept(old: Obj, new: Obj) -> Obj:
    """Return an endpoint as it is to be: the very same where nothing changed, as many versions share it."""
    return old if old == new else new


def _fresh(existing: Obj, group: Group) -> list[Obj]:
    return [group.endpoints[identity(old)] for old in existing["endpoints"]]


def _agree(new: Sequence[Obj], old: Sequence[Obj]) -> bool:
    """Tell whether endpoints say the same, hints apart, which are decided on later."""
    if len(new) != len(old):
        return False
    if new == old:
        return True
    return all(
        one == {key: value for key, value in other.items() if key != "hints"}
        for one, other in zip(new, old, strict=True)
    )


def _closest_to_full(slices: Iterable[Obj], wanted: int) -> Obj | None:
    """Return the slice that has room for all of so many endpoints, and the least besides."""
    fitting = [each for each in slices if len(each["endpoints"]) + wanted <= MAX_ENDPOINTS]
    return max(fitting, key=lambda each: len(each["endpoints"]), default=None)
