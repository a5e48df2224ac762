"""Names, labels, addresses, ports and numbers: what they may look like.

Functions named after a form return what is wrong with a text, in upstream's words; those that end in
``_failures`` return it with the field.

Source: k8s.io/apimachinery/pkg/util/validation, pkg/api/validation (Kubernetes 1.36).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import lru_cache, wraps
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any, Literal

from leeward.cluster.registry.failures import Failure, forbidden, invalid, required, too_long

_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_DNS_1035 = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")
_QUALIFIED = re.compile(r"([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]")
_LABEL_TEXT = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start "
    "and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is "
    "'[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
)
_SUBDOMAIN_TEXT = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must "
    "start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is "
    "'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
)
_DNS_1035_TEXT = (
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic "
    "character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for "
    "validation is '[a-z]([-a-z0-9]*[a-z0-9])?')"
)
_VALUE_TEXT = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must "
    "start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used "
    "for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
)
_KEY_TEXT = (
    "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an "
    "alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is "
    "'([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
)
_KEY_PREFIX_TEXT = " with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')"
_ANNOTATION_BYTES = 256 * 1024
_REMEMBERED, _REMEMBERED_LENGTH = 4096, 320
Form = Literal["label", "subdomain", "dns1035", "path"]
FORMS: Mapping[str, Form] = {
    "namespaces": "label",
    "services": "label",
    "roles.rbac.authorization.k8s.io": "path",
    "rolebindings.rbac.authorization.k8s.io": "path",
    "clusterroles.rbac.authorization.k8s.io": "path",
    "clusterrolebindings.rbac.authorization.k8s.io": "path",
    "apiservices.apiregistration.k8s.io": "path",
}


def name_failures(name: str, field: str, form: Form) -> list[Failure]:
    """Check a name of an object or of a part of one."""
    check = {"label": dns_label, "subdomain": dns_subdomain, "dns1035": dns_1035, "path": path_segment}[form]
    return [invalid(field, name, detail) for detail in check(name)]


def label_failures(labels: Mapping[str, Any] | None, field: str) -> list[Failure]:
    """Check keys and values of labels."""
    found: list[Failure] = []
    for key, value in (labels or {}).items():
        found += [invalid(field, key, detail) for detail in qualified_name(key)]
        found += [invalid(field, value, detail) for detail in label_value(str(value or ""))]
    return found


def annotation_failures(annotations: Mapping[str, Any] | None, field: str) -> list[Failure]:
    """Check keys of annotations, which may have upper case prefixes, and the size of all of them."""
    found: list[Failure] = []
    size = 0
    for key, value in (annotations or {}).items():
        found += [invalid(field, key, detail) for detail in qualified_name(key.lower())]
        size += len(key.encode()) + len(str(value or "").encode())
    return [*found, too_long(field, _ANNOTATION_BYTES)] if size > _ANNOTATION_BYTES else found


def dns_label(name: str) -> list[str]:
    """Check an RFC 1123 label."""
    found = ["must be no more than 63 characters"] if len(name.encode()) > 63 else []
    if not _LABEL.fullmatch(name):
        found.append("must not contain dots" if _SUBDOMAIN.fullmatch(name) else _LABEL_TEXT)
    return found


def dns_subdomain(name: str) -> list[str]:
    """Check an RFC 1123 subdomain."""
    found = ["must be no more than 253 characters"] if len(name.encode()) > 253 else []
    return found if _SUBDOMAIN.fullmatch(name) else [*found, _SUBDOMAIN_TEXT]


def dns_1035(name: str) -> list[str]:
    """Check an RFC 1035 label."""
    found = ["must be no more than 63 characters"] if len(name.encode()) > 63 else []
    return found if _DNS_1035.fullmatch(name) else [*found, _DNS_1035_TEXT]


def path_segment(name: str) -> list[str]:
    """Check a segment of a URL's path."""
    if name in (".", ".."):
        return [f"may not be '{name}'"]
    return [f"may not contain '{sign}'" for sign in "/%" if sign in name]


def remembered(check: Callable[[str], list[str]]) -> Callable[[str], list[str]]:
    """Return a check that knows the short texts which it has found right: they come back."""
    right: set[str] = set()

    @wraps(check)
    def checked(text: str) -> list[str]:
        if text in right:
            return []
        found = check(text)
        if not found and len(text) <= _REMEMBERED_LENGTH:
            if len(right) >= _REMEMBERED:
                right.clear()
            right.add(text)
        return found

    return checked


@remembered
def qualified_name(key: str) -> list[str]:
    """Check a key of a label."""
    *prefix, name = key.split("/")
    if len(prefix) > 1:
        return [f"a valid label key {_KEY_TEXT}{_KEY_PREFIX_TEXT}"]
    found: list[str] = []
    if prefix == [""]:
        found.append("prefix part must be non-empty")
    elif prefix:
        found += [f"prefix part {detail}" for detail in dns_subdomain(prefix[0])]
    if not name:
        found.append("name part must be non-empty")
    elif len(name.encode()) > 63:
        found.append("name part must be no more than 63 bytes")
    return found if _QUALIFIED.fullmatch(name) else [*found, f"name part {_KEY_TEXT}"]


@remembered
def label_value(value: str) -> list[str]:
    """Check a value of a label."""
    found = ["must be no more than 63 bytes"] if len(value.encode()) > 63 else []
    return found if not value or _QUALIFIED.fullmatch(value) else [*found, _VALUE_TEXT]


