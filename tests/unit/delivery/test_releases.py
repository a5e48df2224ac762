"""The releases of a hub: how they are called, and that each is written once."""

from __future__ import annotations

import asyncio

import pytest

from leeward.base.errors import OperationError, UserInputError
from leeward.delivery.releases.bundle import Bundle, release_object
from leeward.delivery.releases.kept import add_release, find_release, list_releases
from leeward.kube.objects import Obj
from tests.unit.delivery.memory import Memory


def release(tag: str, version: str = "") -> Obj:
    bundle = Bundle(app="shop", compose=(), files={}, variables={"TAG": tag})
    return release_object(bundle, version=version)


async def hub(*releases: Obj) -> Memory:
    api = Memory()
    for number, each in enumerate(releases):
        made = {**each["metadata"], "creationTimestamp": f"2026-01-0{number + 1}T00:00:00Z"}
        await add_release(api, "shop", {**each, "metadata": made})
    return api


def test_the_newest_release_is_the_first_of_a_list() -> None:
    async def run() -> list[str]:
        api = await hub(release("1", "1.0"), release("2", "1.1"))
        return [each["spec"]["version"] for each in await list_releases(api, "shop")]

    assert asyncio.run(run()) == ["1.1", "1.0"]


def test_a_release_is_called_by_its_id_its_version_or_its_digest() -> None:
    one, two = release("1", "1.0"), release("2", "1.1")

    async def run() -> None:
        api = await hub(one, two)
        digits = two["spec"]["digest"].removeprefix("sha256:")
        for called in (two["metadata"]["name"], "1.1", digits[:6], two["spec"]["digest"]):
            found = await find_release(api, "shop", called)
            assert found["metadata"]["name"] == two["metadata"]["name"]

    asyncio.run(run())


def test_a_version_of_several_releases_names_none_of_them() -> None:
    async def run() -> None:
        api = await hub(release("1", "1.0"), release("2", "1.0"))
        with pytest.raises(UserInputError, match=r"1\.0 is the name of several releases"):
            await find_release(api, "shop", "1.0")

    asyncio.run(run())


@pytest.mark.parametrize("called", ["2.0", "", "abc", "0000000"])
def test_what_is_not_there_is_told(called: str) -> None:
    async def run() -> None:
        api = await hub(release("1", "1.0"))
        with pytest.raises(OperationError, match=f"shop has no release {called}") as refused:
            await find_release(api, "shop", called)
        assert release("1")["metadata"]["name"] in refused.value.remedy

    asyncio.run(run())


def test_what_is_there_is_told_with_its_version() -> None:
    async def run() -> str:
        api = await hub(release("1", "1.0"))
        with pytest.raises(OperationError) as refused:
            await find_release(api, "shop", "1.1")
        return refused.value.remedy

    assert asyncio.run(run()) == f"It has: {release('1')['metadata']['name']} (1.0)."


def test_a_release_is_written_once() -> None:
    async def run() -> None:
        api = Memory()
        assert (await add_release(api, "shop", release("1", "1.0")))[1]
        there, new = await add_release(api, "shop", release("1", "2.0"))
        assert (there["spec"]["version"], new) == ("1.0", False)

        other = release("2")
        other["metadata"]["name"] = release("1")["metadata"]["name"]
        with pytest.raises(OperationError, match="another release is called"):
            await add_release(api, "shop", other)

    asyncio.run(run())
