"""Names and labels: what they may look like.

Source: k8s.io/apimachinery/pkg/util/validation (Kubernetes 1.36).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Literal

from leeward.cluster.registry.failures import Failure, invalid

_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_SERVICE = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")
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
_SERVICE_TEXT = (
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
    "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an "
    "alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is "
    "'([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
)
Form = Literal["label", "subdomain", "service", "path"]
FORMS: Mapping[str, Form] = {
    "namespaces": "label",
    "services": "service",
    "roles.rbac.authorization.k8s.io": "path",
    "rolebindings.rbac.authorization.k8s.io": "path",
    "clusterroles.rbac.authorization.k8s.io": "path",
    "clusterrolebindings.rbac.authorization.k8s.io": "path",
}


def name_failures(name: str, field: str, form: Form) -> list[Failure]:
    """Check a name of an object or of a part of one."""
    if form == "path":
        bad = name in (".", "..") or "/" in name or "%" in name
        return [invalid(field, name, "may not contain '/' or '%'")] if bad else []
    pattern, text, limit = {
        "label": (_LABEL, _LABEL_TEXT, 63),
        "service": (_SERVICE, _SERVICE_TEXT, 63),
        "subdomain": (_SUBDOMAIN, _SUBDOMAIN_TEXT, 253),
    }[form]
    found = [] if pattern.fullmatch(name) else [invalid(field, name, text)]
    if len(name) > limit:
        found.insert(0, invalid(field, name, f"must be no more than {limit} bytes"))
    return found


def label_failures(labels: Mapping[str, Any] | None, field: str) -> list[Failure]:
    """Check keys and values of labels."""
    found: list[Failure] = []
    for key, value in (labels or {}).items():
        name = key.rsplit("/", 1)[-1]
        if not _QUALIFIED.fullmatch(name) or len(name) > 63:
            found.append(invalid(field, key, _KEY_TEXT))
        if value and (not _QUALIFIED.fullmatch(str(value)) or len(str(value)) > 63):
            text = "must be no more than 63 bytes" if len(str(value)) > 63 else _VALUE_TEXT
            found.append(invalid(field, value, text))
    return found
