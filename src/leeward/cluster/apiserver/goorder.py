"""One object as Go writes it: fields of a struct in the order of its declaration, keys of maps sorted.

Only single objects are put in order: that costs as much as all else that is done to show them, and who reads
lists and watches looks for names.

Source: encoding/json; the types of k8s.io/api; unstructured objects, which are maps, for custom kinds.
"""

from __future__ import annotations

from typing import Any

from leeward.cluster.apiserver.decoding import Field, fields_of
from leeward.cluster.apiserver.protobuf import META, message_name, table
from leeward.kube.gofields import go_fields
from leeward.kube.objects import Obj

_RAW = frozenset((f"{META}.FieldsV1",))


def in_go_order(obj: Obj, *, custom: bool = False) -> Obj:
    """Return an object, of a custom kind or a built-in one, with all keys where kube-apiserver has them."""
    if custom:
        ordered: Obj = _sorted(obj)
        return ordered
    message = message_name(obj.get("apiVersion") or "", obj.get("kind") or "")
    return _message(obj, message) if message in table() else obj


def _message(value: Obj, name: str) -> Obj:
    fields = fields_of(name)
    declared = go_fields(name.replace("k8s.io.", "io.k8s.", 1))
    first = [key for key in declared if key in value]
    keys = first if len(first) == len(value) else [*first, *(key for key in value if key not in declared)]
    return {key: _field(value[key], fields.get(key)) for key in keys}


def _field(value: Any, field: Field | None) -> Any:
    if field is None or not isinstance(value, dict | list):
        return value
    if field.kind.startswith("map<"):
        return {key: value[key] for key in sorted(value)} if isinstance(value, dict) else value
    if field.kind not in table() or field.kind in _RAW:
        return value
    if isinstance(value, list):
        return [_message(each, field.kind) if isinstance(each, dict) else each for each in value]
    return _message(value, field.kind)


def _sorted(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _sorted(value[key]) for key in sorted(value)}
    return [_sorted(each) for each in value] if isinstance(value, list) else value
