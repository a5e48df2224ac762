"""What calls of functions cost beside their arguments, and how large their results get.

Source: github.com/google/cel-go/checker/cost.go functionCost, k8s.io/apiserver/pkg/cel/library/cost.go
(Kubernetes 1.36).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from leeward.cluster.cel.ranges import MOST, NOTHING, ONE, REGEX, TRAVERSAL, UNKNOWN, Range, fixed


@dataclass(frozen=True, slots=True)
class Operand:
    """A receiver or an argument."""

    size: Range
    kind: str  # of its type: "string", "list", …
    item: Range | None = None  # size of a text in a list; None: no texts
    number: int | None = None  # that is written there


@dataclass(frozen=True, slots=True)
class Call:
    """What a call costs, and the size of its result where it is known."""

    cost: Range
    size: Range | None = None


Coster = Callable[[Operand | None, Sequence[Operand]], Call | None]


def _fixed(target: Operand | None, args: Sequence[Operand]) -> Call:
    return Call(ONE, ONE)


def _parsed(factor: float = TRAVERSAL) -> Coster:
    """The first argument is read once; the result is one thing."""

    def coster(target: Operand | None, args: Sequence[Operand]) -> Call | None:
        return Call(args[0].size.scaled(factor), ONE) if args else None

    return coster


def _copied(target: Operand | None, args: Sequence[Operand]) -> Call | None:
    from_ = target or (args[0] if args else None)
    return None if from_ is None else Call(from_.size.scaled(TRAVERSAL), from_.size)


def _compared(target: Operand | None, args: Sequence[Operand]) -> Call | None:
    if target is None:
        return None
    if target.kind != "list":
        return Call(target.size.scaled(TRAVERSAL))
    each = ONE if target.item is None else ONE.plus(target.item.scaled(TRAVERSAL))
    return Call(target.size.times(each))


def _replaced(target: Operand | None, args: Sequence[Operand]) -> Call | None:
    if target is None or len(args) < 2:
        return None
    size, old, new = target.size, args[0].size, args[1].size
    if old.least == 0:
        most, kept_most = min(size.most + 1, MOST), size.most
    elif new.most <= old.least:
        most, kept_most = 0, size.most
    else:
        most, kept_most = -(-size.most // old.least), 0
    if old.most == 0:
        least, kept_least = size.least + 1, size.least
    elif old.most <= new.least:
        least, kept_least = 0, size.least
    else:
        least, kept_least = -(-size.least // old.most), 0
    made = Range(least, most).times(new).plus(Range(kept_least, kept_most))
    return Call(size.scaled(2 * TRAVERSAL), made)


def _split(target: Operand | None, args: Sequence[Operand]) -> Call | None:
    if target is None:
        return None
    most = args[1].number if len(args) > 1 and args[1].number is not None else target.size.most
    return Call(target.size.scaled(2 * TRAVERSAL), Range(0, most))


def _joined(target: Operand | None, args: Sequence[Operand]) -> Call | None:
    if target is None:
        return None
    size = NOTHING if target.item is None else target.size.times(target.item)
    if args:
        count = Range(max(target.size.least - 1, 0), max(target.size.most - 1, 0))
        size = size.plus(args[0].size.times(count))
    return Call(size.scaled(TRAVERSAL), size)


def _searched(target: Operand | None, args: Sequence[Operand]) -> Call | None:
    if target is None or not args:
        return None
    found = target.size.plus(ONE).scaled(TRAVERSAL).times(args[0].size.scaled(REGEX))
    return Call(found, Range(0, target.size.most))


def _matched(target: Operand | None, args: Sequence[Operand]) -> Call | None:
    found = _searched(target, args)
    return None if found is None else Call(found.cost)


def _contained(target: Operand | None, args: Sequence[Operand]) -> Call | None:
    if target is None or len(args) != 1:
        return None
    return Call(target.size.scaled(TRAVERSAL).times(args[0].size.scaled(TRAVERSAL)))


def _of_network(*, network: bool) -> Coster:
    address = Range(4, 16)

    def coster(target: Operand | None, args: Sequence[Operand]) -> Call | None:
        if not args:
            return None
        cost = address.plus(address).scaled(TRAVERSAL)
        if network:
            cost = cost.plus(address.scaled(TRAVERSAL)).plus(ONE)
        if args[0].kind == "string":
            cost = cost.plus(args[0].size.scaled(TRAVERSAL))
        return Call(cost)

    return coster


_ACCESSORS = (
    "masked", "prefixLength", "family", "isUnspecified", "isLoopback", "isLinkLocalMulticast",
    "isLinkLocalUnicast", "isGlobalUnicast", "sign", "asInteger", "isInteger", "asApproximateFloat",
    "isGreaterThan", "isLessThan", "compareTo", "add", "sub", "major", "minor", "patch", "getScheme",
    "getHostname", "getHost", "getPort", "getEscapedPath", "getQuery",
)  # fmt: skip
_FUNCTIONS: dict[str, Coster] = {
    **dict.fromkeys(_ACCESSORS, _fixed),
    **dict.fromkeys(("isSorted", "sum", "max", "min", "indexOf", "lastIndexOf"), _compared),
    **dict.fromkeys(("url", "jsonpatch.escapeKey"), _copied),
    **dict.fromkeys(("lowerAscii", "upperAscii", "substring", "trim"), _copied),
    **dict.fromkeys(("cidr", "isIP", "isCIDR", "quantity", "isQuantity", "semver", "isSemver"), _parsed()),
    **dict.fromkeys(("find", "findAll"), _searched),
    "ip": lambda target, args: _fixed(target, args) if target else _parsed()(target, args),
    "ip.isCanonical": _parsed(2 * TRAVERSAL),
    "containsIP": _of_network(network=False),
    "containsCIDR": _of_network(network=True),
    "replace": _replaced,
    "split": _split,
    "join": _joined,
}  # fmt: skip


def _first(target: Operand | None, args: Sequence[Operand]) -> Call | None:
    return Call(args[0].size.scaled(TRAVERSAL)) if len(args) == 1 else None


def _to_bytes(target: Operand | None, args: Sequence[Operand]) -> Call | None:
    size = args[0].size if args else UNKNOWN
    return Call(size.scaled(TRAVERSAL), Range(size.least, min(size.most * 4, MOST)))


def _to_text(target: Operand | None, args: Sequence[Operand]) -> Call | None:
    size = args[0].size if args else UNKNOWN
    return Call(size.scaled(TRAVERSAL), Range(size.least // 4, size.most))


def _quoted(target: Operand | None, args: Sequence[Operand]) -> Call | None:
    size = args[0].size if args else UNKNOWN
    return Call(size.scaled(TRAVERSAL), size.times(Range(1, 2)).plus(fixed(2)))


def _member(target: Operand | None, args: Sequence[Operand]) -> Call | None:
    return Call(args[1].size) if len(args) == 2 else None


def _added(target: Operand | None, args: Sequence[Operand]) -> Call | None:
    size = args[0].size.plus(args[1].size)
    return Call(size.scaled(TRAVERSAL), size)


def _lists_added(target: Operand | None, args: Sequence[Operand]) -> Call | None:
    return Call(ONE, args[0].size.plus(args[1].size))


def _equal(target: Operand | None, args: Sequence[Operand]) -> Call | None:
    most = min(args[0].size.most, args[1].size.most)
    return Call(Range(1 if most else 0, most).scaled(TRAVERSAL))


def _formatted(target: Operand | None, args: Sequence[Operand]) -> Call | None:
    return None if target is None else Call(target.size.scaled(TRAVERSAL))


_OVERLOADS: dict[str, Coster] = {
    "string_format": _formatted,
    "string_to_bytes": _to_bytes,
    "bytes_to_string": _to_text,
    "strings_quote": _quoted,
    "starts_with_string": _first,
    "ends_with_string": _first,
    "in_list": _member,
    "matches_string": _matched,
    "contains_string": _contained,
    "add_string": _added,
    "add_bytes": _added,
    "add_list": _lists_added,
    **dict.fromkeys(("equals", "not_equals"), _equal),
    **{
        f"{name}_{kind}": _equal
        for name in ("less", "greater", "less_equals", "greater_equals")
        for kind in ("string", "bytes")
    },
}


def call_cost(function: str, overload: str, target: Operand | None, args: Sequence[Operand]) -> Call:
    """Return what a call costs, its arguments not counted.

    Args:
        function: its name.
        overload: which of the functions of this name.
        target: the receiver of a member.
        args: the arguments.
    """
    for coster in (_FUNCTIONS.get(function), _OVERLOADS.get(overload)):
        found = coster(target, args) if coster is not None else None
        if found is not None:
            return found
    return Call(ONE)
