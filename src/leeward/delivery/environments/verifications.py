"""What verifies a release in an environment, as the environment's object has it. Pure.

Sources of the values are ``leeward.yaml`` and whoever may change the object; so what is requested is checked
again when it is read.
"""

from __future__ import annotations

from dataclasses import dataclass

from leeward.kube.objects import Obj
from leeward.settings.verification import DEFAULT_SECONDS, OK, parse_status, parse_target
from leeward.settings.verification import Verification as Written

_RATE = 50.0
_TEXTS = ("run", "http", "drill", "service", "host", "contains", "zone")


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """One thing that must succeed: a service that is run, a request, or a drill."""

    run: str = ""  # a service that is run once and must end with 0
    http: str = ""  # a path or URL that is requested; of a drill: all the time
    drill: str = ""  # "zone"
    timeout: float = DEFAULT_SECONDS["run"]  # seconds; of a drill: how long it takes
    service: str = ""  # whose path it is; "" for the only one
    port: int = 0  # 0 for the first one
    host: str = ""  # the Host header; "" for that of the connection
    status: tuple[str, ...] = OK  # "200", "200-299"
    contains: str = ""
    hold: float = 0.0  # seconds that answers must go on being right
    zone: str = ""  # "" for the one with most Pods
    rate: float = _RATE  # requests a second


def verification_of(written: Written) -> Verification:
    """Return what ``leeward.yaml`` says, where it says one thing only."""
    kind = written.kind
    return Verification(
        run=written.run or "",
        http=written.http or "",
        drill=written.drill or "",
        timeout=written.seconds,
        service=written.service or "",
        port=written.port or 0,
        host=written.host or "",
        status=written.status,
        contains=written.contains or "",
        hold=written.for_ if kind == "http" else 0.0,
        zone=written.zone or "",
        rate=float(written.rate or _RATE),
    )


def to_object(wanted: Verification) -> Obj:
    """Return an entry of ``spec.verify``, less what is as it is without being said."""
    found: Obj = {key: each for key in _TEXTS if (each := getattr(wanted, key))}
    if wanted.port:
        found["port"] = wanted.port
    if wanted.status != OK:
        found["status"] = list(wanted.status)
    if wanted.hold:
        found["forSeconds"] = number(wanted.hold)
    if wanted.drill:
        found["ratePerSecond"] = number(wanted.rate)
    return {**found, "timeoutSeconds": number(wanted.timeout)}


def read_verification(entry: Obj) -> Verification:
    """Return what an entry of ``spec.verify`` means.

    Raises:
        ValueError: it means nothing, or something that cannot be requested.
    """
    texts = {key: entry.get(key) or "" for key in ("run", "http", "drill")}
    kind = next((key for key in ("drill", "run", "http") if texts[key]), "")
    others = [key for key in ("run", "http") if texts[key] and key != kind]
    allowed = ["http"] if kind == "drill" else []
    if not kind or others not in ([], allowed) or texts["drill"] not in ("", "zone"):
        raise ValueError(f"a verification of an unknown kind: {', '.join(entry) or 'nothing'}")
    if texts["http"]:
        parse_target(texts["http"])
    host = entry.get("host", "")
    if not (host.isascii() and host.isprintable()) or " " in host:
        raise ValueError("a Host header that cannot be sent")
    return Verification(
        **texts,
        timeout=float(entry.get("timeoutSeconds", DEFAULT_SECONDS[kind])),
        service=entry.get("service", ""),
        port=entry.get("port", 0),
        host=host,
        status=tuple(map(parse_status, entry.get("status") or OK)),
        contains=entry.get("contains", ""),
        hold=float(entry.get("forSeconds", 0)),
        zone=entry.get("zone", ""),
        rate=float(entry.get("ratePerSecond", _RATE)),
    )


def number(seconds: float) -> float | int:
    """Return a number as people write it."""
    return int(seconds) if seconds == int(seconds) else seconds


def in_words(wanted: Verification) -> str:
    """Return what is verified, such as ``GET web/healthz``, without how it is judged."""
    if wanted.run:
        return wanted.run
    port = f":{wanted.port}" if wanted.port else ""
    where = wanted.http if not wanted.http.startswith("/") else f"{wanted.service}{port}{wanted.http}"
    asked = f"GET {where}" if wanted.http else ""
    if not wanted.drill:
        return asked
    lost = f"zone {wanted.zone}" if wanted.zone else "a zone"
    return f"drill: {lost} is lost{f' under {asked}' if asked else ''}"


def judged(wanted: Verification) -> str:
    """Return how an answer is judged: ``status 200-299, with "ok", for 10 s``."""
    parts = [f"status {' or '.join(wanted.status)}"]
    if wanted.contains:
        parts.append(f'with "{wanted.contains}"')
    if wanted.hold:
        parts.append(f"for {number(wanted.hold)} s")
    return ", ".join(parts)
