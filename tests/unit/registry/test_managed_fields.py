"""Who owns which field after creates, updates and applies; on the real registry."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leeward.base.clock import VirtualClock
from leeward.base.ids import SeededIds
from leeward.cluster.registry.admission.plugin import AdmissionOptions
from leeward.cluster.registry.client import RegistryClient
from leeward.cluster.registry.managedfields import fieldset, typed
from leeward.cluster.registry.managedfields.schema import make_type
from leeward.cluster.registry.managedfields.types import built_in_type
from leeward.cluster.registry.registry import Registry
from leeward.cluster.store.memory import MemoryStore
from leeward.kube.objects import Obj
from leeward.kube.status import BadRequestError, ConflictError, StatusError

HEADERS = ("manager", "operation", "apiVersion", "time", "fieldsType")


class World:
    """A registry with the namespace shop."""

    def __init__(self) -> None:
        self.clock = VirtualClock()
        registry = Registry(
            MemoryStore(),
            clock=self.clock,
            ids=SeededIds(1),
            options=AdmissionOptions(disabled=("ServiceAccount",)),
        )
        self.client = registry.client("system:admin")
        self.client.create("namespaces", {"metadata": {"name": "shop"}})

    def by(self, manager: str, api_version: str = "v1") -> RegistryClient:
        return self.client.tracked(manager, api_version)

    def apply(self, manager: str, *, force: bool = False, **data: str) -> Obj:
        return self.by(manager).apply("configmaps", config(**data), force=force)[0]

    def now(self) -> Obj:
        return self.client.get("configmaps", "shop", "c")


@pytest.fixture
def world() -> World:
    return World()


def config(*, labels: Any = None, **data: str) -> Obj:
    meta: Obj = {"name": "c", "namespace": "shop"}
    if labels:
        meta["labels"] = labels
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, **({"data": data} if data else {})}


def owners(obj: Obj) -> dict[tuple[str, str], Any]:
    entries = obj["metadata"].get("managedFields", [])
    return {(entry["manager"], entry["operation"]): entry["fieldsV1"] for entry in entries}


def test_who_creates_an_object_owns_what_it_says(world: World) -> None:
    made = world.by("one").create("configmaps", config(labels={"l": "1"}, a="1"))

    assert owners(made) == {
        ("one", "Update"): {
            "f:data": {".": {}, "f:a": {}},
            "f:metadata": {"f:labels": {".": {}, "f:l": {}}},
        }
    }
    entry = made["metadata"]["managedFields"][0]
    assert {key: entry[key] for key in HEADERS} == {
        "manager": "one",
        "operation": "Update",
        "apiVersion": "v1",
        "time": made["metadata"]["creationTimestamp"],
        "fieldsType": "FieldsV1",
    }


def test_a_component_without_a_managers_name_leaves_no_trace(world: World) -> None:
    assert "managedFields" not in world.client.create("configmaps", config(a="1"))["metadata"]


def test_whoever_changes_a_field_takes_it_over(world: World) -> None:
    world.by("one").create("configmaps", config(a="1", b="1"))
    changed = world.by("two").patch("configmaps", "shop", "c", {"data": {"b": "2"}}, patch_type="merge")

    assert owners(changed) == {
        ("one", "Update"): {"f:data": {".": {}, "f:a": {}}},
        ("two", "Update"): {"f:data": {"f:b": {}}},
    }


def test_a_write_that_changes_nothing_is_no_write(world: World) -> None:
    before = world.by("one").create("configmaps", config(a="1"))
    world.clock.advance(60)

    assert world.by("two").patch("configmaps", "shop", "c", {"data": {"a": "1"}}) == before


def test_what_is_not_applied_any_more_goes_unless_somebody_else_wants_it(world: World) -> None:
    world.apply("one", a="1", b="1", c="1")
    world.apply("two", b="1")
    applied = world.apply("one", a="1")

    assert applied["data"] == {"a": "1", "b": "1"}
    assert owners(applied) == {
        ("one", "Apply"): {"f:data": {"f:a": {}}},
        ("two", "Apply"): {"f:data": {"f:b": {}}},
    }


def test_changing_what_somebody_else_owns_is_a_conflict_that_names_it(world: World) -> None:
    world.apply("one", a="1", b="1")
    before = world.now()

    with pytest.raises(ConflictError) as caught:
        world.apply("two", a="2", b="2")

    assert str(caught.value) == 'Apply failed with 2 conflicts: conflicts with "one":\n- .data.a\n- .data.b'
    causes = (caught.value.details or {})["causes"]
    assert [cause["field"] for cause in causes] == [".data.a", ".data.b"]
    assert world.now() == before


def test_force_takes_the_field(world: World) -> None:
    world.apply("one", a="1", b="1")
    forced = world.apply("two", force=True, a="2")

    assert forced["data"] == {"a": "2", "b": "1"}
    assert owners(forced) == {
        ("one", "Apply"): {"f:data": {"f:b": {}}},
        ("two", "Apply"): {"f:data": {"f:a": {}}},
    }


def test_the_first_apply_respects_what_was_there_before(world: World) -> None:
    world.client.create("configmaps", config(a="1", b="1"))
    with pytest.raises(ConflictError, match="before-first-apply"):
        world.apply("one", a="2")

    assert world.apply("one", a="1")["data"] == {"a": "1", "b": "1"}


def test_a_list_with_keys_is_merged_item_by_item(world: World) -> None:
    def template(*containers: Obj) -> Obj:
        return {
            "apiVersion": "v1",
            "kind": "PodTemplate",
            "metadata": {"name": "p", "namespace": "shop"},
            "template": {"spec": {"containers": list(containers)}},
        }

    world.by("one").apply(
        "podtemplates", template({"name": "a", "image": "i", "ports": [{"containerPort": 80}]})
    )
    applied, made = world.by("two").apply(
        "podtemplates", template({"name": "a", "env": [{"name": "X", "value": "1"}]})
    )

    assert not made
    (container,) = applied["template"]["spec"]["containers"]
    assert (container["image"], container["env"]) == ("i", [{"name": "X", "value": "1"}])
    spec = owners(applied)["one", "Apply"]["f:template"]["f:spec"]
    ports = spec["f:containers"]['k:{"name":"a"}']["f:ports"]
    assert list(ports) == ['k:{"containerPort":80,"protocol":"TCP"}']


def test_status_and_the_rest_have_owners_of_their_own(world: World) -> None:
    deployment = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "d", "namespace": "shop"},
        "spec": {
            "selector": {"matchLabels": {"a": "b"}},
            "template": {
                "metadata": {"labels": {"a": "b"}},
                "spec": {"containers": [{"name": "c", "image": "i"}]},
            },
        },
        "status": {"replicas": 1},
    }
    made = world.by("one", "apps/v1").create("deployments.apps", deployment)
    assert "f:status" not in owners(made)["one", "Update"]

    given = {**deployment, "spec": {"replicas": 9}, "status": {"replicas": 2}}
    applied, _ = world.by("ctl", "apps/v1").apply("deployments.apps", given, subresource="status")

    assert (applied["status"]["replicas"], applied["spec"]["replicas"]) == (2, 1)
    assert owners(applied)["ctl", "Apply"] == {"f:status": {"f:replicas": {}}}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"nosuch": 1}, r"\.nosuch: field not declared in schema"),
        ({"data": [1]}, r"\.data: expected map, got &\{\[1\]\}"),
    ],
)
def test_a_configuration_must_fit_its_type(world: World, change: Obj, message: str) -> None:
    with pytest.raises(StatusError, match=message):
        world.by("one").apply("configmaps", {**config(a="1"), **change})


def test_a_configuration_brings_no_managers(world: World) -> None:
    given = config(a="1")
    with pytest.raises(BadRequestError, match="managedFields must be nil"):
        world.by("one").apply(
            "configmaps", {**given, "metadata": {**given["metadata"], "managedFields": [{"manager": "x"}]}}
        )


def test_old_updates_are_folded_together(world: World) -> None:
    world.by("m00").create("configmaps", config(k00="1"))
    for number in range(1, 15):
        world.clock.advance(1)
        patch = {"data": {f"k{number:02}": "1"}}
        world.by(f"m{number:02}").patch("configmaps", "shop", "c", patch, patch_type="merge")

    managers = [name for name, _ in owners(world.now())]
    assert len(managers) == 10
    assert managers[0] == "ancient-changes"
    assert "m14" in managers


elements = st.sampled_from(["f:a", "f:b", 'k:{"n":"1"}', 'v:"x"', "i:0"])
sets = st.lists(st.lists(elements, min_size=1, max_size=4).map(tuple), max_size=8).map(fieldset.make_set)


@given(sets)
def test_a_set_survives_the_wire(fields: Any) -> None:
    assert fieldset.from_wire(fieldset.to_wire(fields)) == fields


@given(sets, sets)
def test_sets_obey_the_laws_of_sets(left: Any, right: Any) -> None:
    def members(fields: Any) -> set[Any]:
        return set(fieldset.paths_of(fields))

    assert members(fieldset.union(left, right)) == members(left) | members(right)
    assert members(fieldset.difference(left, right)) == members(left) - members(right)
    assert members(fieldset.intersection(left, right)) == members(left) & members(right)


values = st.recursive(
    st.one_of(st.none(), st.integers(0, 3), st.text("ab", max_size=2)),
    lambda inner: st.dictionaries(st.sampled_from("xyz"), inner, max_size=3) | st.lists(inner, max_size=3),
    max_leaves=12,
)
maps = st.dictionaries(st.sampled_from("xyz"), values, max_size=3)
DEDUCED = make_type({"type": "object", "x-kubernetes-preserve-unknown-fields": True})


@given(maps)
def test_a_value_compared_with_itself_has_no_differences(value: Any) -> None:
    assert typed.compare(DEDUCED, value, dict(value)) == typed.Comparison()


@given(maps, maps)
def test_merging_twice_changes_nothing_more(base: Any, over: Any) -> None:
    once = typed.merge(DEDUCED, base, over)
    assert typed.merge(DEDUCED, once, over) == once


@given(maps)
def test_a_value_without_its_fields_is_nothing(value: Any) -> None:
    left = typed.remove(DEDUCED, value, typed.field_set(DEDUCED, value))
    assert left is typed.ABSENT or not typed.field_set(DEDUCED, left)


def test_items_of_a_list_keep_the_order_of_both_sides() -> None:
    containers = built_in_type("v1", "Pod").fields["spec"].fields["containers"]

    def named(*names: str) -> list[Obj]:
        return [{"name": name} for name in names]

    for base, over, expected in (
        ("abc", "cb", "acb"),
        ("ab", "xa", "xab"),
        ("abc", "bx", "abcx"),
        ("", "ab", "ab"),
    ):
        merged = typed.merge(containers, named(*base), named(*over))
        assert "".join(item["name"] for item in merged) == expected, (base, over)
