"""What variables of expressions are: anything, or what a structural schema says.

An expression of a custom resource is compiled twice: with types, to tell what is wrong with it, and without,
to be evaluated on plain JSON. The types are made of messages, one for each object with properties. What no
message can hold (lists of lists, integers or strings) is anything. `Declarations` are equal by identity: who
compiles many expressions over the same variables keeps one.

Source: k8s.io/apiextensions-apiserver/pkg/apiserver/schema/cel/model/schemas.go,
k8s.io/apiserver/pkg/cel/escaping.go (Kubernetes 1.36).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from leeward.cluster.cel.authorizer import add_types, declarations

if TYPE_CHECKING:
    from cel_expr_python import cel
    from google.protobuf.descriptor_pb2 import DescriptorProto, FieldDescriptorProto
    from google.protobuf.descriptor_pool import DescriptorPool

Schema = Mapping[str, Any]

_RESERVED = frozenset(
    (
        "true", "false", "null", "in", "as", "break", "const", "continue", "else", "for", "function", "if",
        "import", "let", "loop", "package", "namespace", "return", "var", "void", "while",
    )
)  # fmt: skip
_ESCAPES = {"__": "__underscores__", ".": "__dot__", "-": "__dash__", "/": "__slash__"}
_SPECIAL = re.compile(r"__|[.\-/]")
_IDENTIFIER = re.compile(r"^[A-Za-z_][A-Za-z0-9_]*$")
_ANY = "google.protobuf.Value"
_FORMATS = {
    "date": "google.protobuf.Timestamp",
    "date-time": "google.protobuf.Timestamp",
    "duration": "google.protobuf.Duration",
    "byte": "bytes",
}
_SCALARS = {"boolean": "bool", "integer": "int", "number": "double"}
# FieldDescriptorProto.Type and Label; their enumerations are loaded with the first expression
_FIELD_TYPES: Mapping[str, Any] = {"bool": 8, "int": 3, "double": 1, "string": 9, "bytes": 12}
_MESSAGE: Any = 11
_ONE: Any = 1
_MANY: Any = 3
_OBJECT_META: Mapping[str, Schema] = {
    "apiVersion": {"type": "string"},
    "kind": {"type": "string"},
    "metadata": {
        "type": "object",
        "properties": {"name": {"type": "string"}, "generateName": {"type": "string"}},
    },
}


def escaped(name: str) -> str | None:
    """Return the name by which an expression knows a property; None: it cannot be named."""
    if name in _RESERVED:
        return f"__{name}__"
    text = _SPECIAL.sub(lambda found: _ESCAPES[found[0]], name)
    return text if _IDENTIFIER.match(text) else None


def is_object(schema: Schema, *, root: bool) -> bool:
    """Tell whether a value is a whole object, which has a kind and metadata whatever its schema says."""
    return root or bool(schema.get("x-kubernetes-embedded-resource"))


def properties_of(schema: Schema, *, root: bool) -> Mapping[str, Schema]:
    """Return the properties that an expression may name, by their names in the schema."""
    own: Mapping[str, Schema] = schema.get("properties") or {}
    return {**own, **_OBJECT_META} if is_object(schema, root=root) else own


class Declarations:
    """The variables of expressions.

    Args:
        variables: names of those that may be anything.
        schemas: those with a structural schema.
        root: whether schemas are those of whole objects.
        authorizer: whether there is one; "typed" to look at types only, "plain" to evaluate.
    """

    def __init__(
        self,
        variables: Sequence[str] = (),
        schemas: Mapping[str, Schema] | None = None,
        *,
        root: bool = False,
        authorizer: Literal["", "typed", "plain"] = "",
    ) -> None:
        self._authorizer = authorizer
        self._variables = variables
        self._schemas = schemas or {}
        self._root = root

    def environment(self, messages: DescriptorPool | None = None) -> cel.Env:
        """Return the environment in which expressions over these variables are compiled.

        Args:
            messages: that may be constructed; only where variables have no schemas.
        """
        from cel_expr_python import cel

        from leeward.cluster.cel.library import extensions

        variables = dict.fromkeys(self._variables, cel.Type.DYN)
        if not self._schemas:
            known_functions = extensions()
            if self._authorizer == "typed":
                messages = messages or _empty_pool()
                add_types(messages)
            if self._authorizer:
                more, functions = declarations(typed=self._authorizer == "typed")
                variables, known_functions = {**variables, **more}, [*known_functions, functions]
            return cel.NewEnv(messages, variables=variables, extensions=known_functions)
        made = _Messages()
        known: dict[int, str] = {}
        for name, schema in self._schemas.items():
            if id(schema) not in known:
                known[id(schema)] = made.signature(schema, root=self._root)
            variables[name] = cel.Type(known[id(schema)])
        return cel.NewEnv(made.pool(), variables=variables, extensions=extensions())


def _empty_pool() -> DescriptorPool:
    from google.protobuf import descriptor_pool

    return descriptor_pool.DescriptorPool()


class _Messages:
    """Messages for the objects of schemas."""

    def __init__(self) -> None:
        from google.protobuf import descriptor_pb2

        self._file = descriptor_pb2.FileDescriptorProto(
            name="schema.proto",
            package="schema",
            syntax="proto3",
            dependency=[f"google/protobuf/{name}.proto" for name in ("duration", "struct", "timestamp")],
        )

    def pool(self) -> DescriptorPool:
        from google.protobuf import descriptor_pool, duration_pb2, struct_pb2, timestamp_pb2

        pool = descriptor_pool.DescriptorPool()
        for module in (duration_pb2, struct_pb2, timestamp_pb2):
            pool.AddSerializedFile(module.DESCRIPTOR.serialized_pb)
        pool.Add(self._file)
        return pool

    def signature(self, schema: Schema, *, root: bool = False) -> str:
        """Return the type of what a schema describes, as the library writes it: "list<schema.M1>"."""
        kind = schema.get("type")
        if schema.get("x-kubernetes-int-or-string"):
            return _ANY
        if kind == "string":
            return _FORMATS.get(schema.get("format") or "", "string")
        if kind == "array":
            return f"list<{self.signature(schema.get('items') or {})}>"
        if kind == "object" or root:
            return self._object(schema, root)
        return _SCALARS.get(kind or "", _ANY)

    def _object(self, schema: Schema, root: bool) -> str:
        extra = schema.get("additionalProperties")
        if isinstance(extra, Mapping):
            return f"map<string, {self.signature(extra)}>"
        properties = properties_of(schema, root=root)
        if not properties and schema.get("x-kubernetes-preserve-unknown-fields"):
            return _ANY
        return self._message(properties)

    def _message(self, properties: Mapping[str, Schema]) -> str:
        message = self._file.message_type.add(name=f"M{len(self._file.message_type)}")
        for name, schema in properties.items():
            known_as = escaped(name)
            if known_as is not None:
                self._field(message, known_as, self.signature(schema))
        return f"schema.{message.name}"

    def _field(self, message: DescriptorProto, name: str, signature: str) -> None:
        field = message.field.add(name=name, number=len(message.field) + 1, label=_ONE)
        inner = signature[:-1].partition("<")[2]
        if signature.startswith("list<") and "<" not in inner:
            field.label = _MANY
            _set_type(field, inner)
        elif signature.startswith("map<") and "<" not in (value := inner.partition(", ")[2]):
            entry = message.nested_type.add(name=_entry_name(name))
            entry.options.map_entry = True
            _set_type(entry.field.add(name="key", number=1, label=_ONE), "string")
            _set_type(entry.field.add(name="value", number=2, label=_ONE), value)
            field.label = _MANY
            _set_type(field, f"schema.{message.name}.{entry.name}")
        else:
            _set_type(field, _ANY if "<" in signature else signature)


def _entry_name(field: str) -> str:
    """Return what protobuf calls the entries of a map."""
    return "".join(f"{part[:1].upper()}{part[1:]}" for part in field.split("_")) + "Entry"


def _set_type(field: FieldDescriptorProto, signature: str) -> None:
    number = _FIELD_TYPES.get(signature)
    if number is None:
        field.type, field.type_name = _MESSAGE, f".{signature}"
    else:
        field.type = number