_ENV_NAME = re.compile(r"[ -<>-~]+")
_CONFIG_KEY = re.compile(r"[-._a-zA-Z0-9]+")
_HEADER = re.compile(r"[-A-Za-z0-9]+")
_PORT_CHARS = re.compile(r"[-a-z0-9]+")
_SUBDOMAIN_UNDERSCORE = re.compile(r"[a-z0-9_]([-_a-z0-9]*[a-z0-9_])?(\.[a-z0-9_]([-_a-z0-9]*[a-z0-9_])?)*")
_MAX_ID = 2147483647
POSITIVE_IP = "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"
NOT_NEGATIVE = "must be greater than or equal to 0"


def between(low: int, high: int) -> str:
    """Say that a number has to be in a range."""
    return f"must be between {low} and {high}, inclusive"


def env_name(name: str) -> list[str]:
    """Check a name of an environment variable."""
    if _ENV_NAME.fullmatch(name):
        return []
    return [
        "a valid environment variable name must consist only of printable ASCII characters other than '='"
    ]


def config_key(key: str) -> list[str]:
    """Check a key of a ConfigMap or Secret."""
    found = ["must be no more than 253 characters"] if len(key) > 253 else []
    if not _CONFIG_KEY.fullmatch(key):
        found.append(
            "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name', "
            " or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')"
        )
    if key in (".", ".."):
        found.append(f"must not be '{key}'")
    elif key.startswith(".."):
        found.append("must not start with '..'")
    return found


def header_name(name: str) -> list[str]:
    """Check a name of an HTTP header."""
    if _HEADER.fullmatch(name):
        return []
    return [
        "a valid HTTP header must consist of alphanumeric characters or '-' (e.g. 'X-Header-Name', regex "
        "used for validation is '[-A-Za-z0-9]+')"
    ]


def port_number(port: int) -> list[str]:
    """Check a number of a port."""
    return [] if 1 <= port <= 65535 else [between(1, 65535)]


def port_name(name: str) -> list[str]:
    """Check a name of a port (IANA service name)."""
    found = ["must be no more than 15 characters"] if len(name) > 15 else []
    if not _PORT_CHARS.fullmatch(name):
        found.append("must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)")
    elif not re.search("[a-z]", name):
        found.append("must contain at least one letter (a-z)")
    if "--" in name:
        found.append("must not contain consecutive hyphens")
    if name.startswith("-") or name.endswith("-"):
        found.append("must not begin or end with a hyphen")
    return found


def port_or_name_failures(port: Any, field: str) -> list[Failure]:
    """Check a port given by number or by name."""
    if isinstance(port, str):
        return [invalid(field, port, detail) for detail in port_name(port)]
    return [invalid(field, port or 0, detail) for detail in port_number(port or 0)]


def user_id(number: int) -> list[str]:
    """Check a number of a user or group."""
    return [] if 0 <= number <= _MAX_ID else [between(0, _MAX_ID)]


def subdomain_with_underscore(name: str) -> list[str]:
    """Check a domain of a DNS search list."""
    if _SUBDOMAIN_UNDERSCORE.fullmatch(name) and len(name) <= 253:
        return []
    return [
        "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-', '_' or '.', "
        "and must start and end with an alphanumeric character (e.g. 'example.com', regex used for "
        "validation is '[a-z0-9_]([-_a-z0-9]*[a-z0-9_])?(\\.[a-z0-9_]([-_a-z0-9]*[a-z0-9_])?)*')"
    ]


@lru_cache(maxsize=16384)
def parse_ip(text: str) -> IPv4Address | IPv6Address | None:
    """Return an address; None where there is none."""
    try:
        return ip_address(text)
    except ValueError:
        return None


def ip_failures(text: str, field: str) -> list[Failure]:
    """Check an IP address."""
    return [] if parse_ip(text) is not None else [invalid(field, text, POSITIVE_IP)]


def parse_cidr(text: str) -> IPv4Network | IPv6Network | None:
    """Return a network, whatever its host bits; None where there is none."""
    try:
        return ip_network(text, strict=False) if "/" in text else None
    except ValueError:
        return None


def cidr_failures(text: str, field: str) -> list[Failure]:
    """Check a CIDR."""
    if parse_cidr(text) is not None:
        return []
    return [invalid(field, text, "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)")]


def each_failure(check: Callable[[str], list[str]], text: str, field: str) -> list[Failure]:
    """Return what `check` says of `text` as failures of `field`."""
    return [invalid(field, text, detail) for detail in check(text)]


def not_negative(value: Any, field: str) -> list[Failure]:
    """Check a number that is optional."""
    return [invalid(field, value, NOT_NEGATIVE)] if isinstance(value, int) and value < 0 else []


_OPERATORS = ("In", "NotIn", "Exists", "DoesNotExist")


def label_selector_failures(selector: Mapping[str, Any] | None, field: str) -> list[Failure]:
    """Check a LabelSelector.

    Source: k8s.io/apimachinery/pkg/apis/meta/v1/validation.
    """
    if not selector:
        return []
    found = label_failures(selector.get("matchLabels"), f"{field}.matchLabels")
    for index, each in enumerate(selector.get("matchExpressions") or ()):
        place = f"{field}.matchExpressions[{index}]"
        operator, values = each.get("operator") or "", each.get("values") or ()
        if operator in ("In", "NotIn") and not values:
            found.append(required(f"{place}.values", "must be specified when `operator` is 'In' or 'NotIn'"))
        elif operator in ("Exists", "DoesNotExist") and values:
            text = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"
            found.append(forbidden(f"{place}.values", text))
        elif operator not in _OPERATORS:
            found.append(invalid(f"{place}.operator", operator, "not a valid selector operator"))
        found += each_failure(qualified_name, each.get("key") or "", f"{place}.key")
        for at, value in enumerate(values):
            found += each_failure(label_value, value, f"{place}.values[{at}]")
    return found
