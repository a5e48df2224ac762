"""Plans of Terraform, read: what is done to what, which attribute forces it, and nothing that is secret."""

from __future__ import annotations

import pytest

from leeward.infra.plans import ABSENT, SENSITIVE, UNKNOWN, Action, Attribute, summary_of
from tests.unit.infra.plans import GROUP, change, group, plan


@pytest.mark.parametrize(
    ("actions", "action"),
    [
        (["create"], Action.CREATE),
        (["update"], Action.UPDATE),
        (["delete", "create"], Action.REPLACE),
        (["create", "delete"], Action.REPLACE),
        (["delete"], Action.DESTROY),
        (["forget"], Action.FORGET),
    ],
)
def test_what_becomes_of_a_resource_is_told(actions: list[str], action: Action) -> None:
    (found,) = summary_of(plan(change(GROUP, actions, {}, {}))).changes

    assert found.action is action
    assert found.shown == 'node_groups.eks_node_group["general-a"]'
    assert found.creates_first == (actions[0] == "create")


@pytest.mark.parametrize("actions", [["no-op"], ["read"]])
def test_what_stays_is_no_change(actions: list[str]) -> None:
    summary = summary_of(plan(change(GROUP, actions, {}, {})))

    assert summary.changes == ()
    assert not summary.has_changes


def test_a_data_source_is_no_change() -> None:
    found = {**change("data.aws_partition.this", ["create"], None, {}), "mode": "data"}

    assert summary_of(plan(found)).changes == ()


def test_attributes_are_told_from_and_to() -> None:
    before, after = group("general-a", 1, 2, 4, version="1.34"), group("general-a", 2, 2, 8, version="1.34")
    after["labels"] = {"workload": "web"}
    (found,) = summary_of(plan(change(GROUP, ["update"], before, after))).changes

    assert found.attributes == (
        Attribute("labels.workload", ABSENT, "web"),
        Attribute("scaling_config.max_size", "4", "8"),
        Attribute("scaling_config.min_size", "1", "2"),
    )


def test_the_attribute_that_forces_a_replacement_is_named() -> None:
    after = group("general-a", 1, 2, 4, instance_types=["m8i.large"])
    told = change(
        GROUP, ["create", "delete"], group("general-a", 1, 2, 4), after,
        replace_paths=[["instance_types"], ["launch_template", 0, "id"]],
        after_unknown={"arn": True, "launch_template": [{"id": True}]},
    )  # fmt: skip
    (found,) = summary_of(plan(told)).changes

    assert found.forced_by == ("instance_types", "launch_template.id")
    assert found.attributes == (
        Attribute("instance_types", '["m7i.large"]', '["m8i.large"]'),
        Attribute("launch_template.id", ABSENT, UNKNOWN),
    )


def test_sensitive_values_are_nowhere_in_a_summary() -> None:
    told = change(
        "aws_db_instance.shop", ["update"],
        {"password": "old-secret", "users": [{"name": "a", "token": "t0ps3cret"}], "size": 10},
        {"password": "new-secret", "users": [{"name": "b", "token": "t0ps3cret"}], "size": 20},
        before_sensitive={"password": True, "users": [{"token": True}]},
        after_sensitive={"password": True, "users": [{"token": True}]},
    )  # fmt: skip
    summary = summary_of(plan(told))

    (found,) = summary.changes
    everything = f"{summary!r}{found.before!r}{found.after!r}"
    assert "old-secret" not in everything
    assert "new-secret" not in everything
    assert "t0ps3cret" not in everything
    assert found.before["password"] == SENSITIVE
    assert [each.path for each in found.attributes] == ["size", "users.name"]


def test_a_resource_that_is_sensitive_as_a_whole_is_not_told() -> None:
    told = change("aws_secret.one", ["update"], {"a": {"b": "x1"}}, {"a": {"b": "x2"}},
                  before_sensitive={"a": True}, after_sensitive={"a": True})  # fmt: skip

    assert "x1" not in repr(summary_of(plan(told)))
    assert summary_of(plan(told)).changes[0].before == {"a": SENSITIVE}


def test_tags_are_told_once() -> None:
    before = {"tags": {"team": "a"}, "tags_all": {"team": "a", "x": "1"}}
    after = {"tags": {"team": "b"}, "tags_all": {"team": "b", "x": "1"}}
    (found,) = summary_of(plan(change("module.network.aws_vpc.this", ["update"], before, after))).changes

    assert found.attributes == (Attribute("tags.team", "a", "b"),)


def test_long_values_are_cut() -> None:
    told = change(
        "aws_iam_policy.own", ["update"], {"policy": "{}"}, {"policy": '{"a":  "' + "b" * 500 + '"}'}
    )
    (found,) = summary_of(plan(told)).changes

    assert len(found.attributes[0].after) == 80
    assert found.attributes[0].after.startswith('{"a": "bbb')


def test_outputs_that_change_are_something_to_apply() -> None:
    outputs = {"vpc_id": {"actions": ["no-op"]}, "region": {"actions": ["update"]}}
    summary = summary_of(plan(output_changes=outputs))

    assert summary.outputs == ("region",)
    assert summary.has_changes


def test_what_others_changed_is_told_where_the_plan_puts_it_back() -> None:
    now = group("general-a", 1, 3, 9, labels={"by": "hand"})
    drift = [change(GROUP, ["update"], group("general-a", 1, 2, 4), now)]
    back = change(GROUP, ["update"], now, group("general-a", 1, 3, 4, labels={"by": "hand"}))

    (found,) = summary_of(plan(back, resource_drift=drift)).drift
    assert found.attributes == (Attribute("scaling_config.max_size", "4", "9"),)
    assert summary_of(plan(resource_drift=drift)).drift == ()


def test_what_others_removed_and_is_made_again_is_told() -> None:
    gone = change(GROUP, ["delete"], group("general-a", 1, 2, 4), None)
    again = change(GROUP, ["create"], None, group("general-a", 1, 2, 4))

    (found,) = summary_of(plan(again, resource_drift=[gone])).drift
    assert found.action is Action.DESTROY


def test_what_is_no_plan_is_refused() -> None:
    with pytest.raises(ValueError, match="no plan"):
        summary_of({"format_version": "1.0", "values": {}})
