"""What a value is made of, as far as ownership of its fields is concerned.

Made of Kubernetes' own definitions for built-in kinds and of the structural schema for custom ones; a
value without a schema is taken as it looks: maps merge by key, lists are one field.

Source: sigs.k8s.io/structured-merge-diff/v6/schema; k8s.io/kube-openapi/pkg/schemaconv.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from leeward.kube.gofields import go_fields, zero_of

Definition = Mapping[str, Any]
Lookup = Callable[[str], Definition]
_REFERENCE = "#/$defs/"
_SCALARS = (
    "io.k8s.apimachinery.pkg.api.resource.Quantity",
    "io.k8s.apimachinery.pkg.runtime.RawExtension",  # whatever is in it has one owner
    "io.k8s.apimachinery.pkg.util.intstr.IntOrString",
)
# Of container and Service ports, and of references by name; definitions do not carry defaults.
KEY_DEFAULTS = {"protocol": "TCP", "name": ""}


@dataclass(slots=True)
class Type:
    """A scalar, unless it is a map or a list. `deduced`: whatever the value looks like."""

    kind: str = "scalar"  # "scalar", "map", "list" or "deduced"
    fields: dict[str, Type] = field(default_factory=dict)  # of a map
    letters: Mapping[str, str] = field(default_factory=dict)  # how Go writes the fields; {}: no Go struct
    element: Type | None = None  # of a list, or of the other keys of a map
    atomic: bool = False  # owned as a whole
    sparse: bool = False  # an empty value has no fields but metadata: no Go struct stands behind it
    keys: tuple[str, ...] = ()  # of an associative list; () for a set
    defaults: Mapping[str, Any] = field(default_factory=dict)  # of keys


SCALAR = Type()
DEDUCED = Type("deduced")
DEDUCED.element = DEDUCED


def make_type(definition: Definition, lookup: Lookup | None = None) -> Type:
    """Return the type that a schema describes.

    Args:
        definition: an OpenAPI schema.
        lookup: returns the schema of a referenced name; types may refer to themselves.
    """
    return _Maker(lookup).make(definition)


class _Maker:
    def __init__(self, lookup: Lookup | None) -> None:
        self._lookup = lookup
        self._known: dict[str, Type] = {}

    def make(self, definition: Definition) -> Type:
        reference = definition.get("$ref")
        if isinstance(reference, str) and self._lookup is not None:
            made = self._referenced(reference.removeprefix(_REFERENCE))
            kind = definition.get("x-kubernetes-map-type")
            if kind is not None and (kind == "atomic") != made.atomic:
                return Type("map", made.fields, made.letters, made.element, atomic=kind == "atomic")
            return made
        made = Type()
        self._fill(made, definition)
        return made

    def _referenced(self, name: str) -> Type:
        if name in _SCALARS:
            return SCALAR
        known = self._known.get(name)
        if known is None:
            known = self._known[name] = Type()
            assert self._lookup is not None
            self._fill(known, self._lookup(name))
            known.letters = go_fields(name)
        return known

    def _fill(self, made: Type, definition: Definition) -> None:
        kind = _kind(definition)
        if definition.get("x-kubernetes-preserve-unknown-fields") and "properties" not in definition:
            made.kind, made.element = "deduced", DEDUCED
        elif kind == "array":
            self._fill_list(made, definition)
        elif kind == "object":
            self._fill_map(made, definition)
        elif not kind and "oneOf" not in definition and not definition.get("x-kubernetes-int-or-string"):
            made.kind, made.element = "deduced", DEDUCED

    def _fill_list(self, made: Type, definition: Definition) -> None:
        made.kind = "list"
        relationship = definition.get("x-kubernetes-list-type")
        items = definition.get("items") or {}
        made.element = self.make(items) if items else DEDUCED
        made.atomic = relationship not in ("set", "map")
        if relationship == "map":
            made.keys = tuple(definition.get("x-kubernetes-list-map-keys") or ())
            properties = items.get("properties") or {}
            found = {key: properties.get(key, {}).get("default") for key in made.keys}
            if self._lookup is not None:
                found = {key: KEY_DEFAULTS.get(key) for key in made.keys}
            made.defaults = {key: value for key, value in found.items() if value is not None}

    def _fill_map(self, made: Type, definition: Definition) -> None:
        properties = definition.get("properties") or {}
        extra = definition.get("additionalProperties")
        if not properties and not extra and self._lookup is not None:
            made.kind, made.element = "deduced", DEDUCED
            return
        made.kind = "map"
        made.atomic = definition.get("x-kubernetes-map-type") == "atomic"
        made.fields = {name: self.make(schema) for name, schema in properties.items()}
        if isinstance(extra, Mapping):
            made.element = self.make(extra)
        elif definition.get("x-kubernetes-preserve-unknown-fields"):
            made.element = DEDUCED


def _kind(definition: Definition) -> str:
    kind = definition.get("type", "")
    if isinstance(kind, list):
        kind = next((each for each in kind if each != "null"), "")
    if not kind and "properties" in definition:
        return "object"
    return str(kind)


def zero(kind: Type) -> dict[str, Any]:
    """Return an object of type `kind` as it is before anybody has written anything into it."""
    if kind.sparse:
        return {"metadata": zero(kind.fields["metadata"])}
    if not kind.letters:
        return {
            name: zero(kind.fields[name]) for name in ("metadata", "spec", "status") if name in kind.fields
        }
    return {
        name: zero(kind.fields[name]) if letter == "O" else zero_of(letter)
        for name, letter in kind.letters.items()
        if letter.isupper() and name in kind.fields
    }
