"""Roles and bindings: what each level may do, and to whom it is given."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest

from leeward.base.errors import OperationError
from leeward.delivery.environments.access import ACTIONS, LEVELS, access_objects, questions, review_of
from leeward.delivery.environments.environment import Environment
from leeward.kube.objects import Obj

ACCESS = {"developers": "view", "testers": "view", "devops": "admin", "sales": "none"}
QA = Environment(name="qa", app="shop", namespace="shop-qa", access=ACCESS)
LADDERS = (("view", "edit", "admin"), ("view", "promote", "admin"))


def objects(environment: Environment = QA) -> dict[tuple[str, str, str], Obj]:
    return {
        (obj["kind"], obj["metadata"]["namespace"], obj["metadata"]["name"]): obj
        for obj in access_objects(environment)
    }


def rights(level: str, namespace: str) -> set[tuple[str, str, str, str]]:
    """Return (verb, group, resource, name) of all that a level may."""
    rules: list[dict[str, Any]] = objects()["Role", namespace, f"leeward:qa:{level}"]["rules"]
    return {
        (verb, group, resource, name)
        for rule in rules
        for verb in rule["verbs"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for name in rule.get("resourceNames") or [""]
    }


def test_roles_and_bindings_are_always_all_there_under_fixed_names() -> None:
    names = {("leeward-shop", f"leeward:qa:{level}") for level in LEVELS}
    names |= {("shop-qa", f"leeward:qa:{level}") for level in LEVELS}
    assert objects().keys() == {(kind, *name) for kind in ("Role", "RoleBinding") for name in names}
    empty = objects(Environment(name="qa", app="shop", namespace="shop-qa"))
    assert objects().keys() == empty.keys()
    assert all(obj["subjects"] == [] for (kind, _, _), obj in empty.items() if kind == "RoleBinding")


def test_a_level_is_bound_to_its_groups() -> None:
    for namespace in ("shop-qa", "leeward-shop"):
        binding = objects()["RoleBinding", namespace, "leeward:qa:view"]
        assert [each["name"] for each in binding["subjects"]] == ["developers", "testers"]
        assert {each["kind"] for each in binding["subjects"]} == {"Group"}
        assert binding["roleRef"]["name"] == "leeward:qa:view"
        assert objects()["RoleBinding", namespace, "leeward:qa:edit"]["subjects"] == []
    assert "sales" not in str(access_objects(QA))


@pytest.mark.parametrize("namespace", ["shop-qa", "leeward-shop"])
@pytest.mark.parametrize("ladder", LADDERS)
def test_a_higher_level_may_everything_that_a_lower_one_may(ladder: tuple[str, ...], namespace: str) -> None:
    for lower, higher in pairwise(ladder):
        assert rights(lower, namespace) <= rights(higher, namespace)


def test_view_and_edit_have_nothing_to_do_with_secrets_tokens_or_releases() -> None:
    for level in ("view", "edit"):
        for verb, group, resource, _ in rights(level, "shop-qa") | rights(level, "leeward-shop"):
            assert not resource.startswith("secrets"), (verb, resource)
            assert resource != "serviceaccounts/token"
            assert verb not in ("promote", "approve", "impersonate", "escalate", "bind", "*"), verb
            assert "*" not in (group, resource)
        assert {verb for verb, *_ in rights(level, "leeward-shop")} == {"get", "list", "watch"}


def test_view_only_reads() -> None:
    assert {verb for verb, *_ in rights("view", "shop-qa")} == {"get", "list", "watch"}


def test_promote_is_for_this_environment_alone() -> None:
    hub = rights("promote", "leeward-shop")
    assert ("promote", "leeward.dev", "environments", "qa") in hub
    assert ("patch", "leeward.dev", "environments/status", "qa") in hub
    assert ("update", "coordination.k8s.io", "leases", "leeward-qa") in hub
    named = {(verb, resource, name) for verb, _, resource, name in hub if resource.startswith("environments")}
    writing = {name for verb, _, name in named if verb not in ("get", "list", "watch")}
    assert writing == {"qa"}
    assert ("create", "", "secrets", "") in rights("promote", "shop-qa")
    assert not any(resource == "pods/exec" for _, _, resource, _ in rights("promote", "shop-qa"))


def test_admin_changes_this_environment_and_its_own_roles_and_no_others() -> None:
    for namespace in ("shop-qa", "leeward-shop"):
        changed = {
            name
            for verb, _, resource, name in rights("admin", namespace)
            if resource in ("roles", "rolebindings") and verb not in ("get", "list", "watch")
        }
        assert changed == {f"leeward:qa:{level}" for level in LEVELS}
    assert ("patch", "leeward.dev", "environments", "qa") in rights("admin", "leeward-shop")
    assert not any(
        verb == "create" and kind == "environments" for verb, _, kind, _ in rights("admin", "leeward-shop")
    )


def test_an_access_that_is_none_is_refused() -> None:
    with pytest.raises(OperationError, match="gives x the access 'root', which is none"):
        access_objects(Environment(name="qa", app="shop", namespace="shop-qa", access={"x": "root"}))


def test_the_cluster_is_asked_for_each_group_and_action() -> None:
    asked = list(questions(QA, ["developers", "devops"]))
    assert len(asked) == 2 * len(ACTIONS)
    promote = next(action for action in ACTIONS if action.name == "promote")
    review = review_of(QA, promote, "devops")
    assert review["metadata"]["namespace"] == "leeward-shop"
    assert review["spec"] == {
        "groups": ["devops"],
        "resourceAttributes": {
            "namespace": "leeward-shop", "verb": "promote", "group": "leeward.dev",
            "resource": "environments", "name": "qa",
        },
    }  # fmt: skip
