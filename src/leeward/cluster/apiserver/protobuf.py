"""Protobuf request bodies into the JSON objects they stand for.

kubectl's typed commands (``create deployment``, ``drain``) and Go clients send built-in kinds this way.
Decoding only: answers are JSON, which the same clients accept.

Invariant: a field that Go would leave out of JSON (an empty string, a zero that is no pointer) is left
out; unknown fields are skipped. The field table is read when the first such body comes.

Source: ``k8s.io/apimachinery/pkg/runtime/serializer/protobuf`` (the envelope) and
https://protobuf.dev/programming-guides/encoding/; the table is written by ``scripts/make_protobuf_table.py``.
"""

from __future__ import annotations

import base64
import struct
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

import orjson

from leeward.kube.objects import Obj, format_micro_time, format_time
from leeward.kube.status import BadRequestError

TABLE_FILE = Path(__file__).with_name("protobuf-fields.json")
_MAGIC = b"k8s\x00"
META = "k8s.io.apimachinery.pkg.apis.meta.v1"
MACHINERY = "k8s.io.apimachinery.pkg"
EXTENSIONS = "k8s.io.apiextensions_apiserver.pkg.apis.apiextensions.v1"
_PACKAGES = {  # others are k8s.io.api and the first word of their group
    "": "k8s.io.api.core",
    "rbac.authorization.k8s.io": "k8s.io.api.rbac",
    "apiextensions.k8s.io": EXTENSIONS.rpartition(".")[0],
    "apiregistration.k8s.io": "k8s.io.kube_aggregator.pkg.apis.apiregistration",
}

# Pointers in Go: an explicit zero or false means something and is kept.
# fmt: off
_POINTERS = frozenset((
    "activeDeadlineSeconds", "allocateLoadBalancerNodePorts", "allowPrivilegeEscalation",
    "automountServiceAccountToken", "averageUtilization", "backoffLimit", "blockOwnerDeletion",
    "completions", "controller", "defaultMode", "deletionGracePeriodSeconds", "enableServiceLinks",
    "failedJobsHistoryLimit", "fsGroup", "gracePeriodSeconds", "hostUsers", "immutable", "minReplicas",
    "mode", "optional", "orphanDependents", "parallelism", "partition", "periodSeconds", "priority",
    "privileged", "progressDeadlineSeconds", "readOnlyRootFilesystem", "replicas", "revisionHistoryLimit",
    "runAsGroup", "runAsNonRoot", "runAsUser", "setHostnameAsFQDN", "shareProcessNamespace",
    "stabilizationWindowSeconds", "startingDeadlineSeconds", "successfulJobsHistoryLimit", "suspend",
    "terminationGracePeriodSeconds", "tolerationSeconds", "ttlSecondsAfterFinished",
    "maximum", "minimum", "multipleOf", "maxItems", "minItems", "maxLength", "minLength", "maxProperties",
    "minProperties", "x-kubernetes-preserve-unknown-fields", "optionalOldSelf", "default", "example",
    "additionalProperties", "additionalItems",
))
# fmt: on

Field = tuple[str, str, str]  # name, type, flags: r repeated, i inline, q required


@lru_cache(maxsize=1)
def table() -> Mapping[str, Mapping[int, Field]]:
    """Return message → field number → field."""
    raw: dict[str, Sequence[Sequence[Any]]] = orjson.loads(TABLE_FILE.read_bytes())
    return {
        message: {number: (name, kind, flags) for number, name, kind, flags in rows}
        for message, rows in raw.items()
    }


def _varint(data: bytes, position: int) -> tuple[int, int]:
    result = shift = 0
    while True:
        byte = data[position]
        position += 1
        result |= (byte & 0x7F) << shift
        if not byte & 0x80:
            return result, position
        shift += 7


