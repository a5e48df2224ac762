"""Node groups: described, resized, and raised before their minimum is."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from leeward.base.clock import VirtualClock
from leeward.base.errors import OperationError, UserInputError
from leeward.infra.aws.nodegroups import (
    NodeGroupState,
    Size,
    find_group,
    node_groups,
    resize,
    resized,
    settled,
)


def group(name: str, size: Size, status: str = "ACTIVE") -> NodeGroupState:
    return NodeGroupState(
        name=name, status=status, size=size, types=("m7i.large",), is_spot=False, version="1.35", release="1"
    )


def described(status: str, issues: list[dict[str, str]] | None = None) -> dict[str, Any]:
    scaling = {"minSize": 1, "desiredSize": 2, "maxSize": 4}
    found = {"nodegroupName": "general-a", "status": status, "scalingConfig": scaling}
    return {"nodegroup": {**found, "health": {"issues": issues or []}}}


def test_node_groups_are_described_by_name(stub: Any) -> None:
    spot = {**described("UPDATING")["nodegroup"], "nodegroupName": "batch", "capacityType": "SPOT"}
    answers = [
        ("list_nodegroups", {"nodegroups": ["general-a", "batch"]}),
        ("describe_nodegroup", {"nodegroup": {**spot, "instanceTypes": ["m7i.large", "m6i.large"]}}),
        ("describe_nodegroup", described("ACTIVE")),
    ]

    batch, general = node_groups(stub("eks", *answers), "prod")

    assert (batch.name, batch.status, batch.is_spot) == ("batch", "UPDATING", True)
    assert batch.types == ("m7i.large", "m6i.large")
    assert (general.name, general.size, general.is_spot) == ("general-a", Size(1, 2, 4), False)


def test_a_node_group_that_is_not_there_is_answered_with_the_nearest(stub: Any) -> None:
    answers = [
        ("update_nodegroup_config", ("ResourceNotFoundException", "no such group")),
        ("list_nodegroups", {"nodegroups": ["general-a"]}),
        ("describe_nodegroup", described("ACTIVE")),
    ]

    with pytest.raises(UserInputError, match="prod has no node group general-c") as caught:
        resize(stub("eks", *answers), "prod", "general-c", Size(1, 1, 1))
    assert caught.value.remedy == 'Did you mean "general-a"?'


def test_a_group_is_meant_by_its_name_with_or_without_what_terraform_appends() -> None:
    there = [
        group(name, Size(1, 2, 3))
        for name in ("general-a-2026112811305265010000001b", "general-b-2026112810150000")
    ]

    assert find_group(there, "general-a", "prod") is there[0]
    assert find_group(there, there[1].name, "prod") is there[1]
    for unclear in ("general", "general-c"):
        with pytest.raises(UserInputError, match="no node group"):
            find_group(there, unclear, "prod")


def test_limits_move_the_number_of_nodes_only_as_far_as_they_must() -> None:
    now = Size(1, 2, 4)

    assert resized(now, desired=3) == Size(1, 3, 4)
    assert resized(now, least=3) == Size(3, 3, 4)
    assert resized(now, most=1) == Size(1, 1, 1)
    assert resized(now, least=0, most=9) == Size(0, 2, 9)


@pytest.mark.parametrize("asked", [{"desired": 5}, {"least": 5}, {"desired": 0}, {"least": 0, "most": 0}])
def test_numbers_that_contradict_each_other_are_refused(asked: dict[str, int]) -> None:
    with pytest.raises(UserInputError, match="contradict each other"):
        resized(Size(1, 2, 4), **asked)


def test_a_change_is_waited_for(stub: Any) -> None:
    clock = VirtualClock()
    answers = [("describe_nodegroup", described(status)) for status in ("UPDATING", "UPDATING", "ACTIVE")]
    aws = stub("eks", *answers)

    async def work() -> list[NodeGroupState]:
        task = asyncio.create_task(settled(aws, "prod", ["general-a"], clock, 60))
        for _ in range(20):
            await asyncio.sleep(0)
            clock.advance(1)
        return await task

    (found,) = asyncio.run(work())
    assert found.status == "ACTIVE"


def test_a_group_that_is_not_well_is_told_with_the_reason(stub: Any) -> None:
    issue = {"code": "Ec2SubnetInvalidConfiguration", "message": "no free addresses"}
    aws = stub("eks", ("describe_nodegroup", described("DEGRADED", [issue])))

    with pytest.raises(OperationError, match=r"general-a of prod is not well: Ec2.*: no free addresses"):
        asyncio.run(settled(aws, "prod", ["general-a"], VirtualClock(), 60))


def test_waiting_ends(stub: Any) -> None:
    aws = stub("eks", ("describe_nodegroup", described("UPDATING")))

    with pytest.raises(OperationError, match="did not settle in 0 seconds"):
        asyncio.run(settled(aws, "prod", ["general-a"], VirtualClock(), 0))
