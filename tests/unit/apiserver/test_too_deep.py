"""What nests deeper than can be followed or written is the client's mistake."""

from __future__ import annotations

import asyncio
from typing import Any

import orjson
import pytest

from leeward.cluster.apiserver.http import Request, Response
from leeward.cluster.apiserver.router import Router


def nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = {"a": value}
    return value


def follow(value: Any) -> Any:
    return follow(value)


class Access:
    """Lets everybody through to what fails."""

    def __init__(self, fails: Any) -> None:
        self._fails = fails

    async def through(self, request: Request, answer: Any) -> Any:
        return self._fails()


def answered(fails: Any) -> Response:
    async def receive() -> dict[str, Any]:
        return {}

    scope = {"method": "POST", "raw_path": b"/api", "query_string": b"", "headers": []}
    nothing: Any = None
    access: Any = Access(fails)
    router = Router(
        access=access,
        reviews=nothing,
        reads=nothing,
        writes=nothing,
        logs=None,
        commands=None,
        ports=None,
        proxy=nothing,
        tokens=None,
        aggregator=nothing,
        catalog=nothing,
        openapi=nothing,
        ready=lambda: (),
        monitoring=nothing,
        address="",
    )
    answer = asyncio.run(router.answer(Request(scope, receive)))
    assert isinstance(answer, Response)
    return answer


@pytest.mark.parametrize("fails", [lambda: orjson.dumps(nested(300)), lambda: follow(1)])
def test_what_nests_too_deeply_is_a_bad_request(fails: Any) -> None:
    answer = answered(fails)

    assert answer.status == 400
    assert b"exceeded max depth" in answer.body


def test_any_other_trouble_is_an_internal_error() -> None:
    assert answered(lambda: [][1]).status == 500
