"""Times as Go reads them: RFC 3339, in seconds or in microseconds, with Go's own words about what is wrong.

Source: Go's time.Parse; k8s.io/apimachinery/pkg/apis/meta/v1/{time,micro_time}.go (Kubernetes 1.36).
"""

from __future__ import annotations

import re
from datetime import UTC, datetime

SECONDS, MICROSECONDS = "2006-01-02T15:04:05Z07:00", "2006-01-02T15:04:05.000000Z07:00"
_PARTS = (
    ("2006", r"\d{4}", ""), ("-", "-", ""), ("01", r"\d{2}", "month"), ("-", "-", ""),
    ("02", r"\d{2}", "day"), ("T", "T", ""), ("15", r"\d{2}", "hour"), (":", ":", ""),
    ("04", r"\d{2}", "minute"), (":", ":", ""),
    ("05", r"\d{2}(?:[.,]\d+)?", "second"),
)  # fmt: skip
_FRACTION = (".000000", r"[.,]\d{6}(?!\d)", "")
_ZONE = ("Z07:00", r"Z|[+-]\d{2}:\d{2}", "")
_MOST = {"month": 12, "day": 31, "hour": 23, "minute": 59, "second": 59}


def normal_time(text: str, layout: str) -> str:
    """Return a time in UTC, as `layout` writes it.

    Raises:
        ValueError: it is none; the text is Go's.
    """
    rest, found = text, []
    micro = layout == MICROSECONDS
    parts = [*_PARTS[:-1], ("05", r"\d{2}", "second"), _FRACTION] if micro else [*_PARTS]
    for element, pattern, what in (*parts, _ZONE):
        match = re.match(pattern, rest)
        if match is None:
            raise ValueError(f'parsing time "{text}" as "{layout}": cannot parse "{rest}" as "{element}"')
        if what and not _fits(what, match[0]):
            raise ValueError(f'parsing time "{text}": {what} out of range')
        found.append(match[0])
        rest = rest[match.end() :]
    if rest:
        raise ValueError(f'parsing time "{text}": extra text: "{rest}"')
    try:
        moment = datetime.fromisoformat(re.sub(r"([.,]\d{6})\d+", r"\1", "".join(found))).astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError(f'parsing time "{text}": day out of range') from None
    return f"{moment:%Y-%m-%dT%H:%M:%S}{f'.{moment.microsecond:06}' if micro else ''}Z"


def _fits(what: str, text: str) -> bool:
    number = int(text[:2])
    return (what not in ("month", "day") or number > 0) and number <= _MOST[what]
