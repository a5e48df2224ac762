"""How many replicas metrics ask for: vectors computed by hand from upstream's documented algorithm.

Each case's arithmetic stands beside it. The target is 50 % of 100m of CPU unless a case says otherwise, so a
Pod that uses 90 has a ratio of 90/50 = 1.8. Growth is limited to max(2 * current, 4) without a behavior.
"""

from __future__ import annotations

import pytest

from tests.unit.controllers_workload.hpavectors import (
    Case,
    container,
    cpu,
    each,
    external,
    of_object,
    per_pod,
    pods,
    replicas_of,
    resource,
    told,
)

AT_ONCE = {"scaleDown": {"stabilizationWindowSeconds": 0}}  # shrink without waiting for five minutes
UP_30 = {"scaleUp": {"tolerance": "0.3"}}
UP_0 = {"scaleUp": {"tolerance": "0"}}
DOWN_50 = {"scaleDown": {"stabilizationWindowSeconds": 0, "tolerance": "0.5"}}
UP_90 = {"scaleUp": {"tolerance": "0.9"}, **AT_ONCE}

UTILIZATION = [
    # 3 * 90m of 300m = 90 %; ceil(3 * 90/50 = 5.4) = 6; 6 <= max(2 * 3, 4)
    Case("up", 3, [each(90)], [6]),
    # 400/50 = 8; ceil(2 * 8) = 16; at most max(2 * 2, 4) = 4, then max(2 * 4, 4) = 8, then 16, then 20
    Case("up, at most twice a look", 2, [each(400)] * 4, [4, 8, 16, 20]),
    # 300/50 = 6; ceil(1 * 6) = 6; at most max(2 * 1, 4) = 4
    Case("up from one, at most to four", 1, [each(300)], [4]),
    # 55/50 = 1.1, which is not above 1 + 0.1
    Case("the upper edge of the tolerance", 3, [each(55)], [3]),
    # 56/50 = 1.12 > 1.1; ceil(3 * 1.12 = 3.36) = 4
    Case("just above the tolerance", 3, [each(56)], [4]),
    # 45/50 = 0.9, which is not below 1 - 0.1
    Case("the lower edge of the tolerance", 10, [each(45)], [10], behavior=AT_ONCE),
    # 44/50 = 0.88 < 0.9; ceil(10 * 0.88 = 8.8) = 9
    Case("just below the tolerance", 10, [each(44)], [9], behavior=AT_ONCE),
    # 44/50 = 0.88 < 0.9; ceil(3 * 0.88 = 2.64) = 3: rounding up keeps them
    Case("below the tolerance, too few to go", 3, [each(44)], [3], behavior=AT_ONCE),
    # (55 + 56 + 56) * 100 / 300 = 55.67, truncated to 55; 55/50 = 1.1
    Case("the percentage is truncated", 3, [pods("55 56 56")], [3]),
    # (56 + 56 + 56) * 100 / 300 = 56; 56/50 = 1.12; ceil(3.36) = 4
    Case("one thousandth more", 3, [pods("56 56 56")], [4]),
    # (10 + 20 + 180) * 100 / 300 = 70; 70/50 = 1.4; ceil(3 * 1.4 = 4.2) = 5
    Case("unequal Pods count together", 3, [pods("10 20 180")], [5]),
    # 50/50 = 1
    Case("on target", 3, [each(50)], [3]),
    # 100/200 = 0.5; ceil(6 * 0.5) = 3
    Case("a target above the request", 6, [each(100)], [3], metrics=[cpu(200)], behavior=AT_ONCE),
]

BOUNDS = [
    # 1/50 = 0.02; ceil(10 * 0.02 = 0.2) = 1, but no fewer than 3
    Case("no fewer than the minimum", 10, [each(1)], [3], behavior=AT_ONCE, least=3),
    # 90/50 = 1.8; ceil(8 * 1.8 = 14.4) = 15, but no more than 10
    Case("no more than the maximum", 8, [each(90)], [10], most=10),
    # 0/50 = 0; ceil(4 * 0) = 0, but no fewer than 1
    Case("nothing used leaves one", 4, [each(0)], [1], behavior=AT_ONCE),
    # 12 > 10, whatever is measured
    Case("above the maximum", 12, [each(50)], [10], most=10),
    # 1 < 3, whatever is measured; then 10/50 = 0.2; ceil(3 * 0.2 = 0.6) = 1, but no fewer than 3
    Case("below the minimum", 1, [each(10)] * 2, [3, 3], behavior=AT_ONCE, least=3),
    # scaled to zero by somebody: not looked at
    Case("zero replicas stay", 0, [each(0)], [0]),
]

