"""The functions that Kubernetes adds to the language.

One row for each function. Values of types that the language has not (quantities, URLs, addresses, versions)
are maps with one entry, whose key is the type and whose value the canonical text; so equal ones are equal.

Source: k8s.io/apiserver/pkg/cel/library/{lists,regex,urls,quantity,ip,cidr,format,semverlib,jsonpatch}.go,
 cel-go/ext/sets.go (Kubernetes 1.36).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import SplitResult, parse_qs, quote, urlsplit

from leeward.kube.quantity import parse_amount
from leeward.kube.regexp import find_all

if TYPE_CHECKING:
    from cel_expr_python import cel

Opaque = Mapping[str, Any]


class _Function(NamedTuple):
    name: str
    parameters: str  # types; the first is the receiver of a member
    result: str
    call: Callable[..., Any]
    member: bool = True


# Lists and sets --------------------------------------------------------------------------------------


def _sum(values: Sequence[Any]) -> Any:
    return sum(values) if values else 0


def _some(values: Sequence[Any], choose: Callable[[Sequence[Any]], Any], name: str) -> Any:
    if not values:
        raise ValueError(f"{name} called on empty list")
    return choose(values)


def _index(values: Sequence[Any], wanted: Any) -> int:
    return next((index for index, each in enumerate(values) if each == wanted), -1)


def _last_index(values: Sequence[Any], wanted: Any) -> int:
    return next((index for index in reversed(range(len(values))) if values[index] == wanted), -1)


def _contains(values: Sequence[Any], wanted: Sequence[Any]) -> bool:
    return all(each in values for each in wanted)


_LISTS = (
    _Function("isSorted", "list", "bool", lambda values: all(a <= b for a, b in pairwise(values))),
    _Function("sum", "list", "dyn", _sum),
    _Function("min", "list", "dyn", lambda values: _some(values, min, "min")),
    _Function("max", "list", "dyn", lambda values: _some(values, max, "max")),
    _Function("indexOf", "list dyn", "int", _index),
    _Function("lastIndexOf", "list dyn", "int", _last_index),
    _Function("sets.contains", "list list", "bool", _contains, member=False),
    _Function("sets.equivalent", "list list", "bool",
              lambda left, right: _contains(left, right) and _contains(right, left), member=False),
    _Function("sets.intersects", "list list", "bool",
              lambda left, right: any(each in right for each in left), member=False),
)  # fmt: skip

# Regular expressions ---------------------------------------------------------------------------------


def _find(text: str, pattern: str) -> str:
    return next(iter(find_all(pattern, text, 1)), "")


def _find_all(text: str, pattern: str, limit: int = -1) -> list[str]:
    return find_all(pattern, text, limit)


_REGEX = (
    _Function("find", "string string", "string", _find),
    _Function("findAll", "string string", "list", _find_all),
    _Function("findAll", "string string int", "list", _find_all),
)

# URLs ------------------------------------------------------------------------------------------------


def _parse_url(text: str) -> SplitResult:
    parts = urlsplit(text)
    if not (text.startswith("/") or (parts.scheme and (parts.netloc or parts.path))) or " " in text:
        raise ValueError(f"URL parse error during conversion from string: parse {text!r}: invalid URI")
    parts.port  # noqa: B018  # raises ValueError for what is no port
    return parts


def _url(text: str) -> Opaque:
    _parse_url(text)
    return {"url": text}


def _of_url(get: Callable[[SplitResult], Any]) -> Callable[[Opaque], Any]:
    return lambda url: get(urlsplit(url["url"]))


def _hostname(url: SplitResult) -> str:
    host = url.netloc.rpartition("@")[2]
    found = re.match(r"\[(?P<six>.*)\]|(?P<name>[^:]*)", host)
    return (found["six"] or found["name"] or "") if found else ""


_URLS = (
    _Function("url", "string", "map", _url, member=False),
    _Function("getScheme", "map", "string", _of_url(lambda url: url.scheme)),
    _Function("getHost", "map", "string", _of_url(lambda url: url.netloc.rpartition("@")[2])),
    _Function("getHostname", "map", "string", _of_url(_hostname)),
    _Function("getPort", "map", "string", _of_url(lambda url: "" if url.port is None else str(url.port))),
    _Function("getEscapedPath", "map", "string", _of_url(
        lambda url: quote(url.path, safe="/%:@!$&'()*+,;=~"))),
    _Function("getQuery", "map", "map", _of_url(lambda url: parse_qs(url.query, keep_blank_values=True))),
)  # fmt: skip

# Quantities and versions: ordered ----------------------------------------------------------------------

_SEMVER = re.compile(
    r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)"
    r"(?:-((?:0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*)(?:\.(?:0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*))*))?"
    r"(?:\+[0-9a-zA-Z-]+(?:\.[0-9a-zA-Z-]+)*)?"
)


def _quantity(text: str) -> Opaque:
    return {"quantity": str(parse_amount(text))}


def _semver(text: str) -> Opaque:
    if _SEMVER.fullmatch(text) is None:
        raise ValueError(f"semver parse error: {text!r} is no version")
    return {"semver": text}


def _order(value: Opaque) -> Any:
    """Return what sorts as the value does."""
    if "quantity" in value:
        return parse_amount(value["quantity"]).value
    found = _SEMVER.fullmatch(value["semver"])
    assert found is not None
    *numbers, pre = found.groups()
    parts = [(0, int(each), "") if each.isdigit() else (1, 0, each) for each in (pre or "").split(".") if pre]
    return (*map(int, numbers), pre is None, parts)


def _compare(left: Opaque, right: Opaque) -> int:
    a, b = _order(left), _order(right)
    return int(a > b) - int(a < b)


def _added(left: Opaque, right: Any, sign: int) -> Opaque:
    first = parse_amount(left["quantity"])
    second = parse_amount(right if isinstance(right, int) else right["quantity"])
    return {"quantity": str(first.plus(second) if sign > 0 else first.minus(second))}


def _number(value: Opaque) -> Fraction:
    return Fraction(parse_amount(value["quantity"]).value)


def _whole(value: Opaque) -> int:
    number = _number(value)
    if number.denominator != 1:
        raise ValueError("cannot convert value to integer")
    return int(number)


def _sign(value: Opaque) -> int:
    number = _number(value)
    return (number > 0) - (number < 0)


_ORDERED = (
    _Function("quantity", "string", "map", _quantity, member=False),
    _Function("semver", "string", "map", _semver, member=False),
    _Function("isGreaterThan", "map map", "bool", lambda left, right: _compare(left, right) > 0),
    _Function("isLessThan", "map map", "bool", lambda left, right: _compare(left, right) < 0),
    _Function("compareTo", "map map", "int", _compare),
    _Function("add", "map dyn", "map", lambda left, right: _added(left, right, 1)),
    _Function("sub", "map dyn", "map", lambda left, right: _added(left, right, -1)),
    _Function("sign", "map", "int", _sign),
    _Function("asInteger", "map", "int", _whole),
    _Function("isInteger", "map", "bool", lambda value: _number(value).denominator == 1),
    _Function("asApproximateFloat", "map", "double", lambda value: float(_number(value))),
    *(
        _Function(name, "map", "int", lambda value, at=at: _order(value)[at])
        for at, name in enumerate(("major", "minor", "patch"))
    ),
)  # fmt: skip

# Addresses -------------------------------------------------------------------------------------------


def _ip(text: str) -> Opaque:
    if "%" in text or text.lower().startswith("::ffff:"):
        raise ValueError(f"IP Address {text!r} with zone or mapped IPv4 is not allowed")
    return {"ip": str(ip_address(text))}


def _cidr(text: str) -> Opaque:
    if "/" not in text:
        raise ValueError(f"network address parse error during conversion from string: {text!r}")
    ip_network(text, strict=False)
    address, _, length = text.partition("/")
    return {"cidr": f"{ip_address(address)}/{length}"}


def _of_ip(get: Callable[[IPv4Address | IPv6Address], Any]) -> Callable[[Opaque], Any]:
    return lambda value: get(ip_address(value["ip"]))


def _global(ip: IPv4Address | IPv6Address) -> bool:
    no = ip.is_multicast or ip.is_loopback or ip.is_link_local or ip.is_unspecified
    return not no and str(ip) != "255.255.255.255"


def _canonical(text: str) -> bool:
    return str(ip_address(text)) == text


def _has_ip(network: Opaque, address: Any) -> bool:
    return ip_address(address if isinstance(address, str) else address["ip"]) in ip_network(
        network["cidr"], strict=False
    )


def _has_network(outer: Opaque, inner: Any) -> bool:
    one = ip_network(outer["cidr"], strict=False)
    other = ip_network(inner if isinstance(inner, str) else inner["cidr"], strict=False)
    return one.version == other.version and other.subnet_of(one)  # type: ignore[arg-type]


_ADDRESSES = (
    _Function("ip", "string", "map", _ip, member=False),
    _Function("ip.isCanonical", "string", "bool", _canonical, member=False),
    _Function("cidr", "string", "map", _cidr, member=False),
    _Function("family", "map", "int", _of_ip(lambda ip: ip.version)),
    _Function("isUnspecified", "map", "bool", _of_ip(lambda ip: ip.is_unspecified)),
    _Function("isLoopback", "map", "bool", _of_ip(lambda ip: ip.is_loopback)),
    _Function("isLinkLocalMulticast", "map", "bool", _of_ip(
        lambda ip: ip in ip_network("224.0.0.0/24" if ip.version == 4 else "ff02::/16"))),
    _Function("isLinkLocalUnicast", "map", "bool", _of_ip(lambda ip: ip.is_link_local)),
    _Function("isGlobalUnicast", "map", "bool", _of_ip(_global)),
    _Function("containsIP", "map dyn", "bool", _has_ip),
    _Function("containsCIDR", "map dyn", "bool", _has_network),
    _Function("prefixLength", "map", "int", lambda value: int(value["cidr"].partition("/")[2])),
    _Function("ip", "map", "map", lambda value: {"ip": value["cidr"].partition("/")[0]}),
    _Function("masked", "map", "map", lambda value: {"cidr": str(ip_network(value["cidr"], strict=False))}),
)  # fmt: skip


def _succeeds(make: Callable[[str], object]) -> Callable[[str], bool]:
    def check(text: str) -> bool:
        try:
            make(text)
        except ValueError:
            return False
        return True

    return check


_CHECKS = tuple(
    _Function(name, "string", "bool", _succeeds(make), member=False)
    for name, make in (
        ("isURL", _url), ("isQuantity", _quantity), ("isSemver", _semver), ("isIP", _ip), ("isCIDR", _cidr),
    )
)  # fmt: skip


def _escape_key(text: str) -> str:
    return text.replace("~", "~0").replace("/", "~1")


_PATCHES = (_Function("jsonpatch.escapeKey", "string", "string", _escape_key, member=False),)

_FUNCTIONS = (*_LISTS, *_REGEX, *_URLS, *_ORDERED, *_ADDRESSES, *_CHECKS, *_PATCHES)


@lru_cache(maxsize=1)
def extensions() -> list[cel.CelExtensionBase]:
    """Return the language's own extensions that Kubernetes switches on, and its functions."""
    from cel_expr_python import cel
    from cel_expr_python.ext import ext_bindings, ext_encoders, ext_math, ext_optional, ext_strings

    kinds = {
        "bool": cel.Type.BOOL, "int": cel.Type.INT, "double": cel.Type.DOUBLE, "string": cel.Type.STRING,
        "dyn": cel.Type.DYN, "list": cel.Type.List(cel.Type.DYN),
        "map": cel.Type.Map(cel.Type.STRING, cel.Type.DYN),
    }  # fmt: skip
    overloads: dict[str, list[cel.Overload]] = {}
    for each in _FUNCTIONS:
        overloads.setdefault(each.name, []).append(
            cel.Overload(
                f"kubernetes_{each.name}_{each.parameters.replace(' ', '_')}",
                kinds[each.result],
                [kinds[name] for name in each.parameters.split()],
                is_member=each.member,
                impl=each.call,
            )
        )
    functions = [cel.FunctionDecl(name, found) for name, found in overloads.items()]
    return [
        ext_strings.ExtStrings(),
        ext_optional.ExtOptional(),
        ext_math.ExtMath(),
        ext_encoders.ExtEncoders(),
        ext_bindings.ExtBindings(),
        cel.CelExtension("kubernetes", functions),
    ]
