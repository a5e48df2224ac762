"""The hash of a Pod template, exactly as Kubernetes computes it: FNV-1a over Go's own dump of the struct.

ReplicaSets are called by it, and Pods and revisions carry it; the same name on every cluster lets people and
tools compare them. ``gostructs.json`` (``scripts/generate_go_structs.py``) has the structs.

Invariants: what Go decodes to nil, such as an absent or empty list, is ``<nil>``; a quantity remembers its
text only where that is canonical.

Source: pkg/controller/controller_utils.go ComputeHash, pkg/util/hash; github.com/davecgh/go-spew format.go;
apimachinery pkg/api/resource/quantity.go ParseQuantity (Kubernetes 1.36).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.resources import files
from typing import Any

import orjson

ALPHABET = "bcdfghjklmnpqrstvwxz2456789"  # no vowels: it makes no words
_PRIME, _OFFSET = 16777619, 2166136261
_ROOT = "v1.PodTemplateSpec"
_QUANTITY = re.compile(r"([+-]?)(\d*)(?:\.(\d*))?([KMGTPE]i|[numkMGTPE]|[eE][+-]?\d+)?")
_BINARY = {"Ki": 10, "Mi": 20, "Gi": 30, "Ti": 40, "Pi": 50, "Ei": 60}
_DECIMAL = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_ESCAPES = tuple(
    (char.encode(), f"\\u{ord(char):04x}".encode()) for char in "<>&\u2028\u2029"
)  # of Go's JSON
_ZEROS: dict[str, object] = {"bool": "false", "string": ""}
_ZERO_TIME = "{Time:(time.Time){wall:(uint64)0 ext:(int64)0 loc:(*time.Location)<nil>}}"


def fnv1a(data: bytes) -> int:
    """Return the 32-bit FNV-1a hash of `data`."""
    value = _OFFSET
    for byte in data:
        value = ((value ^ byte) * _PRIME) & 0xFFFFFFFF
    return value


def fnv1(data: bytes) -> int:
    """Return the 32-bit FNV-1 hash of `data`."""
    value = _OFFSET
    for byte in data:
        value = ((value * _PRIME) & 0xFFFFFFFF) ^ byte
    return value


def safe_encoded(number: int) -> str:
    """Return the decimal digits of `number` in letters that make no words."""
    return "".join(ALPHABET[ord(digit) % len(ALPHABET)] for digit in str(number))


def template_hash(template: Mapping[str, Any], collisions: int | None = None) -> str:
    """Return the ``pod-template-hash`` of a template with its defaults.

    Args:
        template: ``spec.template``.
        collisions: ``status.collisionCount`` of the owner; None: it has none.
    """
    data = dump(template).encode()
    if collisions is not None:
        data += collisions.to_bytes(8, "little")
    return safe_encoded(fnv1a(data))


def dump(template: Mapping[str, Any]) -> str:
    """Return Go's dump of a template."""
    return f"({_ROOT})" + "".join(_struct(_ROOT, template))


def revision_hash(data: Mapping[str, Any], collisions: int) -> str:
    """Return the hash that names a StatefulSet's revision with `data`: FNV-1 over its JSON and the count.

    Source: pkg/controller/history/controller_history.go HashControllerRevision.
    """
    text = orjson.dumps(data, option=orjson.OPT_SORT_KEYS)
    for plain, escaped in _ESCAPES:
        text = text.replace(plain, escaped)
    return safe_encoded(fnv1(text + str(collisions).encode()))


@cache
def _table() -> tuple[dict[str, list[list[str]]], dict[str, str]]:
    table = json.loads(files(__package__).joinpath("gostructs.json").read_bytes())
    return table["structs"], table["named"]


