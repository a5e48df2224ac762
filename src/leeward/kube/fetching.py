"""One GET whose answer is wanted as it is, also when it is a failure: for what is served, not for objects."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import httpx

LONGEST = 1 << 20  # bytes of a body that are read


@dataclass(frozen=True, slots=True)
class Fetched:
    """What was answered to a GET, whatever it was."""

    status: int
    text: str  # the beginning of the body
    location: str = ""  # where a redirection leads


async def fetch(client: httpx.AsyncClient, url: httpx.URL | str, **more: Any) -> Fetched:
    """GET a URL and read the beginning of what is answered; redirections are not followed.

    Args:
        client: makes the request.
        url: what is requested.
        more: other arguments of the request, such as headers.

    Raises:
        httpx.HTTPError: nobody answers.
    """
    body = bytearray()
    async with client.stream("GET", url, follow_redirects=False, **more) as answer:
        async for chunk in answer.aiter_bytes():
            body += chunk[: LONGEST - len(body)]
            if len(body) >= LONGEST:
                break
    return Fetched(answer.status_code, body.decode("utf-8", "replace"), answer.headers.get("location", ""))
