"""A question to a webhook and its answer, as data; who carries them over HTTPS is outside the registry."""

from __future__ import annotations

from collections.abc import Awaitable
from dataclasses import dataclass, field
from typing import Protocol

from leeward.kube.objects import Obj


@dataclass(frozen=True, slots=True, kw_only=True)
class HookCall:
    """One POST of an AdmissionReview."""

    url: str  # "https://web.shop.svc:443/validate"
    address: tuple[str, int] | None = None  # where to connect instead of to the URL's host
    certificates: str = ""  # PEM; what to trust, "" for what the system does
    timeout: int = 10  # seconds
    review: Obj = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came back: a document, or why there is none."""

    document: object = None
    failure: str = ""  # in the words of upstream's HTTP client


class HookCaller(Protocol):
    """Asks webhooks."""

    def __call__(self, call: HookCall) -> Awaitable[Outcome]:
        """Return the answer; never raises."""
        ...
