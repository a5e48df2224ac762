"""What an expression costs at most, estimated from its tree and from the sizes that a schema allows.

Nothing is evaluated. A size comes, in this order, from what is written in the expression, from the schema at
the path of a value, from its type, and from what is known of a local variable.

Source: github.com/google/cel-go/checker/cost.go, with the options of k8s.io/apiserver/pkg/cel/environment
(Kubernetes 1.36).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from leeward.cluster.cel.callcosts import Call, Operand, call_cost
from leeward.cluster.cel.ranges import MOST, NOTHING, ONE, UNKNOWN, Range, fixed
from leeward.cluster.cel.sizes import Size
from leeward.cluster.cel.syntax import Tree

_LIST, _MAP, _MESSAGE = fixed(10), fixed(30), fixed(40)  # to create one
_PRIMITIVES = {1: "bool", 2: "int", 3: "uint", 4: "double", 5: "string", 6: "bytes"}
_WELL_KNOWN = {2: "timestamp", 3: "duration"}
_ONE_SIZE = frozenset(("bool", "int", "uint", "double", "timestamp", "duration"))
_SELECTABLE = frozenset(("map", "message"))
_ACCUMULATOR = "@result"
_EMPTY = Range(MOST, 0)  # has nothing in it yet
Path = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Entries:
    """Sizes of keys and values in a list or map that an expression makes."""

    is_list: bool
    key: Range
    value: Range

    def union(self, other: _Entries | None) -> _Entries | None:
        if other is None:
            return None
        return _Entries(self.is_list, self.key.union(other.key), self.value.union(other.value))


@dataclass(frozen=True, slots=True)
class _Local:
    """A variable that an expression has made itself."""

    path: Path
    size: Range | None
    entries: _Entries | None = None


def estimated_cost(checked: Tree, size: Size) -> int:
    """Return the most that an expression costs, in units of some 50 ns.

    Args:
        checked: the CheckedExpr.
        size: of what its variables are.
    """
    return _Estimate(checked, size).cost(checked.expr).most


class _Estimate:
    def __init__(self, checked: Tree, size: Size) -> None:
        self._size = size
        self._types = {each.key: each.value for each in checked.type_map}
        self._overloads = {each.key: list(each.value.overload_id) for each in checked.reference_map}
        self._paths: dict[int, Path] = {}
        self._sizes: dict[int, Range] = {}
        self._entries: dict[int, _Entries] = {}
        self._locals: dict[str, list[_Local]] = {}
        self._costs: dict[str, Callable[[Tree], Range]] = {
            "const_expr": lambda node: NOTHING,
            "ident_expr": self._ident,
            "select_expr": self._select,
            "call_expr": self._call,
            "list_expr": self._list,
            "struct_expr": self._struct,
            "comprehension_expr": self._comprehension,
        }

    def cost(self, node: Tree) -> Range:
        kind = node.WhichOneof("kind")
        return NOTHING if kind is None else self._costs[kind](node)

    def _ident(self, node: Tree) -> Range:
        name = node.ident_expr.name
        local = self._local(name)
        self._paths[node.id] = local.path if local is not None else (name,)
        return ONE

    def _select(self, node: Tree) -> Range:
        selected = node.select_expr
        cost = self.cost(selected.operand)
        if selected.test_only:
            return cost
        if self._kind(selected.operand) in _SELECTABLE:
            cost = cost.plus(ONE)
        self._paths[node.id] = (*self._path(selected.operand), selected.field)
        return cost

    def _call(self, node: Tree) -> Range:
        call = node.call_expr
        args: Sequence[Tree] = list(call.args)
        costs = [self.cost(arg) for arg in args]
        if call.function == "dyn":
            self._copy(node, args[0])
            return costs[0].plus(ONE)
        overloads = self._overloads.get(node.id)
        if not overloads:
            return NOTHING
        before, target = NOTHING, None
        if call.HasField("target"):
            before, target = self.cost(call.target), self._operand(call.target)
        cost, size = _EMPTY, None
        for overload in overloads:
            found = self._called(node, overload, target, args, costs)
            cost = cost.union(found.cost)
            if found.size is not None:
                size = found.size if size is None else size.union(found.size)
            size = self._indexed(node, overload, args, size)
        if size is not None:
            self._sizes[node.id] = size
        return before.plus(cost)

    def _indexed(self, node: Tree, overload: str, args: Sequence[Tree], size: Range | None) -> Range | None:
        """Return the size of what is at an index, and note its path."""
        if overload in ("index_list", "index_map") and args:
            entries = self._entries_of(args[0])
            size = None if entries is None else entries.value
            below = "@items" if overload == "index_list" else "@values"
            self._paths[node.id] = (*self._path(args[0]), below)
        return self._known(node) if size is None else size

    def _called(
        self, node: Tree, overload: str, target: Operand | None, args: Sequence[Tree], costs: Sequence[Range]
    ) -> Call:
        if overload in ("logical_and", "logical_or"):
            return Call(Range(costs[0].least, costs[0].plus(costs[1]).most))
        if overload == "conditional":
            both = [self._entries_of(arg) for arg in args[1:]]
            if both[0] is not None:
                self._set_entries(node, both[0].union(both[1]))
            size = self._size_of(args[1]).union(self._size_of(args[2]))
            return Call(costs[0].plus(costs[1].union(costs[2])), size)
        if overload in ("add_list", "add_string", "add_bytes"):
            both = [self._entries_of(arg) for arg in args]
            if both[0] is not None:
                self._set_entries(node, both[0].union(both[1]))
        operands = [self._operand(arg) for arg in args]
        found = call_cost(node.call_expr.function, overload, target, operands)
        total = found.cost
        for each in costs:
            total = total.plus(each)
        return Call(total, found.size)

    def _list(self, node: Tree) -> Range:
        cost, size = _LIST, _EMPTY if node.list_expr.elements else NOTHING
        for each in node.list_expr.elements:
            cost = cost.plus(self.cost(each))
            size = size.union(self._size_of(each))
        self._entries[node.id] = _Entries(True, ONE, size)
        return cost

    def _struct(self, node: Tree) -> Range:
        made = node.struct_expr
        cost = _MESSAGE if made.message_name else _MAP
        key = value = _EMPTY if made.entries else NOTHING
        for each in made.entries:
            cost = cost.plus(self.cost(each.map_key)).plus(self.cost(each.value))
            key, value = key.union(self._size_of(each.map_key)), value.union(self._size_of(each.value))
        if not made.message_name:
            self._entries[node.id] = _Entries(False, key, value)
        return cost

    def _comprehension(self, node: Tree) -> Range:
        loop = node.comprehension_expr
        cost = self.cost(loop.iter_range).plus(self.cost(loop.accu_init))
        start = loop.accu_init
        local = _Local(self._path(start), self._known(start), self._entries_of(start))
        self._locals.setdefault(loop.accu_var, []).append(local)
        if _is_binding(loop):
            cost = cost.plus(self.cost(loop.result))
            self._locals[loop.accu_var].pop()
            self._copy(node, loop.result)
            return cost
        self._locals.setdefault(loop.iter_var, []).append(self._item(loop.iter_range))
        turn = self.cost(loop.loop_condition).plus(self.cost(loop.loop_step))
        self._locals[loop.iter_var].pop()
        cost = cost.plus(self.cost(loop.result))
        self._locals[loop.accu_var].pop()
        turns = self._size_of(loop.iter_range)
        kind = start.WhichOneof("kind")
        if kind == "const_expr":
            self._sizes[node.id] = self._size_of(start)
        elif kind in ("list_expr", "struct_expr"):
            self._sizes[node.id] = turns
            self._set_entries(node, self._entries_of(loop.loop_step))
        return cost.plus(turns.times(turn))

    def _item(self, range_: Tree) -> _Local:
        entries = self._entries_of(range_)
        is_list = self._kind(range_) == "list" if entries is None else entries.is_list
        size = None if entries is None else entries.value if is_list else entries.key
        return _Local((*self._path(range_), "@items" if is_list else "@keys"), size)

    # What is known of nodes --------------------------------------------------------------------------

    def _local(self, name: str) -> _Local | None:
        stack = self._locals.get(name)
        return stack[-1] if stack else None

    def _local_of(self, node: Tree) -> _Local | None:
        return self._local(node.ident_expr.name) if node.HasField("ident_expr") else None

    def _path(self, node: Tree) -> Path:
        local = self._local_of(node)
        return local.path if local is not None else self._paths.get(node.id, ())

    def _kind(self, node: Tree) -> str:
        return _kind_of(self._types.get(node.id))

    def _known(self, node: Tree) -> Range | None:
        found = self._sizes.get(node.id) or _written(node) or self._by_schema(self._path(node))
        if found is not None:
            self._sizes.setdefault(node.id, found)
            return found
        if self._kind(node) in _ONE_SIZE:
            return ONE
        local = self._local_of(node)
        return None if local is None else local.size

    def _by_schema(self, path: Path) -> Range | None:
        size = self._size.at(path[1:]) if path else None
        return None if size is None else Range(0, size.most)

    def _size_of(self, node: Tree) -> Range:
        return self._known(node) or UNKNOWN

    def _entries_of(self, node: Tree) -> _Entries | None:
        local = self._local_of(node)
        return self._entries.get(node.id) or (local.entries if local is not None else None)

    def _set_entries(self, node: Tree, entries: _Entries | None) -> None:
        if entries is not None:
            self._entries[node.id] = entries

    def _copy(self, node: Tree, other: Tree) -> None:
        size = self._known(other)
        if size is not None:
            self._sizes[node.id] = size
        self._set_entries(node, self._entries_of(other))

    def _operand(self, node: Tree) -> Operand:
        kind, item = self._kind(node), None
        path = self._path(node)
        if path and path[0] == _ACCUMULATOR:
            path = ()
        if kind == "list" and _kind_of(self._types[node.id].list_type.elem_type) in ("string", "bytes"):
            item = (self._by_schema((*path, "@items")) if path else None) or UNKNOWN
        number = node.const_expr.int64_value if node.const_expr.HasField("int64_value") else None
        return Operand(self._size_of(node), kind, item, number)


def _is_binding(loop: Tree) -> bool:
    condition = loop.loop_condition
    return (
        loop.iter_range.HasField("list_expr")
        and not loop.iter_range.list_expr.elements
        and condition.HasField("const_expr")
        and not condition.const_expr.bool_value
        and loop.accu_var != _ACCUMULATOR
    )


def _kind_of(type_: Tree | None) -> str:
    if type_ is None:
        return "dyn"
    which = type_.WhichOneof("kind")
    if which == "primitive":
        return _PRIMITIVES.get(type_.primitive, "dyn")
    if which == "well_known":
        return _WELL_KNOWN.get(type_.well_known, "dyn")
    return {"list_type": "list", "map_type": "map", "message_type": "message"}.get(which or "", "dyn")


def _written(node: Tree) -> Range | None:
    """Return the size of what is written in the expression."""
    kind = node.WhichOneof("kind")
    if kind == "const_expr":
        value = node.const_expr
        texts = {"string_value": len(value.string_value), "bytes_value": len(value.bytes_value)}
        return fixed(texts.get(value.WhichOneof("kind") or "", 1))
    if kind == "list_expr":
        return fixed(len(node.list_expr.elements))
    if kind == "struct_expr" and not node.struct_expr.message_name:
        return fixed(len(node.struct_expr.entries))
    return None
