"""What a Dockerfile says of its image that a manifest has to say too: HEALTHCHECK and USER.

Compose honours the health check when the service itself names no test. The user decides how tight the Pod's
security can be; a name counts where the Dockerfile shows its number, if only through ARG and ENV.

Source: the Dockerfile reference, "HEALTHCHECK", "USER", "FROM" and line continuation.
"""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache

from leeward.compose.project import Build, Healthcheck
from leeward.render.files import Files
from leeward.render.knownimages import known_names, known_user, known_variables

MAX_BYTES = 200_000
_OPTION = re.compile(r"--([a-z-]+)=(\S+)\s*")
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(h|ms|m|us|s)")
_SECONDS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6}
_ADDED_USER = re.compile(r"\b(?:adduser|useradd)\b([^&;|]*)")
_USER_NUMBER = re.compile(r"""(?:^|\s)(?:-u|--uid)[ =]["']?(\d+)\b["']?""")
_VARIABLE = re.compile(r"\$(?:\{(\w+)(?::?-([^}]*))?\}|(\w+))")


@dataclass(frozen=True, slots=True)
class ImageFacts:
    """What a stage of a Dockerfile says of its image.

    Attributes:
        healthcheck: the check it brings; None: none, or unknown.
        user: as ``USER`` says it, ``user[:group]``, with numbers where the file shows them; None: not said.
    """

    healthcheck: Healthcheck | None = None
    user: str | None = None
    numbers: dict[str, str] = field(default_factory=dict)  # users by name, as far as numbers are known


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


@lru_cache(maxsize=1024)
def base_facts(image: str) -> ImageFacts:
    """Return what is known of a public image."""
    return ImageFacts(user=known_user(image), numbers=dict(known_names(image)))


def _added_users(command: str) -> dict[str, str]:
    """Return the users that a shell command adds with a number of its own."""
    found = {}
    for match in _ADDED_USER.finditer(command):
        number = _USER_NUMBER.search(match[1])
        words = _USER_NUMBER.sub(" ", match[1]).split()
        if number and words and not words[-1].startswith("-"):
            found[words[-1]] = number[1]
    return found


def _expand(text: str, variables: Mapping[str, str]) -> str:
    """Return `text` with what is known of variables; the others stay as they are written."""
    return _VARIABLE.sub(
        lambda match: variables.get(match[1] or match[3]) or match[2] or match[0],
        text,
    )


class _Reader:
    """Reads instructions one after another.

    Args:
        arguments: build arguments of whoever builds; they win over what ARG says.
    """

    def __init__(self, arguments: Mapping[str, str]) -> None:
        self.stage = ""  # name of the one that is read, in lower case
        self.facts = ImageFacts()
        self._arguments = arguments
        self._outside: dict[str, str] = {}  # ARGs before the first FROM
        self._variables = self._outside
        self._stages: dict[str, ImageFacts] = {}

    def read(self, word: str, rest: str) -> None:
        """Read an instruction."""
        work: Mapping[str, Callable[[str], None]] = {
            "FROM": self._from,
            "ARG": self._arg,
            "ENV": self._env,
            "HEALTHCHECK": self._healthcheck,
            "RUN": self._run,
            "USER": self._user,
        }
        if word in work:
            work[word](rest)
        if self.stage:
            self._stages[self.stage] = self.facts

    def _from(self, rest: str) -> None:
        text = _expand(re.sub(r"--\S+\s+", "", rest), self._outside).lower()
        base, _, alias = (part.strip() for part in text.partition(" as "))
        self.stage, self.facts = alias, self._stages.get(base) or base_facts(base)
        self._variables = dict(known_variables(base))

    def _arg(self, rest: str) -> None:
        for name, _, default in (word.partition("=") for word in rest.split()):
            value = self._arguments.get(name) or default.strip("\"'") or self._outside.get(name)
            if value:
                self._variables[name] = _expand(value, self._variables)

    def _env(self, rest: str) -> None:
        words = rest.split() if "=" in rest.split(" ", 1)[0] else [rest.strip().replace(" ", "=", 1)]
        for name, _, value in (word.partition("=") for word in words):
            self._variables[name] = _expand(value.strip("\"'"), self._variables)

    def _healthcheck(self, rest: str) -> None:
        self.facts = replace(self.facts, healthcheck=_parse(rest))

    def _run(self, rest: str) -> None:
        added = _added_users(_expand(rest, self._variables))
        self.facts = replace(self.facts, numbers=self.facts.numbers | added) if added else self.facts

    def _user(self, rest: str) -> None:
        user, colon, group = _expand(rest.strip("\"'"), self._variables).partition(":")
        self.facts = replace(self.facts, user=self.facts.numbers.get(user, user) + colon + group)


def parse_dockerfile(
    text: str, target: str | None = None, arguments: Mapping[str, str] | None = None
) -> ImageFacts:
    """Return what `text` says of the image it builds, or of its stage `target`."""
    reader = _Reader(arguments or {})
    for word, rest in _instructions(text):
        if word == "FROM" and target and reader.stage == target.lower():
            break
        reader.read(word, rest)
    return reader.facts


def dockerfile_of(build: Build) -> str:
    """Return where the Dockerfile of a local `build` is."""
    return posixpath.join(build.context, build.dockerfile or "Dockerfile")


def facts_of(build: Build, files: Files) -> ImageFacts:
    """Return what the Dockerfile of `build` says; nothing, when it cannot be read."""
    text = build.dockerfile_inline
    if text is None and "://" not in build.context:
        content = files.read(dockerfile_of(build), MAX_BYTES)
        text = content.decode("utf-8", errors="replace") if content is not None else None
    arguments = {name: value for name, value in build.args.items() if value is not None}
    return parse_dockerfile(text, build.target, arguments) if text else ImageFacts()


def with_timings(check: Healthcheck, own: Healthcheck | None) -> Healthcheck:
    """Return the image's `check` with what the service's `own` one says otherwise."""
    if own is None:
        return check
    keys = ("interval", "timeout", "start_period", "start_interval", "retries")
    return replace(check, **{key: getattr(own, key) for key in keys if getattr(own, key) is not None})
