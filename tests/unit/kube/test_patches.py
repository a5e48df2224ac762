"""The three kinds of patch."""

from __future__ import annotations

import copy
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leeward.kube.patch.json_patch import apply_json_patch
from leeward.kube.patch.merge import apply_merge_patch
from leeward.kube.patch.strategic import PatchError, apply_strategic_patch, stray_directives
from leeward.kube.status import StatusError

SCALARS = st.none() | st.booleans() | st.integers(-3, 3) | st.text("ab", max_size=2)
JSON = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text("abc", max_size=2), inner, max_size=3)
    ),
    max_leaves=8,
)


def deployment(*containers: dict[str, Any], **template_spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "spec": {"template": {"spec": {"containers": list(containers), **template_spec}}},
    }


def strategic(target: dict[str, Any], pod_spec: dict[str, Any]) -> Any:
    """Patch a Deployment's Pod template; returns the resulting Pod spec."""
    patch = {"spec": {"template": {"spec": pod_spec}}}
    return apply_strategic_patch(target, patch, "apps/v1", "Deployment")["spec"]["template"]["spec"]


# The examples of RFC 7386, appendix A.
@pytest.mark.parametrize(
    ("target", "patch", "expected"),
    [
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b"}, {"a": None}, {}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
        (["a", "b"], ["c", "d"], ["c", "d"]),
        ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
        ([1, 2], {"a": "b", "c": None}, {"a": "b"}),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
    ],
)
def test_a_merge_patch_does_what_its_rfc_says(target: Any, patch: Any, expected: Any) -> None:
    assert apply_merge_patch(target, patch) == expected


@given(JSON, JSON)
def test_a_merge_patch_changes_no_argument_and_is_idempotent(target: Any, patch: Any) -> None:
    before = copy.deepcopy((target, patch))

    once = apply_merge_patch(target, patch)

    assert (target, patch) == before
    assert apply_merge_patch(once, patch) == once


@pytest.mark.parametrize(
    ("operations", "expected"),
    [
        ([{"op": "add", "path": "/a/1", "value": 9}], {"a": [1, 9, 2], "b": {"c/d": 1}}),
        ([{"op": "add", "path": "/a/-", "value": 9}], {"a": [1, 2, 9], "b": {"c/d": 1}}),
        ([{"op": "remove", "path": "/a/0"}], {"a": [2], "b": {"c/d": 1}}),
        ([{"op": "replace", "path": "/b/c~1d", "value": 2}], {"a": [1, 2], "b": {"c/d": 2}}),
        ([{"op": "move", "from": "/b", "path": "/e"}], {"a": [1, 2], "e": {"c/d": 1}}),
        ([{"op": "copy", "from": "/a/0", "path": "/f"}], {"a": [1, 2], "b": {"c/d": 1}, "f": 1}),
        ([{"op": "test", "path": "/a", "value": [1, 2]}], {"a": [1, 2], "b": {"c/d": 1}}),
    ],
)
def test_a_json_patch_does_what_its_rfc_says(operations: list[dict[str, Any]], expected: Any) -> None:
    target = {"a": [1, 2], "b": {"c/d": 1}}

    assert apply_json_patch(target, operations) == expected
    assert target == {"a": [1, 2], "b": {"c/d": 1}}


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "remove", "path": "/nowhere"},
        {"op": "replace", "path": "/a/7", "value": 1},
        {"op": "replace", "path": "/no/where", "value": 1},
        {"op": "add", "path": "/a/7", "value": 1},
        {"op": "add", "path": "/no/where", "value": 1},
        {"op": "test", "path": "/a", "value": [3]},
        {"op": "hop", "path": "/a"},
        {"path": "/a"},
        "remove",
    ],
)
def test_a_json_patch_that_cannot_be_applied_is_refused(operation: Any) -> None:
    with pytest.raises(StatusError):
        apply_json_patch({"a": [1, 2]}, [operation])


