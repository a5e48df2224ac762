"""The formats of strings that schemas may ask for.

Source: k8s.io/kube-openapi/pkg/validation/strfmt (Kubernetes 1.36); others are not checked.
"""

from __future__ import annotations

import base64
import binascii
import ipaddress
import re
from collections.abc import Callable
from datetime import date
from email.utils import parseaddr
from urllib.parse import urlsplit

_UUID = r"(?i)^[0-9a-f]{8}-?[0-9a-f]{4}-?%s-?%s-?[0-9a-f]{12}$"
_ANY = "[0-9a-f]{4}"
_VARIANT = "[89ab][0-9a-f]{3}"
_LABEL = "[a-zA-Z0-9]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?"
_PATTERNS = {
    "date-time": r"^\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)$",
    "duration": r"^-?(\d+(\.\d+)?\s*(ns|us|µs|ms|s|m|h|d|w|[a-z]+)\s*)+$",
    "hexcolor": r"^#?([0-9a-fA-F]{3}|[0-9a-fA-F]{6})$",
    "hostname": rf"^{_LABEL}(\.{_LABEL})*\.?$",
    "mac": r"^([0-9A-Fa-f]{2}([:-]))([0-9A-Fa-f]{2}\2){4}[0-9A-Fa-f]{2}$",
    "uuid": _UUID % (_ANY, _ANY),
    "uuid3": _UUID % ("3[0-9a-f]{3}", _ANY),
    "uuid4": _UUID % ("4[0-9a-f]{3}", _VARIANT),
    "uuid5": _UUID % ("5[0-9a-f]{3}", _VARIANT),
    "k8s-short-name": r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$",
    "k8s-long-name": r"^(?=.{1,253}$)[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$",
}


def _parses(parse: Callable[[str], object]) -> Callable[[str], bool]:
    def check(text: str) -> bool:
        try:
            parse(text)
        except (ValueError, binascii.Error):
            return False
        return True

    return check


def _email(text: str) -> bool:
    local, at, domain = parseaddr(text)[1].rpartition("@")
    return bool(local and at and domain)


def _uri(text: str) -> bool:
    return bool(urlsplit(text).scheme) or text.startswith("/")


_CHECKS: dict[str, Callable[[str], bool]] = {
    "byte": _parses(lambda text: base64.b64decode(text, validate=True)),
    "cidr": lambda text: "/" in text and _parses(lambda each: ipaddress.ip_network(each, strict=False))(text),
    "date": _parses(date.fromisoformat),
    "email": _email,
    "ipv4": _parses(ipaddress.IPv4Address),
    "ipv6": _parses(ipaddress.IPv6Address),
    "uri": _uri,
}


def has_format(text: str, name: str) -> bool:
    """Tell whether `text` is what the format `name` asks for."""
    pattern = _PATTERNS.get(name)
    if pattern is not None:
        return re.search(pattern, text) is not None
    check = _CHECKS.get(name)
    return check is None or check(text)
