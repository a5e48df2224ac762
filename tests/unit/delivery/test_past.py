"""What was promoted, read through tables so that large objects stay where they are."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from leeward.delivery.promotion.past import newest_promotions, seconds_taken, versions_of
from leeward.kube.http import Location
from leeward.kube.objects import Obj

COLUMNS = {"promotions": ("Name", "Environment"), "releases": ("Name", "Version")}
ROWS: dict[str, list[tuple[str, str | None]]] = {
    "promotions": [("qa-00009", "qa"), ("qa-00010", "qa"), ("uat-00011", "uat"), ("qa-100000", "qa")],
    "releases": [("shop-1", "1.0"), ("shop-2", None)],
}


class Tables:
    """An API that gives tables, a row a page, and remembers what was read whole."""

    def __init__(self) -> None:
        self.read: list[str] = []

    async def locate(self, resource: str) -> Location:
        plural = resource.partition(".")[0]
        return Location("leeward.dev", "v1alpha1", plural, "Any", True)

    async def request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Any:
        assert headers is not None
        assert "as=Table" in headers["accept"]
        assert params is not None
        assert params["includeObject"] == "None"
        plural, page = path.rpartition("/")[2], int(params.get("continue", "0"))
        rows = ROWS[plural]
        following = str(page + 1) if page + 1 < len(rows) else ""
        return {
            "columnDefinitions": [{"name": name} for name in COLUMNS[plural]],
            "rows": [{"cells": rows[page]}],
            "metadata": {"continue": following},
        }

    async def find(self, resource: str, namespace: str, name: str) -> Obj | None:
        self.read.append(name)
        return {"metadata": {"name": name}}


def test_only_the_newest_promotions_of_an_environment_are_read_whole() -> None:
    api = Tables()
    found = asyncio.run(newest_promotions(api, "leeward-shop", "qa", 2))
    assert [obj["metadata"]["name"] for obj in found] == ["qa-100000", "qa-00010"]
    assert sorted(api.read) == ["qa-00010", "qa-100000"]


def test_versions_come_without_the_content_of_releases() -> None:
    api = Tables()
    assert asyncio.run(versions_of(api, "leeward-shop")) == {"shop-1": "1.0", "shop-2": ""}
    assert api.read == []


@pytest.mark.parametrize(
    ("status", "seconds"),
    [
        ({"startedAt": "2026-01-01T00:00:00Z", "finishedAt": "2026-01-01T00:01:05Z"}, 65.0),
        ({"startedAt": "2026-01-01T00:00:00Z"}, None),
        ({}, None),
        ({"startedAt": "x", "finishedAt": "y"}, None),
    ],
)
def test_a_promotion_under_way_has_taken_no_time_yet(status: Obj, seconds: float | None) -> None:
    assert seconds_taken({"status": status}) == seconds