def test_containers_merge_by_name() -> None:
    target = deployment(
        {"name": "web", "image": "a:1", "env": [{"name": "A", "value": "1"}]}, {"name": "log"}
    )

    spec = strategic(
        target,
        {"containers": [{"name": "web", "image": "a:2", "env": [{"name": "B", "value": "2"}]}]},
    )

    assert spec["containers"] == [
        {"name": "web", "image": "a:2", "env": [{"name": "B", "value": "2"}, {"name": "A", "value": "1"}]},
        {"name": "log"},
    ]


def test_an_element_is_deleted_by_directive() -> None:
    spec = strategic(
        deployment({"name": "web"}, {"name": "log"}), {"containers": [{"name": "log", "$patch": "delete"}]}
    )

    assert spec["containers"] == [{"name": "web"}]


def test_a_list_is_replaced_by_directive() -> None:
    spec = strategic(
        deployment({"name": "web"}, {"name": "log"}), {"containers": [{"$patch": "replace"}, {"name": "new"}]}
    )

    assert spec["containers"] == [{"name": "new"}]


def test_elements_are_ordered_by_directive() -> None:
    spec = strategic(
        deployment({"name": "a"}, {"name": "b"}),
        {
            "$setElementOrder/containers": [{"name": "b"}, {"name": "c"}, {"name": "a"}],
            "containers": [{"name": "c"}],
        },
    )

    assert [each["name"] for each in spec["containers"]] == ["b", "c", "a"]


def test_keys_that_are_not_retained_go() -> None:
    target = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "spec": {"strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1}}},
    }
    patch = {"spec": {"strategy": {"$retainKeys": ["type"], "type": "Recreate"}}}

    patched = apply_strategic_patch(target, patch, "apps/v1", "Deployment")

    assert patched["spec"]["strategy"] == {"type": "Recreate"}


def test_a_list_of_scalars_that_merges_is_a_set() -> None:
    target = {"apiVersion": "v1", "kind": "Pod", "metadata": {"finalizers": ["a", "b"]}}

    added = apply_strategic_patch(target, {"metadata": {"finalizers": ["b", "c"]}}, "v1", "Pod")
    removed = apply_strategic_patch(
        target, {"metadata": {"$deleteFromPrimitiveList/finalizers": ["a"]}}, "v1", "Pod"
    )

    assert added["metadata"]["finalizers"] == ["a", "b", "c"]
    assert removed["metadata"]["finalizers"] == ["b"]


def test_a_list_without_a_merge_key_is_replaced() -> None:
    spec = strategic(
        deployment({"name": "web", "command": ["a", "b"]}),
        {"containers": [{"name": "web", "command": ["c"]}]},
    )

    assert spec["containers"] == [{"name": "web", "command": ["c"]}]


def test_an_element_without_its_merge_key_is_refused() -> None:
    with pytest.raises(PatchError, match="does not contain declared merge key: name"):
        strategic(deployment({"name": "web"}), {"containers": [{"image": "x"}]})


@given(JSON.filter(lambda value: isinstance(value, dict)), JSON.filter(lambda value: isinstance(value, dict)))
def test_for_an_unknown_kind_it_is_a_merge_patch(target: Any, patch: Any) -> None:
    before = copy.deepcopy((target, patch))

    patched = apply_strategic_patch(target, patch, "example.com/v1", "Thing")

    assert (target, patch) == before
    assert patched == apply_merge_patch(target, patch)


def test_a_json_patch_may_replace_a_key_that_is_not_there_and_test_for_that() -> None:
    operations = [{"op": "test", "path": "/b", "value": None}, {"op": "replace", "path": "/b", "value": 1}]
    assert apply_json_patch({"a": 0}, operations) == {"a": 0, "b": 1}


@pytest.mark.parametrize(
    ("live", "patch", "expected"),
    [
        ("a b c", "x", "x a b c"),
        ("a b c", "c x a", "b c x a"),
        ("a b c", "b x", "a b x c"),
        ("a b", "b a", "b a"),
        ("a b c d", "d b", "a c d b"),
        ("", "x y", "x y"),
    ],
)
def test_elements_of_a_patch_keep_its_order_and_the_others_their_place(
    live: str, patch: str, expected: str
) -> None:
    lists = [[{"name": name} for name in names.split()] for names in (live, patch)]
    found = strategic(deployment(*lists[0]), {"containers": lists[1]})["containers"]
    assert [each["name"] for each in found] == expected.split()
    primitive = apply_strategic_patch(
        {"metadata": {"finalizers": live.split()}}, {"metadata": {"finalizers": patch.split()}}, "v1", "Pod"
    )
    assert primitive["metadata"]["finalizers"] == expected.split()


