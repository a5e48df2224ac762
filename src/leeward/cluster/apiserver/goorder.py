"""One object as Go writes it: fields of a struct in the order of its declaration, keys of maps sorted.

Only single objects are put in order, by a plan that is made once for each type; who reads lists and watches
looks for names.

Source: encoding/json; the types of k8s.io/api; unstructured objects, which are maps, for custom kinds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, NamedTuple

from leeward.cluster.apiserver.decoding import CHOICES, SCHEMA, Field, fields_of, go_fields_of
from leeward.cluster.apiserver.protobuf import EXTENSIONS, META, message_name, table
from leeward.kube.objects import Obj

_RAW = frozenset((f"{META}.FieldsV1", f"{EXTENSIONS}.JSON"))

Order = Callable[[Any], Any]


_KNOWN = 512  # sets of keys of one type


class _Plan(NamedTuple):
    ranks: Mapping[str, int]  # of the fields that the type has
    inner: Mapping[str, Order]  # what is done to the value of a field that has keys itself
    known: dict[tuple[str, ...], list[tuple[str, Order | None]]]  # keys as they are → as they are to be


def in_go_order(obj: Obj, *, custom: bool = False) -> Obj:
    """Return an object, of a custom kind or a built-in one, with all keys where kube-apiserver has them."""
    if custom:
        ordered: Obj = _sorted(obj)
        return ordered
    message = message_name(obj.get("apiVersion") or "", obj.get("kind") or "")
    return _message(obj, _plan(message)) if message in table() else obj


@lru_cache(maxsize=1024)
def _plan(name: str) -> _Plan:
    ranks = {key: rank for rank, key in enumerate(go_fields_of(name))}
    found = {key: _order_of(field) for key, field in fields_of(name).items()}
    return _Plan(ranks, {key: order for key, order in found.items() if order is not None}, {})


def _order_of(field: Field) -> Order | None:
    kind = field.kind
    if kind.startswith("map<"):
        inner = kind[len("map<string,") : -1]
        return _schemas_sorted if inner == SCHEMA else _keys_sorted
    if kind in CHOICES:
        return lambda value: _each(value, _plan(SCHEMA))
    if kind not in table() or kind in _RAW:
        return None
    if field.repeated:
        return lambda value: _each(value, _plan(kind))
    return lambda value: _message(value, _plan(kind))


def _message(value: Any, plan: _Plan) -> Any:
    if not isinstance(value, dict):
        return value
    keys = tuple(value)
    steps = plan.known.get(keys)
    if steps is None:
        last = len(plan.ranks)  # where what a type does not have comes
        steps = [
            (key, plan.inner.get(key)) for key in sorted(keys, key=lambda key: plan.ranks.get(key, last))
        ]
        if len(plan.known) >= _KNOWN:
            plan.known.clear()
        plan.known[keys] = steps
    return {key: value[key] if order is None else order(value[key]) for key, order in steps}


def _each(value: Any, plan: _Plan) -> Any:
    return [_message(each, plan) for each in value] if isinstance(value, list) else _message(value, plan)


def _schemas_sorted(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    return {key: _message(value[key], _plan(SCHEMA)) for key in sorted(value)}


def _keys_sorted(value: Any) -> Any:
    return {key: value[key] for key in sorted(value)} if isinstance(value, dict) else value


def _sorted(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _sorted(value[key]) for key in sorted(value)}
    return [_sorted(each) for each in value] if isinstance(value, list) else value
