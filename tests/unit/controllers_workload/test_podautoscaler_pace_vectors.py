"""How fast replicas follow: vectors computed by hand from upstream's documented algorithm.

Looks are 15 seconds apart, the first at 0 s. A Pod that uses 10m has a ratio of 10/50 = 0.2, one that uses
200m one of 4. What is remembered first is the replicas that the first look finds. A period or window of so
many seconds has what is younger than that, not what is just as old; only the window without a behavior has
both.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.controllers_workload.hpavectors import Case, each, replicas_of


def rules(*policies: tuple[str, int, int], select: str = "Max", window: int = 0) -> dict[str, Any]:
    """Return the rules of a direction; policies are type, value and period."""
    shown = [{"type": kind, "value": value, "periodSeconds": seconds} for kind, value, seconds in policies]
    more = {"policies": shown} if shown else {}
    return {"stabilizationWindowSeconds": window, "selectPolicy": select, **more}


def up(*policies: tuple[str, int, int], select: str = "Max", window: int = 0) -> dict[str, Any]:
    return {"scaleUp": rules(*policies, select=select, window=window)}


def down(*policies: tuple[str, int, int], select: str = "Max", window: int = 0) -> dict[str, Any]:
    return {"scaleDown": rules(*policies, select=select, window=window)}


STABLE = [
    # ceil(10 * 0.2) = 2 is wanted from 0 s on; the 10 of 0 s count until 300 s, the 21st look
    Case("down without a behavior", 10, [each(10)] * 22, [*[10] * 21, 2]),
    # the same, but what is 300 s old does not count any more
    Case("down with the usual window", 10, [each(10)] * 21, [*[10] * 20, 2], behavior={"scaleUp": {}}),
    # the 10 of 0 s count until before 60 s, the fifth look
    Case("down with a window of 60 s", 10, [each(10)] * 5, [*[10] * 4, 2], behavior=down(window=60)),
    # 0 s: ceil(4 * 1.8 = 7.2) = 8; 15 s: ceil(8 * 0.2) = 2, but 8 was wanted 15 s ago
    Case("the most that was wanted", 4, [each(90), each(10)], [8, 8]),
    # ten Pods until 45 s want 6 (0 s), 2 (15 s), 4 (30 s), 2 (45 s), and 10 were there at 0 s
    # 60 s: ceil(10 * 0.2) = 2; younger than 60 s are 2, 4, 2: max 4
    # 75 s: ceil(4 * 0.2 = 0.8) = 1; younger are 4, 2, 2: max 4
    # 90 s: ceil(4 * 0.2 = 0.8) = 1; younger are 2, 2, 1: max 2
    Case(
        "the most of the last 60 s",
        10,
        [each(30), each(10), each(20), each(10), each(10), each(10), each(10)],
        [10, 10, 10, 10, 4, 4, 2],
        behavior=down(window=60),
    ),
    # ceil(2 * 2) = 4 is wanted from 0 s on; the 2 of 0 s count until before 60 s, the fifth look
    Case("up with a window of 60 s", 2, [each(100)] * 5, [2, 2, 2, 2, 4], behavior=up(window=60)),
    # 0 s: 4, but 2 were there; 15 s: ceil(2 * 1.5) = 3, but the 2 of 0 s; 30 s: 4, the least of 3 and 4 is 3
    Case(
        "up to the least of the last 30 s",
        2,
        [each(100), each(75), each(100)],
        [2, 2, 3],
        behavior=up(window=30),
    ),
    # 0 s: ceil(4 * 0.2) = 1, but 4 were there; 15 s: ceil(4 * 1.8) = 8 at once, up has no window
    Case("down waits, up does not", 4, [each(10), each(90)], [4, 8]),
]

UP = [
    # 4 * 4 = 16 wanted; 4 + 2 = 6; for 60 s the period begins with 6 - 2 = 4, and 4 + 2 = 6; then 6 + 2 = 8
    Case("two Pods a minute", 4, [each(200)] * 5, [6, 6, 6, 6, 8], behavior=up(("Pods", 2, 60))),
    # ceil(4 * 1.5) = 6 for a minute, then ceil(6 * 1.5) = 9
    Case("half as many a minute", 4, [each(200)] * 5, [6, 6, 6, 6, 9], behavior=up(("Percent", 50, 60))),
    # ceil(1 * 1.1) = 2, then ceil(2 * 1.1 = 2.2) = 3: rounded up
    Case("a tenth is at least one", 1, [each(200)] * 2, [2, 3], behavior=up(("Percent", 10, 15))),
    # max(3 + 4, 3 * 2) = 7; max(7 + 4, 7 * 2) = 14; max(14 + 4, 14 * 2) = 28, but no more than 20
    Case("the usual policies", 3, [each(500)] * 3, [7, 14, 20], behavior={"scaleUp": {}}),
    # min(3 + 1, 3 * 2) = 4; min(4 + 1, 4 * 2) = 5
    Case(
        "the least of two",
        3,
        [each(500)] * 2,
        [4, 5],
        behavior=up(("Pods", 1, 15), ("Percent", 100, 15), select="Min"),
    ),
    # nothing is added, whatever is wanted
    Case("not at all", 3, [each(500)] * 2, [3, 3], behavior=up(select="Disabled")),
    # 3 + 3 = 6; 15 s and 30 s: 6 - 3 + 3 = 6; 45 s: the 3 of 0 s are as old as the period, 6 + 3 = 9
    Case("three Pods in 45 s", 3, [each(500)] * 4, [6, 6, 6, 9], behavior=up(("Pods", 3, 45))),
    # 0 s: 4 + 2 = 6 of 2 in 60 s; wanted 6 * 1.2 = 7.2, 8 at 15 s, but 6 - 2 + 2 = 6
    Case(
        "what was added counts against a period",
        4,
        [each(200), each(60)],
        [6, 6],
        behavior=up(("Pods", 2, 60)),
    ),
    # max(1 + 1 in 15 s, 1 + 5 in 60 s) = 6; then max(6 + 1, 6 - 5 + 5 = 6) = 7;
    # then max(7 + 1, 7 - 6 + 5 = 6) = 8
    Case(
        "periods of different lengths",
        1,
        [each(500)] * 3,
        [6, 7, 8],
        behavior=up(("Pods", 1, 15), ("Pods", 5, 60)),
    ),
    # ceil(2 * 1.2 = 2.4) = 3 is less than 2 + 4
    Case("no more than is wanted", 2, [each(60)], [3], behavior={"scaleUp": {}}),
]

DOWN = [
    # ceil(10 * 0.02) = 1 wanted; 10 - 2 = 8; for 60 s the period begins with 8 + 2 = 10; then 8 - 2 = 6
    Case("two Pods a minute", 10, [each(1)] * 5, [8, 8, 8, 8, 6], behavior=down(("Pods", 2, 60))),
    # trunc(10 * 0.75 = 7.5) = 7 for a minute, then trunc(7 * 0.75 = 5.25) = 5
    Case("a quarter a minute", 10, [each(1)] * 5, [7, 7, 7, 7, 5], behavior=down(("Percent", 25, 60))),
    # min(10 - 1, trunc(10 * 0.5)) = 5: Max is the greatest change
    Case("the most of two", 10, [each(1)], [5], behavior=down(("Pods", 1, 15), ("Percent", 50, 15))),
    # max(10 - 1, trunc(10 * 0.5)) = 9: Min is the least change
    Case(
        "the least of two",
        10,
        [each(1)],
        [9],
        behavior=down(("Pods", 1, 15), ("Percent", 50, 15), select="Min"),
    ),
    # nothing is taken away, whatever is wanted
    Case("not at all", 10, [each(1)] * 2, [10, 10], behavior=down(select="Disabled")),
    # trunc(10 * 0) = 0, the usual policy: to what is wanted, ceil(10 * 0.2) = 2
    Case("all at once", 10, [each(10)], [2], behavior=down()),
    # 5 - 9 = -4, no fewer than 3
    Case("no fewer than the minimum", 5, [each(1)], [3], behavior=down(("Pods", 9, 15)), least=3),
    # 0 s: 4 + 4 = 8 (16 wanted); 15 s: ceil(8 * 0.02) = 1; 30 s: 1 * 4 = 4 wanted, the last 60 s began with
    # 1 - 4 + 7 = 4 and may end with 4 + 4 = 8
    Case(
        "what was taken away gives room",
        4,
        [each(200), each(1), each(200)],
        [8, 1, 4],
        behavior={**up(("Pods", 4, 60)), **down()},
    ),
    # 0 s: 10 - 2 = 8; 15 s: 8 * 2 = 16 wanted, max(8 + 4, 8 * 2) = 16; 30 s: 1 wanted, the last 60 s began
    # with 16 - 8 + 2 = 10 and may end with 10 - 2 = 8
    Case(
        "what was added is taken away again",
        10,
        [each(1), each(100), each(1)],
        [8, 16, 8],
        behavior=down(("Pods", 2, 60)),
    ),
]

GROUPS = {"stable": STABLE, "up": UP, "down": DOWN}
CASES = [pytest.param(case, id=f"{group}: {case.name}") for group, cases in GROUPS.items() for case in cases]


@pytest.mark.parametrize("case", CASES)
def test_the_trace_is_the_one_that_was_computed_by_hand(case: Case) -> None:
    assert replicas_of(case) == list(case.trace)
