"""Expressions that construct objects, as mutating policies have: ``Object{spec: Object.spec{replicas: 2}}``.

Types of objects are named by the path at which they are used and have whatever fields they are given;
nothing declares them. The library only knows messages that are declared, so an expression is compiled in two
steps. Its types are checked with a message for each name in it, of the same length but without dots, so that
places in errors stay right. Then the tree is changed: what was a message is a map that says under `TYPE` what
it is, and numbers stay what they are.

Source: k8s.io/apiserver/pkg/cel/mutation (Kubernetes 1.36).
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from string import ascii_letters, digits
from typing import TYPE_CHECKING, Any

from leeward.cluster.cel.expressions import Program, compiled, environment_of, type_text
from leeward.cluster.cel.syntax import Tree, expression_of, nodes, tree_of

if TYPE_CHECKING:
    from google.protobuf.descriptor_pool import DescriptorPool

    from leeward.cluster.cel.types import Declarations

TYPE = "\0type"
OBJECT, PATCH = "Object", "JSONPatch"
_PATCH_FIELDS = {"op": "string", "path": "string", "from": "string", "value": "dyn"}
_DYNAMIC = "google.protobuf.Value"


class ConstructionError(Exception):
    """What an expression made has parts of the wrong type."""


def compile_construction(source: str, declared: Declarations) -> Program:
    """Compile an expression over `declared` variables that may construct objects and patches.

    Raises:
        CelSyntaxError: it is not an expression, or its types do not fit.
    """
    environment = environment_of(declared)
    parsed = tree_of(compiled(environment, source, check=False), checked=False)
    found = list(_constructions(parsed))
    if not found:
        return Program(source, type_text(made := compiled(environment, source)), made)
    plain = _plain_names(name for _, name in found)
    names = {short: name for name, short in plain.items()}
    fields = {
        *(entry.field_key for node in nodes(parsed.expr) for entry in node.struct_expr.entries),
        *(node.select_expr.field for node in nodes(parsed.expr)),
    }
    typed = declared.environment(_pool(plain, sorted(filter(str.isidentifier, fields))))
    made = compiled(typed, _renamed(source, found, plain), names)
    tree = tree_of(made)
    _make_maps(tree, names)
    return Program(source, type_text(made, names), expression_of(tree, typed))


def _constructions(parsed: Tree) -> Iterator[tuple[int, str]]:
    """Yield where objects are constructed and what they are called."""
    places = {each.key: each.value for each in parsed.source_info.positions}
    for node in nodes(parsed.expr):
        name = node.struct_expr.message_name
        if name in (PATCH, OBJECT) or name.startswith(f"{OBJECT}."):
            yield places.get(node.id, 0), name


def _plain_names(names: Iterable[str]) -> dict[str, str]:
    """Return a name without dots and of the same length for each name."""
    plain: dict[str, str] = {}
    for name in sorted(set(names)):
        for letter in f"_{digits}{ascii_letters}":
            short = name.replace(".", letter)
            if short not in plain.values():
                plain[name] = short
                break
    return plain


def _renamed(source: str, found: Iterable[tuple[int, str]], plain: Mapping[str, str]) -> str:
    for place, name in found:
        written = re.compile(r"\s*\.\s*".join(map(re.escape, name.split(".")))).match(source, place)
        if written is not None:
            source = source[:place] + plain[name].ljust(len(written[0])) + source[written.end() :]
    return source


def _pool(plain: Mapping[str, str], fields: Sequence[str]) -> DescriptorPool:
    from google.protobuf import descriptor_pb2, descriptor_pool, struct_pb2

    file = descriptor_pb2.FileDescriptorProto(
        name="object.proto", syntax="proto3", dependency=["google/protobuf/struct.proto"]
    )
    for name, short in plain.items():
        message = file.message_type.add(name=short)
        message.options.deprecated_legacy_json_field_conflicts = True
        kinds = _PATCH_FIELDS if name == PATCH else dict.fromkeys(fields, "dyn")
        for number, (field, kind) in enumerate(kinds.items(), 1):
            made = message.field.add(name=field, number=number)
            made.label = 1  # type: ignore[assignment]
            if kind == "string":
                made.type = 9  # type: ignore[assignment]
            else:
                made.type, made.type_name = 11, f".{_DYNAMIC}"  # type: ignore[assignment]
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(struct_pb2.DESCRIPTOR.serialized_pb)
    pool.Add(file)
    return pool


def _make_maps(checked: Tree, names: Mapping[str, str]) -> None:
    """Make maps of constructed objects in a tree, which say what they were."""
    changed: set[int] = set()
    for node in nodes(checked.expr):
        made = node.struct_expr
        if made.message_name not in names:
            continue
        changed.add(node.id)
        for entry in made.entries:
            name = entry.field_key
            entry.map_key.id, entry.map_key.const_expr.string_value = entry.id, name
        kind = made.entries.add()
        kind.map_key.const_expr.string_value = TYPE
        kind.value.const_expr.string_value = names[made.message_name]
        made.message_name = ""
    for entries in (checked.reference_map, checked.type_map):
        kept = [each for each in entries if each.key not in changed]
        del entries[:]
        entries.extend(kept)


def as_json(value: Any) -> Any:
    """Return what an expression made as JSON, once its names are known to be right.

    Raises:
        ConstructionError: it is nothing that JSON can say.
    """
    if isinstance(value, Mapping):
        return {key: as_json(value[key]) for key in sorted(value) if key != TYPE}
    if isinstance(value, list):
        return [as_json(each) for each in value]
    if isinstance(value, datetime):
        return f"{value.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%f}".rstrip("0").rstrip(".") + "Z"
    if isinstance(value, timedelta):
        return f"{value.total_seconds():.9f}".rstrip("0").rstrip(".") + "s"
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, float):
        return int(value) if value.is_integer() else value
    if value is None or isinstance(value, str | int):
        return value
    raise ConstructionError(f"unsupported type {type(value).__name__}")


def check_names(value: Mapping[str, Any]) -> None:
    """Check that objects in an object are called by the path at which they are.

    Raises:
        ConstructionError: one is not.
    """
    found = list(_misnamed(value, value[TYPE]))
    if found:
        raise ConstructionError("type mismatch: " + "\n".join(found))


def _misnamed(value: Any, path: str) -> Iterator[str]:
    if isinstance(value, list):
        for each in value:
            yield from _misnamed(each, path)
    elif isinstance(value, Mapping):
        name = value.get(TYPE)
        if name is not None and name != path:
            yield (
                f'unexpected type name "{name}", expected "{path}", which matches field name path from root '
                f"{OBJECT} type"
            )
        for key, each in value.items():
            yield from _misnamed(each, path if name is None else f"{path}.{key}")
