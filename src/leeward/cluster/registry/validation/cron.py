"""Schedules of CronJobs, and what is wrong with them in the words of the library that upstream uses.

Source: github.com/robfig/cron/v3 parser.go ParseStandard (as in Kubernetes 1.36).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_DESCRIPTORS = ("@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly")
_EVERY = "@every "
_DURATION = re.compile(r"[-+]?(0|(\d+(\.\d*)?|\.\d+)(ns|us|µs|μs|ms|s|m|h))+")
_ZONES = ("TZ=", "CRON_TZ=")


class _Bounds(NamedTuple):
    low: int
    high: int
    names: Mapping[str, int] = {}


_FIELDS = (
    _Bounds(0, 59),
    _Bounds(0, 23),
    _Bounds(1, 31),
    _Bounds(1, 12, {name: number for number, name in enumerate(_MONTHS, start=1)}),
    _Bounds(0, 6, {name: number for number, name in enumerate(_DAYS)}),
)


def schedule_problem(schedule: str) -> str:
    """Return what is wrong with a schedule; "": nothing."""
    if schedule.startswith(_ZONES):
        zone, _, schedule = schedule.partition(" ")
        name = zone.partition("=")[2]
        if not is_zone(name):
            return f"provided bad location {name}: unknown time zone {name}"
        schedule = schedule.strip()
    if schedule.startswith("@"):
        return _descriptor(schedule)
    fields = schedule.split()
    if len(fields) != len(_FIELDS):
        return f"expected exactly {len(_FIELDS)} fields, found {len(fields)}: [{' '.join(fields)}]"
    for text, bounds in zip(fields, _FIELDS, strict=True):
        for part in filter(None, text.split(",")):
            problem = _range(part, bounds)
            if problem:
                return problem
    return ""


def is_zone(name: str) -> bool:
    """Tell whether a time zone is known."""
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True


def _descriptor(text: str) -> str:
    if text in _DESCRIPTORS:
        return ""
    if not text.startswith(_EVERY):
        return f"unrecognized descriptor: {text}"
    duration = text.removeprefix(_EVERY)
    if _DURATION.fullmatch(duration):
        return ""
    return f"failed to parse duration {text}: time: invalid duration {json.dumps(duration)}"


def _range(text: str, bounds: _Bounds) -> str:
    """Check one of "*", "4", "1-5", each with or without "/2"."""
    span, *steps = text.split("/")
    ends = span.split("-")
    first, last, step, problem = bounds.low, bounds.high, 1, ""
    if ends[0] not in ("*", "?"):
        numbers = [_number(end, bounds.names) for end in ends[:2]]
        problem = next((each for each in numbers if isinstance(each, str)), "")
        if len(ends) > 2:
            problem = problem or f"too many hyphens: {text}"
        if not problem:
            first, last = int(numbers[0]), int(numbers[-1])
    if steps and not problem:
        found = _number(steps[0], {})
        if len(steps) > 1:
            return f"too many slashes: {text}"
        if isinstance(found, str):
            return found
        step, last = found, bounds.high if len(ends) == 1 else last
    return problem or _limits(first, last, step, bounds, text)


def _limits(first: int, last: int, step: int, bounds: _Bounds, text: str) -> str:
    if first < bounds.low:
        return f"beginning of range ({first}) below minimum ({bounds.low}): {text}"
    if last > bounds.high:
        return f"end of range ({last}) above maximum ({bounds.high}): {text}"
    if first > last:
        return f"beginning of range ({first}) beyond end of range ({last}): {text}"
    return f"step of range should be a positive number: {text}" if step == 0 else ""


def _number(text: str, names: Mapping[str, int]) -> int | str:
    """Return a number, or what is wrong with it."""
    if text.lower() in names:
        return names[text.lower()]
    if text.isascii() and text.isdigit():
        return int(text)
    return f"failed to parse int from {text}: strconv.Atoi: parsing {json.dumps(text)}: invalid syntax"
