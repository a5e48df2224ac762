"""What is asked again, when, and what is not."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest

from leeward.base.clock import VirtualClock
from leeward.delivery.promotion.patience import Patient
from leeward.kube.http import raise_for_status
from leeward.kube.status import ConflictError, StatusError, TooManyRequestsError

OBJ = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "namespace": "b"}}
CROWDED = ConflictError("the object has been modified; please apply your changes to the latest version")
OWNED = ConflictError(
    'Apply failed with 1 conflict: conflict with "kubectl"',
    details={"causes": [{"reason": "FieldManagerConflict", "message": 'conflict with "kubectl"'}]},
)


class Hasty(VirtualClock):
    """Waiting takes no time."""

    async def sleep(self, seconds: float) -> None:
        self.advance(seconds)


class Failing:
    """An API that fails a few times."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.asked = 0

    async def _answer(self, *args: object, **named: object) -> Any:
        self.asked += 1
        if self.errors:
            raise self.errors.pop(0)
        return OBJ

    apply = patch = update = find = _answer


def do(api: Failing, verb: str, *args: object) -> float:
    """Do something patiently; return how many seconds went by."""
    clock = Hasty()
    patient = Patient(api, clock, lambda: None)  # type: ignore[arg-type]
    asyncio.run(getattr(patient, verb)(*args))
    return clock.monotonic()


def test_a_server_is_left_alone_for_as_long_as_it_wants() -> None:
    assert do(Failing(TooManyRequestsError("busy", retry_after=7)), "find", "configmaps", "b", "a") == 7
    assert do(Failing(TooManyRequestsError("busy")), "find", "configmaps", "b", "a") < 1


def test_a_server_that_wants_to_be_left_alone_for_too_long_is_not_waited_for() -> None:
    api = Failing(TooManyRequestsError("busy", retry_after=3600))
    with pytest.raises(TooManyRequestsError):
        do(api, "find", "configmaps", "b", "a")
    assert api.asked == 1


@pytest.mark.parametrize(
    ("verb", "arguments"), [("apply", ("configmaps", OBJ)), ("patch", ("configmaps", "b", "a", {"data": {}}))]
)
def test_a_write_that_met_another_one_is_done_again(verb: str, arguments: tuple[object, ...]) -> None:
    api = Failing(CROWDED, CROWDED)
    do(api, verb, *arguments)
    assert api.asked == 3


@pytest.mark.parametrize(
    ("verb", "arguments", "error"),
    [
        ("apply", ("configmaps", OBJ), OWNED),
        ("update", ("configmaps", OBJ), CROWDED),
        ("patch", ("configmaps", "b", "a", {"metadata": {"resourceVersion": "1"}}), CROWDED),
    ],
)
def test_a_conflict_that_stays_is_told_at_once(
    verb: str, arguments: tuple[object, ...], error: ConflictError
) -> None:
    api = Failing(error)
    with pytest.raises(ConflictError):
        do(api, verb, *arguments)
    assert api.asked == 1


def test_how_long_to_wait_is_read_of_answers_that_are_no_status() -> None:
    answer = httpx.Response(429, headers={"retry-after": "3"}, text="busy")
    with pytest.raises(StatusError) as found:
        raise_for_status(answer, answer.content)
    assert found.value.retry_after == 3
