"""The trail of who did what: records that are chained, writers that meet, and what shows afterwards."""

from __future__ import annotations

import asyncio
import copy
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from leeward.base.clock import VirtualClock
from leeward.delivery.audit.chain import HEAD, hash_of, record_name, verify
from leeward.delivery.audit.trail import append
from leeward.delivery.records import AUDIT_RECORDS, hub_of
from leeward.kube.objects import Obj
from tests.unit.delivery.memory import Memory

HUB = hub_of("shop")


def write(api: Memory, action: str = "promote", **more: Any) -> Obj:
    clock = VirtualClock()
    return asyncio.run(append(api, "shop", who="jane", action=action, environment="qa", clock=clock, **more))


def trail(length: int) -> Memory:
    api = Memory()
    for number in range(length):
        write(api, result="succeeded", details={"number": number})
    return api


def records_of(api: Memory) -> list[Obj]:
    return [obj for (resource, _, _), obj in sorted(api.objects.items()) if resource == AUDIT_RECORDS]


def head_of(api: Memory) -> Obj | None:
    return api.objects.get(("configmaps", HUB, HEAD))


def found(api: Memory) -> list[str]:
    return verify("shop", records_of(api), head_of(api))


def test_each_record_has_the_hash_of_the_one_before() -> None:
    api = trail(3)
    first, second, third = (obj["spec"] for obj in records_of(api))
    assert [first["sequence"], second["sequence"], third["sequence"]] == [1, 2, 3]
    assert (second["previous"], third["previous"]) == (first["hash"], second["hash"])
    assert first["by"] == "jane"
    assert records_of(api)[2]["metadata"]["name"] == "00000003"
    assert (head_of(api) or {})["data"] == {"sequence": "3", "hash": third["hash"]}
    assert found(api) == []


def test_writers_that_meet_all_get_their_place() -> None:
    api = Memory()

    async def all_at_once() -> None:
        clock = VirtualClock()
        await asyncio.gather(
            *(append(api, "shop", who="jane", action="lock", result=f"{n}", clock=clock) for n in range(20))
        )

    asyncio.run(all_at_once())
    assert sorted(int(obj["spec"]["result"]) for obj in records_of(api)) == list(range(20))
    assert (head_of(api) or {})["data"]["sequence"] == "20"
    assert found(api) == []


def test_a_crash_between_record_and_head_is_no_fault_and_the_next_goes_on_behind_it() -> None:
    api = trail(2)

    def crash(verb: str, resource: str, name: str) -> None:
        if (verb, resource) == ("update", "configmaps"):
            raise KeyboardInterrupt

    api.before = crash
    with pytest.raises(KeyboardInterrupt):
        write(api)
    api.before = lambda *_: None
    assert (head_of(api) or {})["data"]["sequence"] == "2"
    assert found(api) == []
    assert write(api)["spec"]["sequence"] == 4
    assert found(api) == []


def test_what_is_written_once_is_not_written_again_after_a_crash() -> None:
    api = Memory()
    first = write(api, promotion="qa-00001", result="succeeded", once=True)
    write(api, promotion="qa-00002", result="succeeded", once=True)
    again = write(api, promotion="qa-00001", result="succeeded", once=True)
    other = write(api, promotion="qa-00001", result="failed", once=True)
    assert (first["metadata"]["name"], again["metadata"]["name"]) == ("00000001", "00000001")
    assert other["metadata"]["name"] == "00000003"
    assert found(api) == []


def test_details_read_the_same_from_every_api_server() -> None:
    api = Memory()
    written = write(api, details={"soak": 7200.0, "share": 0.5, "nothing": None, "list": [None, 1, True]})
    assert written["spec"]["details"] == {"soak": 7200, "share": "0.5", "list": [1, True]}


def test_records_removed_from_the_end_stay_missing_when_others_are_written() -> None:
    api = trail(4)
    del api.objects[AUDIT_RECORDS, HUB, "00000004"]
    assert found(api) == ["00000004 was removed from the end"]
    write(api)
    assert found(api) == ["00000004 was removed"]


