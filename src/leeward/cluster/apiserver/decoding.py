"""Fits a JSON document to the type of its kind: right types stay, nulls and unknown fields go.

A value of the wrong type is refused in the words of Go's decoder; unknown fields are reported, for the
caller's ``fieldValidation`` to judge. Types come from the same table as protobuf; of a kind that is not in
it, a custom one, only the metadata have a type.

Source: sigs.k8s.io/json (strict and case-sensitive decoding), encoding/json's UnmarshalTypeError.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, NamedTuple

from leeward.cluster.apiserver.protobuf import (
    EXTENSIONS,
    MACHINERY,
    META,
    definition_name,
    message_name,
    table,
)
from leeward.kube.gobase64 import base64_error
from leeward.kube.gofields import go_fields, is_left_out
from leeward.kube.gotime import MICROSECONDS, SECONDS, normal_time
from leeward.kube.objects import Obj
from leeward.kube.quantity import quantity_error
from leeward.kube.status import BadRequestError

_ANY = frozenset((f"{META}.FieldsV1", f"{MACHINERY}.runtime.RawExtension", f"{EXTENSIONS}.JSON"))
SCHEMA = f"{EXTENSIONS}.JSONSchemaProps"
CHOICES = frozenset(f"{SCHEMA}Or{other}" for other in ("Bool", "Array", "StringArray"))
_TEXTS = frozenset(("string", "bytes"))
_TIMES = {f"{META}.Time": SECONDS, f"{META}.MicroTime": MICROSECONDS}
_QUANTITY, _INT_OR_STRING = f"{MACHINERY}.api.resource.Quantity", f"{MACHINERY}.util.intstr.IntOrString"
_LISTS = frozenset((f"{META}.Verbs", "k8s.io.api.authorization.v1.ExtraValue"))
_PLAIN: Mapping[str, tuple[type | tuple[type, ...], str]] = {
    "bool": (bool, "bool"),
    "double": ((int, float), "float64"),
    _INT_OR_STRING: ((int, str), "intstr.IntOrString"),
}
_SPECIAL = frozenset((*_ANY, *_TIMES, *CHOICES, *_LISTS, *_PLAIN, _QUANTITY))
_RANGES = {"int32": 1 << 31, "int64": 1 << 63}
_MAX_UNKNOWN = 100  # fields that are told, as in upstream

_Place = tuple[Any, str | int] | None  # of what it is in, and its key or index
_Owner = tuple[str, _Place]  # a message, and the place of its field
_NOWHERE: _Owner = ("", None)


class WrongTypeError(ValueError):
    """A value has another type than its field."""


class Fitted(NamedTuple):
    """A document as its type has it."""

    document: Any
    unknown: list[str]  # "spec.containers[0].imagePullpolicy"


class Field(NamedTuple):
    """A field of a message."""

    kind: str  # "string", "int32", "map<string,bytes>", a message's name
    repeated: bool


@lru_cache(maxsize=1024)
def go_fields_of(message: str) -> Mapping[str, str]:
    """Return JSON name → letter of a message, in the order in which Go declares its fields."""
    return go_fields(definition_name(message))


@lru_cache(maxsize=1024)
def fields_of(message: str) -> Mapping[str, Field]:
    """Return the JSON fields of a message, with those of messages that are inlined in it."""
    found: dict[str, Field] = {}
    for name, kind, flags in table().get(message, {}).values():
        if "i" in flags:
            found.update(fields_of(kind))
        else:
            found[name] = Field(kind, "r" in flags)
    return found


def fit_object(obj: Obj, api_version: str, kind: str) -> Fitted:
    """Fit the body of a create or update.

    Raises:
        BadRequestError: a value has the wrong type.
    """
    try:
        return fit_document(obj, api_version, kind, whole=True)
    except WrongTypeError as error:
        raise BadRequestError(f"{_cannot(api_version, kind)}: {error}") from None


def fit_document(document: Any, api_version: str, kind: str, *, whole: bool = False) -> Fitted:
    """Fit an object, or part of one such as a patch.

    Args:
        document: it.
        api_version: of its kind.
        kind: what it is.
        whole: empty values and nulls say nothing, and are left out as Go leaves them out.

    Raises:
        WrongTypeError: a value has the wrong type.
    """
    message = message_name(api_version, kind)
    if message not in table():
        return _fit_custom(document, whole=whole)
    fitter = _Fitter(whole=whole)
    return Fitted(fitter.message(document, message, None, _NOWHERE), fitter.unknown)


def _fit_custom(document: Any, *, whole: bool) -> Fitted:
    """Fit the metadata of an object whose kind is not in the table."""
    if not isinstance(document, dict) or document.get("metadata") is None:
        return Fitted(document, [])
    fitter = _Fitter(whole=whole, typed=False)
    meta = fitter.message(document["metadata"], f"{META}.ObjectMeta", None, _NOWHERE)
    return Fitted({**document, "metadata": meta}, [f"metadata.{path}" for path in fitter.unknown])


def fit_changed(document: Any, api_version: str, kind: str) -> Fitted:
    """Fit an object that a policy changed.

    Raises:
        WrongTypeError: a value has the wrong type.
    """
    return fit_document(document, api_version, kind, whole=True)


def strict_error(unknown: list[str], api_version: str, kind: str) -> BadRequestError:
    """Return the refusal of a document with unknown fields."""
    return BadRequestError(
        f"{_cannot(api_version, kind)}: strict decoding error: {', '.join(warnings(unknown))}"
    )


def warnings(unknown: list[str]) -> list[str]:
    """Return the same as texts, sorted as the API server sorts them."""
    return [f'unknown field "{path}"' for path in sorted(unknown)]


def _cannot(api_version: str, kind: str) -> str:
    return f'{kind} in version "{api_version.rpartition("/")[2]}" cannot be handled as a {kind}'


class _Fitter:
    """Walks one document. A place is only made a text when something is wrong there.

    Args:
        whole: empty values and nulls are left out.
        typed: the document is an object, with ``apiVersion`` and ``kind``.
    """

    def __init__(self, *, whole: bool, typed: bool = True) -> None:
        self.unknown: list[str] = []
        self._whole = whole
        self._typed = typed

    def message(self, value: Any, name: str, place: _Place, owner: _Owner) -> Any:
        """Fit an object.

        Args:
            value: what is there.
            name: the message it should be.
            place: where.
            owner: the Go struct and field for errors.
        """
        if not isinstance(value, dict):
            raise _wrong(value, owner, name)
        fields = fields_of(name)
        letters = go_fields_of(name) if self._whole else {}
        result: dict[str, Any] = {}
        for key, inner in value.items():
            field = fields.get(key)
            if place is None and self._typed and key in ("kind", "apiVersion"):
                result[key] = inner
            elif field is None:
                if key.startswith("$"):  # directives of a strategic merge patch
                    result[key] = inner
                elif (inner is not None or self._whole) and len(self.unknown) < _MAX_UNKNOWN:
                    self.unknown.append(_text((place, key)))  # a patch may remove what is not there
            elif inner is None:
                if not self._whole:
                    result[key] = None
            elif not isinstance(inner, list | dict) and is_left_out(letters.get(key, ""), inner):
                continue  # an empty list or map is not the same to Go as none, until it is written
            else:
                here = (place, key)
                result[key] = self._field(inner, field, here, (name, here))
        return result

    def _field(self, value: Any, field: Field, place: _Place, owner: _Owner) -> Any:
        kind = field.kind
        if kind == "string" and isinstance(value, str) and not field.repeated:
            return value  # which most are
        if kind.startswith("map<"):
            inner = _inner(kind)
            if not isinstance(value, dict):
                raise _wrong(value, owner, f"map[string]{_short(inner)}")
            if self._whole and inner in _TEXTS:
                value = {key: "" if each is None else each for key, each in value.items()}
            if inner == "string" and all(isinstance(each, str) for each in value.values()):
                return value
            return {
                key: None if each is None else self._value(each, inner, (place, key), owner)
                for key, each in value.items()
                if each is not None or not self._whole
            }
        if not field.repeated:
            return self._value(value, kind, place, owner)
        if not isinstance(value, list):
            raise _wrong(value, owner, f"[]{_short(kind)}")
        nothing = _zero(kind) if self._whole and None in value else None
        return [
            nothing if each is None else self._value(each, kind, (place, index), owner)
            for index, each in enumerate(value)
        ]

    def _value(self, value: Any, kind: str, place: _Place, owner: _Owner) -> Any:
        if kind in _TEXTS:
            return _string(value, kind, owner)
        if kind in _ANY:
            return value
        if kind in _TIMES:
            return _time(value, kind, owner)
        if kind in _PLAIN:
            return _checked(value, _PLAIN[kind][0], owner, _PLAIN[kind][1])
        if kind in _RANGES:
            return _integer(value, kind, owner)
        if kind == _QUANTITY:
            return _quantity(value, owner)
        if kind in CHOICES:
            return self._choice(value, kind, owner)
        if kind in _LISTS:
            return _checked(value, list, owner, "[]string")
        return self.message(value, kind, place, owner) if kind in table() else value

    def _choice(self, value: Any, kind: str, owner: _Owner) -> Any:
        """Fit a schema or something else; what is unknown in it goes unsaid: Go reads it apart."""
        apart = _Fitter(whole=self._whole)
        if isinstance(value, dict):
            return apart.message(value, SCHEMA, None, _NOWHERE)
        if kind.endswith("OrBool"):
            if not isinstance(value, bool):
                raise WrongTypeError("boolean or JSON schema expected")
            return value
        if not isinstance(value, list):
            return None
        if kind.endswith("OrStringArray"):
            return [_checked(each, str, owner, "string") for each in value]
        return [apart.message(each, SCHEMA, None, _NOWHERE) for each in value]


def _zero(kind: str) -> Any:
    """Return what a null in a list is to Go."""
    if kind in _TEXTS:
        return ""
    if kind in _RANGES:
        return 0
    return {} if kind in table() and kind not in _SPECIAL else None


def _checked(value: Any, types: type | tuple[type, ...], owner: _Owner, name: str) -> Any:
    if not isinstance(value, types) or (isinstance(value, bool) and types is not bool):
        raise _wrong(value, owner, name)
    return value


def _string(value: Any, kind: str, owner: _Owner) -> str:
    text: str = _checked(value, str, owner, kind)
    error = base64_error(text) if kind == "bytes" else ""
    if error:
        raise WrongTypeError(error)
    return text


def _time(value: Any, kind: str, owner: _Owner) -> str:
    text = _checked(value, str, owner, kind)
    try:
        return normal_time(text, _TIMES[kind])
    except ValueError as error:
        raise WrongTypeError(str(error)) from None


def _integer(value: Any, kind: str, owner: _Owner) -> int:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not -_RANGES[kind] <= value < _RANGES[kind]:
        raise _wrong(value, owner, kind)
    return value


def _quantity(value: Any, owner: _Owner) -> str:
    """Return a quantity as text; it may come as a number."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise _wrong(value, owner, _QUANTITY)
    text = value if isinstance(value, str) else str(value)
    error = quantity_error(text)
    if error:
        raise WrongTypeError(error)
    return text


def _wrong(value: Any, owner: _Owner, kind: str) -> WrongTypeError:
    words: dict[type, str] = {str: "string", bool: "bool", dict: "object", list: "array"}
    word = words.get(type(value)) or ("number" if kind not in _RANGES else f"number {value}")
    name, place = owner
    field = f"struct field {name.rpartition('.')[2]}.{_text(place, indexed=False)}" if place else "value"
    return WrongTypeError(f"json: cannot unmarshal {word} into Go {field} of type {_short(kind)}")


def _text(place: _Place, *, indexed: bool = True) -> str:
    """Return a place as "spec.containers[0].image", or without the indexes."""
    parts: list[str] = []
    while place is not None:
        place, last = place
        if isinstance(last, str):
            parts.append(f".{last}")
        elif indexed:
            parts.append(f"[{last}]")
    return "".join(reversed(parts)).removeprefix(".")


def _short(kind: str) -> str:
    """Return a type as Go names it: "v1.PodSpec"."""
    plain = {"bytes": "[]uint8", "double": "float64"}
    return plain.get(kind) or ".".join(kind.split(".")[-2:])


def _inner(kind: str) -> str:
    return kind[len("map<string,") : -1]
