"""Times as people write them: cron expressions, time zones, durations, windows of a week.

Source: ``k8s.io/kubernetes/pkg/apis/batch/validation`` (the parser robfig/cron v3: five fields, names,
steps, macros); the IANA time zone database; the Compose Specification, "Specifying durations".
"""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Annotated

from leeward.compose.scalars import parse_duration
from leeward.settings.base import Parsed, Word

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MACROS = frozenset(("@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly"))
_FIELDS: tuple[tuple[str, int, int, tuple[str, ...]], ...] = (  # name, least, most, words from the least on
    ("minute", 0, 59, ()),
    ("hour", 0, 23, ()),
    ("day of the month", 1, 31, ()),
    ("month", 1, 12, _MONTHS),
    ("day of the week", 0, 6, (DAYS[6], *DAYS[:6])),
)
_PART = re.compile(r"(?:(\*|\?)|(\w+)(?:-(\w+))?)(?:/([0-9]+))?")
_MOMENT = r"(Mon|Tue|Wed|Thu|Fri|Sat|Sun) ([01][0-9]|2[0-3]):([0-5][0-9])"
_WINDOW = re.compile(rf"{_MOMENT}/{_MOMENT}(?: (\S+))?")
_WINDOW_WANTED = 'a window such as "Fri 16:00/Mon 08:00 Europe/Berlin"'
_WEEK = 7 * 24 * 60  # minutes
_CRON_WANTED = 'a cron expression of five fields such as "0 3 * * *", or @daily'


@dataclass(frozen=True, slots=True)
class Window:
    """A part of every week; it may go over the week's end."""

    start: tuple[int, int, int]  # day from Monday = 0, hour, minute
    end: tuple[int, int, int]
    time_zone: str


def parse_cron(text: str) -> str:
    """Return `text` when it is a cron expression.

    Raises:
        ValueError: with what is wanted in its place.
    """
    if text.startswith("@"):
        if text in _MACROS:
            return text
        raise ValueError(_CRON_WANTED)
    parts = text.split()
    if len(parts) != len(_FIELDS):
        raise ValueError(_CRON_WANTED)
    for part, field in zip(parts, _FIELDS, strict=True):
        if not all(_is_cron_entry(entry, *field[1:]) for entry in part.split(",")):
            name, least, most, words = field
            also = f" or {words[0]} to {words[-1]}" if words else ""
            raise ValueError(f"a cron expression whose {name} is {least} to {most}{also}, not {part}")
    return text


def _is_cron_entry(entry: str, least: int, most: int, words: tuple[str, ...]) -> bool:
    match = _PART.fullmatch(entry)
    if match is None or match[4] == "0":
        return False
    numbers = [_cron_number(word, least, words) for word in (match[2], match[3]) if word]
    return all(least <= number <= most for number in numbers) and numbers == sorted(numbers)


def _cron_number(word: str, least: int, words: tuple[str, ...]) -> int:
    if word.isdecimal():
        return int(word)
    return least + words.index(word.lower()) if word.lower() in words else -1


def parse_time_zone(text: str) -> str:
    """Return `text` when it is the name of a time zone; any name will do on a machine that knows none.

    Raises:
        ValueError: with what is wanted in its place.
    """
    import zoneinfo  # here, because few projects name one

    try:
        zoneinfo.ZoneInfo(text)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        if known := zoneinfo.available_timezones():
            near = difflib.get_close_matches(text, sorted(known), n=1) or ["Europe/Berlin"]
            raise ValueError(f'a time zone such as "{near[0]}"') from None
    return text


def parse_window(text: str) -> Window:
    """Return the window of a week that `text` means.

    Raises:
        ValueError: with what is wanted in its place.
    """
    match = _WINDOW.fullmatch(text.strip())
    if match is None:
        raise ValueError(_WINDOW_WANTED)
    start, end = _moment(*match.groups()[:3]), _moment(*match.groups()[3:6])
    if start == end:
        raise ValueError(f"{_WINDOW_WANTED} with two different moments")
    return Window(start, end, parse_time_zone(match[7] or "UTC"))


def until(window: Window, now: datetime) -> datetime | None:
    """Return when the window that `now` (aware) is in ends, in its time zone; None when it is in none.

    The window begins when clocks there first show its start or a later time, and ends when they last do
    that of its end: an hour that is skipped is none, and one that comes twice is in the window both times.

    Raises:
        ValueError: this machine does not know the time zone.
    """
    zone = zone_of(window.time_zone)
    start, length = _minutes(window.start), (_minutes(window.end) - _minutes(window.start)) % _WEEK
    today = now.astimezone(zone).replace(tzinfo=None, hour=0, minute=0, second=0, microsecond=0)
    monday = today - timedelta(days=today.weekday())
    for weeks in (0, -1):  # of two that overlap by a change of clocks, the later one
        begins = monday + timedelta(weeks=weeks, minutes=start)
        ends = _instant(begins + timedelta(minutes=length), zone, last=True)
        if _instant(begins, zone, last=False) <= now < ends:
            return ends.astimezone(zone)
    return None


def zone_of(name: str) -> tzinfo:
    """Return the time zone of that name.

    Raises:
        ValueError: this machine does not know it.
    """
    import zoneinfo

    try:
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        if name == "UTC":
            return UTC
        raise ValueError(f"this machine does not know the time zone {name}") from None


def _minutes(moment: tuple[int, int, int]) -> int:
    day, hour, minute = moment
    return (day * 24 + hour) * 60 + minute


def _instant(wall: datetime, zone: tzinfo, *, last: bool) -> datetime:
    """Return when clocks in a zone show a time: of two moments the first or `last`, of none the gap's end."""
    first, second = (wall.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))
    if first <= second:
        return second if last else first
    low, high = second, first  # in a gap: the offset changes between the two
    while high - low > timedelta(seconds=1):
        middle = low + (high - low) // 2
        if middle.astimezone(zone).replace(tzinfo=None) < wall:
            low = middle
        else:
            high = middle
    return high.replace(microsecond=0)


def _moment(day: str, hour: str, minute: str) -> tuple[int, int, int]:
    return DAYS.index(day.lower()), int(hour), int(minute)


def parse_seconds(text: str) -> float:
    """Return the seconds of a duration.

    Raises:
        ValueError: with what is wanted in its place.
    """
    seconds = parse_duration(text)
    if seconds is None:
        raise ValueError('a duration such as "90s", "2h" or "1h30m"')
    return seconds


Cron = Annotated[str, Parsed(parse_cron, _CRON_WANTED)]
TimeZone = Annotated[str, Parsed(parse_time_zone, 'a time zone such as "Europe/Berlin"')]
FreezeWindow = Annotated[Window, Parsed(parse_window, _WINDOW_WANTED)]
Duration = Annotated[float, Parsed(parse_seconds, 'a duration such as "90s", "2h" or "1h30m"')]
PromDuration = Annotated[str, Word(r"([0-9]+(ms|[smhdwy]))+", 'a duration such as "5m"', 32)]
