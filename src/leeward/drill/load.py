"""Open-loop HTTP load: requests start when they are due, whether or not earlier ones were answered.

A closed loop would slow down with the system and hide what customers see; here a stall shows as
latency of every request that fell due meanwhile ("coordinated omission" avoided).
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

import h11

from leeward.base.clock import Clock

logger = logging.getLogger(__name__)
ANSWER_SECONDS = 10.0  # a customer waits no longer


@dataclass(frozen=True, slots=True)
class RequestKind:
    """One request of the mix."""

    method: str
    path: str
    body: bytes = b""
    weight: int = 1


@dataclass(frozen=True, slots=True)
class Sample:
    """What became of one request."""

    due: float  # seconds since the load began
    latency: float  # seconds from due to the last byte of the answer
    method: str
    status: int  # 0 when there was no whole answer
    failure: str  # "" when the status is below 500, else a kind such as "timeout"


class Load:
    """Sends `rate` requests a second for `duration` seconds.

    Args:
        url: base URL; its host goes into the Host header.
        kinds: the mix, repeated in order by weight.
        rate: requests a second; > 0.
        duration: seconds.
        clock: paces the load.
        host: Host header; None for the URL's own.
    """

    def __init__(
        self,
        url: str,
        kinds: Sequence[RequestKind],
        *,
        rate: float,
        duration: float,
        clock: Clock,
        host: str | None = None,
    ) -> None:
        parts = urlsplit(url)
        self._address = ("127.0.0.1" if _is_local(parts.hostname) else parts.hostname or "", parts.port or 80)
        self._host = host or parts.netloc
        self._mix = [kind for kind in kinds for _ in range(kind.weight)]
        self._rate = rate
        self._duration = duration
        self._clock = clock
        self.samples: list[Sample] = []
        self.on_sample: Callable[[Sample], None] = lambda sample: None

    async def run(self) -> list[Sample]:
        """Send everything and return the samples in the order of their answers."""
        began = self._clock.monotonic()
        total = round(self._rate * self._duration)
        async with asyncio.TaskGroup() as group:
            for number in range(total):
                due = number / self._rate
                await self._clock.sleep(began + due - self._clock.monotonic())
                group.create_task(self._one(began, due, self._mix[number % len(self._mix)]))
        return self.samples

    async def _one(self, began: float, due: float, kind: RequestKind) -> None:
        status, failure = 0, ""
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                status, text = await self._exchange(kind)
            failure = "" if status < 500 else f"status {status}"
            if failure:
                logger.info("%s %s: %s %s", kind.method, kind.path, status, text[:200])
        except TimeoutError:
            failure = "timeout"
        except ConnectionRefusedError:
            failure = "connection refused"
        except (OSError, h11.RemoteProtocolError) as error:
            failure = f"connection broke ({type(error).__name__})"
        sample = Sample(due, self._clock.monotonic() - began - due, kind.method, status, failure)
        self.samples.append(sample)
        self.on_sample(sample)

    async def _exchange(self, kind: RequestKind) -> tuple[int, bytes]:
        """Make one request on a connection of its own; returns status and body."""
        reader, writer = await asyncio.open_connection(*self._address)
        try:
            http = h11.Connection(h11.CLIENT)
            headers = [("host", self._host), ("connection", "close"), ("user-agent", "leeward-drill")]
            if kind.body:
                headers += [("content-type", "application/json"), ("content-length", str(len(kind.body)))]
            head = h11.Request(method=kind.method, target=kind.path, headers=headers)
            parts = [head, *([h11.Data(data=kind.body)] if kind.body else []), h11.EndOfMessage()]
            writer.write(b"".join(http.send(part) or b"" for part in parts))
            status, body = 0, b""
            while True:
                event = http.next_event()
                if event is h11.NEED_DATA:
                    http.receive_data(await reader.read(65536))
                elif isinstance(event, h11.Response):
                    status = event.status_code
                elif isinstance(event, h11.Data):
                    body += bytes(event.data)
                elif isinstance(event, h11.EndOfMessage):
                    return status, body
                elif isinstance(event, h11.ConnectionClosed):
                    raise ConnectionResetError("no answer")
        finally:
            writer.close()


def _is_local(host: str | None) -> bool:
    return host is None or host == "localhost" or host.endswith(".localhost")


def json_body(value: object) -> bytes:
    """Return a request body."""
    return json.dumps(value).encode()
