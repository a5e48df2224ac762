"""Expressions as trees: what the library hands out when it serializes an expression, and takes back.

Only the part of the messages is declared that is read here; whatever else is in a tree survives.

Source: github.com/google/cel-spec proto/cel/expr/{syntax,checked}.proto.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cel_expr_python import cel
    from google.protobuf.descriptor_pb2 import DescriptorProto, FileDescriptorProto

# A tree is a message without a type that a type checker could know.
Tree = Any

_PACKAGE = "cel.expr"
_SCALARS = {"double": 1, "int64": 3, "uint64": 4, "int32": 5, "bool": 8, "string": 9, "bytes": 12}
# Message → its fields, as "name number type"; "*" are many, of those with "?" there is one. Dots nest.
_MESSAGES = {
    "Expr": "id 2 int64, const_expr 3 Constant?, ident_expr 4 Expr.Ident?, select_expr 5 Expr.Select?, "
    "call_expr 6 Expr.Call?, list_expr 7 Expr.CreateList?, struct_expr 8 Expr.CreateStruct?, "
    "comprehension_expr 9 Expr.Comprehension?",
    "Expr.Ident": "name 1 string",
    "Expr.Select": "operand 1 Expr, field 2 string, test_only 3 bool",
    "Expr.Call": "target 1 Expr, function 2 string, args 3 Expr*",
    "Expr.CreateList": "elements 1 Expr*",
    "Expr.CreateStruct": "message_name 1 string, entries 2 Expr.CreateStruct.Entry*",
    "Expr.CreateStruct.Entry": "id 1 int64, field_key 2 string?, map_key 3 Expr?, value 4 Expr",
    "Expr.Comprehension": "iter_var 1 string, iter_range 2 Expr, accu_var 3 string, accu_init 4 Expr, "
    "loop_condition 5 Expr, loop_step 6 Expr, result 7 Expr",
    "Constant": "null_value 1 int32?, bool_value 2 bool?, int64_value 3 int64?, uint64_value 4 uint64?, "
    "double_value 5 double?, string_value 6 string?, bytes_value 7 bytes?",
    "Type": "primitive 3 int32?, well_known 5 int32?, list_type 6 Type.ListType?, map_type 7 Type.MapType?, "
    "message_type 9 string?",
    "Type.ListType": "elem_type 1 Type",
    "Type.MapType": "key_type 1 Type, value_type 2 Type",
    "Reference": "overload_id 3 string*",
    "Referred": "key 1 int64, value 2 Reference",
    "Typed": "key 1 int64, value 2 Type",
    "Number": "key 1 int64, value 2 int32",
    "SourceInfo": "positions 4 Number*",
    "ParsedExpr": "expr 2 Expr, source_info 3 SourceInfo",
    "CheckedExpr": "reference_map 2 Referred*, type_map 3 Typed*, expr 4 Expr, source_info 5 SourceInfo",
    "Any": "type_url 1 string, value 2 bytes",
}


@lru_cache(maxsize=1)
def _classes() -> dict[str, Callable[[], Tree]]:
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

    file = descriptor_pb2.FileDescriptorProto(name="syntax.proto", package=_PACKAGE, syntax="proto3")
    for name, fields in _MESSAGES.items():
        message = _nested(file, name)
        for field in fields.split(", "):
            _add_field(message, field)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    found = {name: pool.FindMessageTypeByName(f"{_PACKAGE}.{name}") for name in _MESSAGES}
    return {name: message_factory.GetMessageClass(each) for name, each in found.items()}


def _nested(file: FileDescriptorProto, name: str) -> DescriptorProto:
    """Return a new message, which is in the one that the name says."""
    first, *inner = name.split(".")
    if not inner:
        return file.message_type.add(name=first)
    message = next(each for each in file.message_type if each.name == first)
    for part in inner[:-1]:
        message = next(each for each in message.nested_type if each.name == part)
    return message.nested_type.add(name=inner[-1])


def _add_field(message: DescriptorProto, text: str) -> None:
    name, number, kind = text.split()
    field = message.field.add(name=name, number=int(number))
    field.label = 3 if kind.endswith("*") else 1  # type: ignore[assignment]
    if kind.endswith("?"):
        field.oneof_index = 0
        if not message.oneof_decl:
            message.oneof_decl.add(name="kind")
    kind = kind.rstrip("*?")
    scalar = _SCALARS.get(kind)
    if scalar is None:
        field.type, field.type_name = 11, f".{_PACKAGE}.{kind}"  # type: ignore[assignment]
    else:
        field.type = scalar  # type: ignore[assignment]


def tree_of(expression: cel.Expression, *, checked: bool = True) -> Tree:
    """Return a CheckedExpr, or the ParsedExpr of an expression whose types were not looked at."""
    return _read("CheckedExpr" if checked else "ParsedExpr", _read("Any", expression.serialize()).value)


def _read(name: str, data: bytes) -> Tree:
    made = _classes()[name]()
    made.ParseFromString(data)
    return made


def expression_of(checked: Tree, environment: cel.Env) -> cel.Expression:
    """Return the expression that a CheckedExpr is."""
    packed = _classes()["Any"]()
    packed.type_url = f"type.googleapis.com/{_PACKAGE}.CheckedExpr"
    packed.value = checked.SerializeToString()
    return environment.deserialize(packed.SerializeToString())


def nodes(tree: Tree) -> Iterator[Tree]:
    """Yield an Expr and all below it."""
    yield tree
    for below in children(tree):
        yield from nodes(below)


def children(node: Tree) -> Iterator[Tree]:
    """Yield the Exprs directly below one."""
    for _, part in node.ListFields():
        if hasattr(part, "ListFields"):
            yield from _in_part(part)


def _in_part(part: Tree) -> Iterator[Tree]:
    for field, value in part.ListFields():
        if field.message_type is None:
            continue
        for each in value if field.is_repeated else (value,):
            if field.message_type.name == "Entry":
                yield from _in_part(each)
            else:
                yield each
