"""Why a release may not enter an environment: every reason at once, each with what helps. Pure.

A release has to have been found good in the environment that it comes from, and to have stayed there for the
environment's soak; nobody may have locked the environment, none of its freeze windows may be open, and as
many people as it wants must have approved exactly this difference.

* **Going back** to a release that was found good here restores what people had already let in. It needs
  neither origin, soak, approvals nor the end of a freeze; a lock stops it, because whoever locked works here.
* **An override** is for emergencies: with a reason, it passes soak, freeze and approvals, which are about
  when and with whose consent. It passes neither a lock (which anybody who may promote can take away, and is
  told so) nor the origin (what never ran anywhere else is the next emergency). What it passed is returned,
  and belongs into the audit trail.
* **What was let in and did not end** goes on, whatever has ended or begun since: an environment is not left
  in the middle. A lock stops it, too.

Invariants: what cannot be told counts as a reason; the release's author, and whoever approved another
difference, another release or another environment, has not approved.

Source: docs.github.com, "Deployments and environments" (wait timers, reviewers that are not the author,
bypassing); docs.kargo.io, "Working with Stages" (soak time: how long in the upstream stage; verification).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo

from leeward.delivery.environments.environment import Environment, Verified, window_text
from leeward.kube.objects import Obj, parse_time
from leeward.settings.times import DAYS, Window, until, zone_of

_NEVER = datetime.min.replace(tzinfo=UTC)
_OVERRIDE = "or say why it cannot wait: --override REASON."


@dataclass(frozen=True, slots=True)
class Blocked:
    """One reason why not."""

    code: str  # origin, origin-unknown, soak, freeze, freeze-unknown, locked or approvals
    message: str
    remedy: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval:
    """Somebody agreed that a release enters an environment with what it changes there."""

    by: str
    environment: str
    release: str
    diff_hash: str
    until: datetime | None = None  # None: for good


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """What is known of the environment that releases come from."""

    verified: Sequence[Verified] = ()
    arrived: datetime | None = None  # when a promotion of this release began there that is not found good
    unreadable: str = ""  # why nothing is known


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A release that wants in."""

    environment: Environment  # where to
    release: str  # its id
    author: str  # who made it; "" when nobody knows
    origin: Origin | None = None  # None where releases come from the build
    approvals: Sequence[Approval] = ()
    diff_hash: str = ""  # of what it changes
    by: str = ""  # who asks
    rollback: bool = False
    override: str = ""  # why some gates are to be passed
    begun: str = ""  # a promotion of exactly this that was let in, and did not end


