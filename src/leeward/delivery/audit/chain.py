"""The audit trail as a chain of hashes: where it begins, how records follow one another, what breaks it.

Each record has the hash of the one before it and of itself, and is called by its number. Where the chain ends
is told apart from it, because the end is the one place where removing leaves no gap.

Source: the idea of hash-chained logs, Haber and Stornetta, "How to Time-Stamp a Digital Document" (1991).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from leeward.delivery.records import digest_of
from leeward.kube.objects import Obj

HEAD = "leeward-audit-head"  # the ConfigMap that tells the end


class Mark(NamedTuple):
    """A place in the chain."""

    sequence: int  # 0: before the first record
    hash: str


def record_name(sequence: int) -> str:
    """Return the name of a record: ``00000042``."""
    return f"{sequence:08d}"


def beginning(app: str) -> Mark:
    """Return where the chain of an application begins."""
    return Mark(0, f"sha256:{hashlib.sha256(app.encode()).hexdigest()}")


def hash_of(spec: Mapping[str, Any]) -> str:
    """Return the hash that a record with this spec has."""
    return digest_of({key: value for key, value in spec.items() if key != "hash"})


def place_of(obj: Obj) -> Mark:
    """Return the place that a record says it has."""
    spec = obj.get("spec") or {}
    number = spec.get("sequence")
    return Mark(number if isinstance(number, int) else 0, str(spec.get("hash") or ""))


def mark_of(head: Obj | None) -> Mark | None:
    """Return the place that the ConfigMap tells, if it tells one."""
    data = (head or {}).get("data") or {}
    number, hashed = str(data.get("sequence", "")), str(data.get("hash", ""))
    return Mark(int(number), hashed) if number.isdecimal() and hashed else None


def verify(app: str, records: Iterable[Obj], head: Obj | None) -> list[str]:
    """Return what is wrong with a trail, with the numbers; nothing when it is whole.

    Args:
        app: the application's name.
        records: all there are, in any order.
        head: the ConfigMap. That it is behind is no fault: who writes may end before it is written.
    """
    ordered = sorted(records, key=lambda obj: (place_of(obj).sequence, obj["metadata"]["name"]))
    return [*_each(ordered), *_following(app, ordered), *_ending(ordered, mark_of(head))]


def _each(ordered: Sequence[Obj]) -> Iterator[str]:
    """Yield what is wrong with records by themselves."""
    for obj in ordered:
        name, spec, place = obj["metadata"]["name"], obj.get("spec") or {}, place_of(obj)
        if place.hash != hash_of(spec):
            yield f"{name} was changed: its hash is not that of what it says"
        if name != record_name(place.sequence) or place.sequence < 1:
            yield f"{name} was renamed or put there: it says that its number is {place.sequence}"


def _following(app: str, ordered: Sequence[Obj]) -> Iterator[str]:
    """Yield where records do not follow one another."""
    before, name = beginning(app), "the beginning"
    for obj in ordered:
        place, own = place_of(obj), obj["metadata"]["name"]
        if place.sequence == before.sequence:
            yield f"{own} and {name} have the same number: one of them was put there"
        elif place.sequence > before.sequence + 1:
            yield f"{_numbers(before.sequence + 1, place.sequence - 1)} removed"
        elif (obj.get("spec") or {}).get("previous") != before.hash:
            yield f"{own} does not follow {name}: one of them was changed or put there"
        before, name = place, own


def _ending(ordered: Sequence[Obj], told: Mark | None) -> Iterator[str]:
    """Yield what is wrong with the end."""
    newest = place_of(ordered[-1]).sequence if ordered else 0
    if told is None:
        if newest > 1:
            yield f"what tells the end, ConfigMap {HEAD}, is gone: whether records are missing is unknown"
    elif told.sequence > newest:
        yield f"{_numbers(newest + 1, told.sequence)} removed from the end"
    elif told.hash not in [place_of(obj).hash for obj in ordered if place_of(obj).sequence == told.sequence]:
        yield f"{record_name(told.sequence)} was changed: it is not what ConfigMap {HEAD} tells"


def _numbers(first: int, last: int) -> str:
    if first == last:
        return f"{record_name(first)} was"
    return f"{record_name(first)} to {record_name(last)} were"
