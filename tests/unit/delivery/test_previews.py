"""Previews: what they are called, which namespaces are some, and that only those go whose time is over."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leeward.base.clock import VirtualClock
from leeward.base.errors import OperationError, UserInputError
from leeward.delivery.previews import (
    EXPIRES,
    GONE_SECONDS,
    PREVIEW_LABEL,
    access_of,
    find_preview,
    label_of,
    list_previews,
    marked,
    namespace_of,
    read_preview,
    remove,
    remove_expired,
    wait_until_gone,
)
from leeward.delivery.records import APP_LABEL
from leeward.kube.objects import Obj
from leeward.kube.status import ConflictError
from leeward.kube.wellknown import APP_MANAGED_BY
from tests.unit.delivery.memory import Memory

NOW = datetime(2030, 1, 1, tzinfo=UTC)
NAMES = st.text(min_size=1, max_size=120).filter(lambda text: any(c.isascii() and c.isalnum() for c in text))


class Cluster(Memory):
    """An API that gives uids and knows preconditions."""

    async def delete(
        self,
        resource: str,
        namespace: str,
        name: str,
        *,
        propagation: str | None = None,
        preconditions: Mapping[str, str] | None = None,
    ) -> None:
        self.before("delete", resource, name)
        live = self._live((resource, namespace, name))["metadata"]
        if any(live[key] != value for key, value in (preconditions or {}).items()):
            raise ConflictError("the preconditions do not hold")
        await super().delete(resource, namespace, name, propagation=propagation)

    def put(self, namespace: Obj) -> None:
        name = namespace["metadata"]["name"]
        asyncio.run(
            self.create("namespaces", {**namespace, "metadata": {**namespace["metadata"], "uid": name}})
        )

    def patched(self, name: str, **annotations: str) -> None:
        key = ("namespaces", "", name)
        meta = self.objects[key]["metadata"]
        notes = {**meta["annotations"], **annotations}
        self._put(key, {**self.objects[key], "metadata": {**meta, "annotations": notes}})

    def names(self) -> list[str]:
        return [name for _, _, name in self.objects]


def namespace(app: str, name: str, hours: float) -> Obj:
    rendered = {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": namespace_of(app, label_of(app, name)), "labels": {APP_MANAGED_BY: "leeward"}},
    }
    return marked(rendered, app, name, expires=NOW + timedelta(hours=hours), by="ci")


@pytest.fixture
def api() -> Cluster:
    """Return an API with previews of two applications, and a namespace that only has such a name."""
    found = Cluster()
    for app, name, hours in (("shop", "pr-1", -1), ("shop", "pr-2", 5), ("blog", "pr-1", -1)):
        found.put(namespace(app, name, hours))
    found.put({"kind": "Namespace", "metadata": {"name": "shop-preview-theirs", "annotations": {}}})
    return found


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("pr-12", "pr-12"),
        ("7", "7"),
        ("feature/ABC-1", "feature-abc-1-67b539fe"),
        ("Main", "main-eb814be3"),
        ("a" * 60, f"{'a' * 41}-11ee3912"),
    ],
)
def test_a_name_that_may_be_part_of_a_host_is_kept_and_others_get_a_digest(name: str, label: str) -> None:
    assert label_of("shop", name) == label


@given(st.from_regex(r"[a-z0-9][a-z0-9_-]{0,62}", fullmatch=True), NAMES, NAMES)
def test_labels_are_valid_and_those_of_different_names_differ(app: str, one: str, other: str) -> None:
    labels = [label_of(app, name) for name in (one, other)]

    for label in labels:
        whole = namespace_of(app, label)
        assert len(whole) <= 63
        assert whole.replace("-", "").isalnum()
        assert whole == whole.lower()
        assert whole[0].isalpha()
        assert whole[-1] != "-"
        assert label_of(app, label) == label
    if one != other and {one, other}.isdisjoint(labels):
        assert labels[0] != labels[1]


@pytest.mark.parametrize("name", ["", "///", " ", "ß"])
def test_a_name_without_letters_and_digits_is_refused(name: str) -> None:
    with pytest.raises(UserInputError, match="no name for a preview"):
        label_of("shop", name)


def test_what_is_written_on_a_namespace_is_read_back(api: Cluster) -> None:
    found = asyncio.run(find_preview(api, "shop", "pr-1"))

    assert found is not None
    assert (found.label, found.name, found.namespace) == ("pr-1", "pr-1", "shop-preview-pr-1")
    assert (found.expires, found.by, found.leaving) == (NOW - timedelta(hours=1), "ci", False)
    assert found.is_over(NOW)


def test_of_a_name_that_changed_both_forms_find_it(api: Cluster) -> None:
    api.put(namespace("shop", "feature/X", 1))

    one, other = (
        asyncio.run(find_preview(api, "shop", name)) for name in ("feature/X", label_of("shop", "feature/X"))
    )

    assert one is not None
    assert one == other
    assert one.name == "feature/X"


def test_the_previews_of_an_application_are_listed_and_no_others(api: Cluster) -> None:
    assert [each.namespace for each in asyncio.run(list_previews(api, "shop"))] == [
        "shop-preview-pr-1",
        "shop-preview-pr-2",
    ]
    assert asyncio.run(find_preview(api, "shop", "nope")) is None


@pytest.mark.parametrize(
    "change",
    [
        {"labels": {APP_MANAGED_BY: "helm"}},
        {"labels": {APP_LABEL: "blog"}},
        {"labels": {PREVIEW_LABEL: "pr-2"}},
        {"labels": {PREVIEW_LABEL: ""}},
        {"annotations": {}},
        {"name": "shop-production"},
    ],
    ids=str,
)
def test_a_namespace_without_one_of_the_marks_is_no_preview(change: dict[str, Any]) -> None:
    obj = namespace("shop", "pr-1", -1)
    meta = {**obj["metadata"], "uid": "u", "resourceVersion": "1"}
    assert read_preview({**obj, "metadata": meta}, "shop") is not None
    labels = {**meta["labels"], **change.get("labels", {})}

    assert read_preview({**obj, "metadata": {**meta, **change, "labels": labels}}, "shop") is None


def test_a_namespace_of_somebody_else_is_refused(api: Cluster) -> None:
    with pytest.raises(UserInputError, match="shop-preview-theirs is there already") as caught:
        asyncio.run(find_preview(api, "shop", "theirs"))

    assert "Choose another name" in caught.value.remedy


def expired(api: Cluster, name: str) -> bool:
    preview = asyncio.run(find_preview(api, "shop", name))
    assert preview is not None
    return asyncio.run(remove_expired(api, "shop", preview, NOW))


def test_only_what_is_over_goes(api: Cluster) -> None:
    assert (expired(api, "pr-1"), expired(api, "pr-2")) == (True, False)
    assert sorted(api.names()) == ["blog-preview-pr-1", "shop-preview-pr-2", "shop-preview-theirs"]


def test_what_is_renewed_while_it_is_pruned_stays(api: Cluster) -> None:
    def renew(verb: str, resource: str, name: str) -> None:
        if verb == "delete":
            api.before = lambda verb, resource, name: None
            api.patched(name, **{EXPIRES: "2030-01-02T00:00:00Z"})

    api.before = renew

    assert not expired(api, "pr-1")
    assert "shop-preview-pr-1" in api.names()


def test_what_is_touched_but_not_renewed_while_it_is_pruned_goes(api: Cluster) -> None:
    def touch(verb: str, resource: str, name: str) -> None:
        if verb == "delete":
            api.before = lambda verb, resource, name: None
            api.patched(name, note="x")

    api.before = touch

    assert expired(api, "pr-1")
    assert "shop-preview-pr-1" not in api.names()


@pytest.mark.parametrize("text", ["soon", ""])
def test_an_end_that_is_no_time_never_comes(api: Cluster, text: str) -> None:
    api.patched("shop-preview-pr-1", **{EXPIRES: text})

    assert not expired(api, "pr-1")
    assert [each.expires for each in asyncio.run(list_previews(api, "shop"))][-1] is None


def test_removing_one_that_another_of_its_name_replaced_is_refused(api: Cluster) -> None:
    preview = asyncio.run(find_preview(api, "shop", "pr-2"))
    assert preview is not None
    api.objects["namespaces", "", "shop-preview-pr-2"]["metadata"]["uid"] = "another"

    with pytest.raises(ConflictError):
        asyncio.run(remove(api, preview))
    del api.objects["namespaces", "", "shop-preview-pr-2"]
    assert not asyncio.run(remove(api, preview))


async def wait(api: Cluster, clock: VirtualClock, seconds: float) -> asyncio.Task[None]:
    """Wait for pr-2 to go, for some seconds of the clock."""
    preview = await find_preview(api, "shop", "pr-2")
    assert preview is not None
    task = asyncio.create_task(wait_until_gone(api, clock, [preview]))
    until = clock.monotonic() + seconds
    while clock.monotonic() < until and not task.done():
        clock.advance(1.0)
        for _ in range(3):
            await asyncio.sleep(0)
    return task


@pytest.mark.parametrize("replaced", [False, True], ids=["gone", "another one of its name"])
def test_waiting_ends_when_the_namespace_is_no_longer_there(api: Cluster, *, replaced: bool) -> None:
    key = ("namespaces", "", "shop-preview-pr-2")

    async def run() -> None:
        clock = VirtualClock()
        task = await wait(api, clock, 10)
        assert not task.done()
        if replaced:
            api.objects[key]["metadata"]["uid"] = "another"
        else:
            del api.objects[key]
        clock.advance(1.0)
        await asyncio.wait_for(task, 5)

    asyncio.run(run())


def test_a_namespace_that_does_not_go_is_told_with_its_reasons(api: Cluster) -> None:
    key = ("namespaces", "", "shop-preview-pr-2")
    condition = {"type": "NamespaceFinalizersRemaining", "status": "True", "message": "a finalizer remains"}
    api.objects[key]["status"] = {
        "conditions": [condition, {"type": "X", "status": "False", "message": "no"}]
    }

    async def run() -> None:
        await (await wait(api, VirtualClock(), GONE_SECONDS + 5))

    with pytest.raises(OperationError, match=r"shop-preview-pr-2 \(a finalizer remains\)"):
        asyncio.run(run())


def test_access_is_given_in_the_namespace_of_the_preview_only() -> None:
    objects = access_of("shop", "pr-1", {"developers": "edit", "guests": "none"})

    assert {obj["metadata"]["namespace"] for obj in objects} == {"shop-preview-pr-1"}
    bound = {
        obj["roleRef"]["name"]: [each["name"] for each in obj["subjects"]]
        for obj in objects
        if obj["kind"] == "RoleBinding"
    }
    assert bound.pop("leeward:preview-pr-1:edit") == ["developers"]
    assert not any(bound.values())