TOLERANCES = [
    # 65/50 = 1.3, which is not above 1 + 0.3
    Case("a wider upper edge", 3, [each(65)], [3], behavior=UP_30),
    # 66/50 = 1.32 > 1.3; ceil(3 * 1.32 = 3.96) = 4
    Case("above a wider upper edge", 3, [each(66)], [4], behavior=UP_30),
    # 51/50 = 1.02 > 1 + 0; ceil(3 * 1.02 = 3.06) = 4
    Case("no tolerance", 3, [each(51)], [4], behavior=UP_0),
    # 25/50 = 0.5, which is not below 1 - 0.5
    Case("a wider lower edge", 10, [each(25)], [10], behavior=DOWN_50),
    # 24/50 = 0.48 < 0.5; ceil(10 * 0.48 = 4.8) = 5
    Case("below a wider lower edge", 10, [each(24)], [5], behavior=DOWN_50),
    # 44/50 = 0.88 < 1 - 0.1, the usual one; ceil(10 * 0.88 = 8.8) = 9
    Case("each direction has its own", 10, [each(44)], [9], behavior=UP_90),
]

MISSING = [
    # 200/50 = 4 > 1, so the other one is 0: (200 + 0) * 100 / 200 = 100; 100/50 = 2; ceil(2 * 2) = 4
    Case("up: taken for idle", 2, [pods("200 -")], [4]),
    # 100/50 = 2 > 1; (100 + 0) * 100 / 200 = 50; 50/50 = 1, within the tolerance
    Case("up: idle ones make it unneeded", 2, [pods("100 -")], [2]),
    # 90/50 = 1.8 > 1; (90 + 0 + 0) * 100 / 300 = 30; 30/50 = 0.6 < 1: the direction would turn
    Case("up: never turned into down", 3, [pods("90 - -")], [3], behavior=AT_ONCE),
    # 1/50 = 0.02 < 1, so the sixth is 100: (5 + 100) * 100 / 600 = 17; 17/50 = 0.34;
    # ceil(6 * 0.34 = 2.04) = 3
    Case("down: taken for its request", 6, [pods("1 1 1 1 1 -")], [3], behavior=AT_ONCE),
    # 40/50 = 0.8 < 1; (40 + 100) * 100 / 200 = 70; 70/50 = 1.4 > 1: the direction would turn
    Case("down: never turned into up", 2, [pods("40 -")], [2], behavior=AT_ONCE),
    # 10/50 = 0.2 < 1; (20 + 100) * 100 / 300 = 40; 40/50 = 0.8; ceil(3 * 0.8 = 2.4) = 3
    Case("down: rounding keeps them", 3, [pods("10 10 -")], [3], behavior=AT_ONCE),
    # 50/200 = 0.25 < 1, so the fourth is 200 % of 100: (150 + 200) * 100 / 400 = 87; 87/200 = 0.435;
    # ceil(4 * 0.435 = 1.74) = 2
    Case("down: for the target above", 4, [pods("50 50 50 -")], [2], metrics=[cpu(200)], behavior=AT_ONCE),
    # 50/50 = 1: neither direction, so it is left out; 100 * 100 / 200 = 50; 50/50 = 1
    Case("on target: left out", 3, [pods("50 50 -")], [3], behavior=AT_ONCE),
    # 52/50 = 1.04 > 1, so the other one is 0: 52 * 100 / 200 = 26; 26/50 = 0.52 < 1: it would turn
    Case("within the tolerance", 2, [pods("52 -")], [2], behavior=AT_ONCE),
    # nothing is known
    Case("all of them", 2, [pods("- -")], [2], behavior=AT_ONCE),
]