def test_a_trail_whose_head_is_gone_is_not_whole_and_grows_on() -> None:
    api = trail(3)
    del api.objects["configmaps", HUB, HEAD]
    assert found(api) == [
        f"what tells the end, ConfigMap {HEAD}, is gone: whether records are missing is unknown"
    ]
    assert write(api)["spec"]["sequence"] == 4
    assert found(api) == []


def test_each_kind_of_damage_is_told_with_its_number() -> None:
    def damaged(change: Any) -> list[str]:
        records = copy.deepcopy(WHOLE)
        change(records)
        return verify("shop", records, HEAD_OF_WHOLE)

    def edit(records: list[Obj]) -> None:
        records[3]["spec"]["by"] = "joe"

    def edit_well(records: list[Obj]) -> None:
        edit(records)
        records[3]["spec"]["hash"] = hash_of(records[3]["spec"])

    def remove(records: list[Obj]) -> None:
        del records[2:4]

    def rename(records: list[Obj]) -> None:
        records[3]["metadata"]["name"] = "00000009"

    assert damaged(edit) == ["00000004 was changed: its hash is not that of what it says"]
    assert damaged(edit_well) == ["00000005 does not follow 00000004: one of them was changed or put there"]
    assert damaged(remove) == ["00000003 to 00000004 were removed"]
    assert damaged(rename) == ["00000009 was renamed or put there: it says that its number is 4"]


def test_the_trail_of_another_application_does_not_fit() -> None:
    assert verify("other", WHOLE, HEAD_OF_WHOLE) == [
        "00000001 does not follow the beginning: one of them was changed or put there"
    ]


WHOLE = records_of(trail(7))
HEAD_OF_WHOLE = {"data": {"sequence": "7", "hash": WHOLE[-1]["spec"]["hash"]}}
INDEX = st.integers(0, 6)
FIELDS = st.sampled_from(sorted(WHOLE[0]["spec"].keys() - {"hash"}))


@given(INDEX, FIELDS, st.booleans())
def test_every_edited_record_shows(index: int, field: str, is_hashed_again: bool) -> None:
    records = copy.deepcopy(WHOLE)
    spec = records[index]["spec"]
    spec[field] = spec[field] + 1 if field == "sequence" else {"x": 1} if field == "details" else "other"
    if is_hashed_again:
        spec["hash"] = hash_of(spec)
    assert verify("shop", records, HEAD_OF_WHOLE)


@given(st.sets(INDEX, min_size=1))
def test_every_removed_record_shows(gone: set[int]) -> None:
    records = [obj for index, obj in enumerate(WHOLE) if index not in gone]
    assert verify("shop", records, HEAD_OF_WHOLE)


@given(st.permutations(range(7)), st.booleans())
def test_records_in_another_order_show(order: list[int], is_only_listed: bool) -> None:
    if is_only_listed:  # the order of a listing means nothing
        assert verify("shop", [WHOLE[index] for index in order], HEAD_OF_WHOLE) == []
        return
    assume(order != sorted(order))
    records = [
        {**WHOLE[index], "metadata": {**WHOLE[index]["metadata"], "name": record_name(number + 1)}}
        for number, index in enumerate(order)
    ]
    assert verify("shop", records, HEAD_OF_WHOLE)


@given(INDEX, INDEX, st.booleans())
def test_every_record_that_is_put_in_between_shows(model: int, place: int, is_hashed_again: bool) -> None:
    forged = copy.deepcopy(WHOLE[model])
    forged["spec"] |= {"by": "joe", "sequence": place + 1}
    forged["metadata"]["name"] = record_name(place + 1) + "a"
    if is_hashed_again:
        forged["spec"]["hash"] = hash_of(forged["spec"])
    assert verify("shop", [*WHOLE, forged], HEAD_OF_WHOLE)


@given(st.integers(1, 20), st.booleans())
def test_a_head_that_is_ahead_or_tells_another_hash_shows(number: int, has_right_hash: bool) -> None:
    right = WHOLE[number - 1]["spec"]["hash"] if number <= 7 else "sha256:0"
    head = {"data": {"sequence": str(number), "hash": right if has_right_hash else "sha256:1"}}
    assert bool(verify("shop", WHOLE, head)) == (number > 7 or not has_right_hash)
