"""What ``leeward env set`` writes: versions that never change, and writers that meet."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

import pytest

from leeward.base.clock import VirtualClock
from leeward.base.errors import OperationError, UserInputError
from leeward.delivery.environments import variables
from leeward.delivery.environments.environment import Environment
from leeward.delivery.environments.variables import Author, Version
from leeward.delivery.records import AUDIT_RECORDS, PROMOTIONS, record
from leeward.kube.objects import Obj
from leeward.kube.status import ForbiddenError, NotFoundError
from tests.unit.delivery.memory import Memory

T = TypeVar("T")
QA = Environment(name="qa", app="shop", namespace="shop-qa")
JANE = Author(name="jane", reason="new vendor")
CLOCK = VirtualClock()


def run(work: Awaitable[T]) -> T:
    async def wait() -> T:
        return await work

    return asyncio.run(wait())


def put(api: Memory, **values: str | bytes) -> Version:
    return run(variables.set_values(api, QA, values, JANE, CLOCK))


def newest(api: Memory) -> Version:
    return run(variables.newest_version(api, QA))


def test_a_version_has_all_values_and_says_what_changed_and_who_did_it() -> None:
    api = Memory()
    put(api, A="1", B=b"\xff")
    version = put(api, A="2", C="3")
    assert version.number == newest(api).number
    assert (version.number, version.values) == (2, {"A": b"2", "B": b"\xff", "C": b"3"})
    assert (list(version.set), list(version.unset), version.by) == (["A", "C"], [], "jane")
    assert version.texts == {"A": "2", "C": "3"}
    written = api.objects["secrets", "shop-qa", "leeward-env-2"]
    assert (written["immutable"], written["type"]) == (True, "Opaque")


def test_nothing_is_written_when_nothing_changes() -> None:
    api = Memory()
    put(api, A="1")
    assert put(api, A="1").number == 1
    assert run(variables.unset_values(api, QA, ["B"], JANE, CLOCK)).number == 1


def test_values_are_removed_by_name() -> None:
    api = Memory()
    put(api, A="1", B="2")
    version = run(variables.unset_values(api, QA, ["A", "X"], JANE, CLOCK))
    assert (version.number, version.values, list(version.unset)) == (2, {"B": b"2"}, ["A"])


def test_people_who_set_values_at_the_same_time_lose_nothing() -> None:
    api = Memory()

    async def all_at_once() -> None:
        await asyncio.gather(
            *(variables.set_values(api, QA, {f"V{n}": str(n)}, JANE, CLOCK) for n in range(15)),
            variables.unset_values(api, QA, ["V3"], JANE, CLOCK),
        )

    asyncio.run(all_at_once())
    left = {f"V{n}" for n in range(15)}
    assert left - newest(api).values.keys() <= {"V3"}
    assert newest(api).number >= 15


def test_only_what_is_missing_is_imported() -> None:
    api = Memory()
    put(api, A="kept")
    version, names = run(variables.import_missing(api, QA, {"A": "other", "B": b"2"}, JANE, CLOCK))
    assert (version.values, names) == ({"A": b"kept", "B": b"2"}, ["B"])
    assert run(variables.import_missing(api, QA, {"A": "x", "B": "x"}, JANE, CLOCK))[1] == []


def test_the_audit_trail_has_names_and_no_values() -> None:
    api = Memory()
    put(api, PASSWORD="hunter2")
    run(variables.unset_values(api, QA, ["PASSWORD"], JANE, CLOCK))
    specs = [obj["spec"] for (kind, _, _), obj in api.objects.items() if kind == AUDIT_RECORDS]
    assert [(spec["action"], spec["details"]["version"]) for spec in specs] == [
        ("env-set", 1),
        ("env-unset", 2),
    ]
    assert specs[0]["details"] == {"version": 1, "set": ["PASSWORD"], "unset": [], "reason": "new vendor"}
    assert "hunter2" not in str(specs)
    assert "hunter2" not in repr(newest(api))


@pytest.mark.parametrize("name", ["", "A B", "ü", "-x", "a=b"])
def test_what_is_no_name_is_refused(name: str) -> None:
    with pytest.raises(UserInputError, match="cannot be the name"):
        put(Memory(), **{name: "1"})


def test_values_that_are_too_long_for_a_secret_are_refused() -> None:
    with pytest.raises(OperationError, match="would be 900002 bytes of at most 900000"):
        put(Memory(), A="x" * 900_001)


def test_an_environment_without_a_namespace_was_not_applied_yet() -> None:
    api = Memory()

    def no_namespace(verb: str, resource: str, name: str) -> None:
        if verb == "create":
            raise NotFoundError('namespaces "shop-qa" not found')

    api.before = no_namespace
    with pytest.raises(OperationError, match="does not know the environment qa yet") as caught:
        put(api, A="1")
    assert "leeward env apply qa" in caught.value.remedy


def promotion(number: int, version: int) -> Obj:
    return record("Promotion", "shop", f"qa-{number:05d}", {"environment": "qa", "variablesVersion": version})


def test_old_versions_go_but_never_one_that_a_promotion_took() -> None:
    api = Memory()
    taken = promotion(1, 2)
    api.objects[PROMOTIONS, QA.hub, "qa-00001"] = taken
    for number in range(variables.KEPT + 3):
        put(api, A=str(number))
    numbers = sorted(each.number for each in run(variables.list_versions(api, QA)))
    assert numbers == [2, *range(5, variables.KEPT + 4)]


def test_who_may_not_delete_leaves_old_versions() -> None:
    api = Memory()

    def no_deleting(verb: str, resource: str, name: str) -> None:
        if verb == "delete":
            raise ForbiddenError("no")

    api.before = no_deleting
    for number in range(variables.KEPT + 2):
        put(api, A=str(number))
    assert len(run(variables.list_versions(api, QA))) == variables.KEPT + 2


def test_strange_annotations_of_a_version_do_no_harm() -> None:
    api = Memory()
    put(api, A="1")
    notes = api.objects["secrets", "shop-qa", "leeward-env-1"]["metadata"]["annotations"]
    notes |= {"leeward.dev/changes": "[1]", "leeward.dev/at": "yesterday"}
    assert (newest(api).values, newest(api).set, newest(api).at) == ({"A": b"1"}, (), None)


def test_the_promotions_of_an_environment_say_which_versions_they_took() -> None:
    other = record("Promotion", "shop", "uat-00001", {"environment": "uat", "variablesVersion": 9})
    found = variables.taken_by([promotion(2, 1), promotion(1, 1), promotion(3, 4), other], "qa")
    assert found == {1: "qa-00002", 4: "qa-00003"}


def test_numbers_go_on_after_the_namespace_was_deleted_with_all_versions() -> None:
    api = Memory()
    put(api, A="1")
    put(api, A="2")
    for key in [key for key in api.objects if key[0] == "secrets"]:
        del api.objects[key]
    version = put(api, A="3")
    assert (version.number, version.values, list(version.set)) == (3, {"A": b"3"}, ["A"])


def test_numbers_go_on_after_what_promotions_took_when_the_trail_does_not_tell() -> None:
    api = Memory()
    label = {"leeward.dev/environment": "qa"}
    spec = {"environment": "qa", "variablesVersion": 7}
    api.objects[PROMOTIONS, QA.hub, "qa-00001"] = record("Promotion", "shop", "qa-00001", spec, **label)
    assert put(api, A="1").number == 8
    assert put(api, A="2").number == 9


def test_versions_of_an_environment_that_had_the_namespace_before_are_passed_over() -> None:
    api = Memory()
    put(api, A="1")
    put(api, A="2")
    heir = Environment(name="live", app="shop", namespace="shop-qa")
    version = run(variables.set_values(api, heir, {"B": "1"}, JANE, CLOCK))
    assert (version.number, version.values) == (3, {"B": b"1"})
    assert run(variables.find_version(api, heir, 2)) is None
    found = run(variables.find_version(api, heir, 3))
    assert found is not None
    assert found.values == version.values