@dataclass(frozen=True, slots=True)
class Override:
    """What somebody passed, and why: a record for the audit trail."""

    by: str
    reason: str
    passed: Sequence[Blocked]

    @property
    def details(self) -> Obj:
        """The same as plain JSON."""
        return {"override": self.reason, "passed": {each.code: each.message for each in self.passed}}


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the gates say; a release may enter when nothing is `blocked`."""

    blocked: Sequence[Blocked] = ()
    notes: Sequence[str] = ()  # what whoever asks should know all the same
    override: Override | None = None  # None: none was asked for, or none was needed


Gate = Callable[[Entry, datetime], Iterator[Blocked]]


def read_approval(obj: Obj) -> Approval:
    """Return the approval that an object means; one with an end that cannot be read has ended."""
    spec = obj.get("spec") or {}
    texts = {key: str(spec.get(key) or "") for key in ("by", "environment", "release", "diffHash", "until")}
    try:
        ends = parse_time(texts["until"]) if texts["until"] else None
    except ValueError:
        ends = _NEVER
    return Approval(
        by=texts["by"],
        environment=texts["environment"],
        release=texts["release"],
        diff_hash=texts["diffHash"],
        until=ends,
    )


def check_entry(entry: Entry, now: datetime) -> Verdict:
    """Return every reason why a release may not enter an environment.

    Args:
        entry: who wants what in where.
        now: by the cluster's clock, aware.
    """
    blocked = list(_locked(entry, now))
    notes = list(_notes(entry))
    if is_restoring(entry) or entry.begun:
        return Verdict(blocked, notes)
    blocked += _origin(entry, now)
    waived = [found for gate in _OVERRIDABLE for found in gate(entry, now)]
    if not entry.override.strip():
        return Verdict([*blocked, *waived], notes)
    if not waived:
        return Verdict(blocked, [*notes, "The override was not needed."])
    passed = ", ".join(dict.fromkeys(each.code for each in waived))
    notes.append(f"The override passes {passed}, which is recorded: {entry.override.strip()}")
    return Verdict(blocked, notes, Override(entry.by, entry.override.strip(), waived))


def is_restoring(entry: Entry) -> bool:
    """Tell whether the environment only goes back to what was found good in it."""
    return entry.rollback and any(each.release == entry.release for each in entry.environment.verified)


def _notes(entry: Entry) -> Iterator[str]:
    name, release = entry.environment.name, entry.release
    if entry.begun:
        yield f"{entry.begun} was let in and did not end: it goes on."
    if entry.environment.release == release:
        yield f"{release} is what {name} runs; only what the environment adds to it can be new."
    if is_restoring(entry):
        at = max(each.at for each in entry.environment.verified if each.release == release)
        yield (
            f"{release} was found good in {name} on {readable(at, entry.environment)}: going back to it "
            "waits for no origin, soak, freeze or approvals."
        )
    elif entry.rollback:
        yield f"{release} was never found good in {name}: going back to it is like any promotion."
    elif entry.environment.approvals and not entry.author:
        yield f"Nobody knows who made {release}, so that every approval counts."


def _locked(entry: Entry, now: datetime) -> Iterator[Blocked]:
    lock, name = entry.environment.lock, entry.environment.name
    if lock is None:
        return
    since = readable(lock.at, entry.environment)
    unlock = f"leeward unlock {name}"
    yield Blocked(
        "locked",
        f"{name} is locked by {lock.by} since {since}: {lock.reason}",
        f"Unlock it when you are done: {unlock}"
        if lock.by == entry.by
        else f'Let {lock.by} unlock it, or: {unlock} --reason "…"',
    )


# -- where it comes from


def _origin(entry: Entry, now: datetime) -> Iterator[Blocked]:
    source, name, release = entry.environment.origin, entry.environment.name, entry.release
    if not source:
        return
    origin = entry.origin
    if origin is None or origin.unreadable:
        why = origin.unreadable if origin is not None else "nobody looked"
        yield Blocked(
            "origin-unknown",
            f"{name} gets releases from {source}, and whether {release} is good there is not known: {why}",
            f"Have yourself given access to {source}, or let somebody promote who has it.",
        )
    elif not any(each.release == release for each in origin.verified):
        there = f"never was in {source}"
        if origin.arrived is not None:
            since = readable(origin.arrived, entry.environment)
            there = f"is in {source} since {since}, but was not found good there"
        yield Blocked(
            "origin",
            f"{release} {there}, where releases for {name} come from",
            f"See that it gets through there: leeward history {source}"
            if origin.arrived is not None
            else f"Promote it there first: leeward promote {release} --to {source}",
        )


def _soak(entry: Entry, now: datetime) -> Iterator[Blocked]:
    environment, source = entry.environment, entry.environment.origin
    stay = _stay(entry)
    if not source or environment.soak <= 0 or stay is None:
        return
    since, left = stay
    wanted = timedelta(seconds=environment.soak)
    need = f"{environment.name} wants that {entry.release} is good in {source} for {duration(wanted)}"
    if left is not None and left - since < wanted:
        yield Blocked(
            "soak",
            f"{need}; it was for {duration(left - since)}, until {readable(left, environment)}, when another "
            "release took its place",
            f"Promote the release that is in {source} now, or this one to {source} again, {_OVERRIDE}",
        )
    elif left is None and now - since < wanted:
        yield Blocked(
            "soak",
            f"{need}, which is at {readable(since + wanted, environment, up=True)}; it is since "
            f"{readable(since, environment)}",
            f"Wait until then, {_OVERRIDE}",
        )


def _stay(entry: Entry) -> tuple[datetime, datetime | None] | None:
    """Return from when to when (None: until now) a release was the good one where it comes from."""
    verified = entry.origin.verified if entry.origin is not None else ()
    since: datetime | None = None  # of the latest stay
    left: datetime | None = None
    for each in sorted(verified, key=lambda found: found.at):
        if each.release == entry.release:
            since, left = (each.at, None) if since is None or left is not None else (since, None)
        elif left is None:
            left = each.at
    return None if since is None else (since, left)


# -- when


def _freeze(entry: Entry, now: datetime) -> Iterator[Blocked]:
    environment = entry.environment
    try:
        thawed, windows = _thaw(environment.freeze, now)
    except ValueError as error:
        yield Blocked(
            "freeze-unknown",
            f"whether {environment.name} is frozen cannot be told: {error}",
            f"Install the time zone database (the package tzdata), {_OVERRIDE}",
        )
        return
    if windows:
        texts = " and ".join(map(window_text, windows))
        ends = "always" if thawed is None else f"until {readable(thawed, environment, up=True)}"
        yield Blocked(
            "freeze",
            f"{environment.name} is frozen {ends} ({texts})",
            f"Wait until then, {_OVERRIDE}" if thawed else f"Correct `freeze` in leeward.yaml, {_OVERRIDE}",
        )


def _thaw(freeze: Sequence[Window], now: datetime) -> tuple[datetime | None, list[Window]]:
    """Return when no window is open any longer, None for never, and the windows that follow one another."""
    moment, windows = now, list[Window]()
    while moment - now <= timedelta(weeks=1):
        open_now = [(end, window) for window in freeze if (end := until(window, moment)) is not None]
        if not open_now:
            return moment, windows
        moment, last = max(open_now, key=lambda each: each[0].astimezone(UTC))
        windows += [last] if last not in windows else []
    return None, windows


# -- with whose consent


def _approvals(entry: Entry, now: datetime) -> Iterator[Blocked]:
    environment, release = entry.environment, entry.release
    if environment.approvals <= 0:
        return
    agreed = approved_by(entry, now)
    missing = environment.approvals - len(agreed)
    if missing <= 0:
        return
    have = f"{_names(agreed)} approved" if agreed else "nobody has approved"
    message = f"{environment.name} wants {_people(environment.approvals)} to approve {release}: {have}, "
    message += f"{_people(missing)} {'is' if missing == 1 else 'are'} missing"
    yield Blocked(
        "approvals",
        "; ".join([message, *_uncounted(entry, now, agreed)]),
        f"Let somebody else look at what changes: leeward approve {release} --for {environment.name}, "
        f"{_OVERRIDE}",
    )


def approved_by(entry: Entry, now: datetime) -> list[str]:
    """Return who has approved exactly what is asked for."""
    mine = (each for each in _for_release(entry) if entry.diff_hash and each.diff_hash == entry.diff_hash)
    return sorted({each.by for each in mine if _is_valid(each, now) and each.by not in ("", entry.author)})


def _for_release(entry: Entry) -> list[Approval]:
    wanted = (entry.environment.name, entry.release)
    return [each for each in entry.approvals if (each.environment, each.release) == wanted]


def _is_valid(approval: Approval, now: datetime) -> bool:
    return approval.until is None or approval.until > now


def _uncounted(entry: Entry, now: datetime, agreed: Sequence[str]) -> Iterator[str]:
    """Say which approvals do not count, and why."""
    others = [each for each in _for_release(entry) if each.by not in agreed]
    if any(each.by == entry.author for each in others if entry.author):
        yield f"{entry.author} made it and does not count"
    others = [each for each in others if each.by not in ("", entry.author)]
    ended = {each.by for each in others if each.diff_hash == entry.diff_hash}
    if ended:
        yield f"the approval of {_names(sorted(ended))} has ended"
    if earlier := {each.by for each in others} - ended:
        yield f"{_names(sorted(earlier))} approved another difference, before something changed"


def _people(number: int) -> str:
    return "1 person" if number == 1 else f"{number} people"


def _names(names: Sequence[str]) -> str:
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))


_OVERRIDABLE: tuple[Gate, ...] = (_soak, _freeze, _approvals)


# -- times as people read them


def readable(moment: datetime, environment: Environment, *, up: bool = False) -> str:
    """Return a moment as the people of an environment read it: ``Mon 2026-11-30 08:00 Europe/Berlin``.

    Their time zone is that of the first freeze window.

    Args:
        moment: aware.
        environment: whose people.
        up: round up to the next minute, so that it is over by then.
    """
    name = next((window.time_zone for window in environment.freeze), "UTC")
    zone: tzinfo
    try:
        zone = zone_of(name)
    except ValueError:
        name, zone = "UTC", UTC
    whole = moment.astimezone(UTC)
    if up and (whole.second or whole.microsecond):
        whole += timedelta(minutes=1)
    local = whole.astimezone(zone)
    return f"{DAYS[local.weekday()].capitalize()} {local:%Y-%m-%d %H:%M} {name}"


def duration(time: timedelta) -> str:
    """Return a duration as people write it: ``1h30m``."""
    whole = math.floor(time.total_seconds())
    parts = ((whole // 3600, "h"), (whole // 60 % 60, "m"), (whole % 60, "s"))
    return "".join(f"{number}{unit}" for number, unit in parts if number) or "0s"
