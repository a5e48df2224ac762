"""The stages of a simulated container: how long each takes, and which go wrong.

They are written as ``pull=1s..5s start=200ms ready=2s exit=30s crash=0.05``: words of a stage and a duration,
or a range of which one is drawn. A Pod's annotation ``leeward.dev/simulate`` says what differs for it from
the cluster's own. What is drawn depends on a seed, the Pod, its container and the attempt, and nothing else.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from random import Random

from leeward.base.errors import UserInputError
from leeward.kube.objects import Obj, annotations_of
from leeward.kube.wellknown import SIMULATE

_DURATION = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,9})?)(ms|s|m|h|)")
_UNITS = {"ms": 0.001, "s": 1.0, "": 1.0, "m": 60.0, "h": 3600.0}
_SPANS = {
    "pull": "until its image is there",
    "start": "from the image to running",
    "ready": "from running to ready",
    "exit": "from running to its end; never unless given",
    "stop": "from the stop signal to its end",
}
_SHARES = {
    "pull-fail": "of pulls that fail",
    "crash": "of runs that end badly",
    "never-ready": "of runs never ready",
}
HELP = "pull, start, ready, exit, stop (durations or ranges), code, pull-fail, crash, never-ready (shares)"


@dataclass(frozen=True, slots=True)
class Span:
    """Seconds, at least and at most."""

    least: float
    most: float

    def draw(self, random: Random) -> float:
        """Return a number of seconds."""
        return self.least if self.least == self.most else random.uniform(self.least, self.most)


_AT_ONCE = Span(0.0, 0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stages:
    """What happens to each container, in order."""

    pull: Span = _AT_ONCE
    start: Span = Span(0.05, 0.05)
    ready: Span = _AT_ONCE
    exit: Span | None = None  # None: it runs until it is stopped
    stop: Span = _AT_ONCE
    code: int = 0  # with which it exits
    pull_fail: float = 0.0  # share of pulls
    crash: float = 0.0  # share of runs that end with code 1: when they exit, or when they would be ready
    never_ready: float = 0.0  # share of runs


@dataclass(frozen=True, slots=True)
class Course:
    """What is in store for one run of a container, seconds from the beginning of its pull."""

    pulled: float
    running: float
    ready: float | None
    exit: float | None
    code: int
    pull_fails: bool


def parse_stages(text: str, base: Stages | None = None) -> Stages:
    """Return the stages that `text` describes; what it leaves out is as in `base`.

    Raises:
        UserInputError: it is not written like that.
    """
    found: dict[str, object] = {}
    for word in re.split(r"[\s,]+", text.strip()):
        if word:
            name, _, value = word.partition("=")
            found[name.replace("-", "_")] = _value(name, value)
    return replace(base or Stages(), **found)  # type: ignore[arg-type]


def _value(name: str, value: str) -> object:
    if name in _SPANS:
        return _span(name, value)
    if name == "code" and re.fullmatch("[0-9]{1,3}", value) and int(value) < 256:
        return int(value)
    if name in _SHARES and re.fullmatch(r"0(\.[0-9]{1,9})?|1(\.0{1,9})?|\.[0-9]{1,9}", value):
        return float(value)
    if name in (*_SHARES, "code"):
        what = "an exit code from 0 to 255" if name == "code" else f"the share {_SHARES[name]}, from 0 to 1"
        raise UserInputError(
            f"{name}={value} is not {what}", remedy=f"Such as {name}={'1' if name == 'code' else '0.05'}."
        )
    raise UserInputError(f"simulated containers have no {name!r}", remedy=f"There are: {HELP}.")


def _span(name: str, value: str) -> Span:
    least, separator, most = value.partition("..")
    times = [_DURATION.fullmatch(each) for each in ((least, most) if separator else (least,))]
    if not all(times):
        raise UserInputError(
            f"{name}={value} is no time {_SPANS[name]}", remedy=f"Such as {name}=500ms or {name}=1s..5s."
        )
    seconds = [float(each[1]) * _UNITS[each[2]] for each in times if each]
    if seconds[0] > seconds[-1]:
        raise UserInputError(f"{name}={value} ends before it begins", remedy="Write the shorter time first.")
    return Span(seconds[0], seconds[-1])


def draw_course(stages: Stages, random: Random) -> Course:
    """Draw what one run of a container will be like."""
    pulled = stages.pull.draw(random)
    running = pulled + stages.start.draw(random)
    ready: float | None = running + stages.ready.draw(random)
    end = None if stages.exit is None else running + stages.exit.draw(random)
    code = stages.code
    if stages.crash and random.random() < stages.crash:
        end, code = ready if end is None else end, 1
    if stages.never_ready and random.random() < stages.never_ready:
        ready = None
    fails = bool(stages.pull_fail) and random.random() < stages.pull_fail
    return Course(pulled, running, ready, end, code, fails)


def stages_of(pod: Obj, base: Stages) -> Stages:
    """Return the stages of a Pod's containers.

    Raises:
        UserInputError: its annotation is not written like that.
    """
    text = annotations_of(pod).get(SIMULATE)
    return parse_stages(text, base) if text else base
