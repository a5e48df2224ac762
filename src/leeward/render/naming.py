"""Kubernetes names for Compose names: deterministic, valid, and never two for one.

Invariants: the same project gives the same names whatever the order of its services; a name that is
already valid is kept; whatever had to change is reported, because callers use the old name.

Source: kubernetes.io/docs/concepts/overview/working-with-objects/names (RFC 1123 and RFC 1035
labels), .../labels (label values).
"""

from __future__ import annotations

import hashlib
import re

from leeward.base.diagnostics import Diagnostic, Location, Severity

MAX_LABEL = 63
_INVALID = re.compile(r"[^a-z0-9]+")
_LABEL_VALUE = re.compile(r"(?:[A-Za-z0-9](?:[A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?)?")
_LABEL_KEY_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?")
_LABEL_KEY_PREFIX = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?")
_DATA_KEY = re.compile(r"[A-Za-z0-9._-]{1,253}")


def digest(content: str | bytes, length: int = 8) -> str:
    """Return the first `length` hexadecimal digits of the SHA-256 of `content`."""
    raw = content.encode() if isinstance(content, str) else content
    return hashlib.sha256(raw).hexdigest()[:length]


def dns_label(text: str, *, limit: int = MAX_LABEL) -> str:
    """Return an RFC 1035 label made from `text`; too long a text keeps its head and gets a digest.

    Args:
        text: any name.
        limit: the most characters the result may have; at least 16.
    """
    name = _INVALID.sub("-", text.lower()).strip("-")
    if not name:
        name = f"x-{digest(text)}"
    if not name[0].isalpha():
        name = f"x-{name}"
    if len(name) > limit:
        name = f"{name[: limit - 9].rstrip('-')}-{digest(text)}"
    return name


def join_label(*parts: str, limit: int = MAX_LABEL) -> str:
    """Return one label of several parts joined by hyphens, shortened with a digest if need be."""
    return dns_label("-".join(parts), limit=limit)


def hashed_name(base: str, content: str | bytes) -> str:
    """Return `base` with the digest of `content` as suffix, for objects that never change."""
    return f"{dns_label(base, limit=MAX_LABEL - 9)}-{digest(content)}"


def is_label_value(text: str) -> bool:
    """Tell whether `text` may be the value of a label."""
    return _LABEL_VALUE.fullmatch(text) is not None


def is_label_key(text: str) -> bool:
    """Tell whether `text` may be the key of a label or an annotation."""
    prefix, slash, name = text.rpartition("/")
    return _LABEL_KEY_NAME.fullmatch(name) is not None and (
        not slash or _LABEL_KEY_PREFIX.fullmatch(prefix) is not None
    )


def label_value(text: str) -> str:
    """Return `text` as a label value: itself when valid, else its label form."""
    return text if is_label_value(text) else dns_label(text)


def data_key(text: str) -> str:
    """Return `text` as a key of a ConfigMap or Secret: itself when valid, else made valid."""
    if _DATA_KEY.fullmatch(text) and text not in (".", ".."):
        return text
    return f"{re.sub(r'[^A-Za-z0-9._-]+', '-', text)[:200].strip('-.') or 'key'}-{digest(text)}"


def assign_names(
    names: dict[str, Location | None], *, section: str
) -> tuple[dict[str, str], list[Diagnostic]]:
    """Give each Compose name of one section its Kubernetes name.

    Args:
        names: Compose name → where it was written.
        section: "services", "volumes", "networks": how findings name the place.

    Returns:
        Compose name → Kubernetes name (no two alike), and a warning for each that had to change.
    """
    kept = {name for name in names if dns_label(name) == name}
    taken, result = set(kept), {}
    found: list[Diagnostic] = []
    for name in sorted(names):
        if name in kept:
            result[name] = name
            continue
        wanted = dns_label(name)
        chosen = wanted if wanted not in taken else f"{dns_label(name, limit=54)}-{digest(name)}"
        taken.add(chosen)
        result[name] = chosen
        collides = f" because {wanted!r} is another one's name" if chosen != wanted else ""
        found.append(
            Diagnostic(
                path=f"{section}.{name}",
                location=names[name],
                code="renamed",
                severity=Severity.WARNING if section == "services" else Severity.NOTE,
                message=f"{name!r} is no Kubernetes name and becomes {chosen!r}{collides}.",
                remedy=f"Rename it to {chosen!r} in the Compose file, also where others call it."
                if section == "services"
                else "",
            )
        )
    return result, found