def _fields(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    position = 0
    while position < len(data):
        tag, position = _varint(data, position)
        wire = tag & 7
        if wire == 0:
            number, position = _varint(data, position)
            yield tag >> 3, number
            continue
        if wire == 2:
            size, position = _varint(data, position)
        elif wire in (1, 5):
            size = 8 if wire == 1 else 4
        else:
            raise ValueError(f"wire type {wire}")
        if position + size > len(data):
            raise ValueError("truncated message")
        yield tag >> 3, data[position : position + size]
        position += size


def decode(body: bytes) -> Obj:
    """Return the object in a Kubernetes protobuf body.

    Raises:
        BadRequestError: it is none, or of a kind that is not in the table.
    """
    if not body.startswith(_MAGIC):
        raise BadRequestError("the protobuf body does not start with the expected prefix")
    try:
        envelope = dict(_fields(body[len(_MAGIC) :]))
        kinds = {number: _text(value) for number, value in _fields(_bytes(envelope.get(1, b"")))}
        version, kind = kinds.get(1, ""), kinds.get(2, "")
        message = message_name(version, kind)
        if message not in table():
            raise BadRequestError(f"{kind} in {version} cannot be sent as protobuf here; send JSON")
        obj = _message(message, _bytes(envelope.get(2, b"")))
    except (ValueError, IndexError, struct.error, UnicodeDecodeError) as error:
        raise BadRequestError(f"the protobuf body cannot be decoded: {error}") from None
    return {"kind": kind, "apiVersion": version, **obj}


def message_name(version: str, kind: str) -> str:
    """Return the message of a kind; it need not be in the table."""
    if kind.endswith("Options") and f"{META}.{kind}" in table():
        return f"{META}.{kind}"
    group, _, number = version.rpartition("/")
    if "." in group and not group.endswith(".k8s.io"):
        return f"{group}.{number}.{kind}"  # a custom one
    package = _PACKAGES.get(group) or f"k8s.io.api.{group.partition('.')[0]}"
    return f"{package}.{number}.{kind}"


def definition_name(message: str) -> str:
    """Return what OpenAPI calls a message."""
    return message.replace("k8s.io.", "io.k8s.", 1).replace("_", "-")


def _bytes(value: int | bytes) -> bytes:
    if isinstance(value, int):
        raise ValueError("a length-delimited field was expected")
    return value


def _text(value: int | bytes) -> str:
    return _bytes(value).decode()


def _message(name: str, data: bytes) -> Any:
    special = _SPECIAL.get(name)
    if special is not None:
        return special(data)
    fields = table().get(name, {})
    result: dict[str, Any] = {}
    for number, raw in _fields(data):
        if number not in fields:
            continue
        field, kind, flags = fields[number]
        if kind.startswith("map<"):
            key, value = _map_entry(kind, _bytes(raw))
            result.setdefault(field, {})[key] = value
        elif "r" in flags:
            result.setdefault(field, []).append(_value(kind, raw))
        else:
            _put(result, field, _value(kind, raw), flags, keeps_empty=kind == _STATUS_SUBRESOURCE)
    return result


def _put(result: dict[str, Any], field: str, value: Any, flags: str, *, keeps_empty: bool) -> None:
    if "i" in flags:
        result.update(value)
    elif value is None or (field == "status" and not value and not keeps_empty):
        return
    elif value or isinstance(value, dict) or "q" in flags or field in _POINTERS:
        result[field] = value


def _map_entry(kind: str, data: bytes) -> tuple[str, Any]:
    inner = kind[len("map<string,") : -1]
    entry = dict(_fields(data))
    return _text(entry.get(1, b"")), _value(inner, entry.get(2, b""))


def _value(kind: str, raw: int | bytes) -> Any:
    if kind == "string":
        return _text(raw)
    if kind == "bytes":
        return base64.b64encode(_bytes(raw)).decode()
    if kind == "double":
        return struct.unpack("<d", _bytes(raw))[0]
    if kind == "bool":
        return bool(raw)
    if isinstance(raw, int):
        return raw - (1 << 64) if raw >= 1 << 63 else raw
    return _message(kind, raw)


def _moment(data: bytes) -> tuple[datetime, int] | None:
    found = dict(_fields(data))
    seconds, nanos = found.get(1, 0), found.get(2, 0)
    if not isinstance(seconds, int) or not isinstance(nanos, int) or not seconds:
        return None
    return datetime.fromtimestamp(seconds, UTC), nanos


def _time(data: bytes) -> str | None:
    moment = _moment(data)
    return None if moment is None else format_time(moment[0])


def _micro_time(data: bytes) -> str | None:
    moment = _moment(data)
    return None if moment is None else format_micro_time(moment[0].replace(microsecond=moment[1] // 1000))


def _int_or_string(data: bytes) -> Any:
    found = dict(_fields(data))
    return _text(found.get(3, b"")) if found.get(1) else _value("int32", found.get(2, 0))


def _quantity(data: bytes) -> str:
    return _text(dict(_fields(data)).get(1, b"0"))


def _raw_json(data: bytes) -> Any:
    raw = _bytes(dict(_fields(data)).get(1, b""))
    return orjson.loads(raw) if raw else None


def _schema_or_bool(data: bytes) -> Any:
    found = dict(_fields(data))
    return _message(_SCHEMA, _bytes(found[2])) if 2 in found else bool(found.get(1))


def _schema_or_list(data: bytes) -> Any:
    schemas = [_message(_SCHEMA, _bytes(value)) for number, value in _fields(data) if number == 2]
    return schemas or _only_schema(data)


def _schema_or_names(data: bytes) -> Any:
    names = [_text(value) for number, value in _fields(data) if number == 2]
    return names or _only_schema(data)


def _only_schema(data: bytes) -> Any:
    return next((_message(_SCHEMA, _bytes(value)) for number, value in _fields(data) if number == 1), None)


def _items(data: bytes) -> list[str]:
    return [_text(value) for number, value in _fields(data) if number == 1]


_SCHEMA = f"{EXTENSIONS}.JSONSchemaProps"
_STATUS_SUBRESOURCE = f"{EXTENSIONS}.CustomResourceSubresourceStatus"
_SPECIAL = {
    f"{EXTENSIONS}.JSON": _raw_json,
    f"{EXTENSIONS}.JSONSchemaPropsOrBool": _schema_or_bool,
    f"{EXTENSIONS}.JSONSchemaPropsOrArray": _schema_or_list,
    f"{EXTENSIONS}.JSONSchemaPropsOrStringArray": _schema_or_names,
    f"{META}.Time": _time,
    f"{META}.MicroTime": _micro_time,
    f"{META}.FieldsV1": _raw_json,
    f"{META}.Verbs": _items,
    f"{MACHINERY}.runtime.RawExtension": _raw_json,
    f"{MACHINERY}.util.intstr.IntOrString": _int_or_string,
    f"{MACHINERY}.api.resource.Quantity": _quantity,
    "k8s.io.api.authorization.v1.ExtraValue": _items,
    "k8s.io.api.authentication.v1.ExtraValue": _items,
}
