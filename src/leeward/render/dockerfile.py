"""The HEALTHCHECK of a Dockerfile, which Compose honours when the service itself names no test.

Source: the Dockerfile reference, "HEALTHCHECK", "FROM" and line continuation.
"""

from __future__ import annotations

import json
import re
from dataclasses import replace

from leeward.compose.project import Build, Healthcheck
from leeward.render.files import Files

MAX_BYTES = 200_000
_OPTION = re.compile(r"--([a-z-]+)=(\S+)\s*")
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(h|ms|m|us|s)")
_SECONDS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6}


def _seconds(text: str) -> float | None:
    parts = _DURATION.findall(text)
    return sum(float(number) * _SECONDS[unit] for number, unit in parts) if parts else None


def _instructions(text: str) -> list[tuple[str, str]]:
    """Return (upper-case instruction, rest) of each, continuation lines joined, comments dropped."""
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    joined = re.sub(r"\\[ \t]*\n", " ", "\n".join(lines))
    found = [line.strip().partition(" ") for line in joined.splitlines() if line.strip()]
    return [(word.upper(), rest.strip()) for word, _, rest in found]


def _test(command: str) -> tuple[str, ...]:
    if command.startswith("["):
        try:
            return ("CMD", *map(str, json.loads(command)))
        except ValueError:
            pass
    return ("CMD-SHELL", command)


def _parse(rest: str) -> Healthcheck | None:
    options: dict[str, str] = {}
    while match := _OPTION.match(rest):
        options[match[1]] = match[2]
        rest = rest[match.end() :]
    word, _, command = rest.partition(" ")
    if word.upper() != "CMD" or not command.strip():
        return None  # NONE, or nothing that could be run
    retries = options.get("retries", "")
    return Healthcheck(
        test=_test(command.strip()),
        interval=_seconds(options.get("interval", "")),
        timeout=_seconds(options.get("timeout", "")),
        start_period=_seconds(options.get("start-period", "")),
        start_interval=_seconds(options.get("start-interval", "")),
        retries=int(retries) if retries.isdigit() else None,
    )


def parse_healthcheck(text: str, target: str | None = None) -> Healthcheck | None:
    """Return the health check of the image that `text` builds, of stage `target` if given."""
    stages: dict[str, Healthcheck | None] = {}
    name, current = "", None
    for word, rest in _instructions(text):
        if word == "FROM":
            if target and name == target.lower():
                break
            base, _, alias = re.sub(r"--\S+\s+", "", rest).lower().partition(" as ")
            name, current = alias.strip(), stages.get(base.strip())
        elif word == "HEALTHCHECK":
            current = _parse(rest)
        if name:
            stages[name] = current
    return current


def healthcheck_of(build: Build, files: Files) -> Healthcheck | None:
    """Return the health check written in the Dockerfile of `build`, if it can be read."""
    text = build.dockerfile_inline
    if text is None and "://" not in build.context:
        path = build.dockerfile or f"{build.context.rstrip('/')}/Dockerfile"
        content = files.read(path, MAX_BYTES)
        text = content.decode("utf-8", errors="replace") if content is not None else None
    return parse_healthcheck(text, build.target) if text else None


def with_timings(check: Healthcheck, own: Healthcheck | None) -> Healthcheck:
    """Return the image's `check` with what the service's `own` one says otherwise."""
    if own is None:
        return check
    keys = ("interval", "timeout", "start_period", "start_interval", "retries")
    return replace(check, **{key: getattr(own, key) for key in keys if getattr(own, key) is not None})
