"""Names and labels: what they may look like.

Source: k8s.io/apimachinery/pkg/util/validation (Kubernetes 1.36).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Literal

from leeward.cluster.registry.failures import Failure, invalid, too_long

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
Form = Literal["label", "subdomain", "dns1035", "path"]
FORMS: Mapping[str, Form] = {
    "namespaces": "label",
    "services": "label",
    "roles.rbac.authorization.k8s.io": "path",
    "rolebindings.rbac.authorization.k8s.io": "path",
    "clusterroles.rbac.authorization.k8s.io": "path",
    "clusterrolebindings.rbac.authorization.k8s.io": "path",
}


def name_failures(name: str, field: str, form: Form) -> list[Failure]:
    """Check a name of an object or of a part of one."""
    check = {"label": _label, "subdomain": _subdomain, "dns1035": _dns_1035, "path": _path_segment}[form]
    return [invalid(field, name, detail) for detail in check(name)]


def label_failures(labels: Mapping[str, Any] | None, field: str) -> list[Failure]:
    """Check keys and values of labels."""
    found: list[Failure] = []
    for key, value in (labels or {}).items():
        found += [invalid(field, key, detail) for detail in _label_key(key)]
        found += [invalid(field, value, detail) for detail in _label_value(str(value or ""))]
    return found


def annotation_failures(annotations: Mapping[str, Any] | None, field: str) -> list[Failure]:
    """Check keys of annotations, which may have upper case prefixes, and the size of all of them."""
    found: list[Failure] = []
    size = 0
    for key, value in (annotations or {}).items():
        found += [invalid(field, key, detail) for detail in _label_key(key.lower())]
        size += len(key.encode()) + len(str(value or "").encode())
    return [*found, too_long(field, _ANNOTATION_BYTES)] if size > _ANNOTATION_BYTES else found


def _label(name: str) -> list[str]:
    found = ["must be no more than 63 characters"] if len(name.encode()) > 63 else []
    if not _LABEL.fullmatch(name):
        found.append("must not contain dots" if _SUBDOMAIN.fullmatch(name) else _LABEL_TEXT)
    return found


def _subdomain(name: str) -> list[str]:
    found = ["must be no more than 253 characters"] if len(name.encode()) > 253 else []
    return found if _SUBDOMAIN.fullmatch(name) else [*found, _SUBDOMAIN_TEXT]


def _dns_1035(name: str) -> list[str]:
    found = ["must be no more than 63 characters"] if len(name.encode()) > 63 else []
    return found if _DNS_1035.fullmatch(name) else [*found, _DNS_1035_TEXT]


def _path_segment(name: str) -> list[str]:
    if name in (".", ".."):
        return [f"may not be '{name}'"]
    return [f"may not contain '{sign}'" for sign in "/%" if sign in name]


def _label_key(key: str) -> list[str]:
    *prefix, name = key.split("/")
    if len(prefix) > 1:
        return [f"a valid label key {_KEY_TEXT}{_KEY_PREFIX_TEXT}"]
    found: list[str] = []
    if prefix == [""]:
        found.append("prefix part must be non-empty")
    elif prefix:
        found += [f"prefix part {detail}" for detail in _subdomain(prefix[0])]
    if not name:
        found.append("name part must be non-empty")
    elif len(name.encode()) > 63:
        found.append("name part must be no more than 63 bytes")
    return found if _QUALIFIED.fullmatch(name) else [*found, f"name part {_KEY_TEXT}"]


def _label_value(value: str) -> list[str]:
    found = ["must be no more than 63 bytes"] if len(value.encode()) > 63 else []
    return found if not value or _QUALIFIED.fullmatch(value) else [*found, _VALUE_TEXT]
