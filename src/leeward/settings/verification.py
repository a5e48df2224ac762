"""What must succeed before a release counts as good: a service that is run, a request, a drill.

What must hold between the keys is told by :func:`misfits`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal
from urllib.parse import unquote, urlsplit

from leeward.settings.base import FilePart, Form, Parsed, PortNumber, Short, Whole, Word, doc, unfit
from leeward.settings.times import Duration

DEFAULT_SECONDS = {"run": 600.0, "http": 120.0, "drill": 30.0}  # a drill's is how long it takes
OK = ("200",)
LONGEST_DRILL = 3600.0
_STATUS = re.compile(r"([1-5][0-9]{2})(?:-([1-5][0-9]{2}))?")
_STATUS_WANTED = 'a status such as 200, a range such as "200-299", or a list of these'
_TARGET_WANTED = "a path such as /healthz, or a URL such as https://shop.example.com/healthz"
_HOST = Word(
    r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?(:[0-9]{1,5})?", "a host name in lower case, such as shop.example.com"
)
_KEYS = {  # kind → what it takes besides its own key
    "run": ("timeout",),
    "http": ("service", "port", "host", "status", "contains", "timeout", "for"),
    "drill": ("zone", "http", "service", "rate", "for"),
}


@dataclass(frozen=True, slots=True)
class Statuses(Form):
    """HTTP statuses and ranges of them; read as a tuple of strings."""

    def check(self, value: Any) -> tuple[str, ...]:
        listed = value if isinstance(value, list) else [value]
        found = tuple(self._one(each) for each in listed)
        if not found:
            raise unfit(_STATUS_WANTED)
        return found

    def _one(self, value: Any) -> str:
        text = str(value) if isinstance(value, (int, str)) and not isinstance(value, bool) else ""
        try:
            return parse_status(text)
        except ValueError as error:
            raise unfit(str(error)) from None

    def schema(self) -> dict[str, Any]:
        text = {"type": "string", "pattern": f"^(?:{_STATUS.pattern})$"}
        one = [{"type": "integer", "minimum": 100, "maximum": 599}, text]
        return {"anyOf": [*one, {"type": "array", "items": {"anyOf": one}, "minItems": 1}]}


def parse_status(text: str) -> str:
    """Return `text` when it is a status, or a range of them.

    Raises:
        ValueError: with what is wanted in its place.
    """
    match = _STATUS.fullmatch(text)
    if match is None or int(match[2] or match[1]) < int(match[1]):
        raise ValueError(_STATUS_WANTED)
    return text


def parse_target(text: str) -> str:
    """Return `text` when it is what can be requested: a path, or an absolute http or https URL.

    Raises:
        ValueError: with what is wanted in its place.
    """
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise ValueError(_TARGET_WANTED) from None
    is_path = text.startswith("/") and not text.startswith("//")
    is_url = parts.scheme in ("http", "https") and bool(parts.hostname) and port != 0
    if not (is_path or is_url) or parts.fragment or not text.isprintable() or " " in text:
        raise ValueError(_TARGET_WANTED)
    if parts.username is not None or parts.password is not None:
        raise ValueError("a URL without a user name and a password, which everybody could read here")
    if any(step in (".", "..") for step in re.split(r"[/\\]", unquote(parts.path))):
        raise ValueError("a path without . and ..")
    return text


def is_url(target: str) -> bool:
    """Tell whether what is requested is a URL; else it is a path."""
    return not target.startswith("/")


def holds_status(wanted: tuple[str, ...], status: int) -> bool:
    """Tell whether a status is one of those wanted."""
    for each in wanted:
        first, _, last = each.partition("-")
        if int(first) <= status <= int(last or first):
            return True
    return False


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification(FilePart):
    """Something that must succeed before a release counts as good: one of `run`, `http` and `drill`.

    A string is `run`.
    """

    run: str | None = field(
        default=None,
        metadata=doc("A service that is run once and must end with 0.", example="smoke-tests"),
    )
    http: Annotated[str, Parsed(parse_target, _TARGET_WANTED)] | None = field(
        default=None,
        metadata=doc(
            "What is requested with GET until the answer is as wanted: the path of a service, through the "
            "Kubernetes API, or a URL, from where `leeward promote` runs. With `drill`: all the time."
        ),
    )
    drill: Literal["zone"] | None = field(
        default=None,
        metadata=doc(
            "`zone`: a zone is taken away while requests are made, and none may fail. Only on leeward's own "
            "cluster."
        ),
    )
    service: str | None = field(
        default=None,
        metadata=doc("Whose path it is; needless where one service alone has ports."),
    )
    port: PortNumber | None = field(
        default=None, metadata=doc("A port of the service; without it, the first one.")
    )
    host: Annotated[str, _HOST] | None = field(
        default=None, metadata=doc("The Host header, for what serves several hosts.")
    )
    status: Annotated[tuple[str, ...], Statuses()] = field(
        default=OK,
        metadata=doc(
            "The status of the answer, a range such as `200-299`, or several; without it, 200. Redirections "
            "are not followed, so `302` wants one."
        ),
    )
    contains: str | None = field(default=None, metadata=doc("Text that must be in the answer."))
    timeout: Duration | None = field(
        default=None,
        metadata=doc("How long it may take; without it, 10 minutes for `run`, 2 for `http`.", example="10m"),
    )
    for_: Duration = field(
        default=0.0,
        metadata=doc(
            "`http`: how long answers must go on being right, `drill`: how long it takes; without it, one "
            "answer and 30 seconds."
        ),
    )
    zone: str | None = field(
        default=None,
        metadata=doc("`drill`: the zone, such as `b`; without it, the one where most Pods are."),
    )
    rate: Annotated[int, Whole(1, 1000)] | None = field(
        default=None, metadata=doc("`drill`: requests per second; without it, 50.")
    )

    @property
    def kind(self) -> str:
        """``run``, ``http`` or ``drill``; "" when it is none or several."""
        if self.drill is not None:
            return "drill" if self.run is None else ""
        if (self.run is None) == (self.http is None):
            return ""
        return "run" if self.run is not None else "http"

    @property
    def seconds(self) -> float:
        """How long it may take."""
        given = (self.for_ or None) if self.kind == "drill" else self.timeout
        return DEFAULT_SECONDS[self.kind] if given is None else given


EnvironmentVerification = Annotated[
    Verification,
    Short("a service's name, or a mapping with run, http or drill", {str: lambda name: {"run": name}}),
]


def misfits(wanted: Verification) -> Iterator[tuple[str, str, str]]:
    """Yield what does not fit together: the key ("" for all), what is wrong, the remedy."""
    kind = wanted.kind
    if not kind:
        yield (
            "", "A verification is exactly one of run, http and drill.",
            "Write run: SERVICE, http: /PATH or drill: zone.",
        )  # fmt: skip
        return
    takes = _KEYS[kind]
    for key in _given(wanted):
        if key != kind and key not in takes:
            yield key, f"{key} means nothing with {kind}.", f"Remove it; {kind} takes {', '.join(takes)}."
        elif key in ("service", "port") and is_url(wanted.http or "/"):
            yield key, f"A URL says where it goes; {key} is for paths.", f"Remove {key}, or write the path."
    yield from _unfit_for(wanted, kind)


def _unfit_for(wanted: Verification, kind: str) -> Iterator[tuple[str, str, str]]:
    if kind == "drill":
        if wanted.http is not None and wanted.http.startswith("https:"):
            yield "http", "A drill requests paths and http:// URLs only.", "Write the path of a service."
        if not (wanted.for_ == 0 or 1 <= wanted.for_ <= LONGEST_DRILL):
            yield "for", "A drill takes from one second to one hour.", "Write for: 30s."
    elif wanted.seconds < 1 or wanted.for_ >= wanted.seconds:
        key = "timeout" if wanted.for_ == 0 else "for"
        yield key, "It could never be done in time.", "Let timeout be a second or more, and more than for."


def _given(wanted: Verification) -> Iterator[str]:
    for key in ("run", "http", "drill", "service", "port", "host", "contains", "timeout", "zone", "rate"):
        if getattr(wanted, key) is not None:
            yield key
    if wanted.for_:
        yield "for"
    if wanted.status != OK:
        yield "status"
