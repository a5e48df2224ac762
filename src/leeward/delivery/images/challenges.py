"""What HTTP headers of a registry say: who it wants us to be, and when to come back. Pure.

Source: RFC 9110, sections 10.2.3 (Retry-After) and 11.6.1 (WWW-Authenticate); RFC 7617 (Basic).
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from leeward.delivery.images.credentials import Credentials

_CHALLENGE = re.compile(r"(?:\A|,)\s*(bearer|basic)(?=\s|,|\Z)", re.IGNORECASE)
_PARAMETER = re.compile(r'([a-z_]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s",]+))', re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Challenge:
    """One way to say who we are."""

    scheme: str  # "bearer" or "basic"
    parameters: Mapping[str, str]  # of Bearer: realm, service, scope


def challenge_of(headers: Sequence[str]) -> Challenge | None:
    """Return the best challenge of ``WWW-Authenticate`` headers; None when there is none that we know."""
    found: dict[str, Challenge] = {}
    for text in headers:
        starts = list(_CHALLENGE.finditer(text))
        for index, start in enumerate(starts):
            end = starts[index + 1].start() if index + 1 < len(starts) else len(text)
            pairs = _PARAMETER.findall(text[start.end() : end])
            parameters = {
                name.lower(): re.sub(r"\\(.)", r"\1", quoted) or bare for name, quoted, bare in pairs
            }
            scheme = start.group(1).lower()
            found.setdefault(scheme, Challenge(scheme, parameters))
    return found.get("bearer") or found.get("basic")


def basic(credentials: Credentials) -> str:
    """Return the header of Basic authentication."""
    both = f"{credentials.username}:{credentials.secret}"
    return f"Basic {base64.b64encode(both.encode()).decode('ascii')}"


def retry_after(text: str, now: datetime) -> float | None:
    """Return the seconds (>= 0) that a ``Retry-After`` header asks for, or None when it says nothing."""
    if text.strip().isascii() and text.strip().isdigit():
        return float(text)
    try:
        when = parsedate_to_datetime(text)
    except ValueError:
        return None
    when = when if when.tzinfo else when.replace(tzinfo=UTC)
    return max((when - now).total_seconds(), 0.0)