UNREADY = [
    # 200/50 = 4 > 1, so the pending one is 0: 200 * 100 / 200 = 100; 100/50 = 2; ceil(2 * 2) = 4
    Case("up: pending", 2, [pods("200 pend")], [4]),
    # 20/50 = 0.4 < 1, so only ready ones count; ceil(1 * 0.4) = 1
    Case("down: pending does not count", 2, [pods("20 pend")], [1], behavior=AT_ONCE),
    # 900m is for its start: as if pending
    Case("up: starting", 2, [pods("200 new:900")], [4]),
    # its window of 10 s began before it was ready, 5 s ago: as if pending
    Case("up: just ready", 2, [pods("200 fresh:900")], [4]),
    # it became unready 20 s < 30 s after it started, so it never was ready: as if pending
    Case("up: never ready", 2, [pods("200 late:900")], [4]),
    # it has been there for five minutes: (100 + 100) * 100 / 200 = 100; 100/50 = 2; ceil(2 * 2) = 4
    Case("up: started exactly five minutes ago", 2, [pods("100 edge:100")], [4]),
    # it became unready 30 s after it started, so it may have been ready: 100 %; ceil(2 * 2) = 4
    Case("up: unready exactly 30 s after its start", 2, [pods("100 slow:100")], [4]),
    # it was ready once: (100 + 100) * 100 / 200 = 100; 100/50 = 2; ceil(2 * 2) = 4
    Case("up: gone bad", 2, [pods("100 sick:100")], [4]),
    # 52/50 = 1.04 > 1; 52 * 100 / 200 = 26; 26/50 = 0.52 < 1: the direction would turn
    Case("a little above, with one that starts", 2, [pods("52 new:900")], [2], behavior=AT_ONCE),
    # no ready Pod is measured
    Case("only starting", 2, [pods("new:90 new:90")], [2], behavior=AT_ONCE),
    # 300/50 = 6 > 1; (300 + 0 + 0) * 100 / 300 = 100; 100/50 = 2; ceil(3 * 2) = 6
    Case("up: missing and pending", 3, [pods("300 - pend")], [6]),
    # 1/50 = 0.02 < 1, missing is 100, pending does not count: (1 + 100) * 100 / 200 = 50; 50/50 = 1
    Case("down: missing and pending", 3, [pods("1 - pend")], [3], behavior=AT_ONCE),
    # 100/50 = 2; ceil(1 * 2) = 2: what ends does not count
    Case("terminating", 1, [pods("100 gone:900")], [2]),
    # (100 + 100) * 100 / 200 = 100; 100/50 = 2; ceil(2 * 2) = 4: what has failed does not count
    Case("failed", 2, [pods("100 100 fail")], [4]),
]

AVERAGE = [
    # (100 + 100) / 2 = 100; 100/60 = 1.67; ceil(2 * 1.67 = 3.33) = 4
    Case("up", 2, [each(100)], [4], metrics=[resource("cpu", "60m")]),
    # (55 + 56) / 2 = 55.5, truncated to 55; 55/50 = 1.1
    Case("the average is truncated", 2, [pods("55 56")], [2], metrics=[resource("cpu", "50m")]),
    # 10/40 = 0.25 < 1, so the third is 40: (10 + 10 + 40) / 3 = 20; 20/40 = 0.5; ceil(3 * 0.5 = 1.5) = 2
    Case(
        "down: missing has the target",
        3,
        [pods("10 10 -")],
        [2],
        metrics=[resource("cpu", "40m")],
        behavior=AT_ONCE,
    ),
    # 120/40 = 3 > 1, so the other one is 0: 120 / 2 = 60; 60/40 = 1.5; ceil(2 * 1.5) = 3
    Case("up: missing is idle", 2, [pods("120 -")], [3], metrics=[resource("cpu", "40m")]),
    # 40/40 = 1, so the third is left out: (40 + 40) / 2 = 40; 40/40 = 1
    Case(
        "on target: missing is left out",
        3,
        [pods("40 40 -")],
        [3],
        metrics=[resource("cpu", "40m")],
        behavior=AT_ONCE,
    ),
    # the memory of one that starts counts: (100Mi + 100Mi) / 2 = 100Mi; 100/50 = 2; ceil(2 * 2) = 4
    Case("memory of one that starts", 2, [pods("100 new:100")], [4], metrics=[resource("memory", "50Mi")]),
]

CONTAINERS = [
    # (90 + 10) * 100 / 200 = 50 a Pod; 50/50 = 1
    Case("whole Pods", 3, [each(90)], [3], sidecar=True),
    # 90 * 100 / 100 = 90; ceil(3 * 90/50 = 5.4) = 6
    Case("one container", 3, [each(90)], [6], metrics=[container("c", 50)], sidecar=True),
    # 10 * 100 / 100 = 10; 10/50 = 0.2; ceil(10 * 0.2) = 2
    Case(
        "the other",
        10,
        [each(90)],
        [2],
        metrics=[container("sidecar", 50)],
        behavior=AT_ONCE,
        sidecar=True,
    ),
]

PODS = [
    # (10 + 20 + 30) / 3 = 20; 20/10 = 2; ceil(3 * 2) = 6
    Case("up", 3, [told(rate=[10, 20, 30])], [6], metrics=[per_pod("rate", "10")]),
    # 11/10 = 1.1
    Case("the upper edge", 3, [told(rate=[11, 11, 11])], [3], metrics=[per_pod("rate", "10")]),
    # 1.5/1 = 1.5; ceil(2 * 1.5) = 3
    Case("fractions", 2, [told(rate=[1.5, 1.5])], [3], metrics=[per_pod("rate", "1")]),
    # 30/10 = 3 > 1, so the other one is 0: 30 / 2 = 15; 15/10 = 1.5; ceil(2 * 1.5) = 3
    Case("up: missing is idle", 2, [told(rate=[30])], [3], metrics=[per_pod("rate", "10")]),
    # only the CPU of one that starts does not count: (20 + 20) / 2 = 20; 20/10 = 2; ceil(2 * 2) = 4
    Case("one that starts", 2, [told("0 new:0", rate=[20, 20])], [4], metrics=[per_pod("rate", "10")]),
    # 2/10 = 0.2; ceil(5 * 0.2) = 1
    Case("down", 5, [told(rate=[2] * 5)], [1], metrics=[per_pod("rate", "10")], behavior=AT_ONCE),
]