def _value(kind: str, value: Any, *, typed: bool) -> Iterator[str]:
    """Yield the dump of one value; `typed`: with its type, as fields of structs have it."""
    if kind.startswith("*"):
        yield from _pointer(kind, value, typed=typed)
        return
    if typed:
        yield f"({kind})"
    structs, named = _table()
    if kind in structs:
        yield from _struct(kind, value or {})
    elif kind in _SPECIAL:
        yield from _SPECIAL[kind](value)
    elif kind in named:
        yield from _value(named[kind], value, typed=False)
    elif kind.startswith("[]"):
        yield from _list(kind[2:], value)
    elif kind.startswith("map["):
        yield from _map(kind, value)
    elif isinstance(value, bool):
        yield "true" if value else "false"
    else:
        yield str(_ZEROS.get(kind, 0) if value is None else value)


def _pointer(kind: str, value: Any, *, typed: bool) -> Iterator[str]:
    if value is None:
        yield f"({kind})<nil>" if typed else "<nil>"
        return
    yield f"({kind})" if typed else "<*>"
    yield from _value(kind[1:], value, typed=False)


def _struct(kind: str, value: Mapping[str, Any]) -> Iterator[str]:
    structs, _ = _table()
    for index, (name, key, field) in enumerate(structs[kind]):
        yield f"{' ' if index else '{'}{name}:"
        yield from _value(field, value.get(key) if key else value, typed=True)
    yield "}" if structs[kind] else "{}"


def _list(kind: str, value: Any) -> Iterator[str]:
    if not value:
        yield "<nil>"
        return
    for index, each in enumerate(value):
        yield " " if index else "["
        yield from _value(kind, each, typed=False)
    yield "]"


def _map(kind: str, value: Any) -> Iterator[str]:
    if not value:
        yield "<nil>"
        return
    inner = kind.partition("]")[2]
    for index, name in enumerate(sorted(value)):
        yield f"{' ' if index else 'map['}{name}:"
        yield from _value(inner, value[name], typed=False)
    yield "]"


def _time(value: Any) -> Iterator[str]:
    yield _ZERO_TIME  # templates carry no times


def _int_or_string(value: Any) -> Iterator[str]:
    text = isinstance(value, str)
    yield f"{{Type:(intstr.Type){int(text)} IntVal:(int32){0 if text else value or 0} "
    yield f"StrVal:(string){value if text else ''}}}"


def _fields_v1(value: Any) -> Iterator[str]:
    yield "{Raw:([]uint8)<nil>}"


def _quantity(value: Any) -> Iterator[str]:
    text = str(value)
    amount, scale, form, remembered = _parsed(text)
    yield f"{{i:(resource.int64Amount){{value:(int64){amount} scale:(resource.Scale){scale}}} "
    yield "d:(resource.infDecAmount){Dec:(*inf.Dec)<nil>} "
    yield f"s:(string){text if remembered else ''} Format:(resource.Format){form}}}"


def _parsed(text: str) -> tuple[int, int, str, bool]:
    """Return (value, power of ten, format, whether the text is remembered) of a quantity."""
    if text == "0":
        return 0, 0, "DecimalSI", True
    found = _QUANTITY.fullmatch(text)
    if found is None:
        return 0, 0, "DecimalSI", False
    sign, whole, fraction, suffix = found[1], found[2].lstrip("0"), found[3] or "", found[4] or ""
    digits = whole + fraction
    number = int(digits or "0")
    if suffix in _BINARY:
        signed = -number if sign == "-" else number
        return signed << _BINARY[suffix], 0, "BinarySI", number & 7 != 0
    form, scale = "DecimalSI", _DECIMAL.get(suffix, 0)
    if suffix[:1] in ("e", "E") and len(suffix) > 1:
        form, scale = "DecimalExponent", int(suffix[1:])
    scale -= len(fraction)
    remembered = scale % 3 == 0 and not digits.endswith("000") and not digits.startswith("0")
    return -number if sign == "-" else number, scale, form, remembered and bool(digits)


_SPECIAL = {
    "v1.Time": _time,
    "v1.FieldsV1": _fields_v1,
    "intstr.IntOrString": _int_or_string,
    "resource.Quantity": _quantity,
}
