"""What writing an environment would change, field by field, and the order in which releases pass. Pure."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from leeward.delivery.environments.environment import Environment, window_text
from leeward.delivery.environments.verifications import Verification, in_words, judged, number

NOTHING = ""


class Change(NamedTuple):
    """One field before and after; :data:`NOTHING` where it is not there."""

    field: str  # as leeward.yaml has it
    before: str
    after: str


def changes(before: Environment | None, after: Environment) -> list[Change]:
    """Return what of an environment is otherwise, in the order of ``leeward.yaml``."""
    old = dict(_fields(before)) if before is not None else {}
    new = dict(_fields(after))
    found = [
        Change(field, old.get(field, NOTHING), new.get(field, NOTHING))
        for field in dict.fromkeys((*new, *old))
    ]
    texts = before.overlay.files if before is not None else {}
    return [each for each in found if each.before != each.after] + list(_files(texts, after.overlay.files))


def _fields(environment: Environment) -> Iterator[tuple[str, str]]:
    """Yield what an environment says, less what is as it is without being said."""
    overlay = environment.overlay
    verify = [_verification(each) for each in environment.verify]
    rows = {
        "namespace": environment.namespace,
        "from": environment.origin,
        "from cluster": environment.origin_cluster,
        "approvals": str(environment.approvals or NOTHING),
        "soak": _time(environment.soak),
        "freeze": ", ".join(map(window_text, environment.freeze)),
        "verify": ", ".join(verify),
        "embedded": "true" if environment.embedded else NOTHING,
        "compose": ", ".join(overlay.compose),
        "env_file": ", ".join(overlay.env_files),
        "profiles": ", ".join(overlay.profiles),
        "size": overlay.size or NOTHING,
        **{f"variables.{name}": value or '""' for name, value in overlay.variables.items()},
        **{f"replicas.{name}": str(number) for name, number in overlay.replicas.items()},
        **{f"access.{group}": level for group, level in environment.access.items()},
    }
    yield from ((field, value) for field, value in rows.items() if value != NOTHING)


def _verification(wanted: Verification) -> str:
    """Return what verifies, and how: ``smoke (10m)``, ``GET web/healthz (status 200, 2m)``."""
    if wanted.drill:
        return f"{in_words(wanted)} ({number(wanted.rate)} requests/s, {_time(wanted.timeout)})"
    how = f"{judged(wanted)}, " if wanted.http else ""
    return f"{in_words(wanted)} ({how}{_time(wanted.timeout)})"


def _files(before: Mapping[str, str], after: Mapping[str, str]) -> Iterator[Change]:
    for path in dict.fromkeys((*after, *before)):
        old, new = before.get(path), after.get(path)
        if old == new:
            continue
        if old is None or new is None:
            yield Change(path, _lines(old), _lines(new))
        else:
            delta = list(difflib.ndiff(old.splitlines(), new.splitlines()))
            gone, come = (sum(line.startswith(sign) for line in delta) for sign in "-+")
            yield Change(path, _lines(old), f"{_lines(new)} ({come} new, {gone} gone)")


def _lines(text: str | None) -> str:
    if text is None:
        return NOTHING
    number = len(text.splitlines())
    return f"{number} line{'' if number == 1 else 's'}"


def _time(seconds: float) -> str:
    """Return a duration as people write it: ``1h30m``; nothing for none."""
    whole = int(seconds)
    parts = ((whole // 3600, "h"), (whole // 60 % 60, "m"), (whole % 60, "s"))
    return "".join(f"{number}{unit}" for number, unit in parts if number)


def passages(origins: Mapping[str, str | None]) -> list[list[str]]:
    """Return the ways of a release, each from the build to an end; `origins` has no circle.

    Args:
        origins: environment → the one that releases come from; None for the build.
    """
    ends = [name for name in origins if name not in origins.values()]
    return [_way(origins, end) for end in ends]


def _way(origins: Mapping[str, str | None], end: str) -> list[str]:
    way, name = [end], origins.get(end)
    while name is not None and name in origins:
        way.insert(0, name)
        name = origins[name]
    return way
