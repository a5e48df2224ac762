"""When a CronJob is due. Pure.

A schedule has five fields, or is one of ``@hourly @daily @midnight @weekly @monthly @yearly @annually``, or
``@every DURATION``. Times of a zone with daylight saving are those of its clocks.

Source: ``robfig/cron/v3`` (ParseStandard) and ``pkg/controller/cronjob/utils.go`` (Kubernetes 1.36).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError

_NAMED = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
_PART = re.compile(r"([0-9]+(?:\.[0-9]+)?)(h|m|s)")
_SECONDS = {"h": 3600.0, "m": 60.0, "s": 1.0}
MANY = 100  # missed times, from which on something is wrong with the clock or the schedule


class ScheduleError(ValueError):
    """The text is no schedule."""


class ZoneError(ValueError):
    """There is no such time zone."""


class Schedule(Protocol):
    """Says when something is due; all times are UTC."""

    def after(self, moment: datetime) -> datetime | None:
        """Return the first time after `moment`; None when there never is one."""
        ...

    def until(self, moment: datetime, since: datetime) -> datetime | None:
        """Return the last time that is not after `moment`, but after `since`."""
        ...


@dataclass(frozen=True, slots=True)
class _Cron:
    fields: str
    zone: ZoneInfo | None

    def after(self, moment: datetime) -> datetime | None:
        return self._first(moment, reverse=False)

    def until(self, moment: datetime, since: datetime) -> datetime | None:
        inside = moment.replace(second=1, microsecond=0)  # going backwards leaves out where it begins
        found = self._first(inside, reverse=True)
        return found if found is not None and found > since else None

    def _first(self, moment: datetime, *, reverse: bool) -> datetime | None:
        local = moment.astimezone(self.zone or UTC)
        try:
            return next(CronSim(self.fields, local, reverse)).astimezone(UTC)
        except StopIteration:
            return None


@dataclass(frozen=True, slots=True)
class _Every:
    seconds: float

    def after(self, moment: datetime) -> datetime | None:
        return moment.replace(microsecond=0) + timedelta(seconds=self.seconds)

    def until(self, moment: datetime, since: datetime) -> datetime | None:
        start = since.replace(microsecond=0)
        times = int((moment - start).total_seconds() // self.seconds)
        return start + timedelta(seconds=times * self.seconds) if times > 0 else None


def parse_schedule(text: str, zone: str | None = None) -> Schedule:
    """Return the schedule that `text` says, in the time zone `zone` (None: UTC).

    Raises:
        ScheduleError: it is none.
        ZoneError: there is no such zone.
    """
    if text.startswith("@every "):
        parts = _PART.findall(text.removeprefix("@every "))
        seconds = sum(float(number) * _SECONDS[unit] for number, unit in parts)
        if "".join(map("".join, parts)) != text.removeprefix("@every ").strip() or seconds <= 0:
            raise ScheduleError(f"failed to parse duration {text}")
        return _Every(max(1.0, float(int(seconds))))
    fields = _NAMED.get(text, text).replace("?", "*")
    try:
        CronSim(fields, datetime(2000, 1, 1, tzinfo=UTC))
    except CronSimError as error:
        raise ScheduleError(f"{text}: {error}") from error
    try:
        return _Cron(fields, ZoneInfo(zone) if zone else None)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ZoneError(f"unknown time zone {zone}") from error


@dataclass(frozen=True, slots=True)
class Due:
    """What is due now.

    Attributes:
        at: the last time that was missed; None when nothing is due.
        following: the time after now.
        many: more than `MANY` times were missed.
    """

    at: datetime | None
    following: datetime | None
    many: bool = False


def due(
    schedule: Schedule, *, created: datetime, last: datetime | None, deadline: float | None, now: datetime
) -> Due:
    """Return what is due.

    Args:
        schedule: of the CronJob.
        created: when the CronJob was made.
        last: the last time for which a Job was started.
        deadline: seconds after which it is too late to start; older times are not counted.
        now: the present.
    """
    earliest = last or created
    if deadline is not None:
        earliest = max(earliest, now - timedelta(seconds=deadline))
    following = schedule.after(now)
    found = schedule.until(now, earliest)
    return Due(found, following, many=found is not None and _many(schedule, earliest, now))


def _many(schedule: Schedule, earliest: datetime, now: datetime) -> bool:
    moment: datetime | None = earliest
    for _ in range(MANY + 1):
        moment = schedule.after(moment) if moment is not None else None
        if moment is None or moment > now:
            return False
    return True
