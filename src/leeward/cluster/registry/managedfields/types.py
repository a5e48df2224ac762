"""The types of kinds, made when they are first needed and kept.

Source: ``kubernetes-validate`` for built-in kinds, the structural schema for custom ones.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from leeward.cluster.registry.managedfields.schema import DEDUCED, Type, make_type
from leeward.kube.definitions import kinds, read_definitions
from leeward.kube.gofields import go_fields
from leeward.kube.objects import Obj
from leeward.kube.resources import readable_definitions

_OBJECT_META = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"


@lru_cache(maxsize=256)
def built_in_type(api_version: str, kind: str) -> Type:
    """Return the type of a built-in kind; deduced when there is no definition."""
    group, _, version = api_version.rpartition("/")
    definitions = read_definitions()
    name = kinds(definitions).get((group, version, kind))
    return _made(name, definitions) if name else DEDUCED


def _made(name: str, definitions: dict[str, Any]) -> Type:
    made = make_type(definitions[name], definitions.__getitem__)
    made.letters = go_fields(name)
    return made


@lru_cache(maxsize=1)
def _metadata_type() -> Type:
    definitions = read_definitions()
    return _made(_OBJECT_META, definitions)


class CustomTypes:
    """The types of custom kinds, by definition and version; remade when a definition changes."""

    def __init__(self) -> None:
        self._made: dict[tuple[str, str], tuple[str, Type]] = {}

    def find(self, definitions: Iterable[Obj], api_version: str, kind: str) -> Type:
        """Return the type of a custom kind; deduced when it has no schema."""
        group, _, version = api_version.rpartition("/")
        for definition in readable_definitions(definitions):
            spec = definition["spec"]
            if spec["group"] == group and spec["names"]["kind"] == kind:
                return self._of(definition, version)
        return DEDUCED

    def _of(self, definition: Obj, version: str) -> Type:
        meta = definition["metadata"]
        key = (meta["uid"], version)
        known = self._made.get(key)
        if known is None or known[0] != meta["resourceVersion"]:
            known = self._made[key] = (meta["resourceVersion"], _custom_type(definition["spec"], version))
        return known[1]


def _custom_type(spec: Obj, version: str) -> Type:
    found: Any = next((each for each in spec.get("versions") or () if each["name"] == version), {})
    schema = (found.get("schema") or {}).get("openAPIV3Schema")
    if not schema:
        return DEDUCED
    made = make_type(schema)
    if made.kind != "map":
        return DEDUCED
    made.sparse = True
    made.fields.update(metadata=_metadata_type(), apiVersion=Type(), kind=Type())
    return made
