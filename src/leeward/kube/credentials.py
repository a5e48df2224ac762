"""Credentials that end: fetched when they are needed, kept until shortly before their time is over.

Where they come from, a program or a cloud, is the caller's; it may block, so asynchronous code fetches in a
thread. Several requests at once fetch once.

Source: ``k8s.io/client-go/plugin/pkg/client/auth/exec/exec.go`` (kept by expiry, fetched anew on 401).
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from leeward.base.clock import PassiveClock

_BEFORE_THE_END = timedelta(seconds=60)


@dataclass(frozen=True, slots=True, kw_only=True)
class Credential:
    """What proves who is asking: a token, a client certificate, or both."""

    token: str | None = field(default=None, repr=False)
    certificate_pem: bytes | None = field(default=None, repr=False)
    key_pem: bytes | None = field(default=None, repr=False)
    expires: datetime | None = None  # aware; None: not while this process lives


class CredentialCache:
    """The newest credential of one source.

    Args:
        fetch: gets a new one; raises LeewardError when there is none.
        clock: tells when one is too old.
    """

    def __init__(self, fetch: Callable[[], Credential], clock: PassiveClock) -> None:
        self._fetch = fetch
        self._clock = clock
        self._newest: Credential | None = None
        self._lock = threading.Lock()

    def kept(self) -> Credential | None:
        """Return the credential that is there and good for another minute; never blocks."""
        newest = self._newest
        if newest is None or newest.expires is None:
            return newest
        return newest if self._clock.now() < newest.expires - _BEFORE_THE_END else None

    def current(self) -> Credential:
        """Return a credential that is good for another minute.

        Raises:
            LeewardError: none can be had.
        """
        with self._lock:
            found = self.kept()
            if found is None:
                found = self._newest = self._fetch()
            return found

    def instead_of(self, refused: Credential) -> Credential:
        """Return another credential than one that the server did not accept.

        Raises:
            LeewardError: none can be had.
        """
        with self._lock:
            if self._newest is None or self._newest is refused:
                self._newest = self._fetch()
            return self._newest