def test_a_patch_in_another_order_than_it_asks_for_is_refused() -> None:
    with pytest.raises(PatchError, match=r"The order in patch list:\n\[map\[name:a\]\]\n doesn't match"):
        strategic(
            deployment({"name": "a"}),
            {"containers": [{"name": "a"}], "$setElementOrder/containers": [{"name": "z"}]},
        )


def test_an_unknown_directive_is_refused_in_gos_words() -> None:
    with pytest.raises(PatchError, match=r"unknown patch type: odd in map: map\[\$patch:odd z:1\]"):
        apply_strategic_patch({"data": {}}, {"data": {"$patch": "odd", "z": "1"}}, "v1", "ConfigMap")


def test_copies_that_grow_without_bounds_are_refused() -> None:
    copies = [{"op": "copy", "from": "/data", "path": f"/data/k{number}"} for number in range(20)]

    with pytest.raises(StatusError, match="the accumulated size increase of copy is") as refused:
        apply_json_patch({"data": {"a": "x" * 1000}}, copies)
    assert refused.value.code == 422


def test_a_patch_of_too_many_operations_is_refused() -> None:
    with pytest.raises(
        StatusError, match="maximum operations in a JSON patch is 10000, got 10001"
    ) as refused:
        apply_json_patch({}, [{"op": "add", "path": "/a", "value": 1}] * 10_001)
    assert refused.value.code == 413


def test_a_directive_in_a_list_that_is_replaced_is_no_directive() -> None:
    items = [{"name": "a", "$patch": "delete"}]
    assert stray_directives({"imagePullSecrets": items}, "v1", "ServiceAccount") == [
        "imagePullSecrets[0].$patch"
    ]
    assert stray_directives({"spec": {"containers": items}}, "v1", "Pod") == []


@pytest.mark.parametrize("index", ["\u00b2", "9" * 5000, "\u0663", "-1", "+1", ""])
@pytest.mark.parametrize("name", ["add", "remove", "replace", "test"])
def test_what_is_no_index_is_refused(name: str, index: str) -> None:
    with pytest.raises(StatusError, match="the server rejected our request"):
        apply_json_patch({"a": [1, 2, 3, 4]}, [{"op": name, "path": f"/a/{index}", "value": 1}])


POINTERS = st.lists(st.sampled_from(["a", "b", "0", "1", "-"]), max_size=3).map(
    lambda parts: "".join(f"/{part}" for part in parts)
)
OPERATIONS = st.fixed_dictionaries(
    {
        "op": st.sampled_from(["add", "remove", "replace", "move", "copy"]),
        "path": POINTERS,
        "from": POINTERS,
        "value": JSON,
    }
)


@given(JSON, st.lists(OPERATIONS, max_size=8))
def test_operations_together_do_what_they_do_one_by_one(target: Any, operations: list[Any]) -> None:
    given_target, given_patch = copy.deepcopy(target), copy.deepcopy(operations)
    fitting, expected = [], copy.deepcopy(target)
    for operation in operations:
        try:
            expected = apply_json_patch(copy.deepcopy(expected), [copy.deepcopy(operation)])
        except StatusError:
            continue
        fitting.append(operation)

    assert apply_json_patch(target, fitting) == expected
    assert target == given_target
    assert operations == given_patch


def test_many_operations_on_a_large_map_take_little_time() -> None:
    target = {"data": dict.fromkeys(map(str, range(100_000)), 1)}
    patch = [{"op": "add", "path": f"/data/new{number}", "value": number} for number in range(10_000)]
    start = time.process_time()
    made = apply_json_patch(target, patch)

    assert len(made["data"]) == 110_000
    assert len(target["data"]) == 100_000
    assert time.process_time() - start < 5  # seconds; with a copy for each operation it were half a minute