OBJECTS = [
    # 100/50 = 2; ceil(3 ready * 2) = 6
    Case("a value", 3, [told(hits=[100])], [6], metrics=[of_object("hits", value="50")]),
    # 100/50 = 2; ceil(2 ready * 2) = 4
    Case("only ready ones", 3, [told("0 0 pend", hits=[100])], [4], metrics=[of_object("hits", value="50")]),
    # 55/50 = 1.1
    Case("the upper edge", 3, [told(hits=[55])], [3], metrics=[of_object("hits", value="50")]),
    # 10/50 = 0.2; ceil(3 * 0.2 = 0.6) = 1
    Case("down", 3, [told(hits=[10])], [1], metrics=[of_object("hits", value="50")], behavior=AT_ONCE),
    # 100/(20 * 3) = 1.67; ceil(100/20) = 5
    Case("an average", 3, [told(hits=[100])], [5], metrics=[of_object("hits", average="20")]),
    # 66/(20 * 3) = 1.1
    Case("an average: the upper edge", 3, [told(hits=[66])], [3], metrics=[of_object("hits", average="20")]),
    # 101/(20 * 3) = 1.68; ceil(101/20 = 5.05) = 6
    Case("an average: rounded up", 3, [told(hits=[101])], [6], metrics=[of_object("hits", average="20")]),
]

EXTERNAL = [
    # (30 + 70)/50 = 2; ceil(3 ready * 2) = 6
    Case("series are added", 3, [told(jobs=[30, 70])], [6], metrics=[external("jobs", value="50")]),
    # 30/(10 * 2) = 1.5; ceil(30/10) = 3
    Case("an average", 2, [told(jobs=[30])], [3], metrics=[external("jobs", average="10")]),
    # 18/(10 * 2) = 0.9
    Case(
        "an average: the lower edge",
        2,
        [told(jobs=[18])],
        [2],
        metrics=[external("jobs", average="10")],
        behavior=AT_ONCE,
    ),
    # 0/10 = 0; ceil(0) = 0, which only such metrics may ask for
    Case(
        "to zero",
        2,
        [told(jobs=[0])],
        [0],
        metrics=[external("jobs", average="10")],
        behavior=AT_ONCE,
        least=0,
    ),
    # no replicas have no average: ceil(25/10 = 2.5) = 3; 3 <= max(2 * 0, 4)
    Case("from zero", 0, [told(jobs=[25])], [3], metrics=[external("jobs", average="10")], least=0),
    # no replicas are ready: the ratio alone, ceil(75/50 = 1.5) = 2
    Case("from zero by value", 0, [told(jobs=[75])], [2], metrics=[external("jobs", value="50")], least=0),
]

BOTH = [cpu(), external("jobs", average="10")]
SEVERAL = [
    # ceil(3 * 90/50 = 5.4) = 6; ceil(40/10) = 4: the most
    Case("the most wins", 3, [told("90 90 90", jobs=[40])], [6], metrics=BOTH),
    # ceil(5 * 10/50) = 1; ceil(40/10) = 4: the most
    Case("down to the most", 5, [told("10 10 10 10 10", jobs=[40])], [4], metrics=BOTH, behavior=AT_ONCE),
    # ceil(3 * 90/50 = 5.4) = 6; the other one is not known, and could only ask for more
    Case("up without one of them", 3, [told("90 90 90", jobs=None)], [6], metrics=BOTH),
    # ceil(5 * 10/50) = 1; the other one is not known, and may need all of them
    Case("no down without one", 5, [told("10 10 10 10 10", jobs=None)], [5], metrics=BOTH, behavior=AT_ONCE),
    # 50/50 = 1; the other one is not known
    Case("on target without one", 3, [told("50 50 50", jobs=None)], [3], metrics=BOTH, behavior=AT_ONCE),
]

GROUPS = {
    "utilization": UTILIZATION,
    "bounds": BOUNDS,
    "tolerances": TOLERANCES,
    "missing": MISSING,
    "unready": UNREADY,
    "average": AVERAGE,
    "containers": CONTAINERS,
    "pods": PODS,
    "objects": OBJECTS,
    "external": EXTERNAL,
    "several": SEVERAL,
}
CASES = [pytest.param(case, id=f"{group}: {case.name}") for group, cases in GROUPS.items() for case in cases]


@pytest.mark.parametrize("case", CASES)
def test_replicas_are_those_that_were_computed_by_hand(case: Case) -> None:
    assert replicas_of(case) == list(case.trace)
